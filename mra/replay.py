"""Replay of whole episodes of one game: world states, not observations.

The observations of 24 agents are a hundred times as large as the state they show, so
they are made again for each minibatch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from mra.settings import Rewards


@dataclass(frozen=True, eq=False, kw_only=True)
class Played:
    """B episodes of T steps.

    Attributes:
      states: what the game keeps of a scene: tensors ``[B, T + 1, ...]``.
      actions: what was done.
      rewards: each agent's own.
      playing: whether an agent still took part, before each step and after the last.
      latents: each agent's latent of the whole episode.
    """

    states: Mapping[str, Tensor]
    actions: Int64[Tensor, "B T N"]
    rewards: Float32[Tensor, "B T N"]
    playing: Bool[Tensor, "B T_1 N"]
    latents: Int64[Tensor, "B N"]

    @property
    def rows(self) -> dict[str, Tensor]:
        """All of it as tensors by name; names of states begin with "state."."""
        named = {f"state.{name}": part for name, part in self.states.items()}
        own = ("actions", "rewards", "playing", "latents")
        return named | {name: getattr(self, name) for name in own}


@dataclass(frozen=True, eq=False, kw_only=True)
class Steps:
    """A minibatch of R transitions of one game.

    Attributes:
      before: states before the steps.
      after: states after them.
      actions: what was done.
      rewards: each agent's own.
      playing: whether an agent took part in the step.
      going: whether it still did after it: a time limit ends nobody's life.
      latents: each agent's latent.
    """

    before: dict[str, Tensor]
    after: dict[str, Tensor]
    actions: Int64[Tensor, "R N"]
    rewards: Float32[Tensor, "R N"]
    playing: Bool[Tensor, "R N"]
    going: Bool[Tensor, "R N"]
    latents: Int64[Tensor, "R N"]


class Episodes:
    """A replay that holds the newest episodes of a game.

    Attributes:
      capacity: episodes that it holds.
      size: episodes held.
      next: the row that is written next.
      rows: tensors by name, ``[capacity, ...]``; empty before the first episode.
    """

    def __init__(
        self, capacity: int, held: Mapping[str, Tensor], following: int = 0
    ) -> None:
        """Holds the episodes given, which may be none; ``following`` is ``next``."""
        self.capacity, self.next, self.size = capacity, following, 0
        self.rows: dict[str, Tensor] = {}
        for name, row in held.items():
            self._make_room(name, row)
            self.size = len(row)
            self.rows[name][: self.size] = row

    def _make_room(self, name: str, like: Tensor) -> None:
        self.rows[name] = like.new_zeros(self.capacity, *like.shape[1:])

    @property
    def held(self) -> dict[str, Tensor]:
        """The rows that hold episodes, as views."""
        return {name: row[: self.size] for name, row in self.rows.items()}

    def add(self, played: Played) -> None:
        """Stores episodes; of more than it holds, the last ones."""
        new = {name: row[-self.capacity :] for name, row in played.rows.items()}
        count = len(new["actions"])
        slots = torch.arange(self.next, self.next + count) % self.capacity
        for name, row in new.items():
            if name not in self.rows:
                self._make_room(name, row)
            self.rows[name][slots] = row
        self.next = (self.next + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, uniforms: Float64[ndarray, " R"]) -> Steps:
        """Draws transitions with replacement, by uniform numbers in [0, 1)."""
        length = self.rows["actions"].shape[1]
        pick = (torch.from_numpy(uniforms) * (self.size * length)).long()
        episode, time = pick // length, pick % length
        named = {k.partition(".")[2]: v for k, v in self.rows.items() if "." in k}
        playing = self.rows["playing"]
        return Steps(
            before={k: row[episode, time] for k, row in named.items()},
            after={k: row[episode, time + 1] for k, row in named.items()},
            actions=self.rows["actions"][episode, time],
            rewards=self.rows["rewards"][episode, time],
            playing=playing[episode, time],
            going=playing[episode, time + 1],
            latents=self.rows["latents"][episode],
        )

    def scales(
        self, groups: Sequence[slice], kind: Rewards
    ) -> list[tuple[Float32[Tensor, ""], Float32[Tensor, ""]]]:
        """What is taken off each group's rewards, and what they are divided by.

        Mean and deviation are those of all rewards held, while agents took part.
        """
        nothing, one = torch.tensor(0.0), torch.tensor(1.0)
        made = []
        for who in groups:
            took = self.held["playing"][:, :-1, who]
            rewards = self.held["rewards"][:, :, who][took].double()
            if kind == "raw" or not len(rewards):
                made.append((nothing, one))
                continue
            spread = rewards.std(unbiased=False).float().clamp_min(1e-6)
            middle = rewards.mean().float() if kind == "standardised" else nothing
            made.append((middle, spread))
        return made
