"""Q-networks as flat weight vectors, one trial or many stacked.

A network is an MLP with two hidden ReLU layers. A policy is its weights as one vector
``[P]``, layer by layer: ``W1 [D, H], b1 [H], W2 [H, H], b2 [H], W3 [A, H], b3 [A]``.
It is played greedily over the legal actions. The zero vector, all of whose values tie,
is the uniform random policy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

_ALIGNED = 64


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes:
      inputs: D.
      width: H, units of each hidden layer.
      actions: A.
    """

    inputs: int
    width: int
    actions: int

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every weight and bias, in the order of the vector."""
        d, h, a = self.inputs, self.width, self.actions
        return ((d, h), (1, h), (h, h), (1, h), (a, h), (1, a))

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return sum(rows * columns for rows, columns in self.layers)


def initial(shape: Shape, generator: torch.Generator) -> Float32[Tensor, " P"]:
    """Fresh weights: normal with deviation 1/sqrt(fan-in), cut at two; no bias."""
    parts = []
    for number, (rows, columns) in enumerate(shape.layers):
        part = torch.zeros(rows, columns)
        if rows > 1 or number % 2 == 0:
            fan_in = columns if number == 4 else rows
            sd = 1 / math.sqrt(fan_in)
            torch.nn.init.trunc_normal_(
                part, std=sd, a=-2 * sd, b=2 * sd, generator=generator
            )
        parts.append(part.reshape(-1))
    return torch.cat(parts)


def layers(shape: Shape, vector: Float32[Tensor, "*N P"]) -> tuple[Tensor, ...]:
    """The weights and biases in vectors, as views ``[*N, rows, columns]``."""
    sizes = [rows * columns for rows, columns in shape.layers]
    parts = vector[..., : shape.size].split(sizes, -1)
    return tuple(
        part.view(*vector.shape[:-1], *size)
        for part, size in zip(parts, shape.layers, strict=True)
    )


def hidden(
    views: Sequence[Float32[Tensor, "S _ _"]], x: Float32[Tensor, "S B D"]
) -> Float32[Tensor, "S B H"]:
    """The second hidden layer of stacked networks, from the views of a ``Stack``."""
    w1, b1, w2, b2 = views[:4]
    first = torch.baddbmm(b1, x, w1).relu_()
    return torch.baddbmm(b2, first, w2).relu_()


def stacked_values(
    views: Sequence[Float32[Tensor, "S _ _"]], x: Float32[Tensor, "S B D"]
) -> Float32[Tensor, "S B A"]:
    """Q-values of stacked networks, from the views of a ``Stack``."""
    w3, b3 = views[4:]
    return torch.baddbmm(b3, hidden(views, x), w3.transpose(1, 2))


class Stack:
    """The weights of S networks in one tensor, layer-major.

    Each layer is a contiguous view ``[S, rows, columns]``, so that a layer of all
    trials is one batched product and an optimiser step is one call.

    Attributes:
      flat: ``[S * P]``, padded so that vector instructions have no remainder: there a
        weight would be rounded otherwise than in a stack of another size.
      w1, b1, w2, b2, w3, b3: the views.
    """

    def __init__(self, shape: Shape, stacked: int, device: torch.device) -> None:
        self.shape, self.stacked = shape, stacked
        size = -(-stacked * shape.size // _ALIGNED) * _ALIGNED
        self.flat = torch.zeros(size, device=device)
        views, begin = [], 0
        for rows, columns in shape.layers:
            end = begin + stacked * rows * columns
            views.append(self.flat[begin:end].view(stacked, rows, columns))
            begin = end
        self.views = tuple(views)
        self.w1, self.b1, self.w2, self.b2, self.w3, self.b3 = views

    def load(self, vectors: Sequence[Float32[Tensor, " P"]]) -> None:
        """Takes the weights of every network from its vector."""
        for index, vector in enumerate(vectors):
            for view, part in zip(self.views, layers(self.shape, vector), strict=True):
                view[index].copy_(part)

    def vectors(self) -> Float32[Tensor, "S P"]:
        """The weights of every network as a vector of its own."""
        return torch.cat([view.reshape(self.stacked, -1) for view in self.views], 1)

    def values(self, x: Float32[Tensor, "S B D"]) -> Float32[Tensor, "S B A"]:
        """Q-values of all actions."""
        return stacked_values(self.views, x)

    def taken(
        self, hidden: Float32[Tensor, "S B H"], rows: Int64[Tensor, " R"]
    ) -> tuple[Float32[Tensor, "S B"], Float32[Tensor, "S B H"]]:
        """Q-values of one action each, and the weights of that action.

        Args:
          hidden: second hidden layer.
          rows: the actions, numbered through all networks: trial * A + action.
        """
        weight = self.w3.view(-1, hidden.shape[2]).index_select(0, rows)
        weight = weight.view_as(hidden)
        bias = self.b3.view(-1).index_select(0, rows).view(hidden.shape[:2])
        return (hidden * weight).sum(2).add_(bias), weight


def values(
    shape: Shape, vector: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
) -> Float32[Tensor, "R A"]:
    """Q-values of one network."""
    w1, b1, w2, b2, w3, b3 = layers(shape, vector)
    first = torch.addmm(b1, x, w1).relu_()
    second = torch.addmm(b2, first, w2).relu_()
    return torch.addmm(b3, second, w3.T)
