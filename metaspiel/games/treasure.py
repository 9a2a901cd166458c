"""Treasure Collection: agents gather treasures that appear anew elsewhere.

A world of MRA (Zhang et al., arXiv 2108.12988), after the one of MAAC (Iqbal and
Sha, 2019). It is not public; what its text leaves open is a field here.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.games.entities import Layout
from metaspiel.games.particle_world import (
    RADIUS,
    STRONG,
    AlikeWorld,
    Outcome,
    ParticleScene,
)
from metaspiel.games.particles import Planes, between, renewed, touching

SMALL = 0.025  # radius of a treasure
PAY, NEAR = 5.0, 0.1  # for a treasure, and the cost of distance from the nearest one


@dataclass(frozen=True, kw_only=True)
class Treasure(AlikeWorld):
    """Agents gather treasures; what one gathers, others cannot.

    An agent is paid 5 for every treasure that it touches; the treasure is then at a
    new place. Distance from the nearest treasure costs 0.1 a unit, and touching other
    agents costs ``collision`` each.

    Attributes:
      treasures: K, the same for every number of agents.
      shaping: distance costs; false is the paper's sparse variant.
      collision: what each agent that one touches costs.
      winner: who is paid for a treasure that several touch: "all" or the "nearest".

    Raises:
      UserError: a number is impossible.
    """

    treasures: int = 20
    shaping: bool = True
    collision: float = 1.0
    winner: Literal["all", "nearest"] = "all"

    kind = "treasure"

    def __post_init__(self) -> None:
        self.number(agents=2, treasures=1)
        self.real(collision=STRONG, force=STRONG)
        self.one_of("winner", "all", "nearest")

    @cached_property
    def layout(self) -> Layout:
        """All agents are alike; treasures too."""
        return Layout(roles=(0,) * self.agents, landmarks=self.treasures)

    @cached_property
    def radii(self) -> Float64[ndarray, " K"]:
        """Radius of each treasure."""
        return np.full(self.treasures, SMALL)

    def outcome(self, scene: ParticleScene, places: Planes) -> Outcome:
        """Pay for treasures, which move, less the costs of distance and collisions."""
        squares = between(places, scene.landmarks.T)
        near = squares < (RADIUS + SMALL) ** 2
        gone = np.logical_or.reduce(near)
        if self.winner == "nearest":
            near &= squares == squares.min(0)
        rewards = PAY * near.sum(1)
        if self.shaping:
            rewards -= NEAR * np.sqrt(squares.min(1))
        if self.collision:
            rewards -= self.collision * touching(places, 2 * RADIUS)
        landmarks = renewed(scene.landmarks.T, gone, scene.time, scene.begun)
        return Outcome(rewards, landmarks, scene.live.T)
