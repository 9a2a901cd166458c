"""The CE and CCE polytopes as sparse linear rows, in a form LP and QP solvers like.

A CCE row "player p deviates to a'" touches every joint action, so writing it over the
joint costs ``A_p`` times the size of the game. Here each player's co-player marginal
``q_p`` and value ``v_p`` are variables of their own, and the rows read

    q_p(a_-p) = sum_{a_p} x(a),   v_p = sum_a U_p(a) x(a),
    sum_{a_-p} U_p(a', a_-p) q_p(a_-p) - v_p <= epsilon_p,

which has the same solutions in x and fewer non-zeros by a factor of about ``A_p / 3``.
CE rows exist for every pair of own actions, so nothing is saved by lifting them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy import sparse

from metaspiel.nfg.game import Game

FLAT_ENTRIES = 1_000_000
_IDLE = 1e-13  # a deviation that gains or loses less, of the payoff range, is idle


@dataclass(frozen=True, eq=False, kw_only=True)
class Polytope:
    """``{x >= 0, sum x = 1, deviations gain at most epsilon}``.

    Attributes:
      equal: ``[R, V]`` rows that must equal ``equal_to`` ``[R]``.
      below: ``[D, V]`` deviation rows, at most ``epsilon`` of the row's player.
      player: ``[D]`` the player of each deviation row.
      profiles: the first ``profiles`` variables are the joint x, in C order, and must
        not be negative; the rest are free.
    """

    equal: sparse.csr_array
    equal_to: Float64[ndarray, " R"]
    below: sparse.csr_array
    player: Int64[ndarray, " D"]
    profiles: int

    @property
    def variables(self) -> int:
        """V, the joint and what was lifted."""
        return int(self.equal.shape[1])


def _index(game: Game, player: int) -> Int64[ndarray, "A_p M"]:
    """Flat index of each joint action, as own action by co-players' profile."""
    flat = np.arange(game.profiles, dtype=np.int64).reshape(game.actions)
    return np.moveaxis(flat, player, 0).reshape(game.actions[player], -1)


def _unit_payoff(game: Game, player: int) -> Float64[ndarray, "A_p M"]:
    moved = np.moveaxis(game.normalised[player], player, 0)
    return moved.reshape(game.actions[player], -1)


def _stacked(
    blocks: Sequence[tuple[ndarray, ndarray]], variables: int
) -> sparse.csr_array:
    """Sparse rows, top to bottom, from blocks of columns and values ``[R, W]``."""
    counts = [np.full(len(columns), columns.shape[1]) for columns, _ in blocks]
    ends = np.concatenate([np.zeros(1, dtype=np.int64), *counts]).cumsum()
    columns = np.concatenate([np.ravel(c) for c, _ in blocks] or [np.zeros(0)])
    values = np.concatenate([np.ravel(v) for _, v in blocks] or [np.zeros(0)])
    shape = (len(ends) - 1, variables)
    return sparse.csr_array((values, columns.astype(np.int64), ends), shape=shape)


def polytope(game: Game, concept: Literal["ce", "cce"]) -> Polytope:
    """Constraints of ``concept`` on payoffs normalised per player to [0, 1].

    Deviations that change nothing anywhere are left out, so a negative epsilon asks
    nothing of a player who cannot change their payoff.

    With three or more players a lifted variable stands for a co-players' profile, and
    there are many: on degenerate PSRO tables the simplex method then pivots 5 to 8
    times longer than on the few dense rows, which are used while they fit.
    """
    if concept == "ce":
        return _ce(game)
    if game.players > 2 and sum(game.actions) * game.profiles <= FLAT_ENTRIES:
        return _flat(game)
    return _lifted(game)


def _flat(game: Game) -> Polytope:
    rows, player = deviations(game, "cce")
    return Polytope(
        equal=sparse.csr_array(np.ones((1, game.profiles))),
        equal_to=np.ones(1),
        below=sparse.csr_array(rows),
        player=player,
        profiles=game.profiles,
    )


def _lifted(game: Game) -> Polytope:
    size = game.profiles
    co_profiles = [size // a for a in game.actions]
    first_q = size + np.concatenate([[0], np.cumsum(co_profiles)]).astype(np.int64)
    joint = np.arange(size)[None]
    equal, below = [(joint, np.ones((1, size)))], []
    owner = [np.zeros(0, dtype=np.int64)]
    for player, actions in enumerate(game.actions):
        index, payoff = _index(game, player), _unit_payoff(game, player)
        q = first_q[player] + np.arange(co_profiles[player])
        v = first_q[-1] + player
        columns = np.column_stack([index.T, q])
        values = np.column_stack([np.full(index.T.shape, -1.0), np.ones(q.size)])
        equal.append((columns, values))  # q is the co-players' marginal of x
        columns = np.append(index.ravel(), v)[None]
        equal.append((columns, np.append(-payoff.ravel(), 1.0)[None]))  # v is the value
        if np.ptp(payoff, axis=0).max() <= _IDLE:
            continue
        owner.append(np.full(actions, player, dtype=np.int64))
        columns = np.column_stack([np.tile(q, (actions, 1)), np.full(actions, v)])
        below.append((columns, np.column_stack([payoff, np.full(actions, -1.0)])))
    variables = int(first_q[-1]) + game.players
    rows = _stacked(equal, variables)
    to = np.zeros(rows.shape[0])
    to[0] = 1.0
    return Polytope(
        equal=rows,
        equal_to=to,
        below=_stacked(below, variables),
        player=np.concatenate(owner),
        profiles=size,
    )


def _ce(game: Game) -> Polytope:
    size = game.profiles
    below, owner = [], []
    for player, actions in enumerate(game.actions):
        index, payoff = _index(game, player), _unit_payoff(game, player)
        recommended, played = np.nonzero(~np.eye(actions, dtype=bool))
        gains = payoff[played] - payoff[recommended]
        live = np.abs(gains).max(axis=1, initial=0.0) > _IDLE
        below.append((index[recommended][live], gains[live]))
        owner.append(np.full(int(live.sum()), player, dtype=np.int64))
    whole = sparse.csr_array(np.ones((1, size)))
    rows = _stacked(below, size)
    return Polytope(
        equal=whole,
        equal_to=np.ones(1),
        below=rows,
        player=np.concatenate(owner),
        profiles=size,
    )


def deviations(
    game: Game, concept: Literal["ce", "cce"]
) -> tuple[Float64[ndarray, "D P"], Int64[ndarray, " D"]]:
    """Every deviation's gain at every joint action, dense, and whose it is.

    Payoffs are normalised per player. Rows that are zero everywhere are left out.
    """
    blocks, owner = [], []
    for player, actions in enumerate(game.actions):
        index, payoff = _index(game, player), _unit_payoff(game, player)
        if concept == "cce":
            block = np.empty((actions, game.profiles))
            block[:, index] = payoff[:, None, :] - payoff
        else:
            recommended, played = np.nonzero(~np.eye(actions, dtype=bool))
            block = np.zeros((recommended.size, game.profiles))
            pairs = np.arange(recommended.size)[:, None]
            block[pairs, index[recommended]] = payoff[played] - payoff[recommended]
        block = block[np.abs(block).max(axis=1, initial=0.0) > _IDLE]
        blocks.append(block)
        owner.append(np.full(len(block), player, dtype=np.int64))
    return np.concatenate(blocks), np.concatenate(owner)


def somebody_idles(game: Game, concept: Literal["ce", "cce"]) -> bool:
    """Whether a player has no deviation, or one that changes nothing anywhere.

    These are the ones that the polytope leaves out.
    """
    for player, actions in enumerate(game.actions):
        payoff = _unit_payoff(game, player)
        if actions == 1 or np.ptp(payoff, axis=0).max() <= _IDLE:
            return True
        pairs = itertools.combinations(payoff, 2) if concept == "ce" else ()
        if any(np.abs(one - other).max() <= _IDLE for one, other in pairs):
            return True
    return False


def vertices(below: Float64[ndarray, "D P"]) -> Float64[ndarray, "V P"]:
    """Corners of the joints at which no row is above 0, by brute force.

    Args:
      below: rows over the joint actions, such as the gains of deviations; their number
        and P must be small, as in a 2x2 game.
    """
    size = below.shape[1]
    height = np.abs(below).max(axis=1, keepdims=True, initial=0.0)
    live = (below / np.where(height > 0, height, 1.0))[height[:, 0] > 0]
    limits = np.concatenate([live, -np.eye(size)])
    corners: list[ndarray] = []
    for tight in itertools.combinations(limits, size - 1):
        system = np.stack([*tight, np.ones(size)])
        if abs(np.linalg.det(system)) <= 1e-12:  # rows of about 1: only dependent ones
            continue
        joint = np.linalg.solve(system, np.eye(size)[-1])
        new = all(np.abs(joint - old).max() > 1e-9 for old in corners)
        if new and (limits @ joint).max() < 1e-9:
            corners.append(joint)
    return np.stack(corners)
