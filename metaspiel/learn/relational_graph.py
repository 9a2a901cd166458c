"""Graph networks: whom an agent attends to, by the latent that it carries."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import OverEntities, Seen, in_parts
from metaspiel.learn.pairs import dots
from metaspiel.learn.relational_settings import Form, Relations

Latents = Int64[Tensor, "R n"]
Attention = Float[Tensor, "R n N"]
Attentions = Float[Tensor, "R n Z N"]


def others(live: Bool[Tensor, "N R"], who: slice) -> Bool[Tensor, "N n R"]:
    """Whom each agent of a group can attend to: the living, but not itself."""
    away = ~torch.eye(len(live), dtype=torch.bool)[:, who]
    return live[:, None] & away[:, :, None]


def attend(
    logits: Float[Tensor, "Z N n R"], mask: Bool[Tensor, "N n R"]
) -> Float[Tensor, "Z N n R"]:
    """A softmax over those whom one can attend to; zeros where there is nobody."""
    return logits.masked_fill(~mask, -1e30).softmax(1) * mask


@dataclass(frozen=True)
class _Heads(OverEntities):
    """Queries and keys with one hidden layer each."""

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        return self._shapes(self.reader.own, self.reader.other, 1)

    def _shapes(self, own: int, other: int, heads: int) -> flat.Shapes:
        """Matrices for so many inputs; keys need no second bias in a softmax."""
        s = self.settings
        return {
            **self.reader.around.shapes,
            **flat.linear("key", other, s.hidden),
            "key_out": (s.hidden, heads * s.key),
            **flat.linear("query", own, s.hidden),
            **flat.linear("query_out", s.hidden, heads * s.key),
        }

    def _asked(
        self, w: flat.Views, own: Float[Tensor, "S n R"], heads: int = 1
    ) -> list[Float[Tensor, "H n R"]]:
        """Queries of each head, multiplied with the second layer of its keys."""
        s = self.settings
        hidden = flat.apply(w, "query", own, relu=True)
        queries = flat.whole(w, "query_out").split(s.key, 1)
        keys = w["key_out"].split(s.key, 1)
        inner = [q @ k.T / s.temperature for q, k in zip(queries, keys, strict=True)]
        return [
            flat.apply({"asked": m[:-1], "asked+": m[-1:]}, "asked", hidden)
            for m in inner
        ]


@dataclass(frozen=True)
class Options(_Heads):
    """A head of attention for each latent ("option")."""

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        return self._shapes(self.reader.own, self.reader.other, self.settings.latents)

    def attention(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice, latents: Latents
    ) -> Attention:
        """The attention of a group's agents, each with a latent of its own."""

        def work(sight: Sight, latents: Tensor) -> Tensor:
            return self._attention(weights, sight, who, latents)[:, :, 0]

        return in_parts(sight, work, latents)

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Attentions:
        """The attention of a group's agents for every latent."""

        def work(sight: Sight) -> Tensor:
            return self._attention(weights, sight, who, None)

        return in_parts(sight, work)

    def _attention(
        self, weights: Tensor, sight: Sight, who: slice, latents: Tensor | None
    ) -> Tensor:
        w, s = flat.views(self.shapes, weights), self.settings
        seen = self.reader.read(w, sight)
        each = self._asked(w, seen.own[:, who], s.latents)
        if latents is None:
            asked = torch.stack(each)
        else:
            asked = torch.zeros_like(each[0])
            for z, one in enumerate(each):
                asked.addcmul_(one, latents.T.eq(z).to(one.dtype))
            asked = asked[None]
        a = flat.apply(w, "key", seen.others)
        p = flat.product(w["key"][:2], seen.places[:, who])
        g = attend(dots(a, p, asked), others(seen.live, who))
        return g.permute(3, 2, 0, 1)


@dataclass(frozen=True)
class Beside(_Heads):
    """One head, that sees the latent beside every entity ("concat")."""

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        more = self.settings.latents
        return self._shapes(self.reader.own + more, self.reader.other + more, 1)

    def attention(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice, latents: Latents
    ) -> Attention:
        """The attention of a group's agents, each with a latent of its own."""

        def work(sight: Sight, latents: Tensor) -> Tensor:
            w = flat.views(self.shapes, weights)
            code = one_hot(latents.T, self.settings.latents).to(weights.dtype)
            code = code.permute(2, 0, 1)
            return self._coded(w, self.reader.read(w, sight), who, code)

        return in_parts(sight, work, latents)

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Attentions:
        """The attention of a group's agents for every latent."""
        many = self.settings.latents

        def work(sight: Sight) -> Tensor:
            w = flat.views(self.shapes, weights)
            seen = self.reader.read(w, sight)
            shape = seen.own[0, who].shape
            codes = torch.eye(many, dtype=weights.dtype)[:, :, None, None]
            each = (self._coded(w, seen, who, c.expand(-1, *shape)) for c in codes)
            return torch.stack(list(each), 2)

        return in_parts(sight, work)

    def _coded(
        self, w: flat.Views, seen: Seen, who: slice, code: Float[Tensor, "Z n R"]
    ) -> Attention:
        s = self.settings
        own = torch.cat([seen.own[:, who], code])
        asked = torch.stack(self._asked(w, own))
        w_key, w_code = w["key"].split([len(w["key"]) - s.latents, s.latents])
        a = flat.apply({"key": w_key, "key+": w["key+"]}, "key", seen.others)
        p = flat.product(w_key[:2], seen.places[:, who]) - flat.product(w_code, code)
        return attend(dots(a, p, asked), others(seen.live, who))[0].permute(2, 1, 0)


@dataclass(frozen=True)
class Products(_Heads):
    """One head, with first weights of its own for each latent ("bilinear")."""

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        times = self.settings.latents
        return self._shapes(self.reader.own * times, self.reader.other * times, 1)

    def attention(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice, latents: Latents
    ) -> Attention:
        """The attention of a group's agents, each with a latent of its own."""
        every = self.attentions(weights, sight, who)
        index = latents[:, :, None, None].expand(-1, -1, 1, every.shape[3])
        return every.gather(2, index)[:, :, 0]

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Attentions:
        """The attention of a group's agents for every latent."""

        def work(sight: Sight) -> Tensor:
            w = flat.views(self.shapes, weights)
            seen = self.reader.read(w, sight)
            each = [self._one(w, seen, who, z) for z in range(self.settings.latents)]
            return torch.stack(each, 2)

        return in_parts(sight, work)

    def _one(self, w: flat.Views, seen: Seen, who: slice, z: int) -> Attention:
        """The attention for one latent."""
        many = self.settings.latents
        first = {**w, "key": w["key"][z::many], "query": w["query"][z::many]}
        asked = torch.stack(self._asked(first, seen.own[:, who]))
        a = flat.apply(first, "key", seen.others)
        p = flat.product(first["key"][:2], seen.places[:, who])
        return attend(dots(a, p, asked), others(seen.live, who))[0].permute(2, 1, 0)


@dataclass(frozen=True)
class Everyone:
    """The same attention to all that take part ("mean"); it has no weights.

    Attributes:
      settings: the number of latents.
      layout: numbers of an entity.
    """

    settings: Relations
    layout: Layout

    @property
    def size(self) -> int:
        """P = 0, numbers in a weight vector."""
        return 0

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """An empty vector of weights."""
        return torch.zeros(0)

    def attention(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice, latents: Latents
    ) -> Attention:
        """The attention of a group's agents, whatever the latent."""
        mask = others(sight.live.T, who).to(sight.places.dtype)
        return (mask / mask.sum(0).clamp(min=1)).permute(2, 1, 0)

    def attentions(
        self, weights: Float[Tensor, " P"], sight: Sight, who: slice
    ) -> Attentions:
        """The attention of a group's agents for every latent."""
        latents = torch.zeros(sight.live[:, who].shape, dtype=torch.int64)
        one = self.attention(weights, sight, who, latents)
        return one[:, :, None].expand(-1, -1, self.settings.latents, -1)


Graph = Options | Beside | Products | Everyone
"""A network from what agents see to their attention, by the name of its form."""
GRAPHS: dict[Form, type[Graph]] = {
    "option": Options,
    "concat": Beside,
    "bilinear": Products,
    "mean": Everyone,
}


def graph(settings: Relations, layout: Layout) -> Graph:
    """The graph network of the form that the settings name."""
    return GRAPHS[settings.form](settings, layout)
