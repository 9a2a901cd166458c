"""Euclidean projection onto a polyhedral cone, exact to rounding.

Maximum-Gini equilibria are projections: minimising ``|x|^2`` over a cone cut by
``c . x = 1`` gives the multiple of the projection of c onto that cone. The projection
``y = (c - A' l)_+`` is found through its multipliers l >= 0, one for each row of A, by
the proximal method of multipliers with a semismooth Newton method inside (Rockafellar
1976; Qi & Sun 1993). Each Newton step is one dense solve in the number of rows, so a
game with few deviations and many joint actions is cheap, and degenerate tables, whose
polytope has no interior, cost no accuracy.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_OUTER, _INNER = 40, 60
_TOLERANCE = 1e-13
_PATIENCE = 12  # subproblems in a row without progress
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class Projection:
    """The projection and how well it meets its optimality conditions.

    Attributes:
      point: ``[P]``; all zeros when the cone holds nothing but the origin.
      residual: largest ``|min(l, -A point)|`` with rows of A scaled to length 1,
        relative to ``|c|``.
      steps: Newton steps taken.
      converged: the residual is within rounding.
    """

    point: Float64[ndarray, " P"]
    residual: float
    steps: int
    converged: bool


def project_onto_cone(
    rows: Float64[ndarray, "D P"], target: Float64[ndarray, " P"]
) -> Projection:
    """Projects ``target`` onto ``{y >= 0, rows @ y <= 0}``."""
    length = np.linalg.norm(rows, axis=1)
    rows = rows[length > 0] / length[length > 0, None]
    dual, penalty, steps, since = np.zeros(len(rows)), 100.0, 0, 0
    size = float(np.linalg.norm(target))
    best, best_point, rounding = np.inf, np.zeros_like(target), 0.0
    for _ in range(_OUTER):
        # Early subproblems are solved no better than the last one was met.
        loose = 0.01 * size * min(best, 1.0)
        dual, point, taken = _proximal_step(rows, target, dual, penalty, loose)
        steps += taken
        slack = -rows @ point
        residual = float(np.abs(np.minimum(dual, slack)).max(initial=0.0)) / size
        since = 0 if residual < 0.5 * best else since + 1
        if residual < best:
            best, best_point, rounding = residual, point, _EPS * dual.sum() / size
        if best <= max(_TOLERANCE, rounding) or since == _PATIENCE:
            break
        # A subproblem that does not settle is lost in rounding: make it rounder.
        penalty = penalty / 100.0 if taken == _INNER else min(10.0 * penalty, 1e12)
    # A cone that is {0} is only ever met up to rounding.
    if float(np.linalg.norm(best_point)) <= 1e-9 * size:
        best_point = np.zeros_like(best_point)
    settled = best <= max(1000 * _TOLERANCE, rounding)
    return Projection(best_point, best, steps, bool(settled))


def _proximal_step(
    rows: Float64[ndarray, "D P"],
    target: Float64[ndarray, " P"],
    centre: Float64[ndarray, " D"],
    penalty: float,
    loose: float,
) -> tuple[Float64[ndarray, " D"], Float64[ndarray, " P"], int]:
    """Minimises ``|(c - A' l)_+|^2 / 2 + |l - centre|^2 / (2 penalty)``, l >= 0.

    Stops when the projected slope is below ``loose``, or lost in rounding.
    """
    dual = centre
    point = np.maximum(target - dual @ rows, 0.0)
    size = float(np.linalg.norm(target))
    for step in range(_INNER):
        slope = (dual - centre) / penalty - rows @ point
        wrong = float(np.abs(dual - np.maximum(dual - slope, 0.0)).max(initial=0.0))
        enough = 0.5 * max(_TOLERANCE * size, _EPS * float(dual.sum()))
        if wrong <= max(enough, loose):
            return dual, point, step
        # Multipliers that are nearly 0 and want to fall are held out of the Newton
        # system (Bertsekas 1982); with them its projection need not descend.
        near = min(1e-3, wrong)
        free = (dual > near) | (slope < 0)
        active = rows[free].compress(point > 0, axis=1)
        curve = active @ active.T
        curve.flat[:: len(curve) + 1] += 1.0 / penalty
        direction = -slope
        direction[free] = -np.linalg.solve(curve, slope[free])
        after, point = _line_search(
            rows,
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
    return dual, point, _INNER


def _line_search(
    rows: ndarray,
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
        projected = np.maximum(target - trial @ rows, 0.0)
        expected = 1e-4 * float(slope @ (trial - dual))
        if value(trial, projected) <= now + expected + 1e-15 * abs(now):
            return trial, projected
        length *= 0.5
    return dual, point
