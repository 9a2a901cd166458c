"""Two-player Nash equilibria by pivoting, by listing vertices, and by integer programs.

Everything works on positive matrices ``row`` and ``column`` ``[M, N]`` (payoffs moved
and scaled to [1, 2], or to whole numbers where vertices are listed) and on the
best-response polytopes (von Stengel 2007, sec. 3.3)::

    P = {x >= 0, column' x <= 1}    label i < M: x_i = 0,  label M + j: row j tight
    Q = {y >= 0, row y <= 1}        label i < M: row i tight,  label M + j: y_j = 0

A pair of vertices that carries every label, other than (0, 0), is an equilibrium.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.vertices import Vertices, balanced, enumerate_vertices
from metaspiel.nfg.game import Game

# Entries this small are not pivoted on; ratios this close are tied, and the next column
# decides. The second pair is for long doubles.
_PIVOT, _TIE = (1e-10, 1e-13), (1e-11, 1e-14)
_REFRESH = 40  # pivots between two recomputations of the tableau from the payoffs


def positive(game: Game) -> tuple[ndarray, ndarray]:
    """Both players' payoffs ``[M, N]`` moved and scaled to [1, 2]."""
    row, column = game.normalised + 1.0
    return row, column


def regret(row: ndarray, column: ndarray, x: ndarray, y: ndarray) -> float:
    """The larger gain from deviating, as a fraction of payoff range."""
    u, v = row @ y, x @ column
    return float(np.max([0.0, np.max(u) - x @ u, np.max(v) - v @ y]))


@dataclass(frozen=True, eq=False)
class Path:
    """One Lemke-Howson path: profile (None when it failed), pivots, what went wrong."""

    profile: tuple[ndarray, ndarray] | None
    pivots: int
    trouble: str = ""


class _Tableau:
    """One polytope's constraints ``matrix z = 1`` in dictionary form.

    ``basis[r]`` is the label of the variable basic in row r. The inverse of the basis
    is part of the table (columns of the slacks), which is what makes the lexicographic
    rule free.
    """

    def __init__(self, matrix: ndarray, slacks: ndarray, long: bool) -> None:
        self.matrix = np.hstack([matrix, np.ones((len(matrix), 1))])
        self.slacks = slacks
        self.basis = slacks.copy()
        self.long = long
        self.table = self.matrix.astype(np.longdouble if long else np.float64)
        self.age = 0

    def leaving(self, entering: int) -> int | None:
        """Row that leaves by the lexicographic ratio test; None on a ray."""
        column = self.table[:, entering]
        least = _PIVOT[self.long] * max(1.0, np.abs(column).max())
        rows = np.flatnonzero(column > least)
        for key in (-1, *self.slacks):
            if len(rows) <= 1:
                break
            ratio = self.table[rows, key] / column[rows]
            least = ratio.min()
            rows = rows[ratio <= least + _TIE[self.long] * max(1.0, abs(least))]
        return int(rows[0]) if len(rows) else None

    def pivot(self, entering: int) -> int | None:
        """Brings ``entering`` into the basis; the label that leaves, None on a ray."""
        row = self.leaving(entering)
        if row is None:
            return None
        left = int(self.basis[row])
        self.basis[row] = entering
        self.age += 1
        if self.age % _REFRESH == 0 and not self.long:
            self.table = np.linalg.solve(self.matrix[:, self.basis], self.matrix)
        else:
            line = self.table[row] / self.table[row, entering]
            factor = self.table[:, entering].copy()
            factor[row] = 0.0
            np.subtract(self.table, np.outer(factor, line), out=self.table)
            self.table[row] = line
        return left

    def solution(self) -> ndarray:
        """The basic solution, solved afresh from the payoffs: one entry per label."""
        square = self.matrix[:, self.basis]
        values = np.linalg.solve(square, self.matrix[:, -1])
        for _ in range(2):  # refinement: residuals in long doubles
            rest = 1.0 - square.astype(np.longdouble) @ values.astype(np.longdouble)
            values += np.linalg.solve(square, rest.astype(np.float64))
        point = np.zeros(self.matrix.shape[1] - 1)
        point[self.basis] = values
        return point

    def state(self) -> bytes:
        """The sorted basis as bytes, to compare bases."""
        return bytes(np.sort(self.basis).tobytes())


def lemke_howson(
    row: ndarray, column: ndarray, label: int, most: int, long: bool = False
) -> Path:
    """Follows the path that drops ``label`` from the artificial equilibrium.

    Ties in the ratio test are broken lexicographically, so it ends in every game, also
    a degenerate one. Lemke & Howson 1964; von Stengel 2007, sections 3.4-3.6.

    Args:
      row: row player's positive payoffs ``[M, N]``.
      column: column player's positive payoffs ``[M, N]``.
      label: which label to drop, 0 to M + N - 1.
      most: pivots allowed.
      long: pivot in long doubles, several times slower: for nearly degenerate games.
    """
    m, n = row.shape
    first = _Tableau(np.hstack([column.T, np.eye(n)]), np.arange(m, m + n), long)
    second = _Tableau(np.hstack([np.eye(m), row]), np.arange(m), long)
    turn, other = (first, second) if label < m else (second, first)
    entering, pivots, renew = label, 0, 64
    seen = (b"", b"")
    try:
        while pivots < most:
            left = turn.pivot(entering)
            pivots += 1
            if left is None:
                return Path(None, pivots, "a ray: rounding lost the polytope")
            if left == label:
                break
            entering, turn, other = left, other, turn
            state = (first.state(), second.state())
            if state == seen:
                return Path(None, pivots, "a cycle: rounding misjudged a tie")
            if pivots == renew:
                seen, renew = state, 2 * renew
        else:
            return Path(None, pivots, f"{most} pivots were not enough")
        x, y = first.solution()[:m], second.solution()[m:]
    except np.linalg.LinAlgError:
        return Path(None, pivots, "a basis became singular")
    if not (min(x.min(), y.min()) > -1e-6 and min(x.sum(), y.sum()) > 0.1):
        return Path(None, pivots, "the last basis is not feasible")
    return Path(_normalised(x, y), pivots)


def _normalised(x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    x, y = np.maximum(x, 0.0), np.maximum(y, 0.0)
    return x / max(x.sum(), 1e-300), y / max(y.sum(), 1e-300)


def extreme(
    row: ndarray, column: ndarray, budget: int
) -> tuple[list[tuple[ndarray, ndarray]], bool]:
    """Every extreme equilibrium: all completely labelled pairs of vertices.

    In a nondegenerate game these are all equilibria; in a degenerate one every
    equilibrium is a mixture of them (Avis et al. 2010). Nothing is rounded until the
    last division. Sorted by sizes of supports, then lexicographically by supports.

    Args:
      row: row player's payoffs ``[M, N]``, whole numbers from 1 up, as objects.
      column: column player's payoffs ``[M, N]``, likewise.
      budget: table entries that may be computed.

    Returns:
      The equilibria, and whether the budget was enough for all of them.
    """
    if len(row) > len(row.T):  # the fewer actions a player has, the fewer vertices
        swapped, complete = extreme(column.T, row.T, budget)
        return sorted(((x, y) for y, x in swapped), key=_order), complete
    walked = enumerate_vertices(column.T, budget // 2)
    replies = _Replies(row, budget - walked.spent)
    profiles = []
    for point, best in zip(walked.points, walked.tight, strict=True):
        if not point.any():
            continue
        for reply in replies.to(point > 0, best):
            profiles.append((_shares(point), _shares(reply)))
    return sorted(profiles, key=_order), walked.complete and replies.left >= 0


class _Replies:
    """The vertices of Q that complete a vertex of P, out of a budget that is shared."""

    def __init__(self, row: ndarray, left: int) -> None:
        self.row = row
        self.left = left
        self.walks: dict[bytes, Vertices] = {}

    def to(self, played: ndarray, best: ndarray) -> list[ndarray]:
        """Numerators ``[N]`` of all y on ``best`` that make ``played`` best replies.

        Args:
          played: rows ``[M]`` that x plays.
          best: columns ``[N]`` that reply best to x.
        """
        if played.sum() == best.sum():
            size = int(best.sum())
            self.left -= size**3
            if self.left < 0:
                return []
            solved = balanced(self.row[played][:, best])
            if solved is not None:
                shares, total = solved
                inside = min(shares) >= 0 and max(self.row[:, best] @ shares) <= total
                return [self._whole(shares, best)] if inside else []
        walk = self._walk(best)
        fit = walk.tight[:, played].all(axis=1)
        return [self._whole(shares, best) for shares in walk.points[fit]]

    def _walk(self, best: ndarray) -> Vertices:
        """The vertices of Q that play ``best`` only; the same to every x."""
        key = best.tobytes()
        if key not in self.walks:
            self.walks[key] = enumerate_vertices(self.row[:, best], self.left)
            self.left -= self.walks[key].spent
        return self.walks[key]

    def _whole(self, shares: ndarray, best: ndarray) -> ndarray:
        point = np.full(len(best), 0, dtype=object)
        point[best] = shares
        return point


def _shares(point: ndarray) -> ndarray:
    """Whole numbers as a distribution, each entry rounded once."""
    total = point.sum()
    return np.array([part / total for part in point.tolist()])


def _order(profile: tuple[ndarray, ndarray]) -> tuple:
    supports = [tuple(np.flatnonzero(s > 0).tolist()) for s in profile]
    sizes = [len(s) for s in supports]
    return (sum(sizes), abs(sizes[0] - sizes[1]), *supports, *map(tuple, profile))


def integer_program(
    row: Float64[ndarray, "M N"], column: Float64[ndarray, "M N"], seconds: float
) -> tuple[ndarray, ndarray] | None:
    """A first equilibrium of a mixed-integer program; None when none was found in time.

    Variables x, y, values (u, v) and one binary per action, 1 where the action may be
    short of the best payoff and is then unplayed (Sandholm et al. 2005, formulation 1).
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    m, n = row.shape
    x, y, u, v = slice(0, m), slice(m, m + n), m + n, m + n + 1
    binary = slice(m + n + 2, 2 * (m + n) + 2)
    width = 2 * (m + n) + 2
    short = np.zeros((m + n, width))  # best payoff minus that of each action
    short[:m, y], short[:m, u] = -row, 1.0
    short[m:, x], short[m:, v] = -column.T, 1.0
    idle, slack = np.zeros((m + n, width)), short.copy()
    idle[:, x.start : y.stop] = np.eye(m + n)
    idle[:, binary] = np.eye(m + n)
    slack[:, binary] = -np.eye(m + n)  # payoffs span [1, 2]: 1 is large enough
    total = np.zeros((2, width))
    total[0, x], total[1, y] = 1.0, 1.0
    upper = np.ones(width)
    upper[[u, v]] = 2.0
    integral = np.zeros(width)
    integral[binary] = 1
    result = milp(
        np.zeros(width),
        integrality=integral,
        bounds=Bounds(0.0, upper),
        constraints=[
            LinearConstraint(total, 1.0, 1.0),
            LinearConstraint(short, 0.0, np.inf),
            LinearConstraint(slack, -np.inf, 0.0),
            LinearConstraint(idle, -np.inf, 1.0),
        ],
        options={"time_limit": seconds},
    )
    if result.x is None:
        return None
    return polished(row, column, *_normalised(result.x[x], result.x[y]))


def polished(
    row: ndarray, column: ndarray, x: ndarray, y: ndarray
) -> tuple[ndarray, ndarray]:
    """The nearest profile that makes the supports of x and y exactly indifferent."""

    def mended(payoff: ndarray, own: ndarray, other: ndarray) -> ndarray:
        support, used = np.flatnonzero(other > 1e-7), np.flatnonzero(own > 1e-7)
        system = np.zeros((len(used) + 1, len(support) + 1))
        system[:-1, :-1], system[:-1, -1] = payoff[np.ix_(used, support)], -1.0
        system[-1, :-1] = 1.0
        now = np.append(other[support], np.max(payoff @ other))
        target = np.append(np.zeros(len(used)), 1.0)
        now += np.linalg.lstsq(system, target - system @ now, rcond=None)[0]
        result = np.zeros_like(other)
        result[support] = now[:-1]
        return result

    better = _normalised(mended(column.T, y, x), mended(row, x, y))
    return min((x, y), better, key=lambda pair: regret(row, column, *pair))
