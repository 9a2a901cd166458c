"""What a run on Bargaining is asked for, and what each size fills in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from experiments.bargaining.units import ApproachName, BehaviourName
from experiments.lab.options import Flat, Parallel
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    pass


_ALL_SIZES: dict[str, Any] = {
    "behaviour_iterations": 20,
    "model_steps": 10_000,
    "clone_steps": 10_000,
    "episodes": 1000,
    "screen": 2000,
    "fresh": 20_000,
    "fidelity_episodes": 1000,
}
SIZES: dict[str, dict[str, Any]] = {
    "paper": {**_ALL_SIZES, "iterations": 40, "decisions": 200_000},
    "reduced": {**_ALL_SIZES, "iterations": 10, "decisions": 30_000},
    "tiny": {
        "iterations": 2,
        "decisions": 1000,
        "behaviour_iterations": 2,
        "model_steps": 300,
        "clone_steps": 300,
        "episodes": 100,
        "screen": 100,
        "fresh": 500,
        "fidelity_episodes": 100,
    },
}
_ONE: dict[str, Any] = {
    "approaches": ("coffee",),
    "explorations": ("r2d",),
    "behaviours": ("uniform",),
    "trajectories": (1000,),
    "trials": 1,
}
_GRID: dict[str, Any] = {
    "approaches": get_args(ApproachName),
    "explorations": ("r2d", "rd"),
    "behaviours": ("uniform", "psro"),
}
_TABLES: dict[str, dict[str, Any]] = {
    "paper": {**_GRID, "trajectories": (500, 1000, 2000), "trials": 10},
    "reduced": {**_GRID, "trajectories": (1000,), "trials": 5},
    "tiny": {**_GRID, "trajectories": (200,), "trials": 2},
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    may_change: ClassVar[tuple[str, ...]] = (
        "grid", "approaches", "explorations", "evaluations", "behaviours",
        "trajectories", "trials", "penalties", "coverages", "weights", "curve",
        "stack", "executor", "plan", "report",
    )  # fmt: skip

    grid: bool = False
    """All approaches, solvers and data sets (those not named) instead of one trial."""
    plan: bool = False
    """Print the units and how long they take here; do nothing."""
    report: bool = False
    """Write the report of what is finished in --out again (with --resume); no more."""
    size: Literal["paper", "reduced", "tiny"] = "reduced"
    """What fills in iterations, decisions and other sizes that are not given."""
    approaches: tuple[ApproachName, ...] = ()
    """coffee, oef, oef-bc (default: coffee; with --grid all)."""
    explorations: tuple[str, ...] = ()
    """Solvers responded to: r2d, rd or any spec (default: r2d; with --grid both)."""
    evaluations: tuple[str, ...] = ("rd", "r2d")
    """Solvers whose profiles are judged, from the same runs."""
    behaviours: tuple[BehaviourName, ...] = ()
    """Who played the data: uniform, psro (5 online runs), file (--data)."""
    trajectories: tuple[int, ...] = ()
    """Sizes of the data sets (default: 1000; --grid --size paper: 500 1000 2000)."""
    data: Path | None = None
    """Folder of a data set of yours (offline.data), in place of behaviours."""
    trials: int | None = None
    """Independent trials (default: 1; with --grid 10, 5 or 2 by size)."""
    seed: int = 0
    """Seed of everything random, together with the trial and the unit's name."""
    penalties: tuple[float, ...] = (2.0,)
    """lambda of COffeE (Eq. 3), in units of payoff; several are a sweep."""
    coverages: tuple[float, ...] = (0.1,)
    """alpha_0 of COffeE (Eq. 4); several are a sweep."""
    anneal: int = 10
    """Responses until coverage is 0."""
    weights: tuple[float, ...] = (0.4,)
    """w of OEF-BC, share of imitated decisions; several are a sweep."""
    k: int = 1
    """Last profiles that are responded to in the true game; regret grows with it."""
    curve: tuple[int, ...] = ()
    """Earlier iterations to judge as well (k = 1), for regret over iterations."""
    iterations: int | None = None
    """Iterations of PSRO in the model."""
    decisions: int | None = None
    """Decisions that the learner trains on for a response; also in the true game."""
    minimum: int | None = None
    """Transitions before learning begins (default: a quarter of the decisions)."""
    capacity: int | None = None
    """Transitions that the replay holds (default: a quarter of the decisions, as
    published)."""
    games: int = 64
    """Games played side by side by a learner; 1 is the published schedule, and slow."""
    behaviour_iterations: int | None = None
    """Iterations of the online PSRO runs (RD, true game) whose mixture plays the data
    "psro"."""
    shared_behaviour: bool = False
    """All trials share the same five online runs; trajectories are still each
    trial's."""
    model_steps: int | None = None
    """Training steps of the dynamics model, and again of its reward networks."""
    clone_steps: int | None = None
    """Training steps of the behaviour clone of OEF-BC."""
    episodes: int | None = None
    """Episodes played for each entry of an empirical game."""
    screen: int | None = None
    """True episodes on which the best deviation is chosen."""
    fresh: int | None = None
    """True episodes on which it is measured."""
    fidelity_episodes: int | None = None
    """True episodes of each pure profile, for the model's errors."""
    discount: float = 0.99
    """Discount of a deal's payoffs for each round."""
    discount_exponent: Literal["offers", "offers_before"] = "offers"
    """Rounds that discount: offers made at the deal, or before the accepted one."""
    dataset_mirror: Literal["counted", "none"] = "counted"
    """Each episode is stored twice, players exchanged, and both count (the authors)."""
    members: int = 4
    """Members of the ensemble of dynamics models."""
    norm: Literal["scalar", "dimension"] = "scalar"
    """One mean and deviation for all entries of a vector (the authors), or each."""
    members_share_batches: bool = True
    """Members differ in first weights only (the authors), or are bootstrapped."""
    history: Literal["predicted", "actual"] = "predicted"
    """Offers in an information state: predicted (the authors) or those made."""
    uncertainty: Literal["deviation", "pairwise"] = "deviation"
    """u: largest distance from the mean (the authors), or between two members."""
    round_state: bool = False
    """Round the states that the model predicts."""
    reward_scale_bug: bool = False
    """The error of the authors' code: predicted payoffs about 2.67 times too large."""
    stack: int = 1
    """Trials whose responses are learned as one batch; results stay the same."""
    run: Flat[Parallel] = Parallel()
    executor: str = "inprocess"
    """Where a unit's requests run: inprocess, processes:jobs=4, ray, ray:address=..."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device that torch learns on."""


def resolved(config: Config) -> Config:
    """The configuration with a value for everything that was not given."""
    usual = _TABLES[config.size] if config.grid else _ONE
    values = {**SIZES[config.size], **usual}
    if config.data is not None:
        from offline.data import load

        given: dict[str, Any] = {"behaviours": ("file",)}
        given["trajectories"] = (load(config.data).trajectories,)
        for name, only in given.items():
            if getattr(config, name) not in ((), only):
                raise UserError(
                    f"--data: its data set is the only one, so --{name} must be "
                    f"{only} or not given (a resumed run keeps its data); got "
                    f"{getattr(config, name)}"
                )
        values |= given
    missing = {
        name: value
        for name, value in values.items()
        if getattr(config, name) in (None, ())
    }
    config = replace(config, **missing)
    quarter = max(1, (config.decisions or 0) // 4)
    minimum = quarter if config.minimum is None else config.minimum
    capacity = max(quarter, minimum) if config.capacity is None else config.capacity
    return replace(config, minimum=minimum, capacity=capacity)
