"""All vertices of a polytope, in whole numbers: nothing rounds, so none is lost.

From basis to neighbouring basis by pivots that stay in the integers (Edmonds 1967; Avis
2000, "lrs"). Ties in the ratio test are broken lexicographically: as if the right-hand
sides were moved by powers of an infinitesimal, which makes every polytope simple and
the graph of its bases connected, so a walk through it meets every vertex.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

_WORD = 512  # bits; entries twice as long count twice


@dataclass(frozen=True, eq=False, kw_only=True)
class Vertices:
    """Vertices of ``{z >= 0, matrix z <= 1}``, ``matrix`` ``[R, A]``.

    Attributes:
      points: ``[V, A]`` numerators, whole numbers as objects; each row has a
        denominator of its own, which is left out.
      tight: ``[V, R]`` the rows of the matrix that hold with equality.
      spent: table entries that were computed.
      complete: the budget was enough for all.
    """

    points: ndarray
    tight: Bool[ndarray, "V R"]
    spent: int
    complete: bool


class _Dictionary:
    """The table ``[R, A + 1]`` of a basis, all entries times ``scale``.

    Variables are z (0 to A - 1), then the slacks. ``basic[r]`` is the one of row r,
    ``idle[c]`` the one of column c, which is 0; the last column is the right-hand side.
    """

    def __init__(self, matrix: ndarray) -> None:
        rows, actions = matrix.shape
        one = np.full((rows, 1), 1, dtype=object)
        self.table = np.hstack([matrix, one])
        self.scale = 1
        self.idle = list(range(actions))
        self.basic = list(range(actions, actions + rows))

    def leaving(self, column: int) -> int:
        """The row whose variable leaves when that of ``column`` enters."""
        entering = self.table[:, column].tolist()
        tied = _least(self.table[:, -1].tolist(), entering, range(len(entering)))
        slack = len(self.idle)
        while len(tied) > 1:
            tied = _least(self._column(slack), entering, tied)
            slack += 1
        return tied[0]

    def _column(self, variable: int) -> list[int]:
        """A variable's column of the whole table."""
        if variable in self.idle:
            whole: list[int] = self.table[:, self.idle.index(variable)].tolist()
            return whole
        return [self.scale if basic == variable else 0 for basic in self.basic]

    def pivot(self, row: int, column: int) -> None:
        """Exchanges the variables of ``row`` and ``column``; twice changes nothing."""
        table, line = self.table, self.table[row].copy()
        entering, turn = table[:, column].copy(), line[column]
        table *= turn
        table -= np.multiply.outer(entering, line)
        table //= self.scale
        table[:, column] = -entering
        table[row], table[row, column] = line, self.scale
        self.scale = turn
        self.idle[column], self.basic[row] = self.basic[row], self.idle[column]


def _least(above: list[int], below: list[int], rows: "range | list[int]") -> list[int]:
    """The rows with the least ratio of ``above`` to ``below`` among those > 0 below."""
    best: list[int] = []
    for row in rows:
        if below[row] <= 0:
            continue
        if best:
            one, other = above[row] * below[best[0]], above[best[0]] * below[row]
            if one > other:
                continue
            if one < other:
                best = []
        best.append(row)
    return best


def enumerate_vertices(matrix: ndarray, budget: int) -> Vertices:
    """Every vertex of ``{z >= 0, matrix z <= 1}``, the origin included.

    Args:
      matrix: ``[R, A]`` positive whole numbers as Python's, in an array of objects.
      budget: table entries that may be computed; longer numbers count more.
    """
    rows, actions = matrix.shape
    points: dict[int, list[int]] = {}  # by the set of tight constraints, as bits
    spent = 0
    for dictionary in _bases(matrix):
        at = [0] * (actions + rows)
        for variable, value in zip(
            dictionary.basic, dictionary.table[:, -1].tolist(), strict=True
        ):
            at[variable] = value
        tight = sum(1 << variable for variable, value in enumerate(at) if value == 0)
        points.setdefault(tight, at[:actions])
        spent += matrix.size * (1 + dictionary.scale.bit_length() // _WORD)
        if spent > budget:
            break
    whole = np.empty((len(points), actions), dtype=object)
    whole[:] = list(points.values())
    slacks = range(actions, actions + rows)
    bits = [[bool(tight >> slack & 1) for slack in slacks] for tight in points]
    return Vertices(
        points=whole, tight=np.array(bits), spent=spent, complete=spent <= budget
    )


def _bases(matrix: ndarray) -> Iterator[_Dictionary]:
    """Every lexicographically feasible basis, depth first: one table, which changes."""
    dictionary = _Dictionary(matrix)
    here = (1 << matrix.shape[1]) - 1  # the idle variables as bits
    seen = {here}
    yield dictionary
    back: list[tuple[int, int]] = []  # pivots from the first basis to this one
    column = 0
    while True:
        if column < len(dictionary.idle):
            row = dictionary.leaving(column)
            out, into = dictionary.idle[column], dictionary.basic[row]
            there = here ^ (1 << out) ^ (1 << into)
            if there in seen:
                column += 1
                continue
            dictionary.pivot(row, column)
            seen.add(there)
            back.append((row, column))
            here, column = there, 0
            yield dictionary
        elif back:
            row, column = back.pop()
            out, into = dictionary.idle[column], dictionary.basic[row]
            here ^= (1 << out) ^ (1 << into)
            dictionary.pivot(row, column)
            column += 1
        else:
            return


def balanced(matrix: ndarray) -> tuple[ndarray, int] | None:
    """The one solution of ``matrix z = 1`` as numerators ``[A]`` and a denominator > 0.

    Args:
      matrix: ``[A, A]`` whole numbers as Python's; None where it is singular.
    """
    dictionary = _Dictionary(matrix)
    for column in range(len(matrix)):
        row = next(
            (
                row
                for row, entry in enumerate(dictionary.table[:, column].tolist())
                if entry and dictionary.basic[row] >= len(matrix)
            ),
            None,
        )
        if row is None:
            return None
        dictionary.pivot(row, column)
    sign = 1 if dictionary.scale > 0 else -1
    order = np.argsort(dictionary.basic)
    return sign * dictionary.table[order, -1], sign * dictionary.scale
