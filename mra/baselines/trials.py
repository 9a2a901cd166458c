"""Trials of RL^2: agents that remember from game to game, whatever the sizes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated, Sight
from mra.heads import drawn
from mra.nets import Nets
from mra.play import episodes
from mra.replay import Played


@dataclass(frozen=True, eq=False, kw_only=True)
class Recalled(Played):
    """Episodes whose agents remembered something when they began.

    Attributes:
      hidden: states at the begin.
      before: what was fed back at the begin.
    """

    hidden: Float32[Tensor, "B N U"]
    before: Float32[Tensor, "B N L"]

    @property
    def rows(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return super().rows | {"hidden": self.hidden, "before": self.before}


class Trial:
    """B trials side by side: agents that remember from game to game.

    Attributes:
      nets: the networks.
      weights: of the parts "graph" and "policy".
      rng: numbers by which episodes begin and actions are drawn.
      greedy: everybody takes its likeliest action.
    """

    def __init__(
        self,
        nets: Nets,
        weights: Mapping[str, Tensor],
        rng: np.random.Generator,
        greedy: bool = False,
    ) -> None:
        self.nets, self.weights, self.rng, self.greedy = nets, weights, rng, greedy
        self._groups: tuple[slice, ...] | None = None
        self._hidden = self._before = torch.empty(0)

    def play(self, game: Populated, count: int) -> Recalled:
        """The next episode of ``count`` trials."""
        self._game, groups = game, self.nets.groups(game)
        if self._groups is None:
            policy, shape = self.nets.policy, (count, game.agents)
            self._hidden = torch.zeros(*shape, policy.units)
            self._before = torch.zeros(*shape, policy.extra)
        else:
            self._pass_on(groups)
        self._groups = groups
        hidden, before = self._hidden, self._before
        blank = torch.zeros(count, game.agents, dtype=torch.int64)
        played = episodes(game, self._act, blank, rng=self.rng, after=self._after)
        return Recalled(**vars(played), hidden=hidden, before=before)

    def _pass_on(self, groups: tuple[slice, ...]) -> None:
        """Gives every agent of the next game a memory of one of the last game."""
        heirs = [
            torch.arange(new.stop - new.start) % (old.stop - old.start) + old.start
            for new, old in zip(groups, self._groups or (), strict=True)
        ]
        who = torch.cat(heirs)
        self._hidden, self._before = self._hidden[:, who], self._before[:, who]
        self._before[..., -1] = 1

    def _after(self, actions: Tensor, rewards: Tensor) -> None:
        self._before = self.nets.policy.extras(actions, rewards)

    @torch.no_grad()
    def _act(self, sight: Sight) -> Tensor:
        policy, hidden = self.nets.policy, self._hidden.clone()
        chosen = torch.empty(hidden.shape[:2], dtype=torch.int64)
        for group, who in enumerate(self.nets.groups(self._game)):
            weights, one = self.weights["policy"][group], torch.zeros_like(chosen)
            graph = self.nets.graph.attention(
                self.weights["graph"][group], sight, who, one[:, who]
            )
            logits, hidden[:, who] = policy.step(
                weights,
                sight,
                who,
                g=graph,
                extra=self._before[:, who],
                hidden=hidden[:, who],
            )
            if self.greedy:
                chosen[:, who] = logits.argmax(2)
            else:
                numbers = torch.from_numpy(self.rng.random(chosen[:, who].shape))
                chosen[:, who] = drawn(logits, numbers.float())
        self._hidden = hidden
        return chosen
