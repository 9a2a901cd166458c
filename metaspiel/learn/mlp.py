"""Networks with two hidden layers as flat weight vectors, one or many stacked.

A weight vector is laid out layer by layer: ``W1 [D, H], b1 [H], W2 [H, H], b2 [H],
W3 [A, H], b3 [A]``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from metaspiel.learn.nets import Sized
from metaspiel.nfg.errors import UserError

_ALIGNED = 64


@dataclass(frozen=True)
class TwoHidden:
    """Sizes and first weights of a network with two hidden layers of equal width.

    Attributes:
      inputs: D, the size of an observation.
      width: H, units of each hidden layer.
      actions: A, the number of outputs.
    """

    inputs: int
    width: int
    actions: int

    def __post_init__(self) -> None:
        sizes = self.inputs, self.width, self.actions
        if not all(isinstance(size, int) and size >= 1 for size in sizes):
            raise UserError(
                f"{type(self).__name__}(): inputs, width and actions must be whole "
                f"numbers of at least 1; got {', '.join(map(str, sizes))}"
            )

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every weight and bias, in the order of the vector."""
        d, h, a = self.inputs, self.width, self.actions
        return ((d, h), (1, h), (h, h), (1, h), (a, h), (1, a))

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return sum(rows * columns for rows, columns in self.layers)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Fresh weights: normal with deviation 1/sqrt(fan-in), cut at two; no bias."""
        parts = []
        for number, (rows, columns) in enumerate(self.layers):
            part = torch.zeros(rows, columns)
            if rows > 1 or number % 2 == 0:
                fan_in = columns if number == 4 else rows
                sd = 1 / math.sqrt(fan_in)
                torch.nn.init.trunc_normal_(
                    part, std=sd, a=-2 * sd, b=2 * sd, generator=generator
                )
            parts.append(part.reshape(-1))
        return torch.cat(parts)


@dataclass(frozen=True)
class MLP(TwoHidden):
    """A network with two hidden layers of rectified units."""

    @classmethod
    def of(cls, game: Sized, width: int = 200) -> "MLP":
        """The network for a game's observations and actions."""
        return cls(game.inputs, width, game.actions)

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """The scores of all actions for R rows of observations."""
        w1, b1, w2, b2, w3, b3 = layers(self, weights)
        first = torch.addmm(b1, x, w1).relu_()
        second = torch.addmm(b2, first, w2).relu_()
        return torch.addmm(b3, second, w3.T)


@dataclass(frozen=True)
class LeakyMLP(TwoHidden):
    """A network with two hidden layers of leaky rectified units.

    Attributes:
      slope: a unit's slope below 0; the default is that of the authors' TensorFlow.
    """

    slope: float = 0.2

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """The scores of all actions for R rows of observations."""
        return self.stacked(weights[None], x[None])[0]

    def stacked(
        self, weights: Float32[Tensor, "N P"], x: Float32[Tensor, "N R D"]
    ) -> Float32[Tensor, "N R A"]:
        """The scores of N networks, each on rows of its own."""
        return self.forward(layers(self, weights), x)

    def forward(
        self, views: Sequence[Float32[Tensor, "N _ _"]], x: Float32[Tensor, "N R D"]
    ) -> Float32[Tensor, "N R A"]:
        """The scores, from the views that ``layers`` makes of the weights."""
        w1, b1, w2, b2, w3, b3 = views
        leaky = torch.nn.functional.leaky_relu
        first = leaky(torch.baddbmm(b1, x, w1), self.slope)
        second = leaky(torch.baddbmm(b2, first, w2), self.slope)
        return torch.baddbmm(b3, second, w3.transpose(1, 2))


def layers(network: TwoHidden, weights: Float[Tensor, "*N P"]) -> tuple[Tensor, ...]:
    """The matrices and biases in weight vectors, as views ``[*N, rows, columns]``."""
    sizes = [rows * columns for rows, columns in network.layers]
    parts = weights[..., : network.size].split(sizes, -1)
    return tuple(
        part.view(*weights.shape[:-1], *size)
        for part, size in zip(parts, network.layers, strict=True)
    )


def hidden(
    views: Sequence[Float32[Tensor, "S _ _"]],
    x: Float32[Tensor, "S B D"],
    room: Sequence[Float32[Tensor, "S B H"] | None] = (None, None),
) -> Float32[Tensor, "S B H"]:
    """The second hidden layer of stacked networks, from the views of a ``Stack``.

    Args:
      views: of the networks.
      x: observations.
      room: where both hidden layers are written to; the second is the answer.
    """
    w1, b1, w2, b2 = views[:4]
    first = torch.baddbmm(b1, x, w1, out=room[0]).relu_()
    return torch.baddbmm(b2, first, w2, out=room[1]).relu_()


def stacked_values(
    views: Sequence[Float32[Tensor, "S _ _"]], x: Float32[Tensor, "S B D"]
) -> Float32[Tensor, "S B A"]:
    """Q-values of stacked networks, from the views of a ``Stack``."""
    w3, b3 = views[4:]
    return torch.baddbmm(b3, hidden(views, x), w3.transpose(1, 2))


class Stack:
    """The weights of S networks of one kind in one tensor, layer-major.

    Each layer is a contiguous view ``[S, rows, columns]``, so that a layer of all
    trials is one batched product and an optimiser step is one call.

    Attributes:
      flat: ``[S * P]``, padded so that vector instructions have no remainder: there a
        weight would be rounded otherwise than in a stack of another size.
      w1, b1, w2, b2, w3, b3: the views.
    """

    def __init__(self, network: MLP, stacked: int, device: torch.device) -> None:
        self.network, self.stacked = network, stacked
        size = -(-stacked * network.size // _ALIGNED) * _ALIGNED
        self.flat = torch.zeros(size, device=device)
        views, begin = [], 0
        for rows, columns in network.layers:
            end = begin + stacked * rows * columns
            views.append(self.flat[begin:end].view(stacked, rows, columns))
            begin = end
        self.views = tuple(views)
        self.w1, self.b1, self.w2, self.b2, self.w3, self.b3 = views

    def load(self, vectors: Float32[Tensor, "S P"]) -> None:
        """Copies the weights of every network from its vector."""
        for view, part in zip(self.views, layers(self.network, vectors), strict=True):
            view.copy_(part)

    def vectors(self) -> Float32[Tensor, "S P"]:
        """The weights of every network as a vector of its own."""
        return torch.cat([view.reshape(self.stacked, -1) for view in self.views], 1)

    def values(self, x: Float32[Tensor, "S B D"]) -> Float32[Tensor, "S B A"]:
        """Q-values of all actions."""
        return stacked_values(self.views, x)

    def taken(
        self, hidden: Float32[Tensor, "S B H"], rows: Int64[Tensor, " R"]
    ) -> tuple[Float32[Tensor, "S B"], Float32[Tensor, "S B H"]]:
        """Q-values of one action a row, and the last layer's weights for that action.

        Args:
          hidden: second hidden layer.
          rows: the actions, numbered through all networks: trial * A + action.
        """
        weight = self.w3.view(-1, hidden.shape[2]).index_select(0, rows)
        weight = weight.view_as(hidden)
        bias = self.b3.view(-1).index_select(0, rows).view(hidden.shape[:2])
        return (hidden * weight).sum(2).add_(bias), weight
