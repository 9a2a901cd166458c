"""Our meta-solvers inside OpenSpiel's own loops, and OpenSpiel's inside ours.

Nothing of OpenSpiel is copied: ``as_psro_v2`` makes a ``meta_strategy_method`` for
``PSROSolver``, ``register_in_jpsro`` adds names to the table of ``jpsro.run_loop``, and
``JPSROSolver`` and ``PSROv2Solver`` call its meta-solvers as they are. OpenSpiel, and
what it needs, is imported only when it is used.
"""

import io
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolution, MetaSolver, Status, fact, failure
from meta_solvers.registry import get
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept
from psro.openspiel_calls import (
    JPSRO,
    LP_SOLVERS,
    PSRO_V2,
    globally_seeded,
    linear_programs_by,
    module,
)

__all__ = [
    "JPSRO_CONCEPTS",
    "LP_SOLVERS",
    "PSRO_V2_CONCEPTS",
    "JPSROSolver",
    "PSROv2Method",
    "PSROv2Solver",
    "as_jpsro",
    "as_psro_v2",
    "linear_programs_by",
    "register_in_jpsro",
]

# What OpenSpiel's meta-solvers promise, by OpenSpiel's names ("approx_*" is left out of
# the CE and CCE, for it allows gains that depend on the game).
JPSRO_CONCEPTS: dict[str, Concept] = {
    **dict.fromkeys(("uni", "undominated_uni", "rj", "undominated_rj"), "none"),
    **dict.fromkeys(("rd", "undominated_rd", "alpharank"), "none"),
    **dict.fromkeys(("approx_mgce", "approx_mgcce"), "none"),
    "prd": "ne",
    **dict.fromkeys(("mgce", "min_epsilon_mgce", "rmwce", "mwce", "rvce"), "ce"),
    **dict.fromkeys(("mgcce", "min_epsilon_mgcce"), "cce"),
    **dict.fromkeys(("rmwcce", "mwcce", "rvcce"), "cce"),
}
PSRO_V2_CONCEPTS: dict[str, Concept] = {
    **dict.fromkeys(("uniform", "uniform_biased", "alpharank"), "none"),
    **dict.fromkeys(("nash", "prd"), "ne"),
    "rm": "cce",
}
LINEAR = ("rmwce", "mwce", "rvce", "rmwcce", "mwcce", "rvcce")
RANDOM = {"rj", "rd", "undominated_rj", "undominated_rd", *LINEAR} - {"mwce", "mwcce"}
_PLAYERS = {"nash": (2, 2), "alpharank": (2, math.inf)}


# What ``register_in_jpsro(overwrite=True)`` has put aside.
_overwritten: dict[str, Callable[..., Any]] = {}


class PSROv2Method:
    """One of our solvers as a ``meta_strategy_method`` of OpenSpiel's ``PSROSolver``.

    Every call draws from a generator made of the seed and the number of the call, so
    a run can be repeated. The joint is returned as an n-dimensional array, which
    OpenSpiel's samplers, oracles and rectifier need.

    Attributes:
      calls: number of calls so far.
      solution: the last answer with its status and measured gaps; None before.
    """

    def __init__(self, solver: MetaSolver, seed: int = 0) -> None:
        self.solver, self.seed, self.calls = solver, seed, 0
        self.solution: MetaSolution | None = None

    def __call__(self, solver: Any, return_joint: bool = False) -> Any:
        """Marginals ``[A_p]`` and, if asked for, the joint ``[A1, ..., AN]``.

        ``solver`` is OpenSpiel's ``PSROSolver``, of which only the meta-game is read.
        """
        rng = np.random.default_rng([self.seed, self.calls])
        self.calls += 1
        game = Game(np.stack([np.asarray(g, float) for g in solver.get_meta_game()]))
        self.solution = solve(self.solver, game, rng, throw=False).require()
        marginals = [np.array(m) for m in self.solution.marginals]
        return (marginals, np.array(self.solution.joint)) if return_joint else marginals


def as_psro_v2(solver: MetaSolver | str, seed: int = 0) -> PSROv2Method:
    """``solver`` (or the spec of one) for ``PSROSolver(meta_strategy_method=...)``.

    Make one for each ``PSROSolver``: it counts its calls.
    """
    return PSROv2Method(get(solver) if isinstance(solver, str) else solver, seed)


JPSROFunction = Callable[..., tuple[ndarray, dict[str, Any]]]


def as_jpsro(solver: MetaSolver | str, seed: int = 0) -> JPSROFunction:
    """``solver`` (or the spec of one) as OpenSpiel's ``jpsro`` calls a meta-solver.

    The dictionary beside the joint holds ``solution``, with status and measured gaps.
    """
    chosen = get(solver) if isinstance(solver, str) else solver
    calls = itertools.count()

    def meta_solver(
        meta_game: Float64[ndarray, "N *A"],
        per_player_repeats: Sequence[Sequence[int]],
        ignore_repeats: bool = False,
    ) -> tuple[Float64[ndarray, "*A"], dict[str, Any]]:
        """The joint ``[A1, ..., AN]``, and the solver's diagnostics."""
        repeats = None if ignore_repeats else per_player_repeats
        rng = np.random.default_rng([seed, next(calls)])
        solution = solve(chosen, Game(meta_game, repeats=repeats), rng, throw=False)
        return np.array(solution.require().joint), {"solution": solution}

    return meta_solver


def register_in_jpsro(
    *specs: str, prefix: str = "", overwrite: bool = False, seed: int = 0
) -> tuple[str, ...]:
    """Lets ``jpsro.run_loop`` find our solvers under ``prefix + spec``.

    They stay until the process ends, and count their calls, as ``as_psro_v2`` says.

    Args:
      specs: specs of solvers, e.g. ``"mgcce"``.
      prefix: put before each spec, e.g. ``"our_"``.
      overwrite: replace OpenSpiel's (or an earlier) solver of the same name.
      seed: seed of what stochastic solvers draw.

    Returns:
      The names, for ``train_meta_solver`` and ``eval_meta_solver``.

    Raises:
      UserError: a spec does not parse, a name is taken, or a package is missing.
    """
    where = "register_in_jpsro()"
    functions = {prefix + spec: as_jpsro(spec, seed) for spec in specs}
    table = module(JPSRO, where).FLAG_TO_FUNC
    taken = [name for name in functions if name in table]
    if taken and not overwrite:
        raise UserError(
            f"{where}: a name must be new to OpenSpiel's jpsro; got '{taken[0]}', "
            "which it has, and equal names need not mean equal solvers ('rd' is "
            "replicator dynamics here and a random Dirichlet joint there); pass "
            f"prefix='our_' to get 'our_{taken[0]}', or overwrite=True to replace it"
        )
    for name in taken:
        if name in JPSRO_CONCEPTS:
            _overwritten.setdefault(name, table[name])
    table.update(functions)
    return tuple(functions)


@dataclass(frozen=True)
class _OpenSpielSolver(MetaSolver):
    """Base class of the wrappers of OpenSpiel's solvers."""

    name: str = "prd"
    lp: str | None = None
    concepts: ClassVar[dict[str, Concept]] = {}
    source: ClassVar[str] = "Lanctot et al. 2019 (OpenSpiel)"

    def __post_init__(self) -> None:
        where = f"{type(self).__name__}()"
        if self.name not in self.concepts:
            raise unknown(where, "meta-solver of OpenSpiel", self.name, self.concepts)
        if self.lp is not None and not self._linear:
            raise UserError(
                f"{where}: lp must be left out, for '{self.name}' solves no linear "
                f"program; got {self.lp!r}"
            )
        if self.lp is not None and self.lp not in LP_SOLVERS:
            raise unknown(where, "LP solver", self.lp, LP_SOLVERS)

    @fact
    def concept(self) -> Concept:
        return self.concepts[self.name]

    @fact
    def stochastic(self) -> bool:
        return self.name in RANDOM

    @fact
    def players(self) -> tuple[int, int | float]:
        return _PLAYERS.get(self.name, (1, math.inf))

    @property
    def _linear(self) -> bool:
        return self.name in (*LINEAR, "nash")

    def _ask(
        self, game: Game, rng: np.random.Generator, call: Callable[[], ndarray]
    ) -> Answer:
        """Calls OpenSpiel; its errors, warnings and prints go to diagnostics."""
        lp, printed = self.lp or "CLARABEL", io.StringIO()
        diagnostics: dict[str, Any] = {"openspiel": self.name}
        if self._linear:
            diagnostics["lp"] = lp
        with (
            linear_programs_by(lp) if self._linear else nullcontext(),
            globally_seeded(int(rng.integers(2**32)))
            if self.stochastic
            else nullcontext(),
            warnings.catch_warnings(record=True) as warned,
            redirect_stdout(printed),
        ):
            warnings.simplefilter("always")
            for upkeep in (FutureWarning, DeprecationWarning):  # not about the answer
                warnings.simplefilter("ignore", upkeep)
            try:
                joint = np.asarray(call(), dtype=np.float64).reshape(game.actions)
            except Exception as error:  # noqa: BLE001  foreign code may throw anything
                diagnostics["reason"] = f"{type(error).__name__}: {error}"
                joint = None
        if warned:
            diagnostics["warnings"] = sorted({str(w.message) for w in warned})
        if printed.getvalue():
            diagnostics["printed"] = printed.getvalue().strip()
        if joint is None:
            return failure(game, Status.NUMERICAL, **diagnostics)
        return Answer(joint, diagnostics=diagnostics)


@dataclass(frozen=True)
class JPSROSolver(_OpenSpielSolver):
    """A meta-solver of OpenSpiel's ``jpsro``, for comparison.

    Attributes:
      name: one of ``JPSRO_CONCEPTS``; the names mean what OpenSpiel means by them.
      lp: cvxpy's solver for the linear programs (mw*, rmw*, rv*); None is Clarabel.
    """

    name: str = "mgcce"
    concepts: ClassVar[dict[str, Concept]] = JPSRO_CONCEPTS
    maximises: ClassVar[str] = "what OpenSpiel's jpsro meta-solver of that name does"
    source: ClassVar[str] = "Marris et al. 2021 (OpenSpiel)"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        table = module(JPSRO, "JPSROSolver()").FLAG_TO_FUNC
        theirs = _overwritten.get(self.name, table[self.name])
        counts = game.repeats or [
            np.ones(size, dtype=np.int64) for size in game.actions
        ]
        repeats = [own.tolist() for own in counts]
        return self._ask(game, rng, lambda: theirs(np.array(game.payoffs), repeats)[0])


@dataclass(frozen=True)
class PSROv2Solver(_OpenSpielSolver):
    """A meta-solver of OpenSpiel's ``psro_v2``, for comparison.

    Attributes:
      name: one of ``PSRO_V2_CONCEPTS``.
      lp: cvxpy's solver for the linear programs of "nash"; None is Clarabel.
      steps: steps of "prd" and "rm"; None is OpenSpiel's 100 000.
    """

    steps: int | None = None
    concepts: ClassVar[dict[str, Concept]] = PSRO_V2_CONCEPTS
    expands_repeats: ClassVar[bool] = True  # psro_v2 pools hold copies
    maximises: ClassVar[str] = "what OpenSpiel's psro_v2 meta-solver of that name does"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and not (
            self.name in ("prd", "rm") and self.steps > 0
        ):
            raise UserError(
                "PSROv2Solver(): steps must be positive, and only 'prd' and 'rm' take "
                f"steps; got {self.steps} with '{self.name}'"
            )

    def refuses(self, game: Game) -> str | None:
        worst = float(np.abs(game.payoffs.sum(axis=0)).max())
        if self.name == "nash" and worst > 1e-9 * float(game.scale.max()):
            return (
                "OpenSpiel's nash needs a zero-sum game; got sums of payoffs up to "
                f"{worst:.3g}; known for general games: nash"
            )
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        where = "PSROv2Solver()"
        if self.name == "alpharank":
            theirs = module(f"{PSRO_V2}.utils", where).alpharank_strategy
        else:
            methods = module(f"{PSRO_V2}.meta_strategies", where)
            theirs = methods.META_STRATEGY_METHODS[self.name]
        option = "prd_iterations" if self.name == "prd" else "iterations"
        options = {} if self.steps is None else {option: self.steps}
        trainer = SimpleNamespace(  # all that they read of a PSROSolver
            symmetric_game=False,
            get_meta_game=lambda: [np.array(own) for own in game.payoffs],
            get_policies=lambda: [list(range(size)) for size in game.actions],
            get_kwargs=lambda: options,
        )
        return self._ask(game, rng, lambda: theirs(trainer, return_joint=True)[1])
