"""One network for many policies: a code of a few numbers makes it one of them.

The codes change what the layers of a network with two hidden layers compute, in one of
four ways. Each of them can be folded into the weights, so that every code also stands
for a plain ``MLP`` of the same width, which banks, evaluators and agents take as it is.
Conditioning by scale and shift: Perez et al. 2018 (FiLM); population networks: Liu et
al. 2022 (NeuPL).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from metaspiel.learn.mlp import MLP, layers
from metaspiel.learn.settings import CONDITIONINGS, Conditioning
from metaspiel.nfg.errors import UserError, at_least, unknown


@dataclass(frozen=True, eq=False, kw_only=True)
class Modulation:
    """What K codes do to the two hidden layers.

    A layer of ``pre = h W + b`` becomes ``pre * scale + (h mix) * gate + shift``.

    Attributes:
      scale: of each layer, 1 where a code does not scale.
      shift: of each layer.
      gate: of each layer's second product; None without one.
      mix: weights of that product.
    """

    scale: tuple[Float[Tensor, "K H"] | None, Float[Tensor, "K H"] | None]
    shift: tuple[Float[Tensor, "K H"] | None, Float[Tensor, "K H"] | None]
    gate: tuple[Float[Tensor, "K H"], Float[Tensor, "K H"]] | None = None
    mix: tuple[Float[Tensor, "D H"], Float[Tensor, "H H"]] | None = None


@dataclass(frozen=True)
class Conditional:
    """A network of which every code is a policy.

    With codes ``c`` the kinds are: "concat", the code beside the observation (a shift
    of the first layer); "film", scale and shift of both hidden layers; "bilinear",
    second weights of both layers that the code gates, and a shift; "attention", the
    code asks ``slots`` learned keys, and what it reads there is concatenated.

    Attributes:
      body: the network that a code turns into a policy.
      codes: d, numbers in a code.
      kind: how codes enter.
      slots: learned keys and values of "attention".
    """

    body: MLP
    codes: int = 16
    kind: Conditioning = "film"
    slots: int = 16

    def __post_init__(self) -> None:
        at_least(self, codes=1, slots=1)
        if self.kind not in CONDITIONINGS:
            raise unknown("Conditional()", "kind", self.kind, CONDITIONINGS)

    @property
    def inputs(self) -> int:
        """D, numbers in an observation; the code is no part of it."""
        return self.body.inputs

    @property
    def actions(self) -> int:
        """A, the number of scores."""
        return self.body.actions

    @cached_property
    def _shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of what conditions the body, in the order of the vector."""
        d, wide, code = self.body.inputs, self.body.width, self.codes
        each = (code, wide)
        return {
            "concat": (each,),
            "film": (each,) * 4,
            "bilinear": (*(each,) * 4, (d, wide), (wide, wide)),
            "attention": (each, (code, self.slots), (self.slots, code)),
        }[self.kind]

    @property
    def size(self) -> int:
        """P, numbers in a weight vector: the body's, then what conditions it."""
        return self.body.size + sum(math.prod(shape) for shape in self._shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Fresh weights: the body's, and normal numbers of deviation 1/sqrt(rows)."""
        parts = [self.body.initial(generator)]
        for rows, columns in self._shapes:
            part = torch.randn(rows * columns, generator=generator)
            parts.append(part / math.sqrt(rows))
        return torch.cat(parts)

    def modulation(
        self, weights: Float[Tensor, " P"], codes: Float[Tensor, "K d"]
    ) -> Modulation:
        """What the codes do to the hidden layers.

        Raises:
          UserError: weights or codes have another size.
        """
        if weights.shape != (self.size,) or codes.shape[1:] != (self.codes,):
            raise UserError(
                f"Conditional: there must be {self.size} weights and codes of "
                f"{self.codes} numbers; got {list(weights.shape)} and "
                f"{list(codes.shape[1:])}"
            )
        sizes = [math.prod(shape) for shape in self._shapes]
        split = weights[self.body.size :].split(sizes)
        parts = [p.view(s) for p, s in zip(split, self._shapes, strict=True)]
        if self.kind == "film":
            one, two, three, four = (codes @ part for part in parts)
            return Modulation(scale=(1 + one, 1 + three), shift=(two, four))
        if self.kind == "bilinear":
            one, two, three, four = (codes @ part for part in parts[:4])
            return Modulation(
                scale=(None, None),
                shift=(two, four),
                gate=(one, three),
                mix=(parts[4], parts[5]),
            )
        if self.kind == "attention":
            heed = (codes @ parts[1] / math.sqrt(self.codes)).softmax(1)
            codes = heed @ parts[2]
        return Modulation(scale=(None, None), shift=(codes @ parts[0], None))

    def folded(
        self, weights: Float[Tensor, " P"], codes: Float[Tensor, "K d"]
    ) -> Float[Tensor, "K Q"]:
        """The weights of the plain body network that each code stands for."""
        made, count = self.modulation(weights, codes), len(codes)
        views = layers(self.body, weights)
        out = []
        for layer in (0, 1):
            matrix, bias = (
                v.expand(count, *v.shape) for v in views[2 * layer : 2 * layer + 2]
            )
            scale, shift = made.scale[layer], made.shift[layer]
            if scale is not None:
                matrix, bias = matrix * scale[:, None], bias * scale[:, None]
            if made.gate is not None and made.mix is not None:
                matrix = matrix + made.mix[layer] * made.gate[layer][:, None]
            if shift is not None:
                bias = bias + shift[:, None]
            out += [matrix, bias]
        out += [v.expand(count, *v.shape) for v in views[4:]]
        return torch.cat([part.flatten(1) for part in out], 1)

    def heated(self, weights: Float[Tensor, " P"], heat: float) -> Float[Tensor, " P"]:
        """Weights with which all scores are divided by a number."""
        made = weights.clone()
        for part in layers(self.body, made)[4:]:
            part /= heat
        return made

    def paired(
        self,
        weights: Float[Tensor, " P"],
        codes: Float[Tensor, "K d"],
        x: Float[Tensor, "I D"],
        *,
        state: Int64[Tensor, " R"],
        code: Int64[Tensor, " R"],
    ) -> Float[Tensor, "R A"]:
        """Scores of R pairs of an observation and a code, the many at once.

        What depends on an observation or on a code alone is computed once for it.

        Args:
          weights: of this network.
          codes: K codes.
          x: I observations.
          state: which of them each row is of.
          code: which code it is of.
        """
        made = self.modulation(weights, codes)
        w1, b1, w2, b2, w3, b3 = layers(self.body, weights)
        mixed = None if made.mix is None else (x @ made.mix[0])[state]
        pre = torch.addmm(b1, x, w1)[state]
        first = _modulated(made, 0, pre, mixed=mixed, code=code).relu()
        mixed = None if made.mix is None else first @ made.mix[1]
        pre = torch.addmm(b2, first, w2)
        second = _modulated(made, 1, pre, mixed=mixed, code=code).relu()
        return torch.addmm(b3, second, w3.T)


def _modulated(
    made: Modulation, layer: int, pre: Tensor, *, mixed: Tensor | None, code: Tensor
) -> Tensor:
    """A layer before its units, as its rows' codes make it."""
    scale, shift = made.scale[layer], made.shift[layer]
    if scale is not None:
        pre = pre * scale[code]
    if mixed is not None and made.gate is not None:
        pre = pre + mixed * made.gate[layer][code]
    return pre if shift is None else pre + shift[code]
