"""The CE and CCE polytopes as sparse linear rows, in a form LP and QP solvers like.

A CCE row "player p deviates to a'" touches every joint action, so writing it over the
joint costs ``A_p`` times the size of the game. Here each player's co-player marginal
``q_p`` and value ``v_p`` are variables of their own, and the rows read

    q_p(a_-p) = sum_{a_p} x(a),   v_p = sum_a U_p(a) x(a),
    sum_{a_-p} U_p(a', a_-p) q_p(a_-p) - v_p <= epsilon_p,

which has the same solutions in x and fewer non-zeros by a factor of about ``A_p / 3``.
CE rows exist for every pair of own actions, so nothing is saved by lifting them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy import sparse

from nfg.game import Game

FLAT_ENTRIES = 1_000_000


@dataclass(frozen=True, eq=False)
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


def _rows(
    rows: Sequence[ndarray],
    columns: Sequence[ndarray],
    values: Sequence[ndarray],
    shape: tuple[int, int],
) -> sparse.csr_array:
    flat = [
        np.concatenate([np.ravel(part) for part in parts]) if parts else np.empty(0)
        for parts in (rows, columns, values)
    ]
    row, column, value = flat
    keep = value != 0.0
    entries = (value[keep], (row[keep].astype(np.int64), column[keep].astype(np.int64)))
    return sparse.csr_array(entries, shape=shape)


def polytope(game: Game, concept: Literal["ce", "cce"]) -> Polytope:
    """Constraints of ``concept`` on payoffs normalised per player to [0, 1].

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
        sparse.csr_array(np.ones((1, game.profiles))),
        np.ones(1),
        sparse.csr_array(rows),
        player,
        game.profiles,
    )


def _lifted(game: Game) -> Polytope:
    size = game.profiles
    co_profiles = [size // a for a in game.actions]
    first_q = size + np.concatenate([[0], np.cumsum(co_profiles)]).astype(int)
    first_v = int(first_q[-1])
    variables = first_v + game.players
    rows: list[ndarray] = [np.zeros(size)]
    columns: list[ndarray] = [np.arange(size)]
    values: list[ndarray] = [np.ones(size)]
    to = [np.ones(1)]
    below: tuple[list[ndarray], list[ndarray], list[ndarray]] = ([], [], [])
    row, deviation, owner = 1, 0, []
    for player, actions in enumerate(game.actions):
        index, payoff = _index(game, player), _unit_payoff(game, player)
        m = np.arange(co_profiles[player])
        q, v = first_q[player] + m, first_v + player
        spread = np.broadcast_to(m, index.shape)
        rows += [row + m, row + spread]
        columns += [q, index]
        values += [np.ones(m.size), np.full(index.shape, -1.0)]
        row += m.size
        rows += [np.array([row]), np.full(index.shape, row)]
        columns += [np.array([v]), index]
        values += [np.ones(1), -payoff]
        row += 1
        to.append(np.zeros(m.size + 1))
        action = np.arange(actions)
        below[0].extend([deviation + np.repeat(action, m.size), deviation + action])
        below[1].extend([np.tile(q, actions), np.full(actions, v)])
        below[2].extend([payoff, np.full(actions, -1.0)])
        owner.append(np.full(actions, player))
        deviation += actions
    return Polytope(
        _rows(rows, columns, values, (row, variables)),
        np.concatenate(to),
        _rows(*below, (deviation, variables)),
        np.concatenate(owner).astype(np.int64),
        size,
    )


def _ce(game: Game) -> Polytope:
    size = game.profiles
    rows, columns, values, owner = [], [], [], [np.zeros(0, dtype=np.int64)]
    deviation = 0
    for player, actions in enumerate(game.actions):
        index, payoff = _index(game, player), _unit_payoff(game, player)
        told, played = np.nonzero(~np.eye(actions, dtype=bool))
        pairs = deviation + np.arange(told.size)
        rows.append(np.repeat(pairs, index.shape[1]))
        columns.append(index[told])
        values.append(payoff[played] - payoff[told])
        owner.append(np.full(told.size, player))
        deviation += told.size
    return Polytope(
        sparse.csr_array(np.ones((1, size))),
        np.ones(1),
        _rows(rows, columns, values, (deviation, size)),
        np.concatenate(owner).astype(np.int64),
        size,
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
            told, played = np.nonzero(~np.eye(actions, dtype=bool))
            block = np.zeros((told.size, game.profiles))
            pairs = np.arange(told.size)[:, None]
            block[pairs, index[told]] = payoff[played] - payoff[told]
        block = block[np.abs(block).max(axis=1, initial=0.0) > 1e-13]
        blocks.append(block)
        owner.append(np.full(len(block), player, dtype=np.int64))
    return np.concatenate(blocks), np.concatenate(owner)
