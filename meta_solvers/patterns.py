"""Support patterns of two-action games: all equilibria by polynomial root finding.

Player i plays action 1 with probability ``x_i`` and gains ``D_i(x)`` by action 1 over
action 0, multilinear in the others' probabilities. Pattern by pattern, ``D_i = 0`` for
those who mix and has the right sign for those who do not.
"""

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.batches import take
from meta_solvers.multilinear import Roots, corners, isolate, slopes, value
from metaspiel.nfg.game import Game

TOLERANCE = 1e-9  # regret, as a fraction of a player's payoff range
_FLAT = 1e-12  # a gain this small is none
_CLEAR = 1e-6  # a gain this large, whatever the others do, decides
_SAME = 1e-7  # profiles this close are one
_TIGHT = 1e-8  # a gain this small belongs to the conditions that hold with equality
_RANK = 1e-6  # gradients with a smaller singular value are dependent
_STEPS = (1e-3, 1e-4, 1e-5)  # to both sides of a point that may lie inside a continuum


@dataclass(frozen=True, eq=False)
class Found:
    """Equilibria ``x`` ``[E, N]`` (probability of action 1), and how sure the list is.

    Attributes:
      x: the equilibria; of a continuum its vertices, points where N independent
        conditions are tight.
      continua: support patterns with a continuum, or a multiple root.
      unresolved: systems of equations whose roots were not all separated; one of
        theirs may be missing.
    """

    x: Float64[ndarray, "E N"]
    continua: int
    unresolved: int


def gains(game: Game) -> Float64[ndarray, "N C"]:
    """``D_i`` at the ``C = 2**N`` pure profiles, in units of each player's range."""
    n = game.players
    table = np.empty((n, *game.actions))
    for player in range(n):
        payoff = game.normalised[player]
        bottom, top = (np.take(payoff, [a], axis=player) for a in (0, 1))
        table[player] = top - bottom
    return table.reshape(n, -1)


def regrets(
    table: Float64[ndarray, "N C"], x: Float64[ndarray, "E N"]
) -> Float64[ndarray, "E N"]:
    """What each player gains by the better action, as a fraction of payoff range."""
    gain = value(np.broadcast_to(table, (len(x), *table.shape)), x)
    return np.maximum((1 - x) * gain, -x * gain).clip(min=0.0)


def enumerate_all(table: Float64[ndarray, "N C"]) -> Found:
    """All equilibria from the ``gains`` of a game, in the documented order."""
    forced = _forced(table)
    free = np.flatnonzero(np.isnan(forced))
    if not len(free):
        return Found(forced[None], 0, 0)
    inner = _enumerated(_face(table, forced, free))
    x = np.tile(forced, (len(inner.x), 1))
    x[:, free] = inner.x
    return Found(x, inner.continua, inner.unresolved)


def _forced(table: Float64[ndarray, "N C"]) -> Float64[ndarray, " N"]:
    """Actions left by iterated strict dominance ``[N]``; NaN where both are.

    Dominance must be clear, so that what tolerances would let pass is not lost.
    """
    n = len(table)
    cube = table.reshape(n, *(2,) * n)
    left: list[slice] = [slice(None)] * n
    choices = np.full(n, np.nan)
    settled = False
    while not settled:
        settled = True
        for player in np.flatnonzero(np.isnan(choices)).tolist():
            gain = cube[player][tuple(left)]
            if gain.min() > _CLEAR or gain.max() < -_CLEAR:
                best = int(gain.min() > 0)
                choices[player], settled = best, False
                left[player] = slice(best, best + 1)
    return choices


def _face(table: ndarray, forced: ndarray, free: ndarray) -> ndarray:
    """``gains`` of the free players where the others play their forced action."""
    n = len(table)
    cube = table.reshape(n, *(2,) * n)
    index = tuple(slice(None) if np.isnan(x) else int(x) for x in forced)
    return cube[(free, *index)].reshape(len(free), -1)


def _enumerated(table: Float64[ndarray, "N C"]) -> Found:
    """All equilibria, found support pattern by support pattern."""
    n = len(table)
    points, continua, unresolved = [pure(table)], 0, 0
    for mixing in range(1, n + 1):
        patterns = _patterns(n, mixing)
        values = _rows(table, patterns)
        flat = np.all(np.abs(values[:, :mixing]) <= _FLAT, axis=2).any(axis=1)
        roots = isolate(values[~flat], patterns.exact[~flat])
        points.append(_placed(take(patterns, ~flat), roots))
        odd = flat.copy()
        odd[~flat] = roots.unresolved
        odd &= _feasible(values, patterns.exact)
        continua += int(odd.sum())
        vertices, open_systems = _vertices(table, take(patterns, odd))
        unresolved += int((odd & ~flat).sum()) + open_systems
        points.append(vertices)
    x = np.concatenate(points)
    x = x[np.all(regrets(table, x) <= TOLERANCE, axis=1)]
    if continua:
        x = np.array([_polished(table, row) for row in x])
    x = _distinct(x)
    if continua:
        inside = np.array([_inside(table, row) for row in x], dtype=np.bool_)
        x = x if inside.all() else x[~inside]  # a closed curve has no vertices
    return Found(x, continua, unresolved)


def _polished(
    table: Float64[ndarray, "N C"], x: Float64[ndarray, " N"]
) -> Float64[ndarray, " N"]:
    """Newton on all conditions that hold nearly, unless it adds regret."""
    point, free = x.copy(), (x > 0) & (x < 1)
    tight = free | (np.abs(value(table[None], x[None])[0]) <= _TIGHT)
    for _ in range(3):
        gain, slope = (
            value(table[None], point[None])[0],
            slopes(table[None], point[None]),
        )
        step = np.linalg.lstsq(slope[0][np.ix_(tight, free)], gain[tight], rcond=_RANK)
        point[free] = np.clip(point[free] - step[0], 0.0, 1.0)
    before, after = regrets(table, np.stack([x, point])).max(axis=1)
    return point if after <= max(before, _FLAT) else x


def _inside(table: Float64[ndarray, "N C"], x: Float64[ndarray, " N"]) -> bool:
    """Whether equilibria go on to both sides of x, which is then no vertex."""
    mixing = (x > 0) & (x < 1)
    gain, slope = value(table[None], x[None])[0], slopes(table[None], x[None])[0]
    tight = np.concatenate(
        [np.eye(len(x))[~mixing], slope[mixing | (np.abs(gain) <= _TIGHT)]]
    )
    _, size, directions = np.linalg.svd(tight)
    rank = int((size > _RANK).sum())
    return any(
        _goes_on(table, x, step * along) and _goes_on(table, x, -step * along)
        for along in directions[rank:]
        for step in _STEPS
    )


def _goes_on(table: ndarray, x: ndarray, step: ndarray) -> bool:
    """Whether there is an equilibrium of the same pattern about a ``step`` from x."""
    free = np.flatnonzero((x > 0) & (x < 1))
    point = x + step
    for _ in range(6):  # Newton returns to x where that is a multiple root
        gain = value(table[None], point[None])[0][free]
        slope = slopes(table[None], point[None])[0][np.ix_(free, free)]
        point[free] -= np.linalg.lstsq(slope, gain, rcond=None)[0]
    if np.abs(point - 0.5).max() > 0.5 or np.abs(point - x).max() < _SAME:
        return False
    gain = value(table[None], point[None])[0]
    near = np.linalg.norm(point - x - step) <= 0.5 * np.linalg.norm(step)
    return bool(
        near
        and np.abs(gain[free]).max(initial=0.0) <= _FLAT
        and regrets(table, point[None]).max() <= _FLAT
    )


def pure(table: Float64[ndarray, "N C"]) -> Float64[ndarray, "E N"]:
    """Pure equilibria as rows of 0 and 1, in lexicographic order."""
    x = corners(len(table)).astype(np.float64)
    wrong = np.where(x.T == 1, -table, table) > TOLERANCE
    return x[~wrong.any(axis=0)]


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Support patterns: who mixes, what others play, whose gains are the equations.

    free ``[S, K]``, base ``[S, N]`` (0 for the mixing), rows ``[S, N]`` players in the
    order of rows (equations first), exact ``[S, N]`` per row.
    """

    free: ndarray
    base: ndarray
    rows: ndarray
    exact: ndarray


@cache
def _patterns(n: int, mixing: int) -> _Patterns:
    """All patterns in which ``mixing`` players mix and the others play pure actions."""
    free, base, rows = [], [], []
    for mixers in itertools.combinations(range(n), mixing):
        others = [p for p in range(n) if p not in mixers]
        for choice in itertools.product((0, 1), repeat=len(others)):
            point = np.zeros(n, dtype=np.int64)
            point[others] = choice
            free.append(mixers)
            base.append(point)
            rows.append([*mixers, *others])
    exact = np.tile(np.arange(n) < mixing, (len(free), 1))
    return _Patterns(np.array(free), np.array(base), np.array(rows), exact)


def _rows(table: ndarray, patterns: _Patterns) -> ndarray:
    """``[S, N, 2**K]``: gains on each system's face; must be <= 0 where not exact."""
    n, mixing = len(table), patterns.free.shape[1]
    weight = 2 ** np.arange(n - 1, -1, -1)
    face = (patterns.base @ weight)[:, None] + weight[patterns.free] @ corners(mixing).T
    values = table[patterns.rows[:, :, None], face[:, None, :]]
    played = np.take_along_axis(patterns.base, patterns.rows, axis=1)
    sign = np.where(~patterns.exact & (played == 1), -1.0, 1.0)
    return values * sign[:, :, None]


def _feasible(values: ndarray, exact: ndarray) -> ndarray:
    """Systems whose rows' corner values allow a root."""
    below = values.min(axis=2) <= _FLAT
    above = values.max(axis=2) >= -_FLAT
    return np.all(below & (above | ~exact), axis=1)


def _placed(patterns: _Patterns, roots: Roots) -> ndarray:
    """Roots placed on their faces, as profiles ``[R, N]``."""
    x = patterns.base[roots.owner].astype(np.float64)
    np.put_along_axis(x, patterns.free[roots.owner], roots.points, axis=1)
    return x


def _vertices(table: ndarray, patterns: _Patterns) -> tuple[ndarray, int]:
    """Vertices of continua inside faces: other players' gains vanish there too.

    Returns:
      The points ``[R, N]``, and the number of systems left unresolved.
    """
    n, mixing = len(table), patterns.free.shape[1]
    systems = []
    for mixers, base in zip(patterns.free, patterns.base, strict=True):
        for tight in itertools.combinations(range(n), mixing):
            if set(tight) == set(mixers.tolist()):
                continue
            rows = [*tight, *(p for p in range(n) if p not in tight)]
            exact = [p in tight or p in mixers for p in rows]
            systems.append((mixers, base, rows, exact))
    if not systems:
        return np.zeros((0, n)), 0
    more = _Patterns(*(np.array(part) for part in zip(*systems, strict=True)))
    values = _rows(table, more)
    live = np.any(np.abs(values[:, :mixing]) > _FLAT, axis=2).all(axis=1)
    live &= _feasible(values, more.exact)
    more = take(more, live)
    roots = isolate(values[live], more.exact, limit=200)
    return _placed(more, roots), int(roots.unresolved.sum())


def _distinct(x: ndarray) -> ndarray:
    """Profiles without repeats, pure first, then by number mixing, then in order."""
    near = np.abs(x - np.round(x)) <= _FLAT
    x = np.where(near, np.round(x), x)
    mixing = np.count_nonzero((x > 0) & (x < 1), axis=1)
    x = x[np.lexsort((*np.round(x, 9).T[::-1], mixing))]
    kept: list[ndarray] = []
    for row in x:
        if not any(np.abs(row - other).max() <= _SAME for other in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, x.shape[1])
