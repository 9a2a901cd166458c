"""A relational policy that remembers: a GRU on what it makes of what an agent sees."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.entities import Layout, Sight
from metaspiel.learn import flat, relational
from metaspiel.learn.relational_settings import Relations


@dataclass(frozen=True)
class RecurrentPolicy:
    """From what an agent sees and what it remembers to scores of its actions.

    The relational policy of the other arms embeds what is seen; its output goes, with
    the action, reward and end of episode of the step before, into a GRU (Cho et al.
    2014), whose hidden state a linear layer reads. A weight vector has the relational
    policy's weights, then the GRU's as torch lays them out, then the linear layer's.

    Attributes:
      settings: widths of the relational policy.
      layout: numbers of an entity.
      units: U, of the hidden state and of the embedding.
      actions: A.
    """

    settings: Relations
    layout: Layout
    units: int = 64
    actions: int = 5

    @property
    def _encoder(self) -> relational.Policy:
        return relational.policy(self.settings, self.layout, self.units)

    @property
    def fed_back(self) -> int:
        """L, numbers about the step before: action, reward, end of the episode."""
        return self.actions + 2

    @property
    def _shapes(self) -> flat.Shapes:
        u = self.units
        return {
            "in": (3 * u, u + self.fed_back),
            "again": (3 * u, u),
            "in+": (1, 3 * u),
            "again+": (1, 3 * u),
            **flat.linear("scores", u, self.actions),
        }

    @property
    def size(self) -> int:
        """P, numbers in a weight vector."""
        return self._encoder.size + flat.count(self._shapes)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights: the GRU's uniform within 1/sqrt(U), as torch does."""
        first = self._encoder.initial(generator)
        rest = torch.zeros(flat.count(self._shapes))
        w = flat.views(self._shapes, rest)
        bound = 1 / math.sqrt(self.units)
        for name in ("in", "again", "in+", "again+"):
            w[name].uniform_(-bound, bound, generator=generator)
        torch.nn.init.xavier_normal_(w["scores"], generator=generator)
        return torch.cat([first, rest])

    def nothing(self, rows: int, agents: int) -> tuple[Tensor, Tensor]:
        """Hidden state and step before where there was none: zeros."""
        zeros = torch.zeros(rows, agents, self.units + self.fed_back)
        return zeros[..., : self.units], zeros[..., self.units :]

    def feedback(
        self, actions: Int64[Tensor, "*R N"], rewards: Float32[Tensor, "*R N"]
    ) -> Float32[Tensor, "*R N L"]:
        """What is fed back after a step within an episode."""
        taken = one_hot(actions, self.actions).float()
        blank = torch.zeros_like(rewards)
        return torch.cat([taken, rewards[..., None], blank[..., None]], -1)

    def embedded(
        self,
        weights: Float32[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float32[Tensor, "R n N"],
    ) -> Float32[Tensor, "R n U"]:
        """What a group's agents see, without what they remember."""
        first = weights[: self._encoder.size]
        return self._encoder.logits(first, sight, who, g).relu()

    def along(
        self,
        weights: Float32[Tensor, " P"],
        seen: Float32[Tensor, "B T n U"],
        before: Float32[Tensor, "B T n L"],
        hidden: Float32[Tensor, "B n U"],
    ) -> tuple[Float32[Tensor, "B T n A"], Float32[Tensor, "B n U"]]:
        """Scores of actions over the steps of episodes, and the hidden state after.

        Args:
          weights: of this network.
          seen: embeddings of what is seen.
          before: what is fed back of the steps before.
          hidden: state at the first step.
        """
        w = flat.views(self._shapes, weights[self._encoder.size :])
        state = hidden.flatten(0, 1)
        inputs = torch.cat([seen, before], 3).transpose(0, 1).flatten(1, 2)
        states = []
        for x in inputs:
            state = torch.gru_cell(
                x, state, w["in"], w["again"], w["in+"][0], w["again+"][0]
            )
            states.append(state)
        scores = flat.apply(w, "scores", torch.stack(states))
        shape = (len(inputs), *hidden.shape[:2], self.actions)
        return scores.view(shape).transpose(0, 1), state.view(hidden.shape)
