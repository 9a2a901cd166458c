"""Maximum-Gini CE and CCE: the equilibrium closest to uniform.

Maximising Gini impurity ``1 - sum_a x(a)^2 / copies(a)`` over the polytope has one
solution (Marris et al. 2021). It is the projection of the uniform joint onto a cone,
which ``meta_solvers.projection`` finds to rounding; when the matrix of deviations
would be too large, Clarabel (Goulart & Chen 2024) solves the sparse lifted rows of
``meta_solvers.polytope``. The gap that is reported is always measured on the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy import ndarray
from scipy import sparse

from meta_solvers.base import Answer, MetaSolver, Progress, Status, failure
from meta_solvers.gini_programs import (
    FINE,
    by_clarabel,
    by_projection,
    smallest_range,
)
from meta_solvers.lp import Optimum, minimise
from meta_solvers.polytope import Polytope, polytope, somebody_idles
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import Concept

Method = Literal["auto", "projection", "clarabel"]
METHODS = ("auto", "projection", "clarabel")

# "auto" projects while the dense matrix of deviations has at most this many entries;
# with more deviations than joint actions, and than this, Clarabel comes first. Either
# steps in for the other, but not in CCEs with more entries than the third: they are
# never written out, and Clarabel would take minutes where rounding stops a projection.
DENSE_ENTRIES = 20_000_000
DENSE_ROWS = 300
LAZY_ENTRIES = 2_000_000


@dataclass(frozen=True)
class GiniSolver(MetaSolver):
    """Base class of the maximum-Gini solvers.

    Attributes:
      method: "projection" (exact), "clarabel" (sparse interior point) or "auto".
    """

    method: Method = "auto"
    maximises: ClassVar[str] = "Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise unknown(f"{type(self).__name__}()", "method", self.method, METHODS)

    @property
    def kind(self) -> Literal["ce", "cce"]:
        """The concept's polytope as ``meta_solvers.polytope`` names it."""
        return "ce" if self.concept == "ce" else "cce"

    def allowed(self, game: Game) -> float:
        """Gain every deviation may keep, in units of payoff."""
        raise NotImplementedError

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        return self.answer(game, rng, None)

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        warm = {} if progress is None else progress.warm
        return self.allowing(game, self.allowed(game), warm)

    def allowing(
        self, game: Game, epsilon: float, warm: Mapping[str, ndarray]
    ) -> Answer:
        """``nearest_uniform``, where everybody can lose what they have to."""
        if epsilon >= 0:
            return self.nearest_uniform(game, epsilon, warm)
        if somebody_idles(game, self.kind):
            reason = "with a negative epsilon every player must have what to lose by"
            return failure(game, Status.INFEASIBLE, reason=reason, allowed_gain=epsilon)
        shape = polytope(game, self.kind)
        unit = smallest_range(game, shape)
        least = self.least_gain(game, shape, unit)
        if least.values is None:
            return failure(game, least.status, **least.diagnostics)
        lowest = float(least.values[-1]) * unit
        if epsilon < lowest - FINE * unit:
            return failure(
                game, Status.INFEASIBLE, allowed_gain=epsilon, least_gain=lowest
            )
        return self.nearest_uniform(game, epsilon, warm)

    def least_gain(self, game: Game, shape: Polytope, unit: float) -> Optimum:
        """The least gain <= 0 that all deviations can keep: the last of its values.

        It is in ``unit``; the others are the joint and what the polytope lifts.
        """
        column = sparse.csr_array(-(unit / game.scale[shape.player])[:, None])
        rows = sparse.hstack([shape.below, column])
        last = sparse.csr_array(([1.0], ([0], [shape.variables])))  # it is at most 0
        return minimise(
            np.append(np.zeros(shape.variables), 1.0),
            sparse.vstack([rows, last]).tocsr(),
            np.zeros(shape.player.size + 1),
            equal=sparse.hstack(
                [shape.equal, sparse.csr_array((shape.equal.shape[0], 1))]
            ),
            equal_to=shape.equal_to,
            positive=shape.profiles,
        )

    def nearest_uniform(
        self, game: Game, epsilon: float, warm: Mapping[str, ndarray]
    ) -> Answer:
        """Maximises Gini impurity with deviations gaining at most ``epsilon``.

        Where "auto" has a second method, it is used when the first is not OK; what
        the first said is then in the diagnostics under "tried".
        """
        rows = sum(a * (a - 1) if self.kind == "ce" else a for a in game.actions)
        if self.method == "auto":
            order = ["projection", "clarabel"]
            if rows > max(game.profiles, DENSE_ROWS):
                order.reverse()
            entries = rows * game.profiles
            if self.kind == "cce" and entries > LAZY_ENTRIES:
                order = ["projection"]
            elif entries > DENSE_ENTRIES:
                order = ["clarabel"]
        else:
            order = [self.method]
        answers: list[Answer] = []
        for method in order:
            if method == "projection":
                answer = by_projection(game, self.kind, epsilon, warm)
            else:
                shape = polytope(game, self.kind)
                answer = by_clarabel(game, self.kind, shape, epsilon)
            answers.append(answer)
            if answer.status is Status.OK:
                break
        best = answers[-1] if answers[-1].status is Status.OK else answers[0]
        others = [a for a in answers if a is not best]
        if not others:
            return best
        tried = [f"{a.diagnostics['method']}: {a.status.name}" for a in others]
        return replace(best, diagnostics={**best.diagnostics, "tried": tried})


@dataclass(frozen=True)
class MaxGiniCCE(GiniSolver):
    """The CCE, or epsilon-CCE, with the largest Gini impurity.

    Attributes:
      epsilon: gain every deviation may keep, in units of payoff. Below 0 every one must
        lose, which is INFEASIBLE where a player has none, or one that changes nothing.
    """

    epsilon: float = 0.0
    concept: ClassVar[Concept] = "cce"

    def __post_init__(self) -> None:
        super().__post_init__()
        _finite(self, self.epsilon, "epsilon")

    def allowed(self, game: Game) -> float:
        return self.epsilon


@dataclass(frozen=True)
class MaxGiniCE(MaxGiniCCE):
    """The CE, or epsilon-CE, with the largest Gini impurity."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class ApproximateMaxGiniCCE(GiniSolver):
    """Maximum-Gini epsilon-CCE; epsilon is a fraction of uniform play's largest gain.

    ``epsilon = fraction * max(A b)``, b uniform and A the deviation gains: fraction 1
    gives uniform play, 0 the exact equilibrium. Repeats are not counted in b (as in
    OpenSpiel), so with them fraction 1 need not allow their uniform play.
    """

    fraction: float = 0.01
    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "Gini impurity, allowing a fraction of max(Ab)"

    def __post_init__(self) -> None:
        super().__post_init__()
        _finite(self, self.fraction, "fraction")

    def allowed(self, game: Game) -> float:
        return self.fraction * _uniform_gain(game, self.kind)


@dataclass(frozen=True)
class ApproximateMaxGiniCE(ApproximateMaxGiniCCE):
    """Maximum-Gini epsilon-CE; epsilon is a fraction of uniform play's gain."""

    concept: ClassVar[Concept] = "ce"


@dataclass(frozen=True)
class HalfMaxGiniCCE(ApproximateMaxGiniCCE):
    """Maximum-Gini epsilon-CCE with epsilon half of uniform play's largest gain."""

    fraction: float = 0.5


@dataclass(frozen=True)
class HalfMaxGiniCE(ApproximateMaxGiniCE):
    """Maximum-Gini epsilon-CE with epsilon half of uniform play's largest gain."""

    fraction: float = 0.5


@dataclass(frozen=True)
class MinEpsilonMaxGiniCCE(GiniSolver):
    """Maximum-Gini CCE at the smallest epsilon <= 0: deviations lose most.

    Attributes:
      reward: None first makes the allowed gain epsilon <= 0 as small as possible and
        then maximises Gini impurity at that epsilon. A number maximises
        ``1 - sum x^2 - reward * epsilon`` in one go (2 is OpenSpiel's objective; its
        answer depends on the unit of payoff).
    """

    reward: float | None = None
    concept: ClassVar[Concept] = "cce"
    maximises: ClassVar[str] = "loss of every deviation, then Gini impurity"
    source: ClassVar[str] = "Marris et al. 2021"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reward is not None:
            _finite(self, self.reward, "reward")

    def answer(
        self, game: Game, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        shape = polytope(game, self.kind)
        if shape.player.size == 0:
            return Answer(game.copies / game.copies.sum())
        if self.reward is not None:
            return by_clarabel(game, self.kind, shape, 0.0, self.reward)
        unit = smallest_range(game, shape)
        least = self.least_gain(game, shape, unit)
        if least.values is None:
            return failure(game, least.status, **least.diagnostics)
        epsilon = float(least.values[-1]) * unit
        warm = {} if progress is None else progress.warm
        answer = self.nearest_uniform(game, epsilon, warm)
        if answer.status is not Status.OK:
            # At the least gain there may be a single joint, which rounding hides. What
            # binds in every solution is then held as an equation.
            tried = [f"{answer.diagnostics['method']}: {answer.status.name}"]
            other = by_clarabel(game, self.kind, shape, epsilon, face=least)
            if other.status is Status.OK:
                notes = {**other.diagnostics, "tried": tried}
                answer = replace(other, diagnostics=notes)
        if least.status is Status.OK or answer.status is not Status.OK:
            return answer
        reason = {"reason": least.diagnostics["reason"], **answer.diagnostics}
        return replace(answer, status=least.status, diagnostics=reason)


@dataclass(frozen=True)
class MinEpsilonMaxGiniCE(MinEpsilonMaxGiniCCE):
    """Maximum-Gini CE at the smallest epsilon <= 0: deviations lose most."""

    concept: ClassVar[Concept] = "ce"


def _uniform_gain(game: Game, kind: Literal["ce", "cce"]) -> float:
    """Largest gain of a deviation row under uniform play, in units of payoff."""
    gains = [0.0] if game.profiles == 1 else []
    for player, size in enumerate(game.actions):
        mean = game.own_first(player).mean(axis=1)
        if size > 1:
            best = mean.max() - (mean.min() if kind == "ce" else mean.mean())
            gains.append(float(best) / (size if kind == "ce" else 1))
    return max(gains)


def _finite(solver: MetaSolver, value: float, name: str) -> None:
    if not np.isfinite(value):
        raise UserError(
            f"{type(solver).__name__}(): {name} must be a finite number; got {value}"
        )
