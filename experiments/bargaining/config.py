"""What a run on Bargaining is asked for, and what each size fills in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, get_args

from experiments.lab.options import Flat, Parallel
from experiments.lab.trust import ExecutorSpec, SolverSpec
from metaspiel.games.bargaining_rules import Terms
from metaspiel.learn.settings import DDQN
from offline.data import Mirror, load
from offline.settings import JUDGING, Cloning, History, Training, Uncertainty

ApproachName = Literal["coffee", "oef", "oef-bc"]
BehaviourName = Literal["uniform", "psro", "file"]
Size = Literal["paper", "reduced", "tiny"]


@dataclass(frozen=True)
class Budget:
    """Decisions of a response and those before it learns, where they were given."""

    decisions: int | None = None
    minimum: int | None = None
    device: Literal["cpu", "cuda"] | None = None


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The words that decide what is not given: see ``Config.usual``."""

    size: Size = "reduced"
    grid: bool = False
    data: Path | None = None
    iterations: int | None = None
    ddqn: Budget = Budget()
    judge: Budget = Budget()


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page; these values are those of one trial of the reduced size."""

    Deciding: ClassVar[type[Sizing]] = Sizing
    may_change: ClassVar[tuple[str, ...]] = (
        "grid", "approaches", "explorations", "evaluations", "behaviours",
        "trajectories", "trials", "penalties", "coverages", "weights", "curve",
        "stack", "executor", "plan", "report",
    )  # fmt: skip
    lists: ClassVar[tuple[str, ...]] = (
        "approaches", "explorations", "evaluations", "behaviours", "trajectories",
        "penalties", "coverages", "weights", "curve",
    )  # fmt: skip

    grid: bool = False
    """All approaches, solvers and data sets (those not named) instead of one trial."""
    plan: bool = False
    """Print the units and how long they take here; do nothing."""
    report: bool = False
    """Write the report of what is finished in --out again (with --resume); no more."""
    size: Size = "reduced"
    """What fills in iterations, decisions and other sizes that are not given."""
    approaches: tuple[ApproachName, ...] = ("coffee",)
    """coffee, oef, oef-bc (with --grid all)."""
    explorations: tuple[SolverSpec, ...] = ("r2d",)
    """Solvers responded to: r2d, rd or any spec (with --grid both)."""
    evaluations: tuple[SolverSpec, ...] = ("rd", "r2d")
    """Solvers whose profiles are judged, from the same runs."""
    behaviours: tuple[BehaviourName, ...] = ("uniform",)
    """Who played the data: uniform, psro (5 online runs), file (--data)."""
    trajectories: tuple[int, ...] = (1000,)
    """Sizes of the data sets (with --grid --size paper: 500 1000 2000)."""
    data: Path | None = None
    """Folder of a data set of yours (offline.data), in place of behaviours."""
    trials: int = 1
    """Independent trials (with --grid 10, 5 or 2 by size)."""
    seed: int = 0
    """Seed of everything random, together with the trial and the unit's name."""
    penalties: tuple[float, ...] = (2.0,)
    """lambda of COffeE (Eq. 3), in units of payoff; several are a sweep."""
    coverages: tuple[float, ...] = (0.1,)
    """alpha_0 of COffeE (Eq. 4); several are a sweep."""
    anneal: int = 2
    """Responses until coverage is 0; where it is not given, a quarter of --iterations,
    as published (10 of 40)."""
    weights: tuple[float, ...] = (0.4,)
    """w of OEF-BC, share of imitated decisions; several are a sweep."""
    k: int = 1
    """Last profiles that are responded to in the true game; regret grows with it."""
    curve: tuple[int, ...] = ()
    """Earlier iterations to judge as well (k = 1), for regret over iterations."""
    iterations: int = 10
    """Iterations of PSRO in the model."""
    ddqn: DDQN = DDQN.budget(30_000)
    """The learner of the runs' responses, in the model and in the true game. Its
    schedule follows --ddqn.decisions where it is not given; --ddqn.games 1 is the
    published one, and slow. --ddqn.device is where all of torch runs."""
    judge: DDQN = JUDGING
    """The learner of the responses that judge a profile, the same for every approach
    and size; it finds more than the published one, in less time. Its schedule follows
    --judge.decisions, and its device that of ddqn, where they are not given."""
    behaviour_iterations: int = 20
    """Iterations of the online PSRO runs (RD, true game) whose mixture plays the data
    "psro"."""
    shared_behaviour: bool = False
    """All trials share the same five online runs; trajectories are still each
    trial's."""
    training: Training = Training()
    """The ensemble of dynamics models."""
    cloning: Cloning = Cloning()
    """The behaviour clone of OEF-BC."""
    episodes: int = 1000
    """Episodes played for each entry of an empirical game."""
    screen: int = 2000
    """True episodes on which the best deviation is chosen."""
    fresh: int = 20_000
    """True episodes on which it is measured."""
    fidelity_episodes: int = 1000
    """True episodes of each pure profile, for the model's errors."""
    game: Terms = Terms()
    """Terms of the true game."""
    dataset_mirror: Mirror = "counted"
    """Each episode is stored twice, players exchanged, and both count (the authors)."""
    history: History = "predicted"
    """Offers in an information state: predicted (the authors) or those made."""
    uncertainty: Uncertainty = "deviation"
    """u: largest distance from the mean (the authors), or between two members."""
    round_state: bool = False
    """Round the states that the model predicts."""
    stack: int = 1
    """Runs whose responses are learned as one batch, whatever their approach; on a CPU
    results stay the same. A GPU takes little longer for 60 of them than for one."""
    run: Flat[Parallel] = Parallel()
    executor: ExecutorSpec = "inprocess"
    """Where a unit's requests run: inprocess, processes:jobs=4, ray, ray:address=..."""

    @classmethod
    def usual(cls, asked: Sizing) -> "Config":
        """The configuration when nothing but this is asked."""
        config = SIZES[asked.size]
        if asked.grid:
            config = replace(
                config,
                approaches=get_args(ApproachName),
                explorations=("r2d", "rd"),
                behaviours=("uniform", "psro"),
                trajectories=TABLES[asked.size][0],
                trials=TABLES[asked.size][1],
            )
        if asked.iterations is not None:
            config = replace(config, anneal=max(1, asked.iterations // 4))
        if asked.ddqn.decisions is not None:
            config = replace(config, ddqn=DDQN.budget(asked.ddqn.decisions))
        if asked.judge.decisions is not None:
            share = asked.judge.decisions / JUDGING.decisions
            config = replace(config, judge=JUDGING.part(share))
        if asked.ddqn.device is not None:
            judge = replace(config.judge, device=asked.ddqn.device)
            config = replace(config, judge=judge)
        if asked.ddqn.minimum is not None:
            # Learning begins once the replay holds so many.
            capacity = max(config.ddqn.capacity, asked.ddqn.minimum)
            config = replace(config, ddqn=replace(config.ddqn, capacity=capacity))
        if asked.data is not None:
            size = load(asked.data).trajectories
            config = replace(config, behaviours=("file",), trajectories=(size,))
        return config


SIZES: dict[Size, Config] = {
    "paper": Config(size="paper", iterations=40, anneal=10, ddqn=DDQN.budget(200_000)),
    "reduced": Config(),
    "tiny": Config(
        size="tiny",
        iterations=2,
        anneal=1,
        ddqn=DDQN.budget(1000),
        judge=JUDGING.part(1 / 400),
        behaviour_iterations=2,
        training=Training(steps=300),
        cloning=Cloning(steps=300),
        episodes=100,
        screen=100,
        fresh=500,
        fidelity_episodes=100,
    ),
}
TABLES: dict[Size, tuple[tuple[int, ...], int]] = {
    "paper": ((500, 1000, 2000), 10),
    "reduced": ((1000,), 5),
    "tiny": ((200,), 2),
}
"""Sizes of the data sets and number of trials of a grid, by ``--size``."""
