"""Policies and critics of N agents, each with a network of its own, as stacked vectors.

An agent's weights are one vector, that of its network; a Gaussian policy's ends with
the logarithms of its K deviations. What a policy does is one of two distributions with
the same methods.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from metaspiel.games.markov import Continuous, Discrete
from metaspiel.learn.mlp import LeakyMLP, layers

LOG_DEVIATION = -0.5  # of a fresh Gaussian policy (MATRL authors' code)
_LAST = 0.01  # a fresh policy's last layer is this much smaller: it is nearly uniform


@dataclass(frozen=True, eq=False)
class Categorical:
    """Distributions over A actions.

    Attributes:
      logs: logarithms of the probabilities of each agent at each of U observations.
    """

    logs: Float32[Tensor, "N U A"]

    def cells(
        self, index: Int64[Tensor, "N M"], actions: Int64[Tensor, "N M"]
    ) -> Int64[Tensor, "N M"]:
        """Index in ``table`` of each of M samples: its observation and action."""
        return index * self.logs.shape[2] + actions

    def table(
        self, index: Int64[Tensor, "N M"], actions: Int64[Tensor, "N M"]
    ) -> Float32[Tensor, "N C"]:
        """Log-probabilities of all C = U * A pairs of an observation and an action."""
        return self.logs.flatten(1)

    def entropy(self) -> Float32[Tensor, "N U"]:
        """The entropy of each agent at each observation, in nats."""
        return -(self.logs.exp() * self.logs).sum(2)

    def kl(self, other: "Categorical") -> Float32[Tensor, "N U"]:
        """KL divergence from this distribution to the other, in nats."""
        return (self.logs.exp() * (self.logs - other.logs)).sum(2)

    def sample(self, uniforms: Float64[Tensor, "N U 1"]) -> Int64[Tensor, "N U"]:
        """One action each, by inverse distribution function."""
        below = self.logs.double().exp().cumsum(2)
        scaled = uniforms * below[:, :, -1:]
        return (below[:, :, :-1] <= scaled).sum(2)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Normal distributions of K independent numbers.

    Attributes:
      mean: means of each agent at each of U observations.
      log_deviation: log-deviations of each agent, at every observation.
    """

    mean: Float32[Tensor, "N U K"]
    log_deviation: Float32[Tensor, "N 1 K"]

    def cells(
        self, index: Int64[Tensor, "N M"], actions: Float32[Tensor, "N M K"]
    ) -> Int64[Tensor, "N M"]:
        """Index in ``table`` of each of M samples: its own."""
        return torch.arange(index.shape[1]).expand_as(index)

    def table(
        self, index: Int64[Tensor, "N M"], actions: Float32[Tensor, "N M K"]
    ) -> Float32[Tensor, "N M"]:
        """Log-densities of the C = M actions, each at the observation of its index."""
        rows = index[:, :, None].expand_as(actions)
        scaled = (actions - self.mean.gather(1, rows)) * (-self.log_deviation).exp()
        each = 0.5 * scaled.square() + self.log_deviation + 0.5 * math.log(2 * math.pi)
        return -each.sum(2)

    def entropy(self) -> Float32[Tensor, "N U"]:
        """The entropy of each agent at each observation, in nats."""
        each = self.log_deviation + 0.5 * math.log(2 * math.pi * math.e)
        return each.sum(2).expand(self.mean.shape[:2])

    def kl(self, other: "Gaussian") -> Float32[Tensor, "N U"]:
        """KL divergence from this distribution to the other, in nats."""
        ratio = 2 * (self.log_deviation - other.log_deviation)
        shift = (self.mean - other.mean) * (-other.log_deviation).exp()
        return 0.5 * (ratio.exp() + shift.square() - 1 - ratio).sum(2)

    def sample(self, uniforms: Float64[Tensor, "N U K"]) -> Float32[Tensor, "N U K"]:
        """One action each, by inverse distribution function."""
        # A uniform number may be exactly 0, whose normal number is infinite.
        normal = torch.special.ndtri(uniforms.clamp_min(2.0**-54)).float()
        return self.mean + self.log_deviation.exp() * normal


@runtime_checkable
class Distribution(Protocol):
    """Protocol of the distributions over actions, categorical or Gaussian.

    Samples that took the same action at the same observation are one cell of a table:
    what an update says of them, it says once.
    """

    def cells(
        self, index: Int64[Tensor, "N M"], actions: Tensor
    ) -> Int64[Tensor, "N M"]:
        """Index in ``table`` of each of M samples."""

    def table(
        self, index: Int64[Tensor, "N M"], actions: Tensor
    ) -> Float32[Tensor, "N C"]:
        """Log-probabilities of C cells, which are pairs of observation and action."""

    def entropy(self) -> Float32[Tensor, "N U"]:
        """The entropy of each agent at each observation, in nats."""

    def kl(self, other: Any) -> Float32[Tensor, "N U"]:
        """KL divergence from this distribution to another of its kind, in nats."""

    def sample(self, uniforms: Float64[Tensor, "N U draws"]) -> Tensor:
        """One action each, by inverse distribution function."""


@dataclass(frozen=True)
class Policies:
    """A map from network weights and observations to distributions over actions.

    Attributes:
      network: network of each agent; its outputs are logits, or the means of K numbers.
      actions: what an agent may do.
    """

    network: LeakyMLP
    actions: Discrete | Continuous

    @property
    def size(self) -> int:
        """P, the length of one agent's weight vector."""
        return self.network.size + self._deviations

    @property
    def draws(self) -> int:
        """Uniform numbers that one action needs."""
        return self._deviations or 1

    @property
    def _deviations(self) -> int:
        return self.actions.size if isinstance(self.actions, Continuous) else 0

    def initial(self, generators: Sequence[torch.Generator]) -> Float32[Tensor, "N P"]:
        """Fresh weights, one generator an agent; nearly uniform, or mean nearly 0."""
        vectors = []
        for generator in generators:
            vector = self.network.initial(generator)
            layers(self.network, vector)[4].mul_(_LAST)
            deviations = torch.full((self._deviations,), LOG_DEVIATION)
            vectors.append(torch.cat([vector, deviations]))
        return torch.stack(vectors)

    def at(
        self, weights: Float32[Tensor, "N P"], observations: Float32[Tensor, "N U D"]
    ) -> Distribution:
        """The action distributions of N agents at U observations each."""
        return self.bound(weights)(observations)

    def bound(
        self, weights: Float32[Tensor, "N P"]
    ) -> Callable[[Float32[Tensor, "N U D"]], Distribution]:
        """The policies with fixed weights, as a function of observations."""
        views, forward = layers(self.network, weights), self.network.forward
        if isinstance(self.actions, Discrete):
            return lambda seen: Categorical(forward(views, seen).log_softmax(2))
        log_deviation = weights[:, None, self.network.size :]
        return lambda seen: Gaussian(forward(views, seen), log_deviation)
