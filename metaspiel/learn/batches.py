"""Roll-outs prepared for learning: advantages, targets and old probabilities."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.actors import Distribution
from metaspiel.learn.advantages import advantages, targets
from metaspiel.learn.rollout import Rollout


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """The samples of an iteration: M samples over U observations of each agent.

    Attributes:
      seen: the observations.
      index: position in ``seen`` of each sample's observation.
      share: fraction of the samples taken at each observation.
      actions: actions of each sample.
      old: the distributions that played.
      value_old: the critic's value of each sample before the update.
      advantage: normalised to mean 0 and deviation 1 over the whole batch.
      target: the critic's target.
    """

    seen: Float32[Tensor, "N U D"]
    index: Int64[Tensor, "N M"]
    share: Float32[Tensor, "N U"]
    actions: Tensor
    old: Distribution
    value_old: Float32[Tensor, "N M"]
    advantage: Float32[Tensor, "N M"]
    target: Float32[Tensor, "N M"]

    def part(self, samples: Int64[Tensor, " m"]) -> "Batch":
        """Some of the samples; advantages stay as they are."""
        cut = ("index", "actions", "value_old", "advantage", "target")
        parts = {name: getattr(self, name)[:, samples] for name in cut}
        return replace(self, **parts, share=_share(self.seen, parts["index"]))

    @property
    def cells(self) -> Int64[Tensor, "N M"]:
        """Index in ``table`` of each sample."""
        return self.old.cells(self.index, self.actions)

    def table(self, policies: Distribution) -> Float32[Tensor, "N C"]:
        """Log-probabilities that ``policies`` give to each cell of the batch."""
        return policies.table(self.index, self.actions)

    def log_ratios(self, policies: Distribution) -> Float32[Tensor, "N M"]:
        """Log-ratios of the samples' probabilities: ``policies`` to old policies."""
        apart = self.table(policies) - self.table(self.old)
        return apart.gather(1, self.cells)


def _share(
    seen: Float32[Tensor, "N U D"], index: Int64[Tensor, "N M"]
) -> Float32[Tensor, "N U"]:
    """Fraction of the samples at each observation."""
    return pooled(torch.ones(index.shape), index, seen.shape[1])


def pooled(
    numbers: Float32[Tensor, "N M"], cells: Int64[Tensor, "N M"], count: int
) -> Float32[Tensor, "N C"]:
    """Sums of the samples' numbers by cell, over M."""
    sums = torch.zeros(len(numbers), count)
    return sums.scatter_add_(1, cells, numbers).div_(numbers.shape[1])


@torch.no_grad()
def prepare(
    rollout: Rollout,
    old: Distribution,
    values: Float32[Tensor, "N U"],
    reward: Literal["own", "team"],
    gamma: float,
    lam: float,
    value_target: Literal["to_go", "gae"],
    bootstrap_limits: bool,
) -> Batch:
    """Advantages, targets and behaviour log-probabilities of a roll-out.

    Args:
      rollout: the roll-out.
      old: distributions of the players at the observations it has seen.
      values: the critics' values at these observations.
      reward: each agent's own, or the sum over agents for all.
      gamma: discount factor.
      lam: lambda of the advantages.
      value_target: "to_go" or "gae", see ``PPO``.
      bootstrap_limits: as in ``PPO``.
    """
    rewards = rollout.rewards
    if reward == "team":
        rewards = np.broadcast_to(rewards.sum(2, keepdims=True), rewards.shape)
    shape = rewards.shape
    value = _spread(values, rollout.index, shape)
    closed = rollout.terminated
    if not bootstrap_limits:
        closed = closed | rollout.truncated
    after = np.where(closed[:, :, None], 0.0, _spread(values, rollout.final, shape))
    last = rollout.terminated | rollout.truncated
    last[-1] = True
    advantage = advantages(rewards, value, after, last=last, gamma=gamma, lam=lam)
    if value_target == "gae":
        target = advantage + value
    else:
        target = targets(rewards, after, last, gamma)
    centred = advantage - advantage.mean((0, 1))
    scaled = centred / (centred.std((0, 1)) + 1e-8)
    return Batch(
        seen=rollout.seen,
        index=rollout.index,
        share=_share(rollout.seen, rollout.index),
        actions=rollout.actions,
        old=old,
        value_old=values.gather(1, rollout.index),
        advantage=_stacked(scaled),
        target=_stacked(target),
    )


def _spread(
    values: Tensor, index: Tensor, shape: tuple[int, ...]
) -> Float64[ndarray, "T B N"]:
    """Critic values of all samples, step by step."""
    every: ndarray = values.gather(1, index).T.double().numpy().reshape(shape)
    return every


def _stacked(each: Float64[ndarray, "T B N"]) -> Float32[Tensor, "N M"]:
    """Numbers of all samples, agent by agent."""
    flat = each.reshape(-1, each.shape[2]).T
    return torch.from_numpy(np.ascontiguousarray(flat, dtype=np.float32))
