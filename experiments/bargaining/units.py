"""The units of work of a grid on Bargaining, as pieces that need one another.

A unit's results are one place in the run folder, written whole or not at all, so a grid
that is killed loses at most what its units had not yet written. A unit's seed comes
from the grid's seed and the unit's own name: its bits do not depend on other units.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from experiments.bargaining.config import Config
from experiments.lab.folder import slug

Kind = Literal["behaviour", "data", "model", "clone", "explore", "judge", "fidelity"]
BEHAVIOURS = 5  # online runs whose final profiles make the mixture
ALL_TRIALS = -1
STACKED: tuple[Kind, ...] = ("behaviour", "model", "explore", "judge")
_SUFFIXES: dict[Kind, str] = {
    "model": ".safetensors",
    "clone": ".npz",
    "judge": ".json",
    "fidelity": ".json",
}


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
            named = replace(self.on_its_data("judge"), iteration=self.iteration)
        return seed, self.trial + 1, zlib.crc32(named.name.encode())

    def number_seed(self, seed: int) -> int:
        """The unit's seed as one number, for what takes no sequence."""
        return int(np.random.SeedSequence(self.seed(seed)).generate_state(1)[0])

    def place(self, folder: Path) -> Path:
        """Where the unit's results are; for PSRO the folder of its checkpoints."""
        return folder / (self.name + _SUFFIXES.get(self.kind, ""))

    def steps(self, config: Config) -> int:
        """Iterations of the PSRO run of a behaviour or explore unit."""
        behaves = self.kind == "behaviour"
        return config.behaviour_iterations if behaves else config.iterations

    def done(self, folder: Path, config: Config) -> bool:
        """Whether the unit's results are there."""
        place = self.place(folder)
        if self.kind == "data":
            return (place / "manifest.json").is_file()
        if self.kind in ("behaviour", "explore"):
            return (place / f"{self.steps(config):06d}").is_dir()
        return place.is_file()

    def needs(self, config: Config) -> list["Unit"]:
        """Units whose results it reads."""
        if self.kind == "data" and self.behaviour == "psro":
            trial = ALL_TRIALS if config.shared_behaviour else self.trial
            return [
                Unit(kind="behaviour", trial=trial, number=j) for j in range(BEHAVIOURS)
            ]
        if self.kind in ("model", "clone"):
            return [self.on_its_data("data")]
        learned = [self.on_its_data("data"), self.on_its_data("model")]
        if self.kind == "explore":
            return learned
        if self.kind == "fidelity":
            return [self.explored, *learned]
        if self.kind == "judge":
            cloned = [] if self.weight is None else [self.on_its_data("clone")]
            return [self.explored, *cloned]
        return []

    def on_its_data(self, kind: Kind) -> "Unit":
        """The unit of a kind that there is once for the same data set."""
        return Unit(
            kind=kind,
            trial=self.trial,
            behaviour=self.behaviour,
            trajectories=self.trajectories,
        )

    @property
    def explored(self) -> "Unit":
        """The PSRO run that a judge or fidelity unit looks at."""
        return replace(self, kind="explore", evaluation="", weight=None, iteration=0)


def units(config: Config) -> list[Unit]:
    """All units, each after those it needs; the first trial's come first."""
    ordered: dict[Unit, None] = {}

    def add(unit: Unit) -> None:
        for needed in unit.needs(config):
            add(needed)
        ordered[unit] = None

    for trial in range(config.trials):
        for behaviour in config.behaviours:
            for trajectories in config.trajectories:
                data = Unit(
                    kind="data",
                    trial=trial,
                    behaviour=behaviour,
                    trajectories=trajectories,
                )
                for unit in _last_units(config, data):
                    add(unit)
    return list(ordered)


def missing(chosen: Sequence[Unit], folder: Path, config: Config) -> list[Unit]:
    """The units that are still to be done, each after those it needs.

    What finished rows were made from (data, models, checkpoints) may be gone: rows are
    small enough to be kept, carried to another machine and gone on with.

    Args:
      chosen: all units, each after those it needs.
      folder: of the run.
      config: of the run.
    """
    wanted = {unit for unit in chosen if unit.kind in ("judge", "fidelity")}
    for unit in reversed(chosen):
        if unit in wanted and not unit.done(folder, config):
            wanted.update(unit.needs(config))
        else:
            wanted.discard(unit)
    return [unit for unit in chosen if unit in wanted]


def _last_units(config: Config, data: Unit) -> list[Unit]:
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
    for run, weights_of in chosen:  # regret first: it is what a grid is cut short for
        last += [
            replace(run, kind="judge", evaluation=e, weight=w, iteration=at)
            for e in config.evaluations
            for w in weights_of
            for at in (0, *config.curve)
        ]
        last.append(replace(run, kind="fidelity"))
    return last
