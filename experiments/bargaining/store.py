"""The run folder of the Bargaining page: what was asked, and what units wrote."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from experiments.bargaining.config import Config
from experiments.bargaining.results import Fidelity, Judged
from experiments.bargaining.units import Kind, Unit
from experiments.lab import checkpoints
from experiments.lab.folder import binding, value_of
from experiments.lab.work import Outcome
from metaspiel import files
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.nfg.errors import UserError
from offline import baselines, data, ensemble
from offline.baselines import Clone
from offline.data import Dataset
from offline.ensemble import Ensemble
from offline.model import ModelSimulator
from offline.starts import starts
from psro import checkpoint
from psro.parts import State

T = TypeVar("T")


@dataclass(frozen=True)
class Finished:
    """A record of a unit that is done.

    Attributes:
      unit: its name.
      cpu_seconds: that it took.
    """

    unit: str
    cpu_seconds: float


ROOMS: dict[type, str] = {Judged: "judged", Fidelity: "fidelity", Finished: "units"}


@dataclass(frozen=True)
class Store:
    """What the units of one run have written, each bound to the configuration.

    Attributes:
      config: of the run.
      folder: of the run.
    """

    config: Config
    folder: Path

    def bound(self, name: str) -> dict[str, str]:
        """What the results of a unit of this name belong to."""
        return {"config": binding(self.config), "unit": name}

    def check(self, unit: Unit) -> None:
        """Refuses the results of a finished unit that are damaged or another one's.

        Rows are looked at when they are reported.
        """
        reads: dict[Kind, Callable[[Unit], object]] = {
            "behaviour": self.state,
            "explore": self.state,
            "data": self.data,
            "model": self.ensemble,
            "clone": self.clone,
        }
        if unit.kind in reads:
            reads[unit.kind](unit)

    def state(self, unit: Unit) -> State:
        """The newest state of a unit's PSRO run.

        Raises:
          UserError: there is none, or it is damaged or another unit's.
        """
        place = unit.place(self.folder)
        places = checkpoint.complete(place)
        if not places:
            raise UserError(f"resume: '{place}' must hold a checkpoint; got none")

        def read(one: Path) -> State:
            state, known = checkpoint.read(one)
            if known != self.bound(unit.name):
                raise UserError(
                    f"checkpoint '{one}' must be as this run wrote it; it is another "
                    "unit's"
                )
            return state

        again = f"remove '{place}' and resume: it is then made again"
        return checkpoints.sound(places, read, again=again)

    def data(self, unit: Unit) -> Dataset:
        """The data set that a unit made."""
        return self._read(unit, lambda at, bound: data.load(at, bound=bound))

    def ensemble(self, unit: Unit) -> Ensemble:
        """The ensemble that a unit trained."""
        return self._read(unit, ensemble.load)

    def clone(self, unit: Unit) -> Clone:
        """The clone that a unit fitted."""
        game, cloning = Bargaining.of(self.config.game), self.config.cloning
        network = baselines.network_of(cloning, game.inputs, game.actions)
        return self._read(unit, lambda at, bound: baselines.load(at, network, bound))

    def model(self, unit: Unit) -> ModelSimulator:
        """The learned model that a unit plays in."""
        config, device = self.config, torch.device(self.config.ddqn.device)
        learned = self.ensemble(unit.on_its_data("model"))
        return ModelSimulator(
            learned=ensemble.moved(learned, device),
            starts=starts([self.data(unit.on_its_data("data"))], device),
            history=config.history,
            uncertainty=config.uncertainty,
            round_state=config.round_state,
        )

    @property
    def network(self) -> MLP:
        """The network of all policies, in the model and in the true game."""
        return MLP.of(Bargaining.of(self.config.game))

    def _read(self, unit: Unit, read: Callable[[Path, dict[str, str]], T]) -> T:
        """What a unit wrote.

        Raises:
          UserError: it is damaged, or another unit's.
        """
        place = unit.place(self.folder)
        try:
            return read(place, self.bound(unit.name))
        except UserError as error:
            raise UserError(
                f"{error} (remove '{place}' and resume: it is then made again)"
            ) from None

    def write_row(self, unit: Unit, row: Judged | Fidelity) -> None:
        """Writes what a unit that looks at a run has seen; without what is None."""
        fields = {k: v for k, v in dataclasses.asdict(row).items() if v is not None}
        bound = self.bound(unit.name)
        files.write_sealed(unit.place(self.folder), files.nan_as_none(fields), bound)

    def rows(self, kind: type[T]) -> list[T]:
        """Finished rows of a kind, in the order of their names.

        Raises:
          UserError: a file is damaged.
        """
        finished, room = [], ROOMS[kind]
        for place in sorted((self.folder / room).glob("*.json")):
            try:
                bound = self.bound(f"{room}/{place.name.removesuffix('.json')}")
                finished.append(value_of(kind, files.read_sealed(place, bound), place))
            except UserError as error:
                raise UserError(
                    f"{error} (remove the file and resume: it is then made again)"
                ) from None
        return finished

    def recorded(self, name: str) -> Path:
        """Where it is recorded that the unit of this name is done."""
        return self.folder / "units" / f"{name.replace('/', '-')}.json"

    def finish(self, outcome: Outcome) -> None:
        """Records what became of a unit: in ``units/`` or in ``failed/``."""
        place = self.recorded(outcome.name)
        failed = self.folder / "failed" / place.name
        for room in (failed.parent, place.parent):
            room.mkdir(exist_ok=True)
        if outcome.fault is None:
            row = Finished(outcome.name, round(outcome.seconds, 3))
            bound = self.bound(f"units/{place.stem}")
            files.write_sealed(place, dataclasses.asdict(row), bound)
            failed.unlink(missing_ok=True)
        else:
            about = {"fault": outcome.fault, "trace": outcome.trace}
            files.write_json(failed, {"unit": outcome.name, **about})


def check_data(config: Config, given: Dataset) -> None:
    """Refuses a data set that is not the one a resumed folder has worked with.

    Raises:
      UserError: it is another one.
    """
    if config.run.out is None or not config.run.resume:
        return
    for place in sorted(config.run.out.glob("data/file-*/manifest.json")):
        used = data.load(place.parent)
        if not used.equals(given):
            raise UserError(
                f"--data: '{config.data}' must be the data set that the run in "
                f"'{config.run.out}' began with; it has changed"
            )
