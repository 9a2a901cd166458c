"""Policies and critics over entities, whose weights fit any number of agents.

Each embeds the other agents one by one and sums them by attention. Every last layer is
linear, so it is applied once to the sum; and places enter relative to the observer, so
first layers are computed once an entity.
Source: Zhang et al. 2021 (MRA, arXiv 2108.12988).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import OverEntities, Seen, in_parts
from metaspiel.learn.pairs import dots, mixed, weighted
from metaspiel.learn.relational_graph import attend, graph, others
from metaspiel.learn.relational_settings import Relations

__all__ = ["Critic", "Policy", "critic", "graph", "policy"]


def policy(settings: Relations, layout: Layout, actions: int = 5) -> "Policy":
    """The policy network with such settings."""
    return Policy(settings, layout, actions)


def critic(settings: Relations, layout: Layout, actions: int = 5) -> "Critic":
    """The critic with such settings."""
    return Critic(settings, layout, actions)


@dataclass(frozen=True)
class Policy(OverEntities):
    """From what an agent sees, and its attention, to scores of its actions.

    Attributes:
      actions: A.
    """

    actions: int = 5

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        s = self.settings
        return {
            **self.reader.around.shapes,
            **self.embedding,
            **({"head_own": (s.width, s.hidden)} if s.self_path else {}),
            **flat.linear("head", s.width, s.hidden),
            **flat.linear("scores", s.hidden, self.actions),
        }

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

        def work(sight: Sight, g: Tensor) -> Tensor:
            return self._logits(weights, sight, who, g)

        return in_parts(sight, work, g)

    def _logits(self, weights: Tensor, sight: Sight, who: slice, g: Tensor) -> Tensor:
        w = flat.views(self.shapes, weights)
        seen = self.reader.read(w, sight)
        many = g if g.dim() == 4 else g[:, :, None]
        many = many.permute(2, 3, 1, 0).contiguous()
        # What is linear after linear is one product.
        inner = flat.whole(w, "other_out") @ w["head"]
        others = summed(w, "other", seen, who, many)
        head = inner.T @ others.flatten(2)
        bias = w["head+"]
        if self.settings.self_path:
            own = flat.apply(w, "own", seen.own[:, who], relu=True)
            bias = bias + w["own_out+"] @ w["head_own"]
            head += (w["own_out"] @ w["head_own"]).T @ own.flatten(1)
        head = head.add_(bias.T).relu_()
        out = (w["scores"].T @ head).add_(w["scores+"].T)
        out = out.view(len(many), self.actions, *many.shape[2:]).permute(3, 2, 0, 1)
        return out if g.dim() == 4 else out[:, :, 0]


def summed(w: flat.Views, name: str, seen: Seen, who: slice, g: Tensor) -> Tensor:
    """First layers of all entities, summed by the attention ``[Z, N, n, R]``."""
    a = flat.apply(w, name, seen.others)
    p = flat.product(w[name][:2], seen.places[:, who])
    return weighted(a, p, g)


@dataclass(frozen=True)
class Critic(OverEntities):
    """What each action of an agent is worth, given what the others do.

    An agent's embedding has relations of its own, which no latent chooses. The own
    action never enters, so that the mean value under a policy is a baseline.

    Attributes:
      actions: A.
    """

    actions: int = 5

    @property
    def _joint(self) -> int:
        """Numbers in what an agent contributes to a value."""
        return self.settings.width // 4

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        s, reader, joint = self.settings, self.reader, self._joint
        return {
            **reader.around.shapes,
            **flat.linear("key", reader.other, s.hidden),
            "key_out": (s.hidden, s.key),
            **flat.linear("query", reader.own, s.hidden),
            **flat.linear("query_out", s.hidden, s.key),
            **self.embedding,
            **flat.linear("act", s.width, s.hidden),
            "act_taken": (self.actions, s.hidden),
            **flat.linear("act_out", s.hidden, joint),
            **flat.linear("self", s.width, s.hidden),
            **flat.linear("self_out", s.hidden, joint),
            **flat.linear("values", joint, self.actions),
            "values_others": (joint, self.actions),
        }

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

        def work(sight: Sight, g: Tensor, actions: Tensor) -> Tensor:
            return self._values(weights, sight, who, g=g, actions=actions)

        return in_parts(sight, work, g, actions)

    def assessed(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n N"],
        actions: Int64[Tensor, "R N"],
    ) -> tuple[Float[Tensor, "R n A"], Float[Tensor, ""]]:
        """The values, and what a loss adds to their error: nothing here."""
        values = self.values(weights, sight, who, g, actions)
        return values, values.new_zeros(())

    def _values(
        self, weights: Tensor, sight: Sight, who: slice, *, g: Tensor, actions: Tensor
    ) -> Tensor:
        w = flat.views(self.shapes, weights)
        seen = self.reader.read(w, sight)
        mask = others(seen.live, slice(None))
        hidden = flat.apply(w, "query", seen.own, relu=True)
        scale = self.settings.temperature
        inner = flat.whole(w, "query_out") @ (w["key_out"].T / scale)
        asked = flat.apply({"q": inner[:-1], "q+": inner[-1:]}, "q", hidden)[None]
        a = flat.apply(w, "key", seen.others)
        p = flat.product(w["key"][:2], seen.places)
        inner = attend(dots(a, p, asked), mask)
        # What is linear after linear is one product: into the act and the self layer.
        first = torch.cat([w["act"], w["self"]], 1)
        s = summed(w, "other", seen, slice(None), inner)[0]
        layer = (flat.whole(w, "other_out") @ first).T @ s.flatten(1)
        bias = torch.cat([w["act+"], w["self+"]], 1)
        if self.settings.self_path:
            own = flat.apply(w, "own", seen.own, relu=True)
            layer.addmm_((w["own_out"] @ first).T, own.flatten(1))
            bias = bias + w["own_out+"] @ first
        layer = layer.add_(bias.T).view(-1, *seen.places.shape[1:])
        act, alone = layer.split(w["act"].shape[1])
        taken = one_hot(actions.T, self.actions).to(act.dtype).permute(2, 0, 1)
        act = (act + flat.product(w["act_taken"], taken)).relu_()
        x = mixed(flat.apply(w, "act_out", act), g.permute(2, 1, 0).contiguous())
        c = flat.apply(w, "self_out", alone[:, who].relu())
        q = flat.apply(w, "values", c) + flat.product(w["values_others"], x)
        return q.permute(2, 1, 0)
