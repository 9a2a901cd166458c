"""What a comparison is asked for: its axes, budgets and seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from experiments.compare.axes_config import SAME, Method, usual_spec
from experiments.compare.suites_config import SUITES
from experiments.lab import alternatives
from experiments.lab.options import Flat, Parallel, least
from experiments.lab.trust import ExecutorSpec, OracleSpecs, SolverSpecs
from meta_solvers import get
from metaspiel.nfg.errors import UserError, shown

_USUAL = 20  # iterations


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared."""

    may_change: ClassVar[tuple[str, ...]] = (
        "games", "solvers", "eval_solvers", "oracles", "iterations", "at", "targets",
        "seeds", "merge", "executor", "training",
    )  # fmt: skip

    presets: ClassVar[tuple[str, Mapping[str, Mapping[str, Any]]]] = "suite", SUITES

    suite: Literal["deepmind2026"] | None = None
    """A published protocol, which sets the flags below that are not set beside it."""
    games: tuple[str, ...] = ()
    """Games: OpenSpiel's, parameters included, "kuhn_poker(players=3)"; a tree
    "game.efg"; or a normal-form game in a file (.npy, .npz, .csv, .nfg)."""
    solvers: tuple[SolverSpecs, ...] = ()
    """Meta-solvers that are responded to, as specs; alternatives make several:
    rrd:threshold=0.1|0.5. One that is always evaluated by another names it:
    "shor > shor_eval"."""
    eval_solvers: tuple[SolverSpecs, ...] = (SAME,)
    """Meta-solvers that are evaluated on the populations of each of them that names
    none, and whose gaps are compared; same is the solver itself."""
    oracles: tuple[OracleSpecs, ...] = ("exact",)
    """How responses are found: a name of metaspiel psro --oracle, and any of its flags
    as fields, with alternatives: exact:tie_break=first|random,
    ppo:ppo.episodes=1000|4000."""
    concept: Literal["auto", "ne", "cce", "ce"] = "auto"
    """What is responded to; auto follows the solver (cce for heuristics). Compared is
    the CCE gap of what is played in any case; of a product it is the NE gap."""
    iterations: int | None = None
    """Iterations of every run (default: 20; where all runs are merged, those of the
    shortest, at which the others are cut)."""
    at: tuple[int, ...] = ()
    """Iterations at which gaps are in the tables too (default: a quarter, a half)."""
    targets: tuple[float, ...] = (0.1, 0.01)
    """Gaps whose first iteration at or below is in the tables."""
    seeds: int = 5
    """Runs of every method on every game, with the same seeds."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    merge: tuple[Path, ...] = ()
    """Folders of finished runs of metaspiel psro and compare, whose rows are added."""
    population_exploitability: bool = False
    """Measure the least exploitability of any mixtures of the populations as well,
    NashConv / 2, in two-player zero-sum games whose tree is at hand (two linear
    programs an iteration)."""
    executor: ExecutorSpec = "inprocess"
    """Where cells are run instead of in --jobs processes: ray or ray:address=..."""
    training: tuple[str, ...] = ()
    """Games on which constants of a method were chosen: ranks over these and over the
    others are given as well."""
    run: Flat[Parallel] = Parallel()

    def __post_init__(self) -> None:
        least(self, iterations=0, seeds=1, seed=0)
        for target in self.targets:
            if not 0 < target < float("inf"):
                raise UserError(f"--targets must be positive; got {target}")
        for one in self.at:
            if one < 0:
                raise UserError(f"--at must be at least 0; got {one}")
        if self.run.jobs > 1 and self.executor != "inprocess":
            raise UserError("--jobs: an executor shares out the work itself; drop one")

    def check(self) -> None:
        """Refuses axes without a point, and specs of no solver or oracle.

        Raises:
          UserError: one is.
        """
        for name in ("games", "solvers"):
            if not getattr(self, name) and not self.merge:
                raise UserError(
                    f"--{name} must be named, at least one (or --merge, runs that "
                    "exist); got none"
                )
        if bool(self.games) != bool(self.solvers):
            raise UserError(
                "--games and --solvers go together; got one of them without the other"
            )
        for method in self.methods:
            get(method.solver)
            if method.evaluation != SAME:
                get(method.evaluation)

    @property
    def methods(self) -> tuple[Method, ...]:
        """All methods: the axes crossed, alternatives written out."""
        return tuple(
            Method(solver=solver, evaluation=evaluation, oracle=oracle)
            for oracle in map(usual_spec, alternatives.every(self.oracles))
            for solver, evaluation in self._pairs
        )

    @property
    def _pairs(self) -> tuple[tuple[str, str], ...]:
        """Solvers with those that are evaluated on their populations, each pair once.

        Raises:
          UserError: one names several, or none after its sign.
        """
        made = []
        for spec in self.solvers:
            solvers, *named = (part.strip() for part in spec.split(alternatives.JUDGED))
            if len(named) > 1 or "" in (solvers, *named):
                raise UserError(
                    "--solvers: a solver and the one that is evaluated must be written "
                    f"as 'shor > shor_eval'; got '{shown(spec)}'"
                )
            made += [
                (solver, evaluation)
                for solver in alternatives.every([solvers])
                for evaluation in alternatives.every(named or self.eval_solvers)
            ]
        return tuple(dict.fromkeys(made))

    @property
    def repeated(self) -> list[str]:
        """Games and methods that are named more than once."""
        written = [
            self.games,
            *(
                [one for spec in specs for one in alternatives.written_out(spec)]
                for specs in (self.solvers, self.eval_solvers, self.oracles)
            ),
        ]
        return [
            one for names in written for one in dict.fromkeys(names)
            if [*names].count(one) > 1
        ]  # fmt: skip

    @property
    def length(self) -> int:
        """Iterations of every run: asked for, or as usual."""
        return _USUAL if self.iterations is None else self.iterations

    @property
    def shown_at(self) -> tuple[int, ...]:
        """Iterations whose gaps are in the tables, beside the last."""
        asked = self.at or (self.length // 4, self.length // 2)
        return tuple(sorted({one for one in asked if 0 < one < self.length}))
