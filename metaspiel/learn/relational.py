"""Policies and critics over entities, whose weights fit any number of agents.

Each embeds the other agents one by one and sums them by attention. Every last layer is
linear, so it is applied once to the sum; and places enter relative to the observer, so
first layers are computed once an entity.
Source: Zhang et al. 2021 (MRA, arXiv 2108.12988).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import Reader
from metaspiel.learn.pairs import dots, weighted
from metaspiel.learn.relational_graph import Graph, Options, attend, others
from metaspiel.learn.relational_settings import Relations


def graph(settings: Relations, layout: Layout) -> Graph:
    """The graph network of the form that the settings name."""
    return Options(settings, layout)


def policy(settings: Relations, layout: Layout, actions: int = 5) -> "Policy":
    """The policy network with such settings."""
    return Policy(settings, layout, actions)


def critic(settings: Relations, layout: Layout, actions: int = 5) -> "Critic":
    """The critic with such settings."""
    return Critic(settings, layout, actions)


@dataclass(frozen=True)
class Policy:
    """From what an agent sees, and its attention, to scores of its actions.

    Attributes:
      settings: widths.
      layout: numbers of an entity.
      actions: A.
    """

    settings: Relations
    layout: Layout
    actions: int = 5

    @property
    def _reader(self) -> Reader:
        return Reader.of(self.settings, self.layout)

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        s, reader = self.settings, self._reader
        own = {
            **flat.linear("own", reader.own, s.width),
            **flat.linear("own_out", s.width, s.width),
            "head_own": (s.width, s.hidden),
        }
        return {
            **reader.around.shapes,
            **flat.linear("other", reader.other, s.hidden),
            **flat.linear("other_out", s.hidden, s.width),
            **(own if s.self_path else {}),
            **flat.linear("head", s.width, s.hidden),
            **flat.linear("scores", s.hidden, self.actions),
        }

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return flat.count(self.shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""
        return flat.xavier(self.shapes, generator)

    def logits(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n *Z N"],
    ) -> Float[Tensor, "R n *Z A"]:
        """Scores of a group's agents for one attention each, or for several.

        Args:
          weights: of this network.
          sight: what all agents see.
          who: the group.
          g: attention, from a graph network.
        """
        w = flat.views(self.shapes, weights)
        seen = self._reader.read(w, sight)
        many = g if g.dim() == 4 else g[:, :, None]
        summed = embedded(w, "other", seen.others, seen.places[:, who], many)
        head = flat.apply(w, "head", summed)
        if self.settings.self_path:
            own = flat.apply(w, "own", seen.own[:, who]).relu()
            head = head + (flat.apply(w, "own_out", own) @ w["head_own"])[:, :, None]
        out = flat.apply(w, "scores", head.relu())
        return out if g.dim() == 4 else out[:, :, 0]


def embedded(w: flat.Views, name: str, x: Tensor, places: Tensor, g: Tensor) -> Tensor:
    """Embeddings of all entities, summed by the attention of observers.

    Args:
      w: weights.
      name: of the embedding's first layer; the second has ``_out`` added.
      x: the entities ``[R, N, F]``, whose first numbers are their places.
      places: of the observers ``[R, I, 2]``.
      g: attention ``[R, I, Z, N]``.
    """
    a = flat.apply(w, name, x)
    p = places @ w[name][:2]
    summed = weighted(a, p, g)
    # Where there is nobody, there is no bias either.
    bias = g.sum(3, keepdim=True) * w[f"{name}_out+"]
    return summed @ w[f"{name}_out"] + bias


@dataclass(frozen=True)
class Critic:
    """What each action of an agent is worth, given what the others do.

    An agent's embedding has relations of its own, which no latent chooses. The own
    action never enters, so that the mean value under a policy is a baseline.

    Attributes:
      settings: widths.
      layout: numbers of an entity.
      actions: A.
    """

    settings: Relations
    layout: Layout
    actions: int = 5

    @property
    def _reader(self) -> Reader:
        return Reader.of(self.settings, self.layout)

    @property
    def _joint(self) -> int:
        """Numbers in what an agent contributes to a value."""
        return self.settings.width // 4

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        s, reader, joint = self.settings, self._reader, self._joint
        own = {
            **flat.linear("own", reader.own, s.width),
            **flat.linear("own_out", s.width, s.width),
        }
        return {
            **reader.around.shapes,
            **flat.linear("key", reader.other, s.hidden),
            "key_out": (s.hidden, s.key),
            **flat.linear("query", reader.own, s.hidden),
            **flat.linear("query_out", s.hidden, s.key),
            **flat.linear("other", reader.other, s.hidden),
            **flat.linear("other_out", s.hidden, s.width),
            **(own if s.self_path else {}),
            **flat.linear("act", s.width, s.hidden),
            "act_taken": (self.actions, s.hidden),
            **flat.linear("act_out", s.hidden, joint),
            **flat.linear("self", s.width, s.hidden),
            **flat.linear("self_out", s.hidden, joint),
            **flat.linear("values", joint, self.actions),
            "values_others": (joint, self.actions),
        }

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return flat.count(self.shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""
        return flat.xavier(self.shapes, generator)

    def values(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n N"],
        actions: Int64[Tensor, "R N"],
    ) -> Float[Tensor, "R n A"]:
        """The values of all actions of a group's agents.

        Args:
          weights: of this network.
          sight: what all agents see.
          who: the group.
          g: its attention, from a graph network.
          actions: of all agents; one's own is not used.
        """
        w = flat.views(self.shapes, weights)
        s = self._embeddings(w, sight)
        taken = torch.nn.functional.one_hot(actions, self.actions).to(s.dtype)
        joined = (flat.apply(w, "act", s) + taken @ w["act_taken"]).relu()
        x = g @ flat.apply(w, "act_out", joined)
        own = flat.apply(w, "self", s[:, who]).relu()
        c = flat.apply(w, "self_out", own)
        return flat.apply(w, "values", c) + x @ w["values_others"]

    def _embeddings(self, w: flat.Views, sight: Sight) -> Float[Tensor, "R N W"]:
        """What all agents see, with attention of the critic's own."""
        seen = self._reader.read(w, sight)
        query = flat.apply(w, "query", seen.own).relu()
        query = flat.apply(w, "query_out", query) / self.settings.temperature
        a, p = flat.apply(w, "key", seen.others), seen.places @ w["key"][:2]
        logits = dots(a, p, (query @ w["key_out"].T)[:, :, None])
        g = attend(logits, others(seen.live, slice(None)))
        s = embedded(w, "other", seen.others, seen.places, g)[:, :, 0]
        if self.settings.self_path:
            own = flat.apply(w, "own", seen.own).relu()
            s = s + flat.apply(w, "own_out", own)
        return s
