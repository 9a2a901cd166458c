"""What a PSRO run is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from experiments.lab.options import Flat, Parallel, Stateful, flag, least
from experiments.lab.trust import ExecutorSpec, SolverSpec
from metaspiel.games.treeplex import TieBreak
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError
from psro.parts import Initial
from psro.selection import Selection, Update

EXACT, LEARNED = "exact", "learned, lower bound"
"""What a gap is: over all policies of the game, or what learned responses gained."""


@dataclass(frozen=True, kw_only=True)
class Run(Stateful, Parallel):
    """What all pages with states and processes share; jobs share the trials."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every run is asked: a game, solvers, a concept, and when it ends."""

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "kuhn_poker(players=3)", or a tree in
    Gambit's format, "game.efg". With --oracle ddqn "bargaining" is the generalised
    game, OpenSpiel's own is "openspiel/bargaining"; "capture_the_flag_2v2(horizon=30)"
    is our game of two teams, "halfcheetah_2x3" a robot of two players."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    oracle: Literal["exact", "ddqn"] = "exact"
    """Exact best responses, or learned ones (Double DQN) with sampled payoffs; then
    gaps are lower bounds, measured where a response is learned: for what is responded
    to, under the run's concept, in all iterations but the last."""
    solver: SolverSpec = "mgcce"
    """Meta-solver that is responded to: a name or spec, as r3d:threshold=0.5."""
    eval_solver: SolverSpec | None = None
    """Meta-solver only measured, under the run's concept (default: the same). A learned
    oracle knows its values, but no full-game gap of it: that would take responses of
    its own."""
    concept: Literal["auto", "ne", "cce", "ce"] = "auto"
    """What is responded to; auto follows the solver (cce for heuristics)."""
    iterations: int = 20
    """Iterations in all; a resumed run may ask for more."""
    horizon: int | None = None
    """How many iterations a meta-solver with a schedule reckons with; the run itself
    ends at --iterations."""
    seed: int = 0
    """Seed of the first trial; trial i uses seed + i."""
    trials: int = 1
    """Independent trials, each in its own folder."""
    run: Flat[Run] = Run()
    selection: Selection = "largest_gap"
    """Which best responses join a population."""
    update: Update = "all"
    """Whose populations grow in an iteration (gaps are measured for all)."""
    repeats: bool = True
    """A policy that is found again counts again in the meta-game."""
    prune: float = 1e-8
    """Joint probabilities below this become 0 (recorded)."""
    stop_gap: float | None = None
    """Stop when the full-game gap is measured and at or below this."""
    stop_no_novel: bool = False
    """Stop when an iteration found no novel policy."""
    max_seconds: float | None = None
    """Stop after this much wall time (the one rule that depends on the machine)."""


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What only exact best responses need to know."""

    payoffs: Path | None = None
    """A normal-form game instead (.npy, .npz, .csv or Gambit .nfg)."""
    initial: Initial = "uniform"
    """Exact oracle: policies before the first iteration."""
    tie_break: TieBreak = "random"
    """Exact oracle: which of several best actions a response takes; it changes
    results."""
    symmetric: bool = False
    """Exact oracle: one shared population; the game is checked to be symmetric. A
    learned oracle shares one wherever its game is known to be symmetric."""
    gaps: Literal["concept", "all"] = "concept"
    """Exact oracle: measure the full-game gap of the concept only, or of NE, CCE and
    CE."""
    memory_gb: float = 4.0
    """Exact oracle: refuse games whose tree makes the process grow by more than this;
    it is estimated before it is walked."""
    observations: bool = False
    """Exact oracle: players know their observations and own moves, for OpenSpiel games
    without information states. That may be another game, and the run says so."""


_SET = "set by --decisions."


@dataclass(frozen=True, kw_only=True)
class Schedule(DDQN):
    """The settings of DDQN under a budget that is a flag of its own, --decisions."""

    decisions: Annotated[int, tyro.conf.arg(help=_SET)] = DDQN.decisions


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What only learned best responses need to know."""

    decisions: int = 20_000
    """Learned oracle: decisions a response; the published budget is 200000 (1 min)."""
    ddqn: Schedule = Schedule.budget(20_000)
    """How responses are learned; what is not given of the schedule is in proportion to
    --decisions."""
    episodes: int = 1000
    """Learned oracle: episodes of each payoff."""
    all_instances: bool = False
    """Learned oracle: play every instance once instead of random episodes, where chance
    acts at the root only (openspiel/bargaining): exact payoffs of greedy policies."""
    final_gap: bool = False
    """Learned oracle: learn responses to the last meta-strategy too, for its gap."""
    executor: ExecutorSpec = "inprocess"
    """Learned oracle: inprocess (trials are stacked), processes:jobs=2, ray or
    ray:address=..."""


def _differing(values: Any, usual: Any) -> Iterator[str]:
    """Fields that are not as usual, by the name of their flags."""
    for field in fields(usual):
        one, other = getattr(values, field.name), getattr(usual, field.name)
        if one != other and is_dataclass(other):
            yield from (f"{field.name}.{name}" for name in _differing(one, other))
        elif one != other:
            yield field.name


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The words that decide what is not given of a learner's schedule."""

    oracle: Literal["exact", "ddqn"] = "exact"
    decisions: int = Learned.decisions

    def __post_init__(self) -> None:
        least(self, decisions=2)


@dataclass(frozen=True, kw_only=True)
class Config(Learned, Exact, Asked):
    """Fields of a PSRO run."""

    Deciding: ClassVar[type[Budget]] = Budget
    may_change: ClassVar[tuple[str, ...]] = (
        "iterations", "stop_gap", "stop_no_novel", "max_seconds", "memory_gb",
        "final_gap",
    )  # fmt: skip

    @classmethod
    def usual(cls, asked: Budget) -> "Config":
        """The configuration when nothing but this is asked."""
        if asked.oracle == "exact":  # which refuses a budget
            return cls(decisions=asked.decisions)
        schedule = Schedule.budget(asked.decisions)
        return cls(oracle="ddqn", decisions=asked.decisions, ddqn=schedule)

    @property
    def gap_is(self) -> str:
        """Whether the gaps of the run are exact or learned."""
        return EXACT if self.oracle == "exact" else LEARNED

    @property
    def side_by_side(self) -> int:
        """How many trials share this process and learn in one stack."""
        alone = self.oracle == "exact" or self.run.jobs > 1
        return 1 if alone else self.trials

    @property
    def tree(self) -> Path | None:
        """Gambit's file that is played; None where ``game`` is a name."""
        return Path(self.game) if self.game.lower().endswith(".efg") else None

    def __post_init__(self) -> None:
        least(self, iterations=0, trials=1, seed=0, decisions=2, episodes=2, horizon=1)
        least(self, stop_gap=0, max_seconds=0)
        if not 0 <= self.prune < 1:
            raise UserError(f"--prune must be in [0, 1); got {self.prune}")
        if not self.memory_gb > 0:
            raise UserError(f"--memory-gb must be positive; got {self.memory_gb}")
        if self.players is not None and (self.payoffs is not None or self.tree):
            raise UserError(
                "--players goes with OpenSpiel's games; a file has its own players"
            )
        if self.payoffs is not None and self.game != Asked.game:
            raise UserError("--payoffs: one game is played, a file or --game; got both")
        if self.observations and (self.payoffs is not None or self.tree):
            raise UserError(
                "--observations goes with OpenSpiel's games; a file has its own "
                "information sets"
            )
        if self.oracle == "ddqn" and self.tree is not None:
            raise UserError(
                "--oracle: a .efg is played with exact best responses; it shows no "
                "tensors to learn from"
            )
        if self.payoffs is not None and self.payoffs.suffix.lower() == ".efg":
            raise UserError(
                f"--payoffs must be a normal-form game; --game {self.payoffs} plays "
                "the tree"
            )
        other = Learned() if self.oracle == "exact" else Exact()
        for name in _differing(self, other):
            raise UserError(
                f"{flag(name)}: it must go with another --oracle; '{self.oracle}' does "
                "not use it"
            )
        if self.ddqn.decisions != self.decisions:
            raise UserError("--ddqn.decisions: --decisions is the budget of a response")
        if self.run.jobs > 1 and self.executor != "inprocess":
            raise UserError("--jobs: an executor shares out the work itself; drop one")
        if self.run.jobs > 1 and self.trials == 1:
            raise UserError(
                f"--jobs: trials share the processes, and there is one; --trials "
                f"{self.run.jobs} asks for more (--executor shares what one learns)"
            )
