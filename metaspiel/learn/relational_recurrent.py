"""A policy over entities that remembers, for agents that learn while they play.

Source: Duan et al. 2016 (RL^2), with the embedding of MRA before its memory.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import OverEntities, in_parts
from metaspiel.learn.relational import summed


@dataclass(frozen=True)
class RecurrentPolicy(OverEntities):
    """A GRU on what an agent sees, and on its last action, reward and end of episode.

    A weight vector has the embedding's matrices and the scores', then the GRU's as
    torch has them: ``W_ih [3U, I], W_hh [3U, U], b_ih [3U], b_hh [3U]``.

    Attributes:
      actions: A.
      units: U, size of the hidden state.
    """

    actions: int = 5
    units: int = 64

    @property
    def extra(self) -> int:
        """E, numbers about the step before: action, reward, end of the episode."""
        return self.actions + 2

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the embedding and of the scores."""
        return {
            **self.reader.around.shapes,
            **self.embedding,
            **flat.linear("scores", self.units, self.actions),
        }

    @property
    def memory(self) -> flat.Shapes:
        """Matrices of the GRU."""
        u, inputs = self.units, self.settings.width + self.extra
        biases = {"b_ih": (1, 3 * u), "b_hh": (1, 3 * u)}
        return {"w_ih": (3 * u, inputs), "w_hh": (3 * u, u), **biases}

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return flat.count(self.shapes) + flat.count(self.memory)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Fresh weights; the GRU's are uniform within 1/sqrt(U) of 0, as torch's."""
        bound = 1 / math.sqrt(self.units)
        memory = torch.rand(flat.count(self.memory), generator=generator)
        first = flat.xavier(self.shapes, generator)
        return torch.cat([first, memory * (2 * bound) - bound])

    def step(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        *,
        g: Float[Tensor, "R n N"],
        extra: Float[Tensor, "R n E"],
        hidden: Float[Tensor, "R n U"],
    ) -> tuple[Float[Tensor, "R n A"], Float[Tensor, "R n U"]]:
        """Scores of a group's agents, and their hidden states after this step.

        Args:
          weights: of this network.
          sight: what all agents see.
          who: the group.
          g: attention, from a graph network.
          extra: one-hot last action, last reward, and whether the episode ended there;
            zeros before the first step.
          hidden: states before this step; zeros before the first.
        """
        seen = self.embedded(weights, sight, who, g)
        return self.remembered(weights, seen, extra, hidden)

    def embedded(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n N"],
    ) -> Float[Tensor, "R n W"]:
        """What a group's agents see, without what they remember."""

        def work(sight: Sight, g: Tensor) -> Tensor:
            return self._embedded(weights, sight, who, g)

        return in_parts(sight, work, g)

    def _embedded(self, weights: Tensor, sight: Sight, who: slice, g: Tensor) -> Tensor:
        w = flat.views(self.shapes, weights[: flat.count(self.shapes)])
        seen = self.reader.read(w, sight)
        attention = g.permute(2, 1, 0).contiguous()[None]
        others = summed(w, "other", seen, who, attention)[0]
        embedding = flat.product(flat.whole(w, "other_out"), others)
        if self.settings.self_path:
            own = flat.apply(w, "own", seen.own[:, who], relu=True)
            embedding = embedding + flat.apply(w, "own_out", own)
        return embedding.permute(2, 1, 0)

    def remembered(
        self,
        weights: Float[Tensor, " P"],
        seen: Float[Tensor, "R n W"],
        extra: Float[Tensor, "R n E"],
        hidden: Float[Tensor, "R n U"],
    ) -> tuple[Float[Tensor, "R n A"], Float[Tensor, "R n U"]]:
        """Scores and hidden states of agents that see what is ``embedded``."""
        first, rest = weights.split([flat.count(self.shapes), flat.count(self.memory)])
        w, memory = flat.views(self.shapes, first), flat.views(self.memory, rest)
        new = torch.gru_cell(
            torch.cat([seen, extra], 2).flatten(0, 1),
            hidden.flatten(0, 1),
            memory["w_ih"],
            memory["w_hh"],
            b_ih=memory["b_ih"][0],
            b_hh=memory["b_hh"][0],
        )
        logits = torch.addmm(w["scores+"], new, w["scores"])
        shape = hidden.shape[:2]
        return logits.view(*shape, -1), new.view(*shape, -1)

    def along(
        self,
        weights: Float[Tensor, " P"],
        seen: Float[Tensor, "B T n W"],
        extra: Float[Tensor, "B T n E"],
        hidden: Float[Tensor, "B n U"],
    ) -> Float[Tensor, "B T n A"]:
        """Scores over the steps of whole episodes, from the hidden states before."""
        made = []
        for step, before in zip(seen.unbind(1), extra.unbind(1), strict=True):
            logits, hidden = self.remembered(weights, step, before, hidden)
            made.append(logits)
        return torch.stack(made, 1)

    def extras(
        self, actions: Int64[Tensor, "*R N"], rewards: Float32[Tensor, "*R N"]
    ) -> Float32[Tensor, "*R N E"]:
        """The numbers about a step within an episode, for the next one."""
        taken = one_hot(actions, self.actions).float()
        blank = torch.zeros_like(rewards)
        return torch.cat([taken, rewards[..., None], blank[..., None]], -1)
