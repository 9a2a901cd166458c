"""Graph networks: whom an agent attends to, by the latent that it carries."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import Reader
from metaspiel.learn.pairs import dots
from metaspiel.learn.relational_settings import Relations


def others(live: Bool[Tensor, "R N"], who: slice) -> Bool[Tensor, "R n N"]:
    """Whom each agent of a group can attend to: the living, but not itself."""
    away = ~torch.eye(live.shape[1], dtype=torch.bool)[who]
    return live[:, None] & away


def attend(
    logits: Float[Tensor, "R n Z N"], mask: Bool[Tensor, "R n N"]
) -> Float[Tensor, "R n Z N"]:
    """A softmax over those whom one can attend to; zeros where there is nobody."""
    mask = mask[:, :, None]
    return logits.masked_fill(~mask, -1e30).softmax(3) * mask


class Graph(Protocol):
    """A network from what agents see to their attention; a frozen value."""

    @property
    def size(self) -> int: ...

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""

    def attention(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        latents: Int64[Tensor, "R n"],
    ) -> Float[Tensor, "R n N"]:
        """The attention of a group's agents, each with a latent of its own."""

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Float[Tensor, "R n Z N"]:
        """The attention of a group's agents for every latent."""


@dataclass(frozen=True)
class Options:
    """A head of attention for each latent ("option").

    Attributes:
      settings: widths.
      layout: numbers of an entity.
    """

    settings: Relations
    layout: Layout

    @property
    def _reader(self) -> Reader:
        return Reader.of(self.settings, self.layout)

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector.

        The second layer of a key has no bias: a softmax does not see it.
        """
        s, reader = self.settings, self._reader
        return {
            **reader.around.shapes,
            **flat.linear("key", reader.other, s.hidden),
            "key_heads": (s.hidden, s.latents * s.key),
            **flat.linear("query", reader.own, s.hidden),
            **flat.linear("query_heads", s.hidden, s.latents * s.key),
        }

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return flat.count(self.shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""
        return flat.xavier(self.shapes, generator)

    def attention(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        latents: Int64[Tensor, "R n"],
    ) -> Float[Tensor, "R n N"]:
        """The attention of a group's agents, each with a latent of its own."""
        return self._attention(weights, sight, who, latents)[:, :, 0]

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Float[Tensor, "R n Z N"]:
        """The attention of a group's agents for every latent."""
        return self._attention(weights, sight, who, None)

    def _attention(
        self, weights: Tensor, sight: Sight, who: slice, latents: Tensor | None
    ) -> Tensor:
        w, s = flat.views(self.shapes, weights), self.settings
        seen = self._reader.read(w, sight)
        hidden = flat.apply(w, "query", seen.own[:, who]).relu()
        query = flat.apply(w, "query_heads", hidden)
        query = query.unflatten(2, (s.latents, s.key)) / s.temperature
        heads = w["key_heads"].view(s.hidden, s.latents, s.key).permute(1, 2, 0)
        # The key's second layer goes to the query, where it is one product an agent.
        asked = torch.einsum("rnzk,zkh->rnzh", query, heads)
        if latents is not None:
            index = latents[:, :, None, None].expand(-1, -1, 1, s.hidden)
            asked = asked.gather(2, index)
        a = flat.apply(w, "key", seen.others)
        p = seen.places[:, who] @ w["key"][:2]
        return attend(dots(a, p, asked), others(seen.live, who))
