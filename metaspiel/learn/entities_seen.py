"""What a relational network reads of an agent: its numbers, and landmarks around it."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn.flat import Shapes, Views, linear
from metaspiel.learn.pairs import dots, weighted
from metaspiel.learn.relational_settings import Relations


@dataclass(frozen=True)
class Concatenated:
    """All landmarks, relative to an entity, side by side."""

    count: int
    landmark: int

    @property
    def outputs(self) -> int:
        """M, numbers about the landmarks around an entity."""
        return self.count * self.landmark

    @property
    def shapes(self) -> Shapes:
        """No weights."""
        return {}

    def around(
        self, w: Views, places: Float[Tensor, "R N 2"], marks: Float[Tensor, "R K L"]
    ) -> Float[Tensor, "R N M"]:
        """What there is around entities at these places."""
        shift = torch.nn.functional.pad(places, (0, self.landmark - 2))
        return (marks[:, None] - shift[:, :, None]).flatten(2)


@dataclass(frozen=True)
class Pooled:
    """A small network on each landmark, summed by heads of attention.

    The weights of a head are a softmax over landmarks, so neither their order nor their
    number matters.
    """

    landmark: int
    hidden: int = 32

    heads: ClassVar[int] = 4
    each: ClassVar[int] = 8

    @property
    def outputs(self) -> int:
        """M, numbers about the landmarks around an entity."""
        return self.heads * self.each

    @property
    def shapes(self) -> Shapes:
        """One layer for each landmark, the heads' logits, and the heads' outputs."""
        return {
            **linear("mark", self.landmark, self.hidden),
            "mark_logits": (self.hidden, self.heads),
            **linear("mark_heads", self.hidden, self.outputs),
        }

    def around(
        self, w: Views, places: Float[Tensor, "R N 2"], marks: Float[Tensor, "R K L"]
    ) -> Float[Tensor, "R N M"]:
        """What there is around entities at these places."""
        rows, n = places.shape[:2]
        a = marks @ w["mark"] + w["mark+"]
        p = places @ w["mark"][:2]
        v = w["mark_logits"].T.expand(rows, n, -1, -1)
        g = dots(a, p, v).softmax(3)
        pooled = weighted(a, p, g)
        heads = w["mark_heads"].view(self.hidden, self.heads, self.each)
        out = torch.einsum("rnzh,hze->rnze", pooled, heads)
        return out.flatten(2) + w["mark_heads+"]


@dataclass(frozen=True, eq=False)
class Seen:
    """Entities as the first layers of a network read them.

    Attributes:
      own: an agent's numbers about itself, and the landmarks around it.
      others: its place, its body, and the landmarks around it.
      places: where it is.
      live: whether it takes part.
    """

    own: Float32[Tensor, "R N S"]
    others: Float32[Tensor, "R N F"]
    places: Float32[Tensor, "R N 2"]
    live: Tensor


@dataclass(frozen=True)
class Reader:
    """Makes the inputs of a relational network.

    Attributes:
      around: what it makes of landmarks.
      layout: numbers of an entity.
    """

    around: Concatenated | Pooled
    layout: Layout

    @classmethod
    def of(cls, settings: Relations, layout: Layout) -> "Reader":
        """The reader of a network with such settings."""
        if settings.landmarks == "pooled":
            return cls(Pooled(layout.landmark), layout)
        return cls(Concatenated(layout.landmarks, layout.landmark), layout)

    @property
    def own(self) -> int:
        """Numbers about oneself."""
        return self.layout.own + self.around.outputs

    @property
    def other(self) -> int:
        """Numbers about another agent."""
        return 2 + self.layout.body + self.around.outputs

    def read(self, w: Views, sight: Sight) -> Seen:
        """All agents of all situations."""
        marks = self.around.around(w, sight.places, sight.landmarks)
        return Seen(
            torch.cat([sight.own, marks], 2),
            torch.cat([sight.places, sight.bodies, marks], 2),
            sight.places,
            sight.live,
        )
