"""What a PSRO run is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from experiments.lab.options import Flat, Logged, Parallel, Stateful, least
from experiments.lab.trust import OracleSpec, SolverSpec
from experiments.psro_parts.oracle_config import (
    ByDDQN,
    ByExactTeacher,
    ByLearnedTeacher,
    ByNeuPL,
    ByPPO,
    Exact,
    Learned,
    Own,
    Responder,
    Sampling,
    Schedule,
    Separate,
    TeacherName,
    Tree,
    check_use,
)
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro.neupl.settings import Neural
from psro.own_parts import EVALUATORS, ORACLES
from psro.selection import Selection, Update

EXACT, LEARNED, OWN = "exact", "learned, lower bound", "own oracle, lower bound"
"""What a gap is: over all policies of the game, or what other responses gained."""


def responder(oracle: str, teacher: TeacherName) -> Responder:
    """Who responds: the oracle, or the teacher of a network."""
    if oracle == "neupl":
        return teacher
    if ORACLES.is_own(oracle):
        return "own"
    known: dict[str, Responder] = {"exact": "exact", "ddqn": "ddqn", "ppo": "ppo"}
    return known[oracle]


@dataclass(frozen=True, kw_only=True)
class Run(Logged, Stateful, Parallel):
    """What pages with rows, states and processes share; jobs share the trials."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every run is asked: a game, solvers, a concept, and when it ends."""

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "kuhn_poker(players=3)", or a tree in
    Gambit's format, "game.efg". With a learned oracle "bargaining" is the generalised
    game, OpenSpiel's own is "openspiel/bargaining"; "capture_the_flag_2v2(horizon=30)"
    is our game of two teams, "halfcheetah_2x3" a robot of two players."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    oracle: OracleSpec = "exact"
    """exact best responses; learned ones (ddqn, ppo) with sampled payoffs; neupl: the
    population is one conditional network that learns the responses of a --teacher,
    exact or learned; or one of your own, a name or module:factory (metaspiel parts
    lists names). With learned responses gaps are lower bounds, measured
    where a response is learned: for what is responded to, under the run's concept, in
    all iterations but the last. --referee has the exact ones beside them."""
    solver: SolverSpec = "mgcce"
    """Meta-solver that is responded to: a name or spec, as r3d:threshold=0.5."""
    eval_solver: SolverSpec | None = None
    """Meta-solver only measured, under the run's concept (default: the same). A learned
    oracle knows its values, but no full-game gap of it, without --referee: that would
    take responses of its own."""
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
    """Stop when the full-game gap is measured (of a learned oracle: what was learned to
    gain) and at or below this."""
    stop_no_novel: bool = False
    """Stop when an iteration found no novel policy."""
    max_seconds: float | None = None
    """Stop after this much wall time (the one rule that depends on the machine)."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The words that decide what is not given of a learner's schedule."""

    oracle: OracleSpec = "exact"
    teacher: TeacherName = "exact"
    decisions: int = Learned.decisions

    @property
    def responder(self) -> Responder:
        """Who responds: the oracle, or the teacher of a network."""
        return responder(self.oracle, self.teacher)

    def __post_init__(self) -> None:
        least(self, decisions=2)


@dataclass(frozen=True, kw_only=True)
class Settings(
    ByLearnedTeacher,
    ByExactTeacher,
    ByNeuPL,
    Separate,
    ByPPO,
    ByDDQN,
    Learned,
    Exact,
    Own,
    Tree,
    Asked,
):
    """Fields of a PSRO run, with any oracle."""

    Deciding: ClassVar[type[Budget]] = Budget
    may_change: ClassVar[tuple[str, ...]] = (
        "iterations", "stop_gap", "stop_no_novel", "max_seconds", "memory_gb",
        "final_gap",
    )  # fmt: skip

    @classmethod
    def usual(cls, asked: Budget) -> "Settings":
        """The configuration when nothing but this is asked."""
        budget = asked.decisions
        # Without a learner a budget is refused.
        learner: dict[str, Any] = {}
        if asked.oracle == "neupl" and asked.teacher != "exact":
            usual = Neural()
            learner = {"codes": usual.codes, "distil": usual.distillation}
        if asked.responder == "ddqn":
            learner["ddqn"] = Schedule.budget(budget)
        elif asked.responder == "ppo":
            learner["ppo"] = Sampling(decisions=budget)
        return cls(
            oracle=asked.oracle, teacher=asked.teacher, decisions=budget, **learner
        )

    @property
    def responder(self) -> Responder:
        """Who responds: the oracle, or the teacher of a network."""
        return responder(self.oracle, self.teacher)

    @property
    def asks(self) -> str:
        """The flag that says who responds."""
        return "--teacher" if self.oracle == "neupl" else "--oracle"

    @property
    def learner(self) -> DDQN | PPOResponse:
        """How a learned oracle learns."""
        return self.ddqn if self.responder == "ddqn" else self.ppo

    @property
    def gap_is(self) -> str:
        """Whether the gaps of the run are exact or learned."""
        return {"exact": EXACT, "own": OWN}.get(self.responder, LEARNED)

    @property
    def side_by_side(self) -> int:
        """How many trials share this process and learn in one stack."""
        alone = self.responder in ("exact", "own") or self.run.jobs > 1
        return 1 if alone else self.trials

    @property
    def tree(self) -> Path | None:
        """Gambit's file that is played; None where ``game`` is a name."""
        return Path(self.game) if self.game.lower().endswith(".efg") else None

    def __post_init__(self) -> None:
        least(self, iterations=0, trials=1, seed=0, decisions=2, episodes=2, horizon=1)
        least(self, stop_gap=0, max_seconds=0, width=1, memory=1)
        if not 0 <= self.prune < 1:
            raise UserError(f"--prune must be in [0, 1); got {self.prune}")
        if not self.memory_gb > 0:
            raise UserError(f"--memory-gb must be positive; got {self.memory_gb}")
        ORACLES.check(self.oracle)
        if self.evaluator is not None:
            EVALUATORS.check(self.evaluator)
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
        if self.oracle != "exact" and (self.tree or self.payoffs):
            raise UserError(
                f"--oracle: a file is played by --oracle exact; it shows no tensors to "
                f"learn from, which '{self.oracle}' reads"
            )
        if self.payoffs is not None and self.payoffs.suffix.lower() == ".efg":
            raise UserError(
                f"--payoffs must be a normal-form game; --game {self.payoffs} plays "
                "the tree"
            )
        check_use(
            self,
            self.responder,
            neural=self.oracle == "neupl",
            referee=self.referee,
        )
        if not self.tensor:
            self._check_without_tensor()
        if self.oracle == "neupl" and self.all_instances:
            raise UserError(
                "--all-instances: only greedy policies can play every instance once; "
                "those of --oracle neupl are sampled"
            )
        if self.network != "mlp" and self.memory is None:
            raise UserError(
                f"--network: '{self.network}' reads a memory of past decisions; "
                "--memory must say of how many"
            )
        self._check_budget()
        if self.run.jobs > 1 and self.executor != "inprocess":
            raise UserError("--jobs: an executor shares out the work itself; drop one")
        if self.run.jobs > 1 and self.trials == 1:
            raise UserError(
                "--jobs: trials share the processes, and there is one; --trials asks "
                "for more (--executor shares what one learns)"
            )

    def _check_without_tensor(self) -> None:
        """Refuses what a run without the payoff tensor cannot have."""
        for flag_, given in (
            ("--oracle neupl", self.oracle == "neupl"),
            ("--symmetric", self.symmetric),
            ("--evaluator", self.evaluator is not None),
        ):
            if given:
                raise UserError(
                    f"--no-tensor: {flag_} needs the payoffs of all profiles"
                )

    def _check_budget(self) -> None:
        """Refuses a response with two budgets."""
        if self.responder in ("exact", "own"):
            return
        if self.learner.decisions != self.decisions:
            raise UserError(
                f"--{self.responder}.decisions: --decisions is the budget of a response"
            )
        if self.ppo.episodes is not None and self.decisions != Learned.decisions:
            raise UserError(
                "--ppo.episodes: a response has one budget, in episodes or in "
                f"--decisions; got both, {self.ppo.episodes} and {self.decisions}"
            )
