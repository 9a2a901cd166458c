"""Small networks as matrices in one flat vector, by the names of their layers."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Float32
from torch import Tensor

Shapes = dict[str, tuple[int, int]]
Views = Mapping[str, Float[Tensor, "_ _"]]


def linear(name: str, inputs: int, outputs: int) -> Shapes:
    """Shapes of a weight and, named with a ``+``, of its bias."""
    return {name: (inputs, outputs), f"{name}+": (1, outputs)}


def count(shapes: Shapes) -> int:
    """P, the length of the flat vector that holds these matrices."""
    return sum(rows * columns for rows, columns in shapes.values())


def views(shapes: Shapes, flat: Float[Tensor, " P"]) -> dict[str, Tensor]:
    """The matrices that a flat vector holds, as views."""
    parts = flat.split([rows * columns for rows, columns in shapes.values()])
    pairs = zip(parts, shapes.items(), strict=True)
    return {name: part.view(shape) for part, (name, shape) in pairs}


def xavier(shapes: Shapes, generator: torch.Generator) -> Float32[Tensor, " P"]:
    """Fresh weights: normal with variance 2/(inputs + outputs); biases are 0."""
    flat = torch.zeros(count(shapes))
    for name, view in views(shapes, flat).items():
        if not name.endswith("+"):
            torch.nn.init.xavier_normal_(view, generator=generator)
    return flat


def apply(
    w: Views, name: str, x: Float[Tensor, "I *R"], *, relu: bool = False
) -> Float[Tensor, "O *R"]:
    """A linear layer on columns, with rectified units after it or not."""
    y = (w[name].T @ x.flatten(1)).add_(w[f"{name}+"].T)
    return (y.relu_() if relu else y).view(len(y), *x.shape[1:])


def product(w: Float[Tensor, "I O"], x: Float[Tensor, "I *R"]) -> Float[Tensor, "O *R"]:
    """A linear layer without a bias on columns."""
    return (w.T @ x.flatten(1)).view(w.shape[1], *x.shape[1:])


def whole(w: Views, name: str) -> Float[Tensor, "J O"]:
    """The matrix of a layer with its bias as a last row, J = I + 1 of them."""
    return torch.cat([w[name], w[f"{name}+"]])


class Layered:
    """A network whose weight vector holds named matrices: its length and first weights.

    Attributes:
      shapes: of the matrices, in the order of the vector.
    """

    @property
    def shapes(self) -> Shapes:
        """Matrices of the weight vector."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return count(self.shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""
        return xavier(self.shapes, generator)
