"""``ImplicitGame``: a game without its tensor, by what actions are worth.

A table of K policies a player has ``K^N`` cells. Whoever asks only what a player's
actions are worth when the others mix alone needs none of them: the tree of a game says
so at a cost of K.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.nfg.products import Products

Profiles = Sequence[ndarray]
"""Mixed strategies ``[T, A_p]`` of each player: T profiles."""
Worth = Callable[[int, Profiles], ndarray]
"""What each action ``[T, A_p]`` of a player is worth in T profiles."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Side:
    """One player's part of a tree, for loops that are compiled.

    Attributes:
      plans: what the player does under each action ``[A_p, S_p]``, as probabilities
        with which its moves let it reach each of its sequences.
      ends: the last sequence of each player at what its co-players reach ``[N, Y]``.
      matrix: payoffs by its sequences and what co-players reach ``[S_p, Y]``.
    """

    plans: Float64[ndarray, "A_p S"]
    ends: Int64[ndarray, "N Y"]
    matrix: Any


@dataclass(frozen=True, eq=False, kw_only=True)
class ImplicitGame:
    """An N-player game that is known by what actions are worth.

    Attributes:
      actions: the number of actions of each player.
      worth: of a player and T profiles, the expected payoff of each of the player's
        actions ``[T, A_p]`` when the others play theirs of the profile, alone.
      scale: as in ``Game``, a unit of each player's payoffs ``[N]``.
      repeats: as in ``Game``.
      sides: of each player, what ``worth`` computes with; None where it is otherwise.
    """

    actions: tuple[int, ...]
    worth: Worth
    scale: Float64[ndarray, " N"]
    repeats: tuple[Int64[ndarray, "_"], ...] | None = None
    sides: tuple[Side, ...] | None = None

    symmetric: ClassVar[bool] = False
    members: ClassVar[None] = None

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self.actions))
        return f"<ImplicitGame: {self.players} players, {sizes} actions>"

    @property
    def players(self) -> int:
        """The number of players, N."""
        return len(self.actions)

    @property
    def profiles(self) -> int:
        """Number of joint actions."""
        return prod(self.actions)

    def even(self) -> Products:
        """Every player's actions as often as they are repeated."""
        counts = self.repeats or [np.ones(size) for size in self.actions]
        return Products.of([own / own.sum() for own in counts])

    def expanded(self) -> "ImplicitGame":
        """The game with every action written out as often as it is repeated."""
        counts = self.repeats
        if counts is None:
            return self

        def worth(player: int, profiles: Profiles) -> ndarray:
            pairs = zip(profiles, counts, strict=True)
            folded = [_folded(own, times) for own, times in pairs]
            return np.repeat(self.worth(player, folded), counts[player], axis=1)

        sides = None
        if self.sides is not None:
            pairs = zip(self.sides, counts, strict=True)
            sides = tuple(
                replace(side, plans=np.repeat(side.plans, times, axis=0))
                for side, times in pairs
            )
        return ImplicitGame(
            actions=tuple(int(own.sum()) for own in counts),
            worth=worth,
            scale=self.scale,
            sides=sides,
        )

    def folded(self, joint: Products) -> Products:
        """A joint of ``expanded()`` summed back onto this game's actions."""
        if self.repeats is None:
            return joint
        pairs = zip(joint.strategies, self.repeats, strict=True)
        own = tuple(_folded(strategies, counts) for strategies, counts in pairs)
        return Products(joint.weights, own)


def _folded(own: Float64[ndarray, "T R"], counts: ndarray) -> Float64[ndarray, "T A_p"]:
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.add.reduceat(own, starts, axis=1)
