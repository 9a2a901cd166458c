"""Learners of N agents: stacked weights and the state of their optimisers."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.learn.update import fused_adam


@dataclass(frozen=True, eq=False)
class Trainable:
    """Weights of N networks with Adam's state; a value, updates make a new one.

    Attributes:
      weights: weights of each agent.
      mean, square: Adam's moments.
      count: Adam's steps so far.
    """

    weights: Float32[Tensor, "N P"]
    mean: Float32[Tensor, "N P"]
    square: Float32[Tensor, "N P"]
    count: Float32[Tensor, " N"]

    @classmethod
    def fresh(cls, weights: Float32[Tensor, "N P"]) -> "Trainable":
        """A learner with these weights and a fresh optimiser."""
        blank = torch.zeros_like(weights)
        return cls(weights, blank, blank.clone(), torch.zeros(len(weights)))

    def copy(self) -> "Trainable":
        """A copy that shares no memory with this one."""
        return Trainable(*(part.clone() for part in self.parts))

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The weights and Adam's state, in the order of the fields."""
        return self.weights, self.mean, self.square, self.count

    def adam(
        self, gradient: Float32[Tensor, "N P"], who: list[int], rate: float
    ) -> None:
        """One Adam step of some agents, in place."""
        self.count[who] += 1
        weights, *moments = ([part[i] for i in who] for part in self.parts)
        fused_adam(weights, [gradient[i] for i in who], moments, rate)


@dataclass(frozen=True, eq=False)
class Agents:
    """The actors and critics of N agents."""

    actor: Trainable
    critic: Trainable
