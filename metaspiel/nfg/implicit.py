"""``ImplicitGame``: a game without its tensor, by what actions are worth.

A table of K policies a player has ``K^N`` cells. Whoever asks only what a player's
actions are worth when the others mix alone needs none of them: the tree of a game says
so at a cost of K.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    interchangeable: ClassVar[bool] = False
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

    @property
    def weights(self) -> tuple[Float64[ndarray, "_"], ...]:
        """How often each player has each of its actions (1 without repeats)."""
        if self.repeats is None:
            return tuple(np.ones(size) for size in self.actions)
        return tuple(counts.astype(float) for counts in self.repeats)

    def even(self) -> Products:
        """Every player's actions as often as they are repeated."""
        return Products.of([own / own.sum() for own in self.weights])
