"""A recipe: everything that decides what a training computes, as one value."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from meta_solvers.exact.problem import Problem
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.data import Games
from metaspiel.nfg.errors import BadField, at_least, positive


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run computes.

    Attributes:
      architecture: the network.
      games: what it is trained on.
      seed: seed of the weights and of the games.
      steps: number of updates.
      work: joint actions in a batch, which so has ``work / prod A`` games.
      fewest: games in a batch at least.
      largest: games in a batch at most.
      draws: who draws the games: "numpy", or "torch" on the device that trains.
      rate: learning rate, reached after ``warm`` steps, then falling as a cosine.
      warm: steps of warm-up.
      decay: weight decay, on weights but not on biases.
      deep: weight of the loss after each block but the last.
      tamed: what a game's loss exceeds that of duals 0 by counts by its logarithm.
      clip: largest norm of the gradient.
      average: horizon of the exponential average of weights that is kept, in steps.
    """

    architecture: Architecture = field(default_factory=Architecture)
    games: Games = field(default_factory=Games)
    seed: int = 0
    steps: int = 20_000
    work: int = 16_384
    fewest: int = 16
    largest: int = 512
    draws: Literal["numpy", "torch"] = "numpy"
    rate: float = 2e-3
    warm: int = 300
    decay: float = 1e-5
    deep: float = 0.1
    tamed: bool = False
    clip: float = 1.0
    average: int = 500

    def __post_init__(self) -> None:
        at_least(self, steps=1, work=1, fewest=1, average=1)
        if self.largest < self.fewest:
            raise BadField(
                type(self), "largest", f"must be at least fewest; got {self.largest}"
            )
        at_least(self, warm=0, decay=0, deep=0)
        positive(self, "clip")
        if not 0 <= self.seed < 2**63:
            raise BadField(
                type(self), "seed", f"must be from 0 to 2^63 - 1; got {self.seed}"
            )
        if not 0 < self.rate < 1:
            raise BadField(
                type(self), "rate", f"must be between 0 and 1; got {self.rate}"
            )

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Recipe":
        """The recipe written as JSON."""
        parts = dict(stored)
        architecture = dict(parts.pop("architecture"))
        architecture["payoff"] = tuple(architecture["payoff"])
        # Shipped weights say of the games what their architecture says as well.
        twice = ("concept", "players", "selects")
        games = {k: v for k, v in parts.pop("games").items() if k not in twice}
        games["shapes"] = tuple(games.get("shapes", ()))
        return Recipe(
            architecture=Architecture(**architecture), games=Games(**games), **parts
        )

    def batch(self, actions: tuple[int, ...]) -> int:
        """The number of games of this size in a batch."""
        return min(max(self.work // math.prod(actions), self.fewest), self.largest)

    def problems(
        self, batch: int, actions: tuple[int, ...], rng: np.random.Generator
    ) -> Problem:
        """Games of one size, with what the network is to select in them."""
        kind = self.architecture
        return self.games.draw(
            batch, actions, rng, concept=kind.concept, selects=kind.selects
        )
