"""Policies as weights and a mode of play, and their actions in many positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.nets import Network
from metaspiel.nfg.errors import UserError, unknown

PLAYS = ("greedy", "sampled", "uniform")
"""Modes of play of a policy; see ``Pool``."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The policies of one player: weights and mode of play of each.

    "greedy" takes the legal action with the highest score (the first of several),
    "sampled" draws from the softmax of the legal scores, and "uniform" draws from the
    legal actions alike, whatever its weights are.

    Attributes:
      weights: weights of the networks.
      plays: mode of play of each policy, one of ``PLAYS``.
    """

    weights: Float32[ndarray, "K P"]
    plays: tuple[str, ...]

    def __post_init__(self) -> None:
        for play in self.plays:
            if play not in PLAYS:
                raise unknown("Pool()", "play", play, PLAYS)
        if self.weights.ndim != 2 or len(self.weights) != len(self.plays):
            raise UserError(
                "Pool(): there must be one weight vector and one play for each policy; "
                f"got weights of shape {list(self.weights.shape)} and "
                f"{len(self.plays)} plays"
            )

    @classmethod
    def of(cls, weights: Float32[ndarray, "K P"], play: str = "greedy") -> "Pool":
        """Policies that all play alike."""
        return cls(weights, (play,) * len(weights))

    @classmethod
    def uniform(cls, network: Network) -> "Pool":
        """A pool of the uniform policy alone; its weights are placeholders."""
        return cls.of(np.zeros((1, network.size), dtype=np.float32), "uniform")

    def __len__(self) -> int:
        return len(self.plays)

    def __add__(self, other: "Pool") -> "Pool":
        weights = np.concatenate([self.weights, other.weights])
        return Pool(weights, self.plays + other.plays)

    def alike(self, other: "Pool") -> bool:
        """Whether both hold the same policies in the same order."""
        same = self.plays == other.plays
        return same and np.array_equal(self.weights, other.weights)

    @property
    def greedy(self) -> Bool[ndarray, " K"]:
        """Which policies play greedily, and so need no random numbers."""
        return np.array([play == "greedy" for play in self.plays], dtype=bool)


@dataclass(frozen=True, eq=False)
class Habit:
    """A behaviour policy that policies fall back on now and then.

    At each decision of policy k, with probability ``chances[p][k]``, the action is
    drawn from the softmax of the behaviour network's outputs over legal actions
    (OEF-BC, Li et al. 2022).

    Attributes:
      network: network of the behaviour.
      weights: weights of the behaviour ``[P]``.
      chances: how often it decides, for each policy of each player's pool ``[K_p]``.
    """

    network: Network
    weights: ndarray
    chances: tuple[ndarray, ...]

    def __post_init__(self) -> None:
        if self.weights.shape != (self.network.size,):
            raise UserError(
                f"Habit(): there must be the {self.network.size} weights of "
                f"{self.network}; got {list(self.weights.shape)}"
            )
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


def chances(
    network: Network,
    weights: Float32[Tensor, " P"],
    play: str,
    *,
    inputs: Float32[Tensor, "R D"],
    legal: Bool[Tensor, "R A"],
) -> Float64[Tensor, "R A"]:
    """The probabilities of all actions of one policy, played as it is played."""
    if play == "uniform":
        return legal.double() / legal.sum(1, keepdim=True)
    with torch.no_grad():
        scores = network.scores(weights, inputs).masked_fill(~legal, -torch.inf)
        if play == "greedy":
            return torch.nn.functional.one_hot(
                scores.argmax(1), legal.shape[1]
            ).double()
        return scores.double().softmax(1)


class Bank:
    """The policies of all players of one trial, numbered consecutively.

    Attributes:
      first: the number of each player's first policy.
      uniform: the number of the uniform policy, which every bank has.
    """

    def __init__(
        self,
        network: Network,
        pools: Sequence[Pool],
        habit: Habit | None,
        device: torch.device,
    ) -> None:
        sizes = [len(pool) for pool in pools]
        self.network, self.device = network, device
        self.first = [int(n) for n in np.cumsum([0, *sizes])[:-1]]
        self.uniform = sum(sizes)
        for player, pool in enumerate(pools):
            weights = pool.weights
            if weights.shape[1:] != (network.size,) or weights.dtype != np.float32:
                raise UserError(
                    f"Bank(): a policy must have the {network.size} float32 weights of "
                    f"{network}; got {list(weights.shape[1:])} of {weights.dtype} for "
                    f"player {player}"
                )
        rows = np.concatenate([pool.weights for pool in pools])
        self.weights = torch.as_tensor(rows, device=device)
        self.plays = [*(play for pool in pools for play in pool.plays), "uniform"]
        # Without a habit every chance is 0, and no behaviour network is ever asked.
        chances = np.zeros(len(self.plays))
        self.behaviour = torch.zeros(0, device=device)
        if habit is not None:
            self.behaviour_network = habit.network
            shape = habit.network.inputs, habit.network.actions
            fits = shape == (network.inputs, network.actions)
            if [len(c) for c in habit.chances] != sizes or not fits:
                raise UserError(
                    f"Bank(): a habit must have {network.inputs} inputs, "
                    f"{network.actions} actions and chances for pools of {sizes}; got "
                    f"{habit.network} and {[len(c) for c in habit.chances]}"
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
        are never gathered row by row. The first number of a row decides what a policy
        draws, the second whether its habit takes over.
        """
        action = torch.zeros_like(which)
        for number in which.unique().tolist():
            rows = (which == number).nonzero()[:, 0]
            play = self.plays[number]
            if play == "uniform":
                action[rows] = drawn(legal[rows], uniforms[rows, 0])
                continue
            scores = self.network.scores(self.weights[number], inputs[rows])
            if play == "sampled":
                action[rows] = sampled(scores, legal[rows], uniforms[rows, 0])
            else:
                action[rows] = scores.masked_fill_(~legal[rows], -torch.inf).argmax(1)
        chances = self.chances[which]
        rows = (uniforms[:, 1] < chances).nonzero()[:, 0]
        if len(rows):
            scores = self.behaviour_network.scores(self.behaviour, inputs[rows])
            # What is left of the number is uniform again.
            rest = uniforms[rows, 1] / chances[rows]
            action[rows] = sampled(scores, legal[rows], rest)
        return action
