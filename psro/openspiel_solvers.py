"""OpenSpiel's meta-solvers as ours, called as they are.

OpenSpiel, and what it needs, is imported only when it is used.
"""

import io
import math
import warnings
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status, fact, failure
from metaspiel.nfg.errors import UserError, positive, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept
from psro.openspiel_calls import (
    JPSRO,
    LP_SOLVERS,
    PSRO_V2,
    globally_seeded,
    limited,
    linear_programs_by,
    module,
)

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
overwritten: dict[str, Callable[..., Any]] = {}

# Payoff ranges that OpenSpiel's convex programs, whose tolerances are absolute, can do.
_RANGES = (1e-3, 1e3)


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

    def _payoffs(self, game: Game) -> tuple[Float64[ndarray, "N *A"], float]:
        """The payoffs for OpenSpiel, and the power of two they were multiplied by.

        It is 1 unless a convex program would meet a range that its absolute tolerances
        do not fit.
        """
        largest = float(game.scale.max())
        convex = self._linear or "mgc" in self.name
        if not convex or largest == 0 or _RANGES[0] <= largest <= _RANGES[1]:
            return np.array(game.payoffs), 1.0
        factor = 2.0 ** min(-math.floor(math.log2(largest)), 1000)
        return game.payoffs * factor, factor

    def _ask(
        self,
        game: Game,
        rng: np.random.Generator,
        call: Callable[[Float64[ndarray, "N *A"]], ndarray],
    ) -> Answer:
        """Calls OpenSpiel; its errors, warnings and prints go to diagnostics."""
        payoffs, factor = self._payoffs(game)
        diagnostics: dict[str, Any] = {"openspiel": self.name}
        if factor != 1:
            diagnostics["factor"] = factor
        printed, joint = io.StringIO(), None
        with ExitStack() as inside:
            if self._linear:
                diagnostics["lp"] = self.lp or "CLARABEL"
                inside.enter_context(linear_programs_by(diagnostics["lp"]))
            if self.stochastic:
                inside.enter_context(globally_seeded(int(rng.integers(2**32))))
            warned = inside.enter_context(warnings.catch_warnings(record=True))
            inside.enter_context(redirect_stdout(printed))
            warnings.simplefilter("always")
            for upkeep in (FutureWarning, DeprecationWarning):  # not about the answer
                warnings.simplefilter("ignore", upkeep)
            try:
                joint = np.asarray(call(payoffs), np.float64).reshape(game.actions)
            except Exception as error:  # noqa: BLE001  foreign code may throw anything
                diagnostics["reason"] = f"{type(error).__name__}: {error}"
        if warned:
            diagnostics["warnings"] = sorted({str(w.message) for w in warned})
        if printed.getvalue():
            diagnostics["printed"] = printed.getvalue().strip()
        if joint is None:
            return failure(game, Status.NUMERICAL, **diagnostics)
        # so cvxpy says that a program ended at a limit, or short of its tolerances
        early = any("may be inaccurate" in str(w.message) for w in warned)
        status = Status.MAX_STEPS if early else Status.OK
        return Answer(joint, status, diagnostics=diagnostics)


@dataclass(frozen=True)
class JPSROSolver(_OpenSpielSolver):
    """A meta-solver of OpenSpiel's ``jpsro``, for comparison.

    Attributes:
      name: one of ``JPSRO_CONCEPTS``; the names mean what OpenSpiel means by them.
      lp: cvxpy's solver for the linear programs (mw*, rmw*, rv*); None is Clarabel.
      seconds: time after which a quadratic program (mg*) gives up; OpenSpiel's own
        limit is a thousand million steps. Where it ends one, the status is not OK.
    """

    name: str = "mgcce"
    lp: str | None = None
    seconds: float = 60.0
    concepts: ClassVar[dict[str, Concept]] = JPSRO_CONCEPTS
    maximises: ClassVar[str] = "what OpenSpiel's jpsro meta-solver of that name does"
    source: ClassVar[str] = "Marris et al. 2021 (OpenSpiel)"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(self, "seconds")

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        table = module(JPSRO, "JPSROSolver()").FLAG_TO_FUNC
        theirs = overwritten.get(self.name, table[self.name])
        counts = game.repeats or [
            np.ones(size, dtype=np.int64) for size in game.actions
        ]
        repeats = [own.tolist() for own in counts]
        with limited(self.seconds):
            return self._ask(game, rng, lambda payoffs: theirs(payoffs, repeats)[0])


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

        def call(payoffs: Float64[ndarray, "N *A"]) -> ndarray:
            trainer = SimpleNamespace(  # all that they read of a PSROSolver
                symmetric_game=False,
                get_meta_game=lambda: list(payoffs),
                get_policies=lambda: [list(range(size)) for size in game.actions],
                get_kwargs=lambda: options,
            )
            joint: ndarray = theirs(trainer, return_joint=True)[1]
            return joint

        return self._ask(game, rng, call)
