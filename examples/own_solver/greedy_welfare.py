"""A meta-solver in a package of its own, which `pip install .` makes known by name."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from meta_solvers import Answer, Game, MetaSolver


@dataclass(frozen=True)
class Greedy(MetaSolver):
    """All mass on the joint action with the largest weighted welfare.

    Attributes:
      weight: of the other players' payoffs; the first player's count once.
    """

    weight: float = 1.0
    concept: ClassVar[str] = "none"  # it promises no equilibrium
    maximises: ClassVar[str] = "welfare, equilibrium or not"
    source: ClassVar[str] = "an example"

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        """The joint distribution for one game; `solve` measures what it is worth."""
        welfare = game.payoffs[0] + self.weight * game.payoffs[1:].sum(axis=0)
        joint = np.zeros(game.actions)
        joint.flat[welfare.argmax()] = 1.0
        return Answer(joint)
