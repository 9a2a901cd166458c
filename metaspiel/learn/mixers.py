"""Team values from the values of single agents: VDN, QMIX and QTRAN-base.

A mixer's weights are matrices and row biases in turn, laid out in one vector. The state
that it sees is all agents' observations side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn.functional import elu, one_hot

Views = Sequence[Float32[Tensor, "_ _"]]
Sizes = tuple[tuple[int, int], ...]
States = Float32[Tensor, "b S"]
Values = Float32[Tensor, " b"]
"""The team's, of b steps."""


def mlp(*widths: int) -> Sizes:
    """Shapes of the weights and biases of layers from each width to the next."""
    return tuple(size for i, o in pairwise(widths) for size in ((i, o), (1, o)))


def count(sizes: Sizes) -> int:
    """Length of the flat vector that holds these matrices."""
    return sum(rows * columns for rows, columns in sizes)


def views(sizes: Sizes, flat: Float32[Tensor, " P"]) -> list[Tensor]:
    """The matrices that a flat vector holds, as views."""
    parts = flat.split([rows * columns for rows, columns in sizes])
    return [part.view(size) for part, size in zip(parts, sizes, strict=True)]


def fresh(sizes: Sizes, generator: torch.Generator) -> Float32[Tensor, " P"]:
    """Fresh weights: normal with deviation 1/sqrt(fan-in), cut at two; biases 0."""
    flat = torch.zeros(count(sizes))
    for weight in views(sizes, flat)[::2]:
        sd = weight.shape[0] ** -0.5
        torch.nn.init.trunc_normal_(
            weight, std=sd, a=-2 * sd, b=2 * sd, generator=generator
        )
    return flat


def forward(parts: Views, x: Float32[Tensor, "b I"]) -> Float32[Tensor, "b O"]:
    """An MLP with rectified units; its last layer is linear."""
    for number in range(0, len(parts), 2):
        x = torch.addmm(parts[number + 1], x, parts[number])
        if number + 2 < len(parts):
            x = x.relu()
    return x


@dataclass(frozen=True)
class Sum:
    """VDN (Sunehag et al. 2018): the team's value is the sum of the agents'."""

    sizes: Sizes = ()

    def total(
        self, parts: Views, each: Float32[Tensor, "b N"], state: States
    ) -> Values:
        """The team's value, the sum of the agents'."""
        return each.sum(1)


@dataclass(frozen=True)
class Monotone:
    """QMIX (Rashid et al. 2018): a mixing network that rises in every agent's value.

    Its weights are absolute values of what hypernetworks make of the state; the first
    bias is linear in the state, the last an MLP of it.

    Attributes:
      agents: N, the number of agents.
      inputs: S, numbers in the state.
      width: E, units of the mixing network's hidden layer.
      hyper: units of the hypernetworks' hidden layers.
    """

    agents: int
    inputs: int
    width: int
    hyper: int

    @property
    def sizes(self) -> Sizes:
        """Rows and columns of the layers of all hypernetworks."""
        s, e, h = self.inputs, self.width, self.hyper
        first, second = mlp(s, h, self.agents * e), mlp(s, h, e)
        return (*first, *second, *mlp(s, e), *mlp(s, e, 1))

    def total(
        self, parts: Views, each: Float32[Tensor, "b N"], state: States
    ) -> Values:
        """The team's value, mixed from the agents'."""
        w1 = forward(parts[0:4], state).abs().view(len(each), self.agents, self.width)
        w2 = forward(parts[4:8], state).abs()
        hidden = torch.bmm(each[:, None], w1)[:, 0] + forward(parts[8:10], state)
        return (elu(hidden) * w2).sum(1) + forward(parts[10:14], state)[:, 0]


@dataclass(frozen=True)
class Joint:
    """QTRAN-base (Son et al. 2019): a value of joint actions, and one of the state.

    The joint value sees the state and the actions; in the paper it sees sums of the
    agents' hidden layers, which is meant for many agents.

    Attributes:
      agents: N, the number of agents.
      inputs: S, numbers in the state.
      actions: A, the number of actions.
      width: units of both hidden layers of both networks.
    """

    agents: int
    inputs: int
    actions: int
    width: int

    @property
    def sizes(self) -> Sizes:
        """The layer sizes of the joint network, then of the state's."""
        w, both = self.width, self.inputs + self.agents * self.actions
        return (*mlp(both, w, w, 1), *mlp(self.inputs, w, w, 1))

    def joint(
        self, parts: Views, state: States, actions: Int64[Tensor, "N b"]
    ) -> Values:
        """Q_jt of the joint actions."""
        chosen = one_hot(actions.T, self.actions).float().flatten(1)
        return forward(parts[:6], torch.cat([state, chosen], 1))[:, 0]

    def state(self, parts: Views, state: States) -> Values:
        """V_jt, what partial observation hides from the sum of the agents' values."""
        return forward(parts[6:], state)[:, 0]
