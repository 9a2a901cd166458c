"""Settings of mechanism design through an equilibrium, without torch."""

from dataclasses import dataclass

from meta_solvers.exact.problem import Concept
from metaspiel.nfg.errors import BadField


@dataclass(frozen=True, kw_only=True)
class Tolls:
    """Gradient descent on tolls and subsidies that make an equilibrium cheap.

    Attributes:
      concept: the maximum-entropy equilibrium that the players reach, "cce" or "ce".
      budget: largest toll or subsidy of a player on an action.
      steps: gradient steps.
      rate: learning rate of Adam.
    """

    concept: Concept = "cce"
    budget: float = 1.0
    steps: int = 150
    rate: float = 0.05

    def __post_init__(self) -> None:
        if not (self.budget >= 0 and self.rate > 0 and self.steps >= 1):
            raise BadField(
                type(self),
                "budget",
                "must be at least 0, rate positive and steps at least 1; got "
                f"{self.budget}, {self.rate} and {self.steps}",
            )
