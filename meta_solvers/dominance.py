"""Iterated elimination of dominated actions."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray
from scipy.optimize import linprog

from metaspiel.nfg.game import Game

# A gain below this fraction of the payoff range is rounding, not dominance.
MARGIN = 1e-12
# The same for gains that a linear programme found.
LP_MARGIN = 1e-9


@lru_cache(maxsize=2)  # asked once by `refuses` and once by `distribution`
def survivors(
    game: Game, mixed: bool, weak: bool, every_member: bool
) -> tuple[tuple[int, ...], ...]:
    """The actions of each player that survive iterated elimination, in order.

    Args:
      game: payoffs are compared as fractions of each player's range.
      mixed: mixed strategies dominate too.
      weak: weakly dominated actions go too.
      every_member: the same strategy must dominate in all members of the ensemble as
        well as in the payoffs.

    In each round the dominated actions of all players are removed at once. For strict
    dominance every other order ends at the same game (Gilboa, Kalai & Zemel 1990).
    """
    tensors = [game.normalised]
    if every_member and game.members is not None:
        low = game.payoffs.reshape(game.players, -1).min(axis=1)
        shape = (game.players, *[1] * game.players)
        moved = (game.members - low.reshape(shape)) / game.scale.reshape(shape)
        tensors.extend(moved)
    keep = tuple(tuple(range(actions)) for actions in game.actions)
    while True:
        cut = [t[np.ix_(range(game.players), *keep)] for t in tensors]
        left = []
        for player, kept in enumerate(keep):
            own = [
                np.moveaxis(t[player], player, 0).reshape(len(kept), -1) for t in cut
            ]
            payoff = np.concatenate(own, axis=1)
            gone = _dominated(payoff, mixed, weak)
            left.append(tuple(np.array(kept)[~gone].tolist()))
        if tuple(left) == keep:
            return keep
        keep = tuple(left)


def _dominated(
    payoff: Float64[ndarray, "A M"], mixed: bool, weak: bool
) -> Bool[ndarray, " A"]:
    """Which rows are dominated by another row, or by a mixture of others."""
    gone = np.zeros(len(payoff), dtype=bool)
    for action in range(len(payoff)):
        gain = payoff - payoff[action]
        gone[action] = _beats(gain, weak, MARGIN).any()
    if not mixed:
        return gone
    for action in np.flatnonzero(~gone).tolist():
        others = [a for a in range(len(payoff)) if a != action and not gone[a]]
        if len(others) > 1:
            gain = payoff[others] - payoff[action]
            gone[action] = _mixture_beats(gain, weak)
    return gone


def _beats(
    gain: Float64[ndarray, "K M"], weak: bool, margin: float
) -> Bool[ndarray, " K"]:
    """Rows whose gains over one action are such that they dominate it."""
    lowest = gain.min(axis=1)
    if weak:
        return (lowest >= -margin) & (gain.max(axis=1) > 1e3 * margin)
    return np.asarray(lowest > margin)


def _mixture_beats(gain: Float64[ndarray, "K M"], weak: bool) -> bool:
    """Whether a mixture of the rows makes the action dominated.

    The linear programme (Conitzer & Sandholm 2005) only proposes a mixture: the
    largest smallest gain, or for weak dominance the largest sum of gains that are not
    negative. Dominance is then read off the mixture itself.
    """
    reach = gain.max(axis=0).min()
    if not (reach >= -MARGIN if weak else reach > MARGIN):
        return False  # against some co-players' profile no row is as good
    rows, columns = gain.shape
    if weak:
        cost, below = -gain.sum(axis=1), -gain.T
    else:  # one more variable, the smallest gain
        cost = np.append(np.zeros(rows), -1.0)
        below = np.hstack([-gain.T, np.ones((columns, 1))])
    one = (np.arange(len(cost)) < rows).astype(float)[None]
    bounds = [(0.0, None)] * rows + [(None, None)] * (len(cost) - rows)
    optimum = linprog(
        c=cost, A_ub=below, b_ub=np.zeros(columns), A_eq=one, b_eq=[1.0], bounds=bounds
    )
    if optimum.x is None:
        return False
    weights = np.maximum(optimum.x[:rows], 0.0)
    mixture = weights @ gain / weights.sum()
    return bool(_beats(mixture[None], weak, LP_MARGIN)[0])
