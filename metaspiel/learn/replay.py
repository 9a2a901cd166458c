"""Replay of S learners that store and sample in lockstep."""

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from metaspiel.learn.update import Batches


class Replay:
    """The newest transitions of each of S learners, first in, first out.

    All learners store the same number of transitions at a time. A state and its
    successor lie side by side, so that one gather fetches both.

    Attributes:
      capacity: transitions kept a learner.
      size: transitions held a learner.
    """

    def __init__(
        self,
        stacked: int,
        capacity: int,
        inputs: int,
        actions: int,
        device: torch.device,
    ) -> None:
        self.stacked, self.capacity, self.size, self.next = stacked, capacity, 0, 0
        lead = (stacked, capacity)
        self.inputs = torch.zeros(*lead, 2, inputs, device=device)
        self.action = torch.zeros(lead, dtype=torch.int64, device=device)
        self.reward = torch.zeros(lead, device=device)
        self.alive = torch.zeros(lead, device=device)
        self.illegal = torch.zeros(*lead, actions, dtype=torch.bool, device=device)
        self.offsets = torch.arange(stacked, device=device)[:, None] * capacity

    def add(
        self,
        inputs: Float32[Tensor, "S B D"],
        action: Int64[Tensor, "S B"],
        reward: Float32[Tensor, "S B"],
        alive: Float32[Tensor, "S B"],
        later: Float32[Tensor, "S B D"],
        legal: Bool[Tensor, "S B A"],
    ) -> None:
        """Stores B transitions a learner; the last two are of the next state."""
        count = action.shape[1]
        slots = torch.arange(self.next, self.next + count, device=action.device)
        slots %= self.capacity
        self.inputs[:, slots, 0] = inputs
        self.inputs[:, slots, 1] = later
        self.action[:, slots] = action
        self.reward[:, slots] = reward
        self.alive[:, slots] = alive
        self.illegal[:, slots] = ~legal
        self.next = (self.next + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, uniforms: Float64[Tensor, "U S b"]) -> Batches:
        """Minibatches drawn with replacement, by uniform numbers in [0, 1)."""
        updates, stacked, batch = uniforms.shape
        pick = (uniforms * self.size).long() + self.offsets
        both = torch.cat([2 * pick, 2 * pick + 1], 2).view(-1)
        pick = pick.view(-1)
        width = self.inputs.shape[-1]
        inputs = self.inputs.view(-1, width).index_select(0, both)
        lead = (updates, stacked, batch)
        return Batches(
            inputs=inputs.view(updates, stacked, 2 * batch, width),
            action=self.action.view(-1).index_select(0, pick).view(lead),
            reward=self.reward.view(-1).index_select(0, pick).view(lead),
            alive=self.alive.view(-1).index_select(0, pick).view(lead),
            illegal=self.illegal.view(-1, self.illegal.shape[-1])
            .index_select(0, pick)
            .view(*lead, -1),
        )
