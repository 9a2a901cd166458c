"""What every action is worth when all players mix, and how that changes.

A profile is one vector ``x [T]``: the mixed strategies of all players, end to end.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.simplex import product


@dataclass(frozen=True, eq=False)
class Mixing:
    """A game whose players mix.

    Attributes:
      payoffs: ``[N, A1, ..., AN]``, each player's in [0, 1].
    """

    payoffs: Float64[ndarray, "N *A"]

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Where each player's strategy lies in a profile."""
        ends = np.cumsum([0, *self.payoffs.shape[1:]]).tolist()
        return tuple(slice(a, b) for a, b in itertools.pairwise(ends))

    @cached_property
    def owner(self) -> Float64[ndarray, "T N"]:
        """1 where an action is the player's."""
        sizes = self.payoffs.shape[1:]
        return np.repeat(np.eye(len(sizes)), sizes, axis=0)

    @cached_property
    def _own_first(self) -> tuple[Float64[ndarray, "A_p M"], ...]:
        moved = (np.moveaxis(table, p, 0) for p, table in enumerate(self.payoffs))
        return tuple(np.ascontiguousarray(t.reshape(len(t), -1)) for t in moved)

    def split(self, x: Float64[ndarray, " T"]) -> list[ndarray]:
        """Each player's strategy."""
        return [x[part] for part in self.parts]

    def normalised(self, x: Float64[ndarray, " T"]) -> Float64[ndarray, " T"]:
        """The profile with the sum of each strategy made 1."""
        total: ndarray = x / (self.owner @ (x @ self.owner))
        return total

    def values(
        self, x: Float64[ndarray, " T"]
    ) -> tuple[Float64[ndarray, " T"], Float64[ndarray, "T T"]]:
        """Expected payoff of every action, and its derivative by every probability.

        The table of a player is summed over one half of the others at a time, so that
        a profile costs about two passes over the payoffs.
        """
        strategies = self.split(x)
        worth = np.zeros(len(x))
        slopes = np.zeros((len(x), len(x)))
        for player, table in enumerate(self._own_first):
            own = self.parts[player]
            others = [p for p in range(len(strategies)) if p != player]
            worth[own] = table[:, 0]  # one player alone
            left = [(table, others)] if others else []
            while left:
                table, block = left.pop()
                if len(block) == 1:
                    part = self.parts[block[0]]
                    slopes[own, part] = table
                    worth[own] = table @ x[part]
                    continue
                first, last = block[: len(block) // 2], block[len(block) // 2 :]
                one, two = _flat(strategies, first), _flat(strategies, last)
                cube = table.reshape(len(table), len(one), len(two))
                left += [(cube @ two, first), (one @ cube, last)]
        return worth, slopes

    def regret(self, x: Float64[ndarray, " T"], worth: Float64[ndarray, " T"]) -> float:
        """The largest gain of one player who deviates."""
        gains = (worth[part].max() - worth[part] @ x[part] for part in self.parts)
        return float(max(gains))


def _flat(strategies: Sequence[ndarray], players: Sequence[int]) -> ndarray:
    """Probability of every joint action of some players."""
    return product([strategies[p] for p in players]).ravel()


def polished(
    mixing: Mixing, x: Float64[ndarray, " T"], played: ndarray
) -> tuple[Float64[ndarray, " T"], float]:
    """Newton's method on the indifference of all players between what they play.

    Args:
      mixing: the game.
      x: where to start.
      played: mask ``[T]`` of the actions that may have weight.

    Returns:
      The profile of least regret on the way, and that regret.
    """
    support, players = np.flatnonzero(played), len(mixing.parts)
    owner = mixing.owner[support]
    system = np.zeros((len(support) + players, len(support) + players))
    system[: len(support), len(support) :] = -owner
    system[len(support) :, : len(support)] = owner.T
    best, least = x, np.inf
    x = mixing.normalised(np.where(played, x, 0.0))
    for _ in range(12):
        worth, slopes = mixing.values(x)
        regret = mixing.regret(x, worth)
        if regret < least:
            best, least = x, regret
        short = mixing.owner @ ((x * worth) @ mixing.owner) - worth
        system[: len(support), : len(support)] = slopes[np.ix_(support, support)]
        target = np.append(short[support], np.zeros(players))
        # Where equilibria are a continuum the system is singular: the least step.
        step = np.linalg.lstsq(system, target, rcond=1e-12)[0][: len(support)]
        if not np.abs(step).max() <= 1.0:  # lost, or not a number
            break
        moved = x.copy()
        moved[support] = np.maximum(moved[support] + step, 0.0)
        moved = mixing.normalised(moved)
        if np.abs(moved - x).max() < 1e-16:
            break
        x = moved
    return best, float(least)
