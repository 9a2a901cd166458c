"""The units of work of a grid on Bargaining, as pieces that need one another.

A unit's results are one place in the run folder, written whole or not at all, so a grid
that is killed loses at most what its units had not yet written. A unit's seed comes
from the grid's seed and the unit's own name: its bits do not depend on other units.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from experiments.lab.folder import slug
from experiments.lab.work import Do, Piece

if TYPE_CHECKING:
    from experiments.bargaining.config import Config

Kind = Literal["behaviour", "data", "model", "clone", "explore", "judge", "fidelity"]
ApproachName = Literal["coffee", "oef", "oef-bc"]
BehaviourName = Literal["uniform", "psro", "file"]
BEHAVIOURS = 5  # online runs whose final profiles make the mixture
ALL_TRIALS = -1
_STACKED = ("behaviour", "model", "explore", "judge")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One piece of work. Fields that do not concern its kind keep their defaults.

    Attributes:
      kind: "behaviour" is online PSRO in the true game; "data" a data set; "model" and
        "clone" what is learned from it; "explore" PSRO in the model; "judge" one
        profile's regret in the true game; "fidelity" how true the model was.
      trial: number of the trial; ALL_TRIALS where all share it.
      behaviour: who played the data.
      trajectories: of the data.
      number: of the behaviour run.
      approach: "coffee" or "oef".
      exploration: solver that is responded to.
      penalty: lambda.
      coverage: alpha_0.
      evaluation: solver whose profile is judged.
      weight: w of OEF-BC; None where nothing is imitated.
      iteration: judged instead of the last one; 0 for the last.
    """

    kind: Kind
    trial: int
    behaviour: str = ""
    trajectories: int = 0
    number: int = 0
    approach: str = ""
    exploration: str = ""
    penalty: float = 0.0
    coverage: float = 0.0
    evaluation: str = ""
    weight: float | None = None
    iteration: int = 0

    @property
    def name(self) -> str:
        """Where the unit's results are, below the run folder and without a suffix."""
        data = f"{self.behaviour}-{self.trajectories}" if self.trajectories else ""
        parts = [
            self.approach,
            slug(self.exploration),
            f"l{self.penalty:g}-a{self.coverage:g}" if self.approach else "",
            data,
            f"run{self.number}" if self.kind == "behaviour" else "",
            "all" if self.trial == ALL_TRIALS else f"t{self.trial}",
            f"by-{slug(self.evaluation)}" if self.evaluation else "",
            "" if self.weight is None else f"w{self.weight:g}",
            f"at{self.iteration}" if self.iteration else "",
        ]
        room = {"judge": "judged"}.get(self.kind, self.kind)
        return f"{room}/{'-'.join(filter(None, parts))}"

    def seed(self, seed: int) -> tuple[int, int, int]:
        """The seed of everything random in this unit.

        All profiles of one trial's data set are judged on the same instances and by
        responses that begin alike: they differ by what is judged.
        """
        named = self
        if self.kind == "judge":
            named = Unit(
                kind="judge",
                trial=self.trial,
                behaviour=self.behaviour,
                trajectories=self.trajectories,
            )
            named = replace(named, iteration=self.iteration)
        return seed, self.trial + 1, zlib.crc32(named.name.encode())

    def place(self, folder: Path) -> Path:
        """Where the unit's results are; for PSRO the folder of its checkpoints."""
        suffix = {"model": ".safetensors", "clone": ".npz"}
        suffix |= {"judge": ".json", "fidelity": ".json"}
        return folder / (self.name + suffix.get(self.kind, ""))

    def done(self, folder: Path, config: "Config") -> bool:
        """Whether the unit's results are there."""
        place = self.place(folder)
        if self.kind == "data":
            return (place / "manifest.json").is_file()
        if self.kind in ("behaviour", "explore"):
            return (place / f"{steps_of(self, config):06d}").is_dir()
        return place.is_file()

    def needs(self, config: "Config") -> list["Unit"]:
        """Units whose results it reads."""
        own = Unit(
            kind="data",
            trial=self.trial,
            behaviour=self.behaviour,
            trajectories=self.trajectories,
        )
        if self.kind == "data" and self.behaviour == "psro":
            trial = ALL_TRIALS if config.shared_behaviour else self.trial
            return [
                Unit(kind="behaviour", trial=trial, number=j) for j in range(BEHAVIOURS)
            ]
        if self.kind in ("model", "clone"):
            return [own]
        if self.kind == "explore":
            return [own, replace(own, kind="model")]
        if self.kind == "fidelity":
            return [self.explored, own, replace(own, kind="model")]
        if self.kind == "judge":
            cloned = [] if self.weight is None else [replace(own, kind="clone")]
            return [self.explored, *cloned]
        return []

    @property
    def explored(self) -> "Unit":
        """The PSRO run that a judge or fidelity unit looks at."""
        return replace(self, kind="explore", evaluation="", weight=None, iteration=0)


def steps_of(unit: Unit, config: "Config") -> int:
    """Iterations of the PSRO run of a behaviour or explore unit."""
    behaviour = unit.kind == "behaviour"
    iterations = config.behaviour_iterations if behaviour else config.iterations
    assert iterations is not None  # the page has resolved it
    return iterations


def units(config: "Config") -> list[Unit]:
    """All units, each after those it needs; the first trial's come first."""
    ordered: dict[Unit, None] = {}

    def add(unit: Unit) -> None:
        for needed in unit.needs(config):
            add(needed)
        ordered[unit] = None

    for trial in range(config.trials or 0):
        for behaviour in config.behaviours:
            for trajectories in config.trajectories:
                for unit in _of_data(
                    config,
                    Unit(
                        kind="data",
                        trial=trial,
                        behaviour=behaviour,
                        trajectories=trajectories,
                    ),
                ):
                    add(unit)
    return list(ordered)


def _of_data(config: "Config", data: Unit) -> list[Unit]:
    """The last units of the table's cells on one data set."""
    chosen: list[tuple[Unit, tuple[float | None, ...]]] = []
    for exploration in config.explorations:
        own = replace(data, kind="explore", exploration=exploration)
        if "coffee" in config.approaches:
            chosen += [
                (replace(own, approach="coffee", penalty=p, coverage=c), (None,))
                for p in config.penalties
                for c in config.coverages
            ]
        weights: list[float | None] = [None] if "oef" in config.approaches else []
        weights += list(config.weights) if "oef-bc" in config.approaches else []
        if weights:
            chosen.append((replace(own, approach="oef"), tuple(weights)))
    last = []
    for run, weights_of in chosen:
        last.append(replace(run, kind="fidelity"))
        last += [
            replace(run, kind="judge", evaluation=e, weight=w, iteration=at)
            for e in config.evaluations
            for w in weights_of
            for at in (0, *config.curve)
        ]
    return last


@dataclass(frozen=True)
class Job:
    """Units that one process works on in lockstep; mostly one.

    Attributes:
      units: of one kind, which do not need each other.
      config: of the page, resolved.
      folder: of the run.
    """

    units: tuple[Unit, ...]
    config: "Config"
    folder: Path


def pieces(todo: Sequence[Unit], do: Do, config: "Config", folder: Path) -> list[Piece]:
    """Units as pieces of work; those that differ in trial or number make a stack.

    Args:
      todo: each after those it needs.
      do: does jobs, each a unit here.
      config: of the page, resolved.
      folder: of the run.
    """
    return [
        Piece(
            name=unit.name,
            what=Job((unit,), config, folder),
            do=do,
            needs=tuple(needed.name for needed in unit.needs(config)),
            stack=replace(unit, trial=0, number=0).name
            if unit.kind in _STACKED
            else "",
            kind=unit.kind,
        )
        for unit in todo
    ]
