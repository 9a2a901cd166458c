"""Vertices of the CE and CCE polytopes, and zero-sum Nash, by linear programming.

The simplex code is HiGHS (Huangfu & Hall 2018) through SciPy; the rows are those of
``meta_solvers.polytope``. HiGHS may leave gains of about 1e-9 of the payoff range;
the gap that is reported is always measured on the answer, and that no better one
exists is certified by duality (``meta_solvers.lp``).
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import sparse

from meta_solvers.base import Answer, MetaSolver, Progress, Status, failure
from meta_solvers.gains import LARGE, Gains
from meta_solvers.lp import minimise
from meta_solvers.polytope import polytope
from meta_solvers.restricted import minimise_over
from meta_solvers.warm import WorkingSet
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept
from metaspiel.nfg.simplex import product

_BINDS = 1e-9  # of the payoff range: a deviation that gains about nothing binds


@dataclass(frozen=True)
class Corner(MetaSolver):
    """A vertex of a CE or CCE polytope that maximises a linear objective."""

    source: ClassVar[str] = "Marris et al. 2021"

    def objective(
        self, game: Game, rng: np.random.Generator
    ) -> Float64[ndarray, " profiles"]:
        """Coefficients of the objective: one for each joint action, in C order."""
        raise NotImplementedError

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return self.answer(game, rng, None)

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        gains, objective = Gains(game, _kind(self.concept)), self.objective(game, rng)
        # Simplex loses its basis among the deviations of a CE: cold is quicker there.
        if self.concept == "ce" or gains.entries_in_all < LARGE:
            return _maximise(game, self.concept, objective[None])
        warm = {} if progress is None else progress.warm
        working = WorkingSet.recalled(gains, warm)
        if working is not None:
            optimum = minimise_over(working, -_unit(objective))
            if optimum is not None:
                joint = optimum.joint.reshape(game.actions)
                return Answer(
                    joint,
                    optimum.status,
                    0.0,
                    optimum.diagnostics,
                    warm=optimum.working.kept(),
                )
        answer = _maximise(game, self.concept, objective[None])
        if working is not None:  # it was given up
            facts = {**answer.diagnostics, "restarts": 1}
            answer = replace(answer, diagnostics=facts)
        if answer.status is not Status.OK:
            return answer
        joint = answer.joint.ravel()
        left = WorkingSet(gains, gains.of(joint) > -_BINDS, joint > 0).kept()
        return replace(answer, warm=left)


def _kind(concept: str) -> Literal["ce", "cce"]:
    return "ce" if concept == "ce" else "cce"


def _unit(gains: Float64[ndarray, "..."]) -> Float64[ndarray, "..."]:
    """The numbers moved and scaled to [0, 1]; 0 where all are equal."""
    spread = np.ptp(gains)
    return (gains - gains.min()) / (spread if spread > 0 else 1.0)


def _maximise(game: Game, concept: str, gains: Float64[ndarray, "K P"]) -> Answer:
    """Maximises ``min_k gains[k] . x`` over the polytope of ``concept``."""
    shape = polytope(game, _kind(concept))
    unit = _unit(gains)
    below, equal = shape.below, shape.equal
    below_to = np.zeros(below.shape[0])
    if len(unit) == 1:
        cost = np.zeros(shape.variables)
        cost[: shape.profiles] = -unit[0]
    else:  # one more variable t, and t <= gains[k] . x for every k
        pad = sparse.csr_array((len(unit), shape.variables - shape.profiles))
        ones = sparse.csr_array(np.ones((len(unit), 1)))
        lifted = sparse.hstack([-sparse.csr_array(unit), pad, ones])
        column = sparse.csr_array((below.shape[0], 1))
        below = sparse.vstack([sparse.hstack([below, column]), lifted]).tocsr()
        equal = sparse.hstack([equal, sparse.csr_array((equal.shape[0], 1))]).tocsr()
        below_to = np.concatenate([below_to, np.zeros(len(unit))])
        cost = np.zeros(shape.variables + 1)
        cost[-1] = -1.0
    optimum = minimise(
        cost,
        below,
        below_to,
        equal=equal,
        equal_to=shape.equal_to,
        positive=shape.profiles,
    )
    if optimum.values is None:
        return failure(game, optimum.status, **optimum.diagnostics)
    joint = optimum.values[: shape.profiles].reshape(game.actions)
    return Answer(joint, optimum.status, 0.0, optimum.diagnostics)


@dataclass(frozen=True)
class MaxWelfareCCE(Corner):
    """The CCE with the largest sum of payoffs."""

    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "sum of payoffs"

    def objective(
        self, game: Game, rng: np.random.Generator
    ) -> Float64[ndarray, " profiles"]:
        return game.moved.sum(axis=0).ravel()


@dataclass(frozen=True)
class MaxWelfareCE(MaxWelfareCCE):
    """The CE with the largest sum of payoffs."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class MinWelfareCCE(Corner):
    """The CCE with the smallest sum of payoffs: the price of anarchy's numerator."""

    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "minus the sum of payoffs"
    source: ClassVar[str] = "this library"

    def objective(
        self, game: Game, rng: np.random.Generator
    ) -> Float64[ndarray, " profiles"]:
        return -game.moved.sum(axis=0).ravel()


@dataclass(frozen=True)
class MinWelfareCE(MinWelfareCCE):
    """The CE with the smallest sum of payoffs."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class RandomMaxWelfareCCE(Corner):
    """A CCE of maximal welfare, random among those that tie.

    Attributes:
      noise: standard deviation of the noise on each joint action's welfare, as a
        fraction of the welfare's range (OpenSpiel: 1e-6 in units of payoff).
    """

    noise: float = 1e-6
    concept: ClassVar[Concept] = "cce"
    stochastic: ClassVar[bool] = True
    maximises: ClassVar[str] = "sum of payoffs, ties broken at random"

    def __post_init__(self) -> None:
        _positive(self, self.noise, "noise")

    def objective(
        self, game: Game, rng: np.random.Generator
    ) -> Float64[ndarray, " profiles"]:
        welfare = game.moved.sum(axis=0).ravel()
        spread = float(np.ptp(welfare)) or 1.0
        return (welfare - welfare.min()) / spread + self.noise * rng.normal(
            size=welfare.size
        )


@dataclass(frozen=True)
class RandomMaxWelfareCE(RandomMaxWelfareCCE):
    """A CE of maximal welfare, random among those that tie."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class RandomVertexCCE(Corner):
    """A random vertex: the CCE that is best for a random linear objective."""

    concept: ClassVar[Concept] = "cce"
    stochastic: ClassVar[bool] = True
    maximises: ClassVar[str] = "a random linear objective"

    def objective(
        self, game: Game, rng: np.random.Generator
    ) -> Float64[ndarray, " profiles"]:
        return rng.normal(size=game.profiles)


@dataclass(frozen=True)
class RandomVertexCE(RandomVertexCCE):
    """A random vertex of the CE polytope."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class EgalitarianCCE(MetaSolver):
    """The CCE whose worst-off player gets the most, in units of payoff."""

    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "the smallest player's payoff"
    source: ClassVar[str] = "Greenwald & Hall 2003"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return _maximise(game, self.concept, game.payoffs.reshape(game.players, -1))


@dataclass(frozen=True)
class EgalitarianCE(EgalitarianCCE):
    """The CE whose worst-off player gets the most, in units of payoff."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class ZeroSumNash(MetaSolver):
    """Exact Nash equilibrium of a two-player constant-sum game: von Neumann's LP."""

    concept: ClassVar[Concept] = "ne"
    players: ClassVar[tuple[int, float]] = (2, 2)
    maximises: ClassVar[str] = "each player's guaranteed payoff"
    source: ClassVar[str] = "von Neumann 1928"

    def refuses(self, game: Game) -> str | None:
        spread = float(np.ptp(game.payoffs.sum(axis=0)))
        if spread > 1e-9 * float(game.scale.max()):
            return (
                "the game must be zero-sum (or constant-sum); got sums of payoffs that "
                f"differ by {spread:.3g}; known for general games: nash"
            )
        return None

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        first = game.normalised[0]
        row, row_value, ok_row = _guarantee(first)
        column, column_value, ok_column = _guarantee(1.0 - first.T)
        status = Status.OK if ok_row and ok_column else Status.NUMERICAL
        gap = 1.0 - row_value - column_value
        return Answer(product([row, column]), status, 0.0, {"duality_gap": float(gap)})


def _guarantee(payoff: Float64[ndarray, "A B"]) -> tuple[ndarray, float, bool]:
    """Maximises ``min_b (x @ payoff)[b]``; returns x, the value, whether it worked."""
    own, other = payoff.shape
    values = minimise(
        np.append(np.zeros(own), -1.0),
        np.hstack([-payoff.T, np.ones((other, 1))]),
        np.zeros(other),
        equal=np.append(np.ones(own), 0.0)[None],
        equal_to=np.ones(1),
        positive=own,
    ).values
    if values is None:
        return np.full(own, np.nan), np.nan, False
    # Whether it is optimal the measured gap says.
    x = np.maximum(values[:-1], 0.0)
    return x / x.sum(), float(values[-1]), True


def _positive(solver: MetaSolver, value: float, name: str) -> None:
    if not (np.isfinite(value) and value > 0):
        raise UserError(
            f"{type(solver).__name__}(): {name} must be a positive number; got {value}"
        )
