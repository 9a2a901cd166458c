"""The gains of all deviations as a matrix that is never written out.

One row a deviation, one column a joint action: ``[D, P]`` is ``A_p`` times as large as
the payoffs for CCE and ``A_p^2`` times for CE, while products with it are products with
the payoffs (Marris et al. 2022, section 4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64
from numpy import ndarray

from meta_solvers.exact.dual import Dual
from meta_solvers.exact.problem import Problem
from metaspiel.nfg.game import Game

LARGE = 100_000
"""Entries of the matrix from which on it pays not to write it out."""
_IDLE = 1e-13  # a deviation that gains or loses less, of the payoff range, is idle


@dataclass(frozen=True, eq=False)
class Gains:
    """Gains of all deviations in a game, on payoffs normalised per player to [0, 1].

    Attributes:
      game: the game.
      concept: which deviations count: D is ``sum A_p`` for "cce", ``sum A_p^2`` for
        "ce", where "told r, play d" is row ``d A_p + r`` of the player's.
    """

    game: Game
    concept: Literal["cce", "ce"]

    @cached_property
    def _dual(self) -> Dual:
        game, players = self.game, self.game.players
        zero = np.zeros((1, players))
        real = np.zeros((1, players, max(game.actions)))
        for player, size in enumerate(game.actions):
            real[:, player, :size] = 1.0
        problem = Problem(
            concept=self.concept,
            payoffs=game.normalised[None],
            base=np.zeros((1, *game.actions)),
            epsilon=zero,
            width=zero,
            softness=zero,
            real=real,
        )
        return Dual(problem)

    @property
    def deviations(self) -> int:
        """D, the number of rows."""
        sizes = self.game.actions
        return sum(a * a if self.concept == "ce" else a for a in sizes)

    @property
    def entries_in_all(self) -> int:
        """The size of the matrix, D P."""
        return self.deviations * self.game.profiles

    @property
    def parts(self) -> list[slice]:
        """The rows of each player."""
        return self._dual.parts

    def of(self, joint: Float64[ndarray, " P"]) -> Float64[ndarray, " D"]:
        """What each deviation gains in all under weights of joint actions."""
        weight = joint.reshape(1, *self.game.actions)
        return np.asarray(self._dual.gains(weight)[0])

    def tilt(self, duals: Float64[ndarray, " D"]) -> Float64[ndarray, " P"]:
        """At each joint action the gains of all deviations, weighted by ``duals``."""
        return np.asarray(self._dual.tilt(duals[None])[0]).ravel()

    def gram(
        self, weights: Float64[ndarray, " P"], free: Bool[ndarray, " D"]
    ) -> Float64[ndarray, "F F"]:
        """``G diag(weights) G'`` of the CCE rows ``free``.

        A row is what its action gets less what is obeyed; the four products of these
        are matrix products with the payoffs of the actions that are free.
        """
        weight = weights.reshape(self.game.actions)
        payoffs, players = self.game.normalised, range(self.game.players)
        chosen = [
            own[free[part]] for own, part in zip(self._own, self.parts, strict=True)
        ]
        obeyed = [weight * payoffs[q] for q in players]
        # against[q][p]: what p's free actions get where q obeys, times what q gets.
        against = [
            [mine @ weighted.sum(axis=p).ravel() for p, mine in enumerate(chosen)]
            for weighted in obeyed
        ]
        rows = []
        for p in players:
            blocks = []
            for q in players:
                cross = float(np.sum(obeyed[p] * payoffs[q]))
                block = cross + self._both(weight, chosen, p=p, q=q)
                block -= against[q][p][:, None]
                block -= against[p][q]
                blocks.append(block)
            rows.append(np.concatenate(blocks, axis=1))
        return np.concatenate(rows)

    def _both(
        self, weight: ndarray, chosen: Sequence[ndarray], *, p: int, q: int
    ) -> Float64[ndarray, "F_p F_q"]:
        """``sum_a weight(a) U_p(k, a_-p) U_q(l, a_-q)`` of free actions k and l."""
        actions = self.game.actions
        if p == q:
            rest = weight.sum(axis=p).ravel()
            return (chosen[p] * rest) @ chosen[p].T
        others = [r for r in range(len(actions)) if r not in (p, q)]
        size = math.prod(actions[r] for r in others)

        def last(array: ndarray, lead: int, player: int) -> ndarray:
            """Own payoffs ``[lead, A_q, rest]`` of ``player`` against the other."""
            left = [r for r in range(len(actions)) if r != player]
            shaped = array.reshape(lead, *(actions[r] for r in left))
            other = q if player == p else p
            moved = np.moveaxis(shaped, 1 + left.index(other), 1)
            return moved.reshape(lead, actions[other], size)

        joint = np.transpose(weight, (p, q, *others))
        joint = joint.reshape(actions[p], actions[q], size)
        mine = last(chosen[p], len(chosen[p]), p)  # [F_p, A_q, rest]
        theirs = last(chosen[q], len(chosen[q]), q)  # [F_q, A_p, rest]
        if not others:
            return (mine[:, :, 0] @ joint[:, :, 0].T) @ theirs[:, :, 0].T
        inner = np.einsum("kbr,abr->kar", mine, joint, optimize=True)
        return np.tensordot(inner, theirs, axes=([1, 2], [1, 2]))

    @cached_property
    def lengths(self) -> Float64[ndarray, " D"]:
        """Length of each CCE row in copies of joint actions, 0 where it is idle."""
        lengths = np.zeros(self.deviations)
        for player, part in enumerate(self.parts):
            own = self._own[player]
            copies = np.moveaxis(self.game.copies, player, 0).reshape(own.shape)
            for row, played in zip(range(part.start, part.stop), own, strict=True):
                gain = played - own
                if np.abs(gain).max() > _IDLE:
                    lengths[row] = np.sqrt(np.sum(copies * gain**2))
        return lengths

    @cached_property
    def _own(self) -> list[Float64[ndarray, "A_p M"]]:
        return [own[0] for own in self._dual.own]

    def entries(
        self, rows: Int64[ndarray, " R"], columns: Int64[ndarray, " C"]
    ) -> Float64[ndarray, "R C"]:
        """The part of the matrix in some rows and columns."""
        actions = self.game.actions
        where = np.unravel_index(columns, actions)
        entries = np.empty((len(rows), len(columns)))
        for player, part in enumerate(self.parts):
            mine = np.flatnonzero((rows >= part.start) & (rows < part.stop))
            others = [q for q in range(len(actions)) if q != player]
            co = np.zeros(len(columns), dtype=np.int64)
            for other in others:
                co = co * actions[other] + where[other]
            to, told = self.told(rows[mine], player)
            own = self._own[player]
            gain = own[to][:, co] - own[where[player], co]
            if told is not None:
                gain = gain * (where[player] == told[:, None])
            entries[mine] = gain
        return entries

    def told(
        self, rows: Int64[ndarray, " R"], player: int
    ) -> tuple[Int64[ndarray, " R"], Int64[ndarray, " R"] | None]:
        """What each row of a player's deviates to, and for CE what from."""
        number = rows - self.parts[player].start
        if self.concept == "cce":
            return number, None
        size = self.game.actions[player]
        return number // size, number % size

    def named(self, rows: Int64[ndarray, " R"]) -> Int64[ndarray, "R 3"]:
        """Player, action and (CE; else 0) recommendation of each row."""
        names = np.zeros((len(rows), 3), dtype=np.int64)
        for player, part in enumerate(self.parts):
            mine = (rows >= part.start) & (rows < part.stop)
            to, told = self.told(rows[mine], player)
            names[mine, 0], names[mine, 1] = player, to
            names[mine, 2] = 0 if told is None else told
        return names

    def names(self, names: ndarray, actions: Sequence[int]) -> bool:
        """Whether an array names rows of the game with only so many actions."""
        if names.ndim != 2 or names.shape[1] != 3:
            return False
        player, to, told = names.T
        if not np.all((player >= 0) & (player < len(actions))):
            return False
        size = np.array(actions)[player]
        recommended = size if self.concept == "ce" else 1
        below = (to < size) & (told < recommended)
        return bool(np.all((to >= 0) & (told >= 0) & below))

    def row(self, names: Int32[ndarray, "R 3"]) -> Int64[ndarray, " R"]:
        """The rows of these names."""
        player, to, told = names.astype(np.int64).T
        start = np.array([part.start for part in self.parts])[player]
        if self.concept == "cce":
            return start + to
        return start + to * np.array(self.game.actions)[player] + told
