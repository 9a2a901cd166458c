"""Networks over entities pair by pair, as their papers write them.

They compute what ``relational`` does with every layer inside the sums, from flat
observations of one agent: the reference for it, and a ``Network`` for whatever takes
one. Source: Zhang et al. 2021 (MRA, arXiv 2108.12988).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Layout
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import Pooled
from metaspiel.learn.relational import Critic, Policy, policy
from metaspiel.learn.relational_graph import (
    Beside,
    Everyone,
    Graph,
    Options,
    Products,
    graph,
)
from metaspiel.learn.relational_settings import Relations


@dataclass(frozen=True, eq=False)
class Pairs:
    """What one agent of each row sees, entity by entity.

    Attributes:
      own: its own numbers and the landmarks around it.
      others: numbers of the M others, places relative, and the landmarks around them.
      live: which of them take part.
    """

    own: Float[Tensor, "R S"]
    others: Float[Tensor, "R M F"]
    live: Bool[Tensor, "R M"]


def pairs(w: flat.Views, settings: Relations, layout: Layout, x: Tensor) -> Pairs:
    """The entities in flat observations ``[R, D]``."""
    own, others, marks = layout.parts(x * settings.unit)
    shift = torch.nn.functional.pad(others[..., :2], (0, layout.landmark - 2))
    theirs = marks[:, None] - shift[:, :, None]
    if settings.landmarks == "concatenated":
        mine, theirs = marks.flatten(1), theirs.flatten(2)
    else:
        mine, theirs = _pooled(w, marks), _pooled(w, theirs)
    return Pairs(
        torch.cat([own, mine], 1),
        torch.cat([others, theirs], 2),
        (others != 0).any(2),
    )


def _pooled(w: flat.Views, marks: Float[Tensor, "*R K L"]) -> Float[Tensor, "*R M"]:
    hidden = _layer(w, "mark", marks).relu()
    g = (hidden @ w["mark_logits"]).softmax(-2)
    values = _layer(w, "mark_heads", hidden).unflatten(-1, (Pooled.heads, Pooled.each))
    return (g[..., None] * values).sum(-3).flatten(-2)


def _layer(w: flat.Views, name: str, x: Tensor) -> Tensor:
    return x @ w[name] + w[f"{name}+"][0]


def _mlp(w: flat.Views, name: str, x: Tensor) -> Tensor:
    return _layer(w, f"{name}_out", _layer(w, name, x).relu())


def attend(
    query: Float[Tensor, "R k"], keys: Float[Tensor, "R M k"], seen: Pairs
) -> Float[Tensor, "R M"]:
    """A softmax over the others that take part; zeros where there is nobody."""
    logits = torch.einsum("rk,rmk->rm", query, keys)
    g = logits.masked_fill(~seen.live, -torch.inf).softmax(1)
    return torch.where(seen.live, g, 0)


def attention(
    graph: Graph, weights: Tensor, x: Float[Tensor, "R D"], code: Float[Tensor, "R Z"]
) -> Float[Tensor, "R M"]:
    """The attention to the others, for a one-hot latent each."""
    if isinstance(graph, Everyone):
        live = graph.layout.parts(x)[1].ne(0).any(2).to(x.dtype)
        return live / live.sum(1, keepdim=True).clamp(min=1)
    w, s = flat.views(graph.shapes, weights), graph.settings
    seen = pairs(w, s, graph.layout, x)
    own, others = seen.own, seen.others
    codes = code[:, None].expand(-1, others.shape[1], -1)
    if isinstance(graph, Beside):
        own, others = torch.cat([own, code], 1), torch.cat([others, codes], 2)
    if isinstance(graph, Products):
        own = (own[:, :, None] * code[:, None]).flatten(1)
        others = (others[..., None] * codes[:, :, None]).flatten(2)
    query = _mlp(w, "query", own) / s.temperature
    keys = _layer(w, "key", others).relu() @ w["key_out"]
    if isinstance(graph, Options):
        heads = s.latents, s.key
        query = (query.unflatten(1, heads) * code[..., None]).sum(1)
        keys = (keys.unflatten(2, heads) * codes[..., None]).sum(2)
    return attend(query, keys, seen)


def scores(
    policy: Policy, weights: Tensor, x: Float[Tensor, "R D"], g: Float[Tensor, "R M"]
) -> Float[Tensor, "R A"]:
    """The scores of all actions."""
    w = flat.views(policy.shapes, weights)
    seen = pairs(w, policy.settings, policy.layout, x)
    head = (g[..., None] * _mlp(w, "other", seen.others)).sum(1) @ w["head"] + w[
        "head+"
    ]
    if policy.settings.self_path:
        head = head + _mlp(w, "own", seen.own) @ w["head_own"]
    return _layer(w, "scores", head.relu())


def values(
    critic: Critic,
    weights: Tensor,
    x: Float[Tensor, "R N D"],
    *,
    g: Float[Tensor, "R N N"],
    actions: Int64[Tensor, "R N"],
) -> Float[Tensor, "R N A"]:
    """The values of all actions of all agents, whose attention has a 0 for each own."""
    w, s = flat.views(critic.shapes, weights), critic.settings
    seen = pairs(w, s, critic.layout, x.flatten(0, 1))
    query = _mlp(w, "query", seen.own) / s.temperature
    keys = _layer(w, "key", seen.others).relu() @ w["key_out"]
    inner = attend(query, keys, seen)
    embedding = (inner[..., None] * _mlp(w, "other", seen.others)).sum(1)
    if s.self_path:
        embedding = embedding + _mlp(w, "own", seen.own)
    embedding = embedding.view(*actions.shape, -1)
    taken = one_hot(actions, critic.actions).to(x.dtype)
    joined = _layer(w, "act", embedding) + taken @ w["act_taken"]
    joined = _layer(w, "act_out", joined.relu())
    mixed = (g[..., None] * joined[:, None]).sum(2)
    alone = _mlp(w, "self", embedding)
    return _layer(w, "values", alone) + mixed @ w["values_others"]


@dataclass(frozen=True)
class RelationalPolicy:
    """A graph network and a policy as one network of flat observations and a latent.

    A weight vector has those of the graph network, then those of the policy. An input
    is an observation of ``Layout`` and a one-hot latent.

    Attributes:
      settings: of both.
      layout: of the observation.
      actions: A.
    """

    settings: Relations
    layout: Layout
    actions: int = 5

    @property
    def parts(self) -> tuple[Graph, Policy]:
        """The two networks."""
        s, layout = self.settings, self.layout
        return graph(s, layout), policy(s, layout, self.actions)

    @property
    def inputs(self) -> int:
        """D, numbers in an observation and a latent."""
        return self.layout.inputs + self.settings.latents

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return sum(part.size for part in self.parts)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""
        return torch.cat([part.initial(generator) for part in self.parts])

    def scores(
        self, weights: Float[Tensor, " P"], x: Float[Tensor, "R D"]
    ) -> Float[Tensor, "R A"]:
        """The scores of all actions for R rows of observations."""
        graph, policy = self.parts
        phi, theta = weights.split([graph.size, policy.size])
        x, code = x.split([self.layout.inputs, self.settings.latents], 1)
        return scores(policy, theta, x, attention(graph, phi, x, code))
