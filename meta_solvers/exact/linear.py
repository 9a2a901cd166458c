"""The linear system of an interior-point step: ``(H + diag(ratio)) x = rhs``."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from meta_solvers.exact.dual import Dual, Point
from meta_solvers.exact.problem import Array, namespace

_LOOSE = 3.0  # ratio over coupling from which a deviation moves by itself
_REFINEMENTS = 1
# H is a difference of moments of size 1, so rounding makes errors of 1e-16; duplicate
# actions make it singular.
_DAMP = 1e-6  # of the KKT residual: damps directions without curvature
_RIDGE = 1e-13


@runtime_checkable
class Factor(Protocol):
    """A factorised system; ``solve`` may be called repeatedly."""

    def solve(self, rhs: Array) -> Array:
        """Solves for the right-hand side ``[B, m]``."""


def factorise(dual: Dual, point: Point, ratio: Array) -> Factor:
    """Factorises ``H(point) + diag(ratio)``.

    Args:
      dual: the dual function.
      point: the point at which the Hessian H is taken.
      ratio: ``[B, m]``, positive.
    """
    if dual.problem.concept == "cce":
        return Cholesky(dual.curvature(point), ratio)
    return _Tight(dual, point, ratio)


class _Tight:
    """CE: a factorisation with couplings of deviations near their constraint only.

    There are ``A_p (A_p - 1)`` deviations and few of them bind. Where ``ratio`` is far
    above the curvature a deviation moves almost by its own diagonal; what that neglects
    is put back by ``_REFINEMENTS`` residual corrections with exact products ``H v``.
    """

    def __init__(self, dual: Dual, point: Point, ratio: Array) -> None:
        xp = dual.xp
        residual = xp.amax(xp.abs(xp.minimum(point.alpha, point.slack)), 1)[:, None]
        ratio = ratio + _DAMP * residual
        self.dual, self.point, self.ratio = dual, point, ratio
        diagonal = dual.diagonal(point.sigma) + dual.spread(dual.bend(point))
        self.loose = diagonal * dual.mask + ratio
        # |H_jk| is at most the root of H_jj H_kk.
        largest = xp.amax(diagonal, 1)[:, None]
        couples = xp.sqrt((diagonal + 1e-13) * (largest + 1e-13))
        weight = xp.where(dual.mask > 0, ratio / couples, 1e300 + 0 * ratio)
        if xp.any(dual.problem.softness > 0):  # a soft epsilon couples all of them
            weight = 0 * weight
        chosen, rows, tight = [], [], []
        for p, part in enumerate(dual.parts):
            counts = xp.clip(xp.sum(weight[:, part] < _LOOSE, 1), 1, None)
            order = xp.argsort(weight[:, part], -1)[:, : int(xp.amax(counts))]
            # A game couples as many of its own, whatever stands beside it in a batch.
            own = dual.index(order.shape[1]) < counts[:, None]
            chosen.append(order + part.start)
            rows.append(dual.rows(order, p) * own[:, :, None])
            tight.append(own)
        self.chosen = xp.concatenate(chosen, 1)
        self.tight = xp.concatenate(tight, 1)
        gains = xp.concatenate(rows, 1)
        weighted = gains * point.sigma.reshape(gains.shape[0], 1, -1)
        mean = xp.sum(weighted, 2)
        hessian = weighted @ xp.moveaxis(gains, 1, 2) - mean[:, :, None] * mean[:, None]
        start, bend = 0, dual.bend(point)
        real = _gather(dual.mask, self.chosen) * self.tight
        for p, order in enumerate(chosen):
            part = slice(start, start + order.shape[1])
            both = real[:, part, None] * real[:, None, part]
            hessian[:, part, part] += bend[:, p, None, None] * both
            start = part.stop
        diagonal = xp.where(
            self.tight, _gather(ratio, self.chosen), _gather(self.loose, self.chosen)
        )
        self.factor = Cholesky(hessian, diagonal)

    def _approximate(self, rhs: Array) -> Array:
        tight = self.factor.solve(_gather(rhs, self.chosen))
        return _scatter(rhs / self.loose, self.chosen, tight)

    def solve(self, rhs: Array) -> Array:
        x = self._approximate(rhs)
        for _ in range(_REFINEMENTS):
            left = rhs - self.dual.product(self.point, x) - self.ratio * x
            x = x + self._approximate(left)
        return x


def _gather(array: Array, index: Array) -> Array:
    if isinstance(array, np.ndarray):
        return np.take_along_axis(array, index, 1)
    return array.gather(1, index)


def _scatter(array: Array, index: Array, values: Array) -> Array:
    if isinstance(array, np.ndarray):
        result = array.copy()
        np.put_along_axis(result, index, values, 1)
        return result
    return array.scatter(1, index, values)


class Cholesky:
    """``matrix + diag(diagonal)`` factorised: ``[B, m, m]`` and ``[B, m]``."""

    def __init__(self, matrix: Array, diagonal: Array) -> None:
        self.xp = namespace(matrix)
        index = np.arange(matrix.shape[1])
        matrix[:, index, index] += diagonal + _RIDGE
        self.factor: Any = _factor(matrix)

    def solve(self, rhs: Array) -> Array:
        """Solves ``(matrix + diag) x = rhs``, ``[B, m]``."""
        if self.xp is np:
            from scipy.linalg import cho_solve

            pairs = zip(self.factor, rhs, strict=True)
            return np.stack(
                [cho_solve((f, True), b, check_finite=False) for f, b in pairs]
            )
        solved = self.xp.cholesky_solve(rhs[:, :, None], self.factor)
        return solved[:, :, 0]


def _factor(matrix: Array) -> Array:
    """Lower factors; a matrix that rounding made indefinite gets a larger diagonal.

    One that is beyond help gets NaN, which ends its problem as stuck.
    """
    xp = namespace(matrix)
    index = np.arange(matrix.shape[1])
    if xp is np:
        return np.stack([_one_factor(one, index) for one in matrix])
    factor, failed = xp.linalg.cholesky_ex(matrix)
    wrong = failed > 0
    if xp.any(wrong):
        more = matrix.clone()
        more[:, index, index] *= 1 + 1e-8
        again, lost = xp.linalg.cholesky_ex(more)
        again = xp.where((lost > 0)[:, None, None], xp.nan, again)
        factor = xp.where(wrong[:, None, None], again, factor)
    return factor


def _one_factor(matrix: np.ndarray, index: np.ndarray) -> np.ndarray:
    for more in (1.0, 1 + 1e-8):
        matrix[index, index] *= more
        try:
            return np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            continue
    return np.full_like(matrix, np.nan)
