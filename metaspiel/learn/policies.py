"""Playing policies: which actions a bank of networks takes in a batch of positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.nets import Shape, values
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, eq=False)
class Habit:
    """A behaviour policy that policies fall back on now and then.

    At each decision of policy k, with probability ``chances[p][k]``, the action is
    drawn from the softmax of the behaviour network's outputs over legal actions
    (OEF-BC, Li et al. 2022).

    Attributes:
      weights: of the behaviour network ``[P]``.
      width: units of its hidden layers.
      chances: how often it decides, for each policy of each player's pool ``[K_p]``.
    """

    weights: ndarray
    width: int
    chances: tuple[ndarray, ...]

    def __post_init__(self) -> None:
        for player, chances in enumerate(self.chances):
            if not np.all((chances >= 0) & (chances <= 1)):
                raise UserError(
                    f"Habit(): chances must be in [0, 1]; got {chances.tolist()} for "
                    f"player {player}"
                )


def drawn(
    legal: Bool[Tensor, "*R A"], uniforms: Float64[Tensor, "*R"]
) -> Int64[Tensor, "*R"]:
    """Uniform legal actions; a number in [0, 1) decides each. 0 where none is legal."""
    count = legal.sum(-1)
    rank = torch.minimum((uniforms * count).long(), count - 1)
    return (legal.cumsum(-1) <= rank[..., None]).sum(-1)


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
        pools: Sequence[Float32[ndarray, "_ P"]],
        habit: Habit | None,
        device: torch.device,
    ) -> None:
        sizes = [len(pool) for pool in pools]
        self.first = [int(n) for n in np.cumsum([0, *sizes])[:-1]]
        self.uniform = sum(sizes)
        blank = np.zeros((1, shape.size), dtype=np.float32)
        for player, pool in enumerate(pools):
            if pool.shape[1:] != (shape.size,) or pool.dtype != np.float32:
                raise UserError(
                    f"Bank(): a policy must have the {shape.size} float32 weights of "
                    f"{shape}; got {list(pool.shape[1:])} of {pool.dtype} for player "
                    f"{player}"
                )
        rows = np.concatenate([*pools, blank])
        self.shape = shape
        self.weights = torch.as_tensor(rows, device=device)
        self.random = [not row.any() for row in rows]
        # Without a habit every chance is 0, and no behaviour network is ever asked.
        chances = np.zeros(len(rows))
        self.behaviour = torch.zeros(0, device=device)
        if habit is not None:
            self.behaviour_shape = Shape(shape.inputs, habit.width, shape.actions)
            fits = habit.weights.shape == (self.behaviour_shape.size,)
            if [len(c) for c in habit.chances] != sizes or not fits:
                raise UserError(
                    f"Bank(): a habit must have {self.behaviour_shape.size} weights "
                    f"and chances for pools of {sizes}; got {len(habit.weights)} and "
                    f"{[len(c) for c in habit.chances]}"
                )
            chances[:-1] = np.concatenate(habit.chances)
            self.behaviour = torch.as_tensor(habit.weights, device=device)
        self.chances = torch.as_tensor(chances, device=device)

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
        chances = self.chances[which]
        rows = (uniforms[:, 1] < chances).nonzero()[:, 0]
        if len(rows):
            scores = values(self.behaviour_shape, self.behaviour, inputs[rows])
            # What is left of the number is uniform again.
            rest = uniforms[rows, 1] / chances[rows]
            action[rows] = sampled(scores, legal[rows], rest)
        return action
