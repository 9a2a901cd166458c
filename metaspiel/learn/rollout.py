"""Episodes of N stacked policies in a Markov game, as one batch to learn from.

Observations that occur more than once are kept once: networks are asked about each
different observation of an agent, and samples point at theirs. In a grid world a batch
of thousands of steps has tens of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.markov import MarkovGame
from metaspiel.learn.actors import Distribution, Policies
from metaspiel.learn.random import stream


@dataclass(frozen=True, eq=False, kw_only=True)
class Rollout:
    """T steps of B episodes; M = T * B samples in the order of time, then episode.

    Attributes:
      seen: U different observations of each agent, padded with zeros.
      index: position in ``seen`` of the observation before each step.
      final: which was seen after it; only where the sample is the last of its episode
        or of the batch, else 0.
      actions: taken by each agent; numbers of a Gaussian as they were drawn.
      rewards: each agent's own.
      terminated: the step ended the episode by the rules.
      truncated: the step met the game's time limit.
      returns: sums of each agent's rewards in the first episode of every environment.
      lengths: steps of these.
    """

    seen: Float32[Tensor, "N U D"]
    index: Int64[Tensor, "N M"]
    final: Int64[Tensor, "N M"]
    actions: Tensor
    rewards: Float64[ndarray, "T B N"]
    terminated: Bool[ndarray, "T B"]
    truncated: Bool[ndarray, "T B"]
    returns: Float64[ndarray, "B N"]
    lengths: Int64[ndarray, " B"]


@dataclass(kw_only=True)
class _Log:
    """The record of a roll-out in progress."""

    seen: list[ndarray] = field(default_factory=list)
    final: list[ndarray] = field(default_factory=list)  # after the last step of each
    ends: list[ndarray] = field(default_factory=list)  # samples that are the last
    actions: list[ndarray] = field(default_factory=list)
    rewards: list[ndarray] = field(default_factory=list)
    terminated: list[ndarray] = field(default_factory=list)
    truncated: list[ndarray] = field(default_factory=list)

    def add(self, seen: ndarray, actions: ndarray, scene: Any) -> None:
        """Records one step of all environments."""
        self.seen.append(seen)
        self.actions.append(actions)
        self.rewards.append(scene.rewards)
        self.terminated.append(scene.terminated)
        self.truncated.append(scene.truncated & ~scene.terminated)


def collect(
    game: MarkovGame,
    policies: Policies,
    weights: Float32[Tensor, "N P"],
    envs: int,
    steps: int,
    rng: np.random.Generator,
    numbered: bool = False,
) -> Rollout:
    """Plays ``envs`` environments for ``steps`` steps each, from fresh episodes.

    An environment whose episode is over goes on with a new one; the last step cuts what
    is unfinished. Where ``steps`` is at least the game's limit, the first episode of
    every environment is whole.

    Args:
      game: the game to play.
      policies: policies of the agents.
      weights: weights of the agents.
      envs: B.
      steps: T.
      rng: random generator of episodes and actions.
      numbered: observations end with the agent's number, one-hot.
    """
    numbers = rng.random((steps, game.agents, envs, policies.draws))
    players = policies.bound(weights)
    scene = game.start(rng.random((envs, game.draws)))
    log = _Log()
    returns = np.zeros((envs, game.agents))
    lengths, first = np.zeros(envs, np.int64), np.ones(envs, bool)
    for t in range(steps):
        seen = look(scene, numbered)
        actions = act(players, seen, numbers[t])
        scene = game.step(scene, actions)
        log.add(seen, actions, scene)
        returns += first[:, None] * scene.rewards
        lengths += first
        over = scene.over
        last = over | (t == steps - 1)
        if last.any():
            log.ends.append(t * envs + last.nonzero()[0])
            log.final.append(look(scene, numbered)[last])
        if over.any() and t < steps - 1:
            first &= ~over
            scene = game.restart(scene, over, rng.random((envs, game.draws)))
    return _rollout(log, returns, lengths)


def _rollout(log: _Log, returns: ndarray, lengths: ndarray) -> Rollout:
    seen, index = _once(np.concatenate([*log.seen, *log.final]))
    rewards = np.stack(log.rewards)
    steps, envs, agents = rewards.shape
    count = steps * envs
    final = torch.zeros(agents, count, dtype=torch.int64)
    final[:, torch.from_numpy(np.concatenate(log.ends))] = index[:, count:]
    actions = np.stack(log.actions)
    actions = actions.reshape(count, agents, *actions.shape[3:]).swapaxes(0, 1)
    return Rollout(
        seen=seen,
        index=index[:, :count].contiguous(),
        final=final,
        actions=torch.from_numpy(np.ascontiguousarray(actions)),
        rewards=rewards,
        terminated=np.stack(log.terminated),
        truncated=np.stack(log.truncated),
        returns=returns,
        lengths=lengths,
    )


def look(scene: Any, numbered: bool) -> Float32[ndarray, "B N D"]:
    """The inputs of all agents' networks in a scene."""
    seen: ndarray = scene.observations
    if not numbered:
        return seen
    envs, agents = seen.shape[:2]
    badge = np.broadcast_to(np.eye(agents, dtype=np.float32), (envs, agents, agents))
    return np.concatenate([seen, badge], 2)


@torch.inference_mode()
def act(
    players: Callable[[Float32[Tensor, "N B D"]], Distribution],
    seen: Float32[ndarray, "B N D"],
    numbers: Float64[ndarray, "N B draws"],
) -> ndarray:
    """Joint actions of all environments, drawn by uniform numbers."""
    x = torch.from_numpy(np.ascontiguousarray(seen.swapaxes(0, 1)))
    chosen = players(x).sample(torch.from_numpy(numbers))
    return np.ascontiguousarray(chosen.numpy().swapaxes(0, 1))


def _once(
    rows: Float32[ndarray, "R N D"],
) -> tuple[Float32[Tensor, "N U D"], Int64[Tensor, "N R"]]:
    """Distinct observations of each agent, and the index of every row among them."""
    # Equal rows have equal keys; that others differ is checked.
    keys = rows.astype(np.float64) @ stream(0).standard_normal(rows.shape[2])
    count, agents = rows.shape[:2]
    different, index = [], np.empty((agents, count), np.int64)
    for agent in range(agents):
        mine = rows[:, agent]
        _, first, index[agent] = np.unique(
            keys[:, agent], return_index=True, return_inverse=True
        )
        if not np.array_equal(mine[first][index[agent]], mine):
            first = index[agent] = np.arange(count)
        different.append(mine[first])
    seen = np.zeros((agents, max(map(len, different)), rows.shape[2]), np.float32)
    for agent, mine in enumerate(different):
        seen[agent, : len(mine)] = mine
    return torch.from_numpy(seen), torch.from_numpy(index)


def play(
    game: MarkovGame,
    policies: Policies,
    weights: Float32[Tensor, "N P"],
    episodes: int,
    rng: np.random.Generator,
    numbered: bool = False,
) -> tuple[Float64[ndarray, "M N"], Int64[ndarray, " M"]]:
    """Own returns and lengths of M whole episodes, for evaluation and cross-play.

    The agents' vectors may come from different runs.
    """
    scene = game.start(rng.random((episodes, game.draws)))
    returns = np.zeros((episodes, game.agents))
    lengths = np.zeros(episodes, np.int64)
    players = policies.bound(weights)
    while not scene.over.all():
        lengths += ~scene.over
        numbers = rng.random((game.agents, episodes, policies.draws))
        actions = act(players, look(scene, numbered), numbers)
        scene = game.step(scene, actions)
        returns += scene.rewards
    return returns, lengths
