"""Every root of square multilinear systems in the unit cube, many systems at once.

A multilinear function on a box takes its extremes at the corners, so a box whose corner
values have one sign holds no root: a proof, not a sample. Boxes are halved and shrunk
until each is either refuted or shown to hold at most one root, which Newton then finds.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers.batches import join, take

_ZERO = 1e-12  # a value this small counts as zero; the systems are scaled to about 1
_NARROW = 1e-8  # a box this narrow that still resists holds a multiple root


@dataclass(frozen=True, eq=False)
class Roots:
    """Roots that ``isolate`` has found.

    Attributes:
      points: ``[R, K]`` roots in the unit cube, all systems together.
      owner: ``[R]`` which system each belongs to.
      unresolved: ``[S]`` systems with a multiple root or a continuum of roots, whose
        list in ``points`` may be incomplete.
    """

    points: Float64[ndarray, "R K"]
    owner: Int64[ndarray, " R"]
    unresolved: Bool[ndarray, " S"]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Boxes that may hold roots: corner values ``[M, R, 2**K]`` and positions."""

    values: ndarray
    low: ndarray
    width: ndarray
    owner: ndarray

    def clipped(self, start: ndarray, stop: ndarray) -> "_Boxes":
        """The boxes cut to ``[start, stop]`` ``[M, K]``, in units of the box."""
        count = len(self.values)
        values = self.values
        for axis in range(start.shape[1]):
            split = _split(values.reshape(self.values.shape), axis)
            bottom = split[:, :, :, 0]
            rise = split[:, :, :, 1] - bottom
            cut = (count, 1, 1, 1)
            values = np.stack(
                [
                    bottom + start[:, axis].reshape(cut) * rise,
                    bottom + stop[:, axis].reshape(cut) * rise,
                ],
                axis=3,
            )
        return _Boxes(
            values.reshape(self.values.shape),
            self.low + start * self.width,
            (stop - start) * self.width,
            self.owner,
        )


def _split(table: ndarray, axis: int) -> ndarray:
    """``[M, R, 2**K]`` with variable ``axis`` on an axis of its own, the fourth."""
    count, rows, corner = table.shape
    return table.reshape(count, rows, 2**axis, 2, corner // 2 ** (axis + 1))


@cache
def corners(size: int) -> Int64[ndarray, "C K"]:
    """The corners of the K-cube as rows of 0 and 1, the last variable fastest."""
    index = np.arange(2**size)[:, None]
    return (index >> np.arange(size - 1, -1, -1)[None]) & 1


def value(
    table: Float64[ndarray, "M R C"], point: Float64[ndarray, "M K"]
) -> Float64[ndarray, "M R"]:
    """Each row at its point: ``table`` holds the values at the corners."""
    count, rows, _ = table.shape
    for axis in range(point.shape[1]):
        split = table.reshape(count, rows, 2, table.shape[-1] // 2)
        at = point[:, axis, None, None]
        table = split[:, :, 0] + at * (split[:, :, 1] - split[:, :, 0])
    return table.reshape(count, rows)


def slopes(
    table: Float64[ndarray, "M R C"], point: Float64[ndarray, "M K"]
) -> Float64[ndarray, "M R K"]:
    """Partial derivatives of each row at its point."""
    count, rows, corner = table.shape
    size = point.shape[1]
    result = np.empty((count, rows, size))
    for axis in range(size):
        split = _split(table, axis)
        rise = (split[:, :, :, 1] - split[:, :, :, 0]).reshape(count, rows, corner // 2)
        result[:, :, axis] = value(rise, np.delete(point, axis, axis=1))
    return result


def isolate(
    values: Float64[ndarray, "S R C"], exact: Bool[ndarray, "S R"], limit: int = 2000
) -> Roots:
    """Finds all roots of S systems in K variables at once.

    Args:
      values: value of each row at the ``C = 2**K`` corners of the unit cube, scaled to
        about 1. The first K rows are the equations solved.
      exact: rows that must vanish at a root (the first K must be True); the others must
        not be positive. They only refute boxes: test the returned points again.
      limit: live boxes at which a system is given up as unresolved.

    Returns:
      Roots: found to rounding, each system's in any order, possibly repeated.
    """
    systems, _, count = values.shape
    size = count.bit_length() - 1
    unresolved = np.zeros(systems, dtype=bool)
    boxes = _Boxes(
        values,
        np.zeros((systems, size)),
        np.ones((systems, size)),
        np.arange(systems),
    )
    points, owners = [np.zeros((0, size))], [np.zeros(0, dtype=np.int64)]
    while len(boxes.owner):
        boxes = _possible(boxes, exact)
        crowded = np.bincount(boxes.owner, minlength=systems) > limit
        narrow = boxes.width.max(axis=1, initial=0.0) < _NARROW
        unresolved |= crowded
        unresolved[boxes.owner[narrow]] = True
        points.append((boxes.low + boxes.width / 2)[narrow])
        owners.append(boxes.owner[narrow])
        boxes = take(boxes, ~narrow & ~crowded[boxes.owner])
        boxes, single = _shrunk(boxes, size)
        roots, good = _newton(take(boxes, single), size)
        points.append(roots[good])
        owners.append(boxes.owner[single][good])
        boxes = _halved(take(boxes, ~single))
    return Roots(np.concatenate(points), np.concatenate(owners), unresolved)


def _possible(boxes: _Boxes, exact: ndarray) -> _Boxes:
    """Drops boxes that some row's corner values refute."""
    below = boxes.values.min(axis=2) <= _ZERO
    above = boxes.values.max(axis=2) >= -_ZERO
    return take(boxes, np.all(below & (above | ~exact[boxes.owner]), axis=1))


def _shrunk(boxes: _Boxes, size: int) -> tuple[_Boxes, ndarray]:
    """Cuts boxes to where roots can be; marks those that hold at most one root.

    Roots are fixed points of ``g(t) = t - J^-1 f(t)``, J the Jacobian at the centre; g
    is multilinear too, so its range and its Lipschitz constant are exact.
    """
    at = corners(size)
    system = boxes.values[:, :size]
    height = np.maximum(np.abs(system).max(axis=2, keepdims=True), 1e-300)
    system = system / height
    jacobian = system @ ((2.0 * at - 1.0) * (2.0 / len(at)))
    regular = np.abs(np.linalg.det(jacobian)) > 1e-12
    jacobian[~regular] = np.eye(size)
    map_to = at.T - np.linalg.solve(jacobian, system)
    spread = np.zeros((len(system), size))
    for axis in range(size):
        split = _split(map_to, axis)
        spread += np.abs(split[:, :, :, 1] - split[:, :, :, 0]).max(axis=(2, 3))
    single = regular & (spread.max(axis=1, initial=0.0) <= 0.25)
    start = np.where(regular[:, None], map_to.min(axis=2) - 1e-9, 0.0)
    stop = np.where(regular[:, None], map_to.max(axis=2) + 1e-9, 1.0)
    start, stop = np.maximum(start, 0.0), np.minimum(stop, 1.0)
    live = np.all(start <= stop, axis=1)
    # A box already known to hold one root is left whole: Newton starts at its centre.
    start, stop = (
        np.where(single[:, None], 0.0, start),
        np.where(single[:, None], 1.0, stop),
    )
    return take(boxes, live).clipped(start[live], stop[live]), single[live]


def _newton(boxes: _Boxes, size: int) -> tuple[ndarray, ndarray]:
    """Newton's method from each box's middle; the point, and whether it is a root."""
    system = boxes.values[:, :size]
    point = np.full((len(system), size), 0.5)
    for _ in range(8 if len(system) else 0):
        jacobian = slopes(system, point)
        singular = np.abs(np.linalg.det(jacobian)) < 1e-300
        jacobian[singular] = np.eye(size)
        step = np.linalg.solve(jacobian, value(system, point)[..., None])[..., 0]
        point = np.clip(point - step, 0.0, 1.0)
    residual = np.abs(value(system, point)).max(axis=1, initial=0.0)
    return boxes.low + point * boxes.width, residual <= 10 * _ZERO


def _halved(boxes: _Boxes) -> _Boxes:
    """Halves every box across its widest side."""
    count, size = boxes.low.shape
    widest = np.zeros((count, size), dtype=bool)
    if count:
        widest[np.arange(count), boxes.width.argmax(axis=1)] = True
    middle = np.where(widest, 0.5, 0.0)
    first = boxes.clipped(np.zeros((count, size)), 1.0 - middle)
    return join(first, boxes.clipped(middle, np.ones((count, size))))
