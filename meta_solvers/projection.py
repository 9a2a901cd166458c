"""Euclidean projection onto a polyhedral cone, exact to rounding.

Maximum-Gini equilibria are projections: minimising ``|x|^2`` over a cone cut by
``c . x = 1`` gives the multiple of the projection of c onto that cone. The projection
``y = (c - A' l)_+`` is found through its multipliers l >= 0, one for each row of A, by
the proximal method of multipliers with a semismooth Newton method inside (Rockafellar
1976; Qi & Sun 1993). Each Newton step is one dense solve in the number of rows, so a
game with few deviations and many joint actions is cheap, and degenerate tables, whose
polytope has no interior, cost no accuracy.
"""

from dataclasses import KW_ONLY, dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

_OUTER = 40
_TOLERANCE = 1e-13
_SETTLED = 1000 * _TOLERANCE
_PATIENCE = 12  # subproblems in a row without progress
_NEAR = 1e-4  # of a point's length: how far polishing may move it
_RANK = 1e-12  # singular values below this fraction of the largest are rounding
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast subproblems get sharper.

    Attributes:
      first: the first penalty.
      growth: what each next one is of the last.
      retreat: what one is divided by that is lost in rounding.
      steps: Newton steps after which it counts as lost.
    """

    first: float
    growth: float
    retreat: float
    steps: int


QUICK = Pace(first=100.0, growth=10.0, retreat=100.0, steps=60)
CAREFUL = Pace(first=1.0, growth=4.0, retreat=10.0, steps=300)
"""For thin cones, where a quick pace ends far from the projection."""


@runtime_checkable
class Cone(Protocol):
    """The rows A ``[D, P]`` of a cone ``{y >= 0, A y <= 0}``, each of length 1 or 0."""

    @property
    def rows(self) -> int:
        """D, the number of rows."""

    def along(self, point: Float64[ndarray, " P"]) -> Float64[ndarray, " D"]:
        """What every row gives at a point: ``A y``."""

    def pull(self, dual: Float64[ndarray, " D"]) -> Float64[ndarray, " P"]:
        """The rows summed with multipliers: ``A' l``."""

    def gram(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F F"]:
        """``A A'`` of the rows ``free``, over the columns ``live``."""

    def block(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F L"]:
        """The rows ``free`` in the columns ``live``."""


@dataclass(frozen=True, eq=False)
class Dense:
    """A cone whose rows are written out."""

    matrix: Float64[ndarray, "D P"]

    @classmethod
    def scaled(cls, rows: Float64[ndarray, "D P"]) -> "Dense":
        """The cone of any rows; those that are 0 everywhere are left out."""
        length = np.linalg.norm(rows, axis=1)
        return cls(rows[length > 0] / length[length > 0, None])

    @property
    def rows(self) -> int:
        """D, the number of rows."""
        return len(self.matrix)

    def along(self, point: Float64[ndarray, " P"]) -> Float64[ndarray, " D"]:
        """What every row gives at a point: ``A y``."""
        return self.matrix @ point

    def pull(self, dual: Float64[ndarray, " D"]) -> Float64[ndarray, " P"]:
        """The rows summed with multipliers: ``A' l``."""
        return dual @ self.matrix

    def gram(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F F"]:
        """``A A'`` of the rows ``free``, over the columns ``live``."""
        active = self.block(free, live)
        return active @ active.T

    def block(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F L"]:
        """The rows ``free`` in the columns ``live``."""
        return self.matrix[free].compress(live, axis=1)


@dataclass(frozen=True, eq=False)
class Projection:
    """The projection and how well it meets its optimality conditions.

    Attributes:
      point: ``[P]``; all zeros when the cone holds nothing but the origin.
      residual: largest ``|min(l, -A point)|`` with rows of A scaled to length 1,
        relative to ``|c|``.
      steps: Newton steps taken.
      converged: the residual is within rounding.
      dual: multiplier ``[D]`` of each row, by which another projection may start.
    """

    point: Float64[ndarray, " P"]
    residual: float
    steps: int
    converged: bool
    _: KW_ONLY
    dual: Float64[ndarray, " D"]


def project_onto_cone(
    cone: Cone,
    target: Float64[ndarray, " P"],
    start: Float64[ndarray, " D"] | None = None,
    pace: Pace = QUICK,
) -> Projection:
    """Projects ``target`` onto the cone.

    Args:
      cone: the cone.
      target: what is projected.
      start: multipliers to start from, 0 by default; they do not change the answer.
      pace: of the subproblems.
    """
    dual = np.zeros(cone.rows) if start is None else start
    penalty, steps, since = pace.first, 0, 0
    best_dual = dual
    size = float(np.linalg.norm(target))
    best, best_point, rounding = np.inf, np.zeros_like(target), 0.0
    for _ in range(_OUTER):
        # Early subproblems are solved no better than the last one was met.
        loose = 0.01 * size * min(best, 1.0)
        dual, point, taken = _proximal_step(
            cone, target, dual, penalty=penalty, loose=loose, most=pace.steps
        )
        steps += taken
        slack = -cone.along(point)
        residual = float(np.abs(np.minimum(dual, slack)).max(initial=0.0)) / size
        since = 0 if residual < 0.5 * best else since + 1
        if residual < best:
            best, best_point, best_dual = residual, point, dual
            rounding = _EPS * dual.sum() / size
        if best <= max(_TOLERANCE, rounding) or since == _PATIENCE:
            break
        # A subproblem that does not settle is lost in rounding: make it rounder.
        lost = taken == pace.steps
        sharper = min(pace.growth * penalty, 1e12)
        penalty = penalty / pace.retreat if lost else sharper
    # A cone that is {0} is only ever met up to rounding.
    if float(np.linalg.norm(best_point)) <= 1e-9 * size:
        best_point = np.zeros_like(best_point)
    settled = best <= max(_SETTLED, rounding)
    return Projection(best_point, best, steps, bool(settled), dual=best_dual)


def polished(
    cone: Cone, target: Float64[ndarray, " P"], projected: Projection
) -> Projection:
    """The projection again, from which rows bind and what is positive.

    Where multipliers are large, ``c - A' l`` loses their digits. Given rows and columns
    the projection is one onto a subspace, which an orthogonal basis gives to rounding.
    It is kept where it meets the conditions at least as well and is about where the
    point was: a subspace of nearly dependent rows may hold nothing but 0, which meets
    every condition but that of being near the target.
    """
    tight, live = projected.dual > 0, projected.point > 0
    block = cone.block(tight, live)
    if not block.size:
        return projected
    _, sizes, across = np.linalg.svd(block, full_matrices=False)
    across = across[sizes > _RANK * sizes[0]]
    point, aim = np.zeros_like(target), target[live]
    point[live] = aim - across.T @ (across @ aim)
    slack, size = -cone.along(point), float(np.linalg.norm(target))
    wrong = max(
        float(np.abs(np.minimum(projected.dual, slack)).max()),
        -float(point.min()),
    )
    moved = float(np.linalg.norm(point - projected.point))
    near = moved <= _NEAR * float(np.linalg.norm(projected.point))
    if not (near and wrong / size <= projected.residual):
        return projected
    point = np.maximum(point, 0.0)
    converged = projected.converged or wrong / size <= _SETTLED
    return replace(
        projected, point=point, residual=wrong / size, converged=bool(converged)
    )


def _proximal_step(
    cone: Cone,
    target: Float64[ndarray, " P"],
    centre: Float64[ndarray, " D"],
    penalty: float,
    loose: float,
    most: int,
) -> tuple[Float64[ndarray, " D"], Float64[ndarray, " P"], int]:
    """Minimises ``|(c - A' l)_+|^2 / 2 + |l - centre|^2 / (2 penalty)``, l >= 0.

    Stops when the projected slope is below ``loose``, or lost in rounding.
    """
    dual = centre
    point = np.maximum(target - cone.pull(dual), 0.0)
    size = float(np.linalg.norm(target))
    for step in range(most):
        slope = (dual - centre) / penalty - cone.along(point)
        wrong = float(np.abs(dual - np.maximum(dual - slope, 0.0)).max(initial=0.0))
        enough = 0.5 * max(_TOLERANCE * size, _EPS * float(dual.sum()))
        if wrong <= max(enough, loose):
            return dual, point, step
        # Multipliers that are nearly 0 and want to fall are held out of the Newton
        # system (Bertsekas 1982); with them its projection need not descend.
        near = min(1e-3, wrong)
        free = (dual > near) | (slope < 0)
        curve = cone.gram(free, point > 0)
        curve.flat[:: len(curve) + 1] += 1.0 / penalty
        direction = -slope
        direction[free] = -np.linalg.solve(curve, slope[free])
        after, point = _line_search(
            cone,
            target,
            centre,
            penalty=penalty,
            dual=dual,
            point=point,
            slope=slope,
            direction=direction,
        )
        if np.array_equal(after, dual):
            return dual, point, step + 1
        dual = after
    return dual, point, most


def _line_search(
    cone: Cone,
    target: ndarray,
    centre: ndarray,
    penalty: float,
    dual: ndarray,
    point: ndarray,
    slope: ndarray,
    direction: ndarray,
) -> tuple[ndarray, ndarray]:
    """Armijo along the projection of the direction; stays put if nothing is gained."""

    def value(multipliers: ndarray, projected: ndarray) -> float:
        away = multipliers - centre
        return 0.5 * float(projected @ projected + away @ away / penalty)

    now = value(dual, point)
    length = 1.0
    while length > 1e-8:
        trial = np.maximum(dual + length * direction, 0.0)
        projected = np.maximum(target - cone.pull(trial), 0.0)
        expected = 1e-4 * float(slope @ (trial - dual))
        if value(trial, projected) <= now + expected + 1e-15 * abs(now):
            return trial, projected
        length *= 0.5
    return dual, point
