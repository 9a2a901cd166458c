"""Resource Occupation: agents share the worth of the discs that they stand on.

A world of MRA (Zhang et al., arXiv 2108.12988), with the constants of its authors'
code.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.games.particle_world import (
    LIMIT,
    RADIUS,
    STRONG,
    AlikeWorld,
    Outcome,
    ParticleScene,
)
from metaspiel.games.particles import Planes, between

PAY = 10.0  # for each unit of a disc's radius


@dataclass(frozen=True, kw_only=True)
class Resource(AlikeWorld):
    """Agents spread over discs, since those on one share its worth.

    Disc k = 1 .. K has radius 0.05 k (the paper's 0.1 k read as a diameter) and pays 10
    times its radius a step, in equal parts to all agents that touch it: at most 10.5
    for six discs. Agents that touch several are paid by each.

    Attributes:
      discs: K.
      clamp: nobody leaves the square; the authors' plane is open.
      steps: of an episode.

    Raises:
      UserError: a number is impossible.
    """

    discs: int = 6
    clamp: bool = False
    steps: int = LIMIT

    kind = "resource"

    def __post_init__(self) -> None:
        self.number(agents=2, discs=1, steps=1)
        self.real(force=STRONG)

    @property
    def limit(self) -> int:
        """Steps of an episode."""
        return self.steps

    @cached_property
    def layout(self) -> Layout:
        """All agents are alike; a disc has a size."""
        return Layout(roles=(0,) * self.agents, landmarks=self.discs, landmark=3)

    @cached_property
    def radii(self) -> Float64[ndarray, " K"]:
        """Radius of each disc."""
        return RADIUS * np.arange(
            1, self.discs + 1
        )  # the first is as large as an agent

    @cached_property
    def _worth(self) -> Float64[ndarray, "K 1"]:
        return PAY * self.radii[:, None]

    @cached_property
    def _reach(self) -> Float64[ndarray, "K 1"]:
        reach: ndarray = (RADIUS + self.radii[:, None]) ** 2  # distances are squared
        return reach

    @cached_property
    def _sizes(self) -> Float32[Tensor, "K 1"]:
        return torch.from_numpy(self.radii.astype(np.float32))[:, None]

    def sight(self, state: dict[str, Tensor]) -> Sight:
        """What all agents see in stored states."""
        seen = super().sight(state)
        sizes = self._sizes.expand(len(seen.landmarks), -1, 1)
        landmarks = torch.cat([seen.landmarks, sizes], 2)
        return Sight(**vars(seen) | {"landmarks": landmarks})

    def outcome(self, scene: ParticleScene, places: Planes) -> Outcome:
        """Every disc's worth, shared by its occupants."""
        inside = between(places, scene.landmarks.T) < self._reach
        share = self._worth / np.maximum(inside.sum(0), 1)
        # Added disc by disc: the order of a plain sum depends on the batch.
        rewards = (inside * share).cumsum(1)[:, -1]
        return Outcome(rewards, scene.landmarks.T, scene.live.T)
