"""What a relational network reads of an agent: its numbers, and landmarks around it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn.flat import Layered, Shapes, Views, apply, linear, product, whole
from metaspiel.learn.pairs import products, weighted
from metaspiel.learn.relational_settings import Relations

_CACHED = 3072  # agents at a time
_FIELDS = fields(Sight)


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
        """There are no matrices here."""
        return {}

    def around(
        self, w: Views, places: Float[Tensor, "2 N R"], marks: Float[Tensor, "L K R"]
    ) -> Float[Tensor, "M N R"]:
        """What there is around entities at these places."""
        marks = marks.transpose(0, 1)[:, :, None].expand(-1, -1, places.shape[1], -1)
        near = marks[:, :2] - places
        return torch.cat([near, marks[:, 2:]], 1).flatten(0, 1)


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
        self, w: Views, places: Float[Tensor, "2 N R"], marks: Float[Tensor, "L K R"]
    ) -> Float[Tensor, "M N R"]:
        """What there is around entities at these places."""
        a, p = apply(w, "mark", marks), product(w["mark"][:2], places)
        g = products(a, p, w["mark_logits"].T).softmax(1)
        pooled = weighted(a, p, g).flatten(2)
        heads = whole(w, "mark_heads").view(-1, self.heads, self.each)
        return (heads.permute(1, 2, 0) @ pooled).view(-1, *places.shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """Entities as the first layers of a network read them, situations last.

    Attributes:
      own: an agent's numbers about itself, and the landmarks around it.
      others: its place, its body, and the landmarks around it.
      places: where it is.
      live: whether it takes part.
    """

    own: Float[Tensor, "S N R"]
    others: Float[Tensor, "F N R"]
    places: Float[Tensor, "2 N R"]
    live: Bool[Tensor, "N R"]


def in_parts(
    sight: Sight, work: Callable[..., Tensor], *more: Shaped[Tensor, "R *_"]
) -> Tensor:
    """Applies a network to a few situations at a time, so that the cache holds them.

    Args:
      sight: of R situations.
      work: takes the sight of some of them, and their parts of the rest.
      more: begin with ``[R]``.
    """
    step = max(16, _CACHED // sight.places.shape[1] // 16 * 16)
    if len(sight.places) <= step:
        return work(sight, *more)
    split = [getattr(sight, field.name).split(step) for field in _FIELDS]
    names = [field.name for field in _FIELDS]
    parts = zip(zip(*split, strict=True), *(x.split(step) for x in more), strict=True)
    made = (
        work(Sight(**dict(zip(names, values, strict=True))), *rest)
        for values, *rest in parts
    )
    return torch.cat(list(made))


@dataclass(frozen=True)
class Reader:
    """Makes the inputs of a relational network.

    Attributes:
      around: what it makes of landmarks.
      layout: numbers of an entity.
      unit: factor of all that is seen.
    """

    around: Concatenated | Pooled
    layout: Layout
    unit: float

    @classmethod
    def of(cls, settings: Relations, layout: Layout) -> "Reader":
        """The reader of a network with such settings."""
        if settings.landmarks == "pooled":
            return cls(Pooled(layout.landmark), layout, settings.unit)
        around = Concatenated(layout.landmarks, layout.landmark)
        return cls(around, layout, settings.unit)

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
        own, places, bodies, marks = (
            x.permute(2, 1, 0).contiguous() * self.unit
            for x in (sight.own, sight.places, sight.bodies, sight.landmarks)
        )
        marks = self.around.around(w, places, marks)
        others = torch.cat([places, bodies, marks])
        return Seen(
            own=torch.cat([own, marks]),
            others=others,
            places=places,
            live=sight.live.T,
        )


@dataclass(frozen=True)
class OverEntities(Layered):
    """A network that reads entities; its weights fit any number of agents.

    Attributes:
      settings: widths.
      layout: numbers of an entity.
    """

    settings: Relations
    layout: Layout

    @property
    def reader(self) -> Reader:
        """Makes the inputs."""
        return Reader.of(self.settings, self.layout)

    @property
    def embedding(self) -> Shapes:
        """Matrices of what an agent makes of the others, and of itself."""
        s, reader = self.settings, self.reader
        own = {
            **linear("own", reader.own, s.width),
            **linear("own_out", s.width, s.width),
        }
        return {
            **linear("other", reader.other, s.hidden),
            **linear("other_out", s.hidden, s.width),
            **(own if s.self_path else {}),
        }
