"""Playing policies: which actions a bank of networks takes in a batch of positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from learn.nets import Shape, values
from nfg.errors import UserError


@dataclass(frozen=True, eq=False)
class Habit:
    """A behaviour policy that every policy falls back on now and then.

    At each decision, with probability ``chance``, the action is drawn from the softmax
    of the behaviour network's outputs over legal actions (OEF-BC, Li et al. 2022).

    Attributes:
      weights: of the behaviour network ``[P]``.
      width: units of its hidden layers.
      chance: how often it decides.
    """

    weights: ndarray
    width: int
    chance: float

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise UserError(f"Habit(): chance must be in [0, 1]; got {self.chance}")


def drawn(
    legal: Bool[Tensor, "R A"], uniforms: Float64[Tensor, " R"]
) -> Int64[Tensor, " R"]:
    """Uniform legal actions; one uniform number decides each."""
    count = legal.sum(1)
    rank = torch.minimum((uniforms * count).long(), count - 1)
    return (legal.cumsum(1) <= rank[:, None]).sum(1)


def sampled(
    scores: Float32[Tensor, "R A"],
    legal: Bool[Tensor, "R A"],
    uniforms: Float64[Tensor, " R"],
) -> Int64[Tensor, " R"]:
    """Actions from the softmax over legal scores."""
    chances = scores.masked_fill(~legal, -torch.inf).double().softmax(1)
    below = chances.cumsum(1) <= uniforms[:, None] * chances.sum(1, keepdim=True)
    last = legal.shape[1] - 1 - legal.flip(1).int().argmax(1)
    return torch.minimum(below.sum(1), last)


class Bank:
    """The policies of all players of one trial, numbered through.

    Attributes:
      first: the number of each player's first policy.
      uniform: the number of the uniform policy, which every bank has.
    """

    def __init__(
        self,
        shape: Shape,
        pools: Sequence[Float32[ndarray, "K P"]],
        habit: Habit | None,
        device: torch.device,
    ) -> None:
        sizes = [len(pool) for pool in pools]
        self.first = [int(n) for n in np.cumsum([0, *sizes])[:-1]]
        self.uniform = sum(sizes)
        blank = np.zeros((1, shape.size), dtype=np.float32)
        for player, pool in enumerate(pools):
            if pool.shape[1:] != (shape.size,):
                raise UserError(
                    f"Bank(): a policy must have the {shape.size} weights of {shape}; "
                    f"got {list(pool.shape[1:])} for player {player}"
                )
        rows = np.concatenate([*pools, blank])
        self.shape, self.habit = shape, habit
        self.weights = torch.as_tensor(rows, device=device)
        self.random = [not row.any() for row in rows]
        self.behaviour = None
        if habit is not None:
            self.behaviour = torch.as_tensor(habit.weights, device=device)

    def act(
        self,
        which: Int64[Tensor, " R"],
        inputs: Float32[Tensor, "R D"],
        legal: Bool[Tensor, "R A"],
        uniforms: Float64[Tensor, "R 2"],
    ) -> Int64[Tensor, " R"]:
        """One action a row, by the policy of its number.

        Policies are asked one after the other, each once for all of its rows: weights
        are never gathered row by row.
        """
        action = torch.zeros_like(which)
        for number in which.unique().tolist():
            rows = (which == number).nonzero()[:, 0]
            if self.random[number]:
                action[rows] = drawn(legal[rows], uniforms[rows, 0])
                continue
            scores = values(self.shape, self.weights[number], inputs[rows])
            action[rows] = scores.masked_fill_(~legal[rows], -torch.inf).argmax(1)
        if self.habit is None or self.behaviour is None or not self.habit.chance:
            return action
        rows = (uniforms[:, 1] < self.habit.chance).nonzero()[:, 0]
        if len(rows):
            shape = Shape(self.shape.inputs, self.habit.width, self.shape.actions)
            scores = values(shape, self.behaviour, inputs[rows])
            # What is left of the number is uniform again.
            rest = uniforms[rows, 1] / self.habit.chance
            action[rows] = sampled(scores, legal[rows], rest)
        return action
