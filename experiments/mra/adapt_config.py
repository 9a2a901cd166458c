"""What an adaptation is asked for, and what its budget fills in."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

from experiments.lab.folder import CONFIG, stored, value_of
from experiments.lab.options import Flat, LoggedStateful, least
from experiments.mra.task_config import size_of
from experiments.mra.train_config import BudgetName
from metaspiel import files
from mra.settings import BUDGETS, Steps, Training

ROUNDS = {"tiny": 2, "ten-minutes": 40, "paper": 6667}
HALVES = ("adapted", "scratch")
"""Folders inside that of an adaptation: of what adapted, and of its control."""
State = Literal["best", "last"]
_USUAL = BUDGETS["ten-minutes"]


@dataclass(frozen=True)
class Begin:
    """The words that decide what is not given."""

    from_run: Path | None = None
    from_state: State = "best"
    budget: BudgetName = "ten-minutes"


def steps_of(training: Training) -> Steps:
    """What of a training an adaptation takes: it has no cycles of updates."""
    return Steps(**{one.name: getattr(training, one.name) for one in fields(Steps)})


def before(asked: Begin) -> Steps:
    """How the agents of a run learned; of a run of a grid, as a budget does it there.

    Raises:
      UserError: the run's files are damaged, or another version's.
    """
    folder, budget = asked.from_run, BUDGETS[asked.budget]
    if folder is None or not (agents := agents_of(folder, asked.from_state)).is_file():
        return steps_of(budget.training)  # what is missing is refused by the page
    run, page = folder, "mra_train"
    if not (run / CONFIG).is_file() and (half := folder.resolve()).name in HALVES:
        run, page = half.parent, "mra_adapt"
    if (run / CONFIG).is_file():
        known = stored(run, [page], "--from-run").get("training")
        return value_of(Steps, known, run / CONFIG)
    facts, _ = files.read_arrays(agents)
    files.check_shape(f"'{agents}'", facts, {"world": str})
    return steps_of(budget.usual(facts["world"]))


def agents_of(folder: Path, state: State) -> Path:
    """The file of a run's best or last agents."""
    return folder / f"{state}.safetensors"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of an adaptation."""

    Deciding: ClassVar[type[Begin]] = Begin
    first: ClassVar[str] = "from_run"

    from_run: Path | None = None
    """Folder of a run of mra_train, of a run in a grid's runs/, or adapted/ in that of
    another adaptation; it may be the first word, without the flag."""
    from_state: State = "best"
    """Which agents of the run adapt: its best or its last ones."""
    size: str = ""
    """Number of agents to adapt to, such as 24; one a role such as 2,8."""
    world: str = ""
    """World to adapt to (default: that of the run), such as "treasure(shaping=false)";
    it must show as much of an agent and a landmark."""
    budget: BudgetName = "ten-minutes"
    """What fills in --rounds, --measure-every and --episodes."""
    training: Steps = steps_of(_USUAL.training)
    """How it learns (default: as the run did; a run in a grid's runs/ as --budget
    has it): each step of an episode is followed by a gradient step."""
    seed: int = 0
    """Seed of everything random."""
    rounds: int = ROUNDS["ten-minutes"]
    """Batches of episodes."""
    measure_every: int = _USUAL.measure_every
    """Rounds between measurements, each with a checkpoint."""
    episodes: int = _USUAL.episodes
    """Episodes of a measurement, and of the tests at the end."""
    run: Flat[LoggedStateful] = LoggedStateful()

    @classmethod
    def usual(cls, asked: Begin) -> "Config":
        """The configuration when nothing but this is asked.

        Raises:
          UserError: the run's files are damaged, or another version's.
        """
        budget = BUDGETS[asked.budget]
        return cls(
            budget=asked.budget,
            training=before(asked),
            rounds=ROUNDS[asked.budget],
            measure_every=budget.measure_every,
            episodes=budget.episodes,
        )

    def __post_init__(self) -> None:
        least(self, seed=0, rounds=1, measure_every=1, episodes=2)
        if self.size:
            size_of(self.size, "--size")
