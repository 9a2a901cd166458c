"""``ImplicitGame``: a game without its tensor, which answers for product profiles.

A table of K policies a player has ``K^N`` cells. A solver whose answer is a product of
mixed strategies asks only what each action is worth against the others' strategies,
which the tree of a game says at a cost of K.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import against

Profile = Sequence[ndarray]
"""A mixed strategy ``[A_p]`` of each player."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ImplicitGame:
    """An N-player game that is known by what actions are worth against strategies.

    Attributes:
      actions: the number of actions of each player.
      worth: of a player and a profile, the expected payoff of each of the player's
        actions ``[A_p]`` when the others play theirs of the profile, independently.
      scale: ``[N]`` a unit of each player's payoffs, by which tolerances are measured.
      repeats: as in ``Game``.
    """

    actions: tuple[int, ...]
    worth: Callable[[int, Profile], Float64[ndarray, " A_p"]]
    scale: Float64[ndarray, " N"]
    repeats: tuple[Int64[ndarray, "_"], ...] | None = None

    @classmethod
    def of(cls, game: Game) -> "ImplicitGame":
        """The same form of a game whose tensor fits: for tests and comparisons."""

        def worth(player: int, profile: Profile) -> ndarray:
            return against(game.payoffs[player], list(profile), player)

        return cls(
            actions=game.actions, worth=worth, scale=game.scale, repeats=game.repeats
        )

    @property
    def players(self) -> int:
        """The number of players, N."""
        return len(self.actions)

    def values(self, profile: Profile) -> Float64[ndarray, " N"]:
        """Each player's expected payoff under a profile."""
        each = [self.worth(p, profile) @ own for p, own in enumerate(profile)]
        return np.array(each)

    def gaps(self, profile: Profile) -> Float64[ndarray, " N"]:
        """What each player gains by its best action: 0 at a Nash equilibrium."""
        gaps = np.zeros(self.players)
        for player, own in enumerate(profile):
            worth = self.worth(player, profile)
            gaps[player] = worth.max() - worth @ own
        return np.maximum(gaps, 0.0)

    def uniform(self) -> list[ndarray]:
        """Every player's actions as often as they are repeated."""
        counts = self.repeats or [np.ones(size) for size in self.actions]
        return [own / own.sum() for own in counts]

    def expanded(self) -> "ImplicitGame":
        """The game with every action written out as often as it is repeated."""
        if self.repeats is None:
            return self
        counts = self.repeats

        def worth(player: int, profile: Profile) -> ndarray:
            return np.repeat(self.worth(player, self.folded(profile)), counts[player])

        actions = tuple(int(own.sum()) for own in counts)
        return ImplicitGame(actions=actions, worth=worth, scale=self.scale)

    def folded(self, profile: Profile) -> list[ndarray]:
        """A profile of ``expanded()`` summed back onto this game's actions."""
        if self.repeats is None:
            return list(profile)
        starts = [np.concatenate([[0], np.cumsum(r)[:-1]]) for r in self.repeats]
        pairs = zip(profile, starts, strict=True)
        return [np.add.reduceat(own, start) for own, start in pairs]
