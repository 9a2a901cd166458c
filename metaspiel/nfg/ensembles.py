"""Random games that are known up to intervals only, through an ensemble of tables."""

import math
from dataclasses import dataclass

import numpy as np

from metaspiel.nfg.errors import BadField
from metaspiel.nfg.game import Game


@dataclass(frozen=True, kw_only=True)
class Ensembles:
    """Symmetric two-player games, each with an ensemble that reports it with errors.

    A true payoff of every pair of strategies is standard normal. Every strategy i gets
    an uncertainty u_i, uniform between 0 and ``width``; member m of the ensemble
    reports true(i, j) + u_i * (bias + e_mij) with standard normal e.

    Attributes:
      actions: strategies of a player.
      members: payoff tables in an ensemble.
      width: largest uncertainty of a strategy; payoffs have standard deviation 1.
      bias: upward bias of the members, in units of a strategy's uncertainty.
    """

    actions: int = 12
    members: int = 4
    width: float = 0.85
    bias: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("actions", 2), ("members", 1), ("width", 0), ("bias", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise BadField(
                    type(self),
                    name,
                    f"must be a number of at least {least}; got {getattr(self, name)}",
                )

    def draw(self, rng: np.random.Generator) -> tuple[Game, Game]:
        """A true game, and the ensemble through which it is known."""
        size = self.actions
        true = rng.normal(size=(size, size))
        unsure = rng.uniform(0, self.width, size)[:, None]
        error = self.bias + rng.normal(size=(self.members, size, size))
        rows = true + unsure * error
        members = np.stack([rows, rows.swapaxes(1, 2)], axis=1)
        return (
            Game(np.stack([true, true.T]), symmetric=True),
            Game.ensemble(members, symmetric=True),
        )
