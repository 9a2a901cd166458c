"""Replay of what N agents did together, first in, first out.

All agents' parts of a step are one row: mixers and central critics need them together.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.markov import Discrete, MarkovGame


@dataclass(frozen=True, eq=False, kw_only=True)
class Moves:
    """The transitions of one step of B environments.

    Attributes:
      observations: observations before the step.
      actions: actions of every agent, ``int64 [B, N]`` or ``float32 [B, N, K]``.
      rewards: each agent's own.
      later: observations after it; of an episode that ended, its last ones.
      terminated: the step ended the episode by the rules. A time limit does not: what
        would have come is bootstrapped (Pardo et al. 2018).
    """

    observations: Float32[ndarray, "B N D"]
    actions: ndarray
    rewards: Float64[ndarray, "B N"]
    later: Float32[ndarray, "B N D"]
    terminated: Bool[ndarray, " B"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """A minibatch of b transitions.

    Attributes:
      observations: observations before the steps, agent by agent.
      later: observations after the steps.
      actions: ``int64 [N, b]`` or ``float32 [N, b, K]``.
      rewards: each agent's own.
      alive: 0 where the step ended the episode by the rules, else 1.
    """

    observations: Float32[Tensor, "N b D"]
    later: Float32[Tensor, "N b D"]
    actions: Tensor
    rewards: Float32[Tensor, "N b"]
    alive: Float32[Tensor, " b"]


def joined(each: Float32[Tensor, "N b K"]) -> Float32[Tensor, "b NK"]:
    """All agents' numbers side by side; of observations, this is the state."""
    return each.transpose(0, 1).flatten(1)


class Memory:
    """A replay memory that holds the newest steps.

    Attributes:
      capacity: C, steps kept.
      size: steps held.
      next: the row that is written next.
      rows: ``observations [C, 2, N, D]`` before and after, ``actions [C, N]`` or
        ``[C, N, K]``, ``rewards [C, N]``, ``alive [C]``.
    """

    def __init__(self, capacity: int, held: dict[str, Tensor], following: int) -> None:
        """Holds the steps given, which may be none; ``following`` is ``next``."""
        self.capacity, self.size, self.next = capacity, len(held["alive"]), following
        self.rows = {}
        for name, row in held.items():
            self.rows[name] = row.new_zeros(capacity, *row.shape[1:])
            self.rows[name][: self.size] = row

    @classmethod
    def empty(cls, game: MarkovGame, capacity: int) -> "Memory":
        """An empty replay memory for transitions of this game."""
        n, space = game.agents, game.actions
        if isinstance(space, Discrete):
            actions = torch.zeros(0, n, dtype=torch.int64)
        else:
            actions = torch.zeros(0, n, space.size)
        held = {
            "observations": torch.zeros(0, 2, n, game.inputs),
            "actions": actions,
            "rewards": torch.zeros(0, n),
            "alive": torch.zeros(0),
        }
        return cls(capacity, held, 0)

    @property
    def held(self) -> dict[str, Tensor]:
        """The rows that hold steps, as views."""
        return {name: row[: self.size] for name, row in self.rows.items()}

    def add(self, moves: Moves) -> None:
        """Stores a step of every environment."""
        count = len(moves.terminated)
        slots = torch.arange(self.next, self.next + count) % self.capacity
        rows = self.rows
        rows["observations"][slots, 0] = torch.from_numpy(moves.observations)
        rows["observations"][slots, 1] = torch.from_numpy(moves.later)
        rows["actions"][slots] = torch.from_numpy(moves.actions)
        rows["rewards"][slots] = torch.from_numpy(moves.rewards).float()
        rows["alive"][slots] = torch.from_numpy(~moves.terminated).float()
        self.next = (self.next + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, uniforms: Float64[ndarray, " b"]) -> Sample:
        """Draws transitions with replacement, by uniform numbers in [0, 1)."""
        pick = (torch.from_numpy(uniforms) * self.size).long()
        drawn = {name: row.index_select(0, pick) for name, row in self.rows.items()}
        both = drawn["observations"].permute(1, 2, 0, 3)
        return Sample(
            observations=both[0].contiguous(),
            later=both[1].contiguous(),
            actions=drawn["actions"].transpose(0, 1).contiguous(),
            rewards=drawn["rewards"].T.contiguous(),
            alive=drawn["alive"],
        )
