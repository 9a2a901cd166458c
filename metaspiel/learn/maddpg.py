"""MADDPG (Lowe et al. 2017): deterministic actors, critics that see everybody.

Every agent has an actor that sees its own observation and a critic that sees all
observations and all actions. Continuous actions are ``tanh`` of the actor's outputs,
explored by Gaussian noise. Discrete ones are drawn from the softmax of its outputs, and
differentiated by the straight-through Gumbel-softmax (Jang et al. 2017). Networks of
all agents are stacked, so a layer of all is one batched product.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import one_hot

from metaspiel.games.markov import Discrete, MarkovGame
from metaspiel.learn import offpolicy, replay_run
from metaspiel.learn.markov_settings import MADDPG as MADDPG
from metaspiel.learn.memory import Sample, joined
from metaspiel.learn.mlp import MLP, layers, stacked_values
from metaspiel.learn.offpolicy import adam, shorten
from metaspiel.learn.random import generators
from metaspiel.learn.replay_run import ReplayRun

save, load = replay_run.save, replay_run.load


def start(game: MarkovGame, settings: MADDPG, seed: int) -> ReplayRun:
    """The state before the first iteration, with untrained agents."""
    weights = _Nets(game, settings).initial(seed)
    return replay_run.start(game, settings.capacity, seed, weights)


def step(
    game: MarkovGame, settings: MADDPG, state: ReplayRun
) -> tuple[ReplayRun, dict[str, Any]]:
    """Runs one iteration; returns the next state and its metrics as JSON can hold them.

    Of the agents after it, without exploration (the mode of discrete policies):
    ``returns``, the mean team return, ``returns_own`` and ``length``. ``loss`` is that
    of the critics, mean over agents and the iteration's updates (0 without any);
    ``epsilon`` is 1 as long as actions are uniformly random, then 0.

    Raises:
      UserError: the state is of another game or other settings.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    nets = _Nets(game, settings)
    return offpolicy.iterate(game, settings, state, nets=nets, begin=_Algorithm)


class _Nets:
    """Layout of N actors and N critics in one flat vector."""

    def __init__(self, game: MarkovGame, settings: MADDPG) -> None:
        self.agents, self.discrete = game.agents, isinstance(game.actions, Discrete)
        n, k = game.agents, game.actions.size
        self.actor = MLP(game.inputs, settings.width, k)
        self.critic = MLP(n * (game.inputs + k), settings.width, 1)
        self.cut = n * self.actor.size
        self.size = self.cut + n * self.critic.size
        self.same = torch.eye(n)[
            :, None, :, None
        ]  # whose action a critic's agent takes

    def initial(self, seed: int) -> Float32[Tensor, " P"]:
        """Fresh weights; an actor's last layer is small, so nothing saturates."""
        made = generators((seed, 0), 2 * self.agents)
        flat = torch.zeros(self.size)
        for role, network in enumerate((self.actor, self.critic)):
            views = self.views(flat)[role]
            for n in range(self.agents):
                vector = network.initial(made[role * self.agents + n])
                for view, part in zip(views, layers(network, vector), strict=True):
                    view[n] = part
            if role == 0:
                views[4].mul_(0.01)
        return flat

    def views(self, flat: Float32[Tensor, " P"]) -> tuple[list[Tensor], list[Tensor]]:
        """Layers ``[N, rows, columns]`` of the actors, and of the critics."""
        stacks = []
        for network, part in (
            (self.actor, flat[: self.cut]),
            (self.critic, flat[self.cut :]),
        ):
            sizes = [self.agents * rows * columns for rows, columns in network.layers]
            pairs = zip(part.split(sizes), network.layers, strict=True)
            stacks.append([piece.view(self.agents, *size) for piece, size in pairs])
        return stacks[0], stacks[1]

    def judged(
        self,
        critics: list[Tensor],
        state: Float32[Tensor, "b S"],
        actions: Float32[Tensor, "#N b NK"],
    ) -> Float32[Tensor, "N b"]:
        """Each agent's value of joint actions, which may differ from agent to agent."""
        lead = (self.agents, len(state))
        x = torch.cat([state.expand(*lead, -1), actions.expand(*lead, -1)], 2)
        return stacked_values(critics, x)[:, :, 0]


class _Algorithm:
    """MADDPG's updates of the weights of a state, in place."""

    def __init__(self, nets: _Nets, settings: MADDPG, state: ReplayRun) -> None:
        self.nets, self.settings, self.state = nets, settings, state
        self.actors, self.critics = nets.views(state.weights)
        for view in self.actors + self.critics:
            view.requires_grad_()
        self.targets = nets.views(state.target)
        self.adams = [
            adam(settings.rate, state.mean[part], state.square[part], state.updates)
            for part in (slice(nets.cut), slice(nets.cut, None))
        ]

    def epsilon(self, steps: int) -> float:
        return float(steps < self.settings.warm)

    @torch.no_grad()
    def _outputs(self, observations: Float32[ndarray, "B N D"]) -> ndarray:
        x = torch.from_numpy(np.ascontiguousarray(observations.swapaxes(0, 1)))
        outputs = stacked_values(self.actors, x).transpose(0, 1)
        return np.ascontiguousarray(outputs.numpy())

    def greedy(self, observations: Float32[ndarray, "B N D"]) -> ndarray:
        outputs = self._outputs(observations)
        return outputs.argmax(2) if self.nets.discrete else np.tanh(outputs)

    def explore(
        self,
        observations: Float32[ndarray, "B N D"],
        steps: int,
        rng: np.random.Generator,
    ) -> ndarray:
        shape = (*observations.shape[:2], self.nets.actor.actions)
        if steps < self.settings.warm:
            if self.nets.discrete:
                return rng.integers(shape[2], size=shape[:2])
            return rng.uniform(-1, 1, shape).astype(np.float32)
        outputs = self._outputs(observations)
        if self.nets.discrete:
            return (
                outputs / self.settings.temperature + rng.gumbel(size=shape)
            ).argmax(2)
        moved = np.tanh(outputs) + self.settings.noise * rng.standard_normal(shape)
        return moved.clip(-1, 1).astype(np.float32)

    def _played(self, scores: Tensor, rng: np.random.Generator) -> Tensor:
        """Actions as inputs of the critics ``[N, b, K]``, differentiable."""
        if not self.nets.discrete:
            return scores.tanh()
        noise = torch.from_numpy(rng.gumbel(size=tuple(scores.shape))).float()
        soft = (scores / self.settings.temperature + noise).softmax(2)
        hard = one_hot(soft.argmax(2), soft.shape[2]).float()
        return hard + soft - soft.detach()

    def learn(self, sample: Sample, rng: np.random.Generator) -> Tensor:
        taken = sample.actions
        if self.nets.discrete:
            taken = one_hot(taken, self.nets.actor.actions).float()
        loss = self._judge(sample, taken, rng)
        self._act(sample, taken, rng)
        with torch.no_grad():
            self.state.target.lerp_(self.state.weights, 1 - self.settings.polyak)
        return loss

    def _judge(
        self,
        sample: Sample,
        taken: Float32[Tensor, "N b K"],
        rng: np.random.Generator,
    ) -> Float32[Tensor, ""]:
        """A gradient step of the critics towards the target networks' values."""
        nets, rewards = self.nets, sample.rewards
        if self.settings.reward == "team":
            rewards = rewards.sum(0, keepdim=True)
        with torch.no_grad():
            follow = self._played(stacked_values(self.targets[0], sample.later), rng)
            later = joined(sample.later)
            then = nets.judged(self.targets[1], later, joined(follow)[None])
            wanted = rewards + self.settings.gamma * sample.alive * then
        state = joined(sample.observations)
        value = nets.judged(self.critics, state, joined(taken)[None])
        errors = (value - wanted).square().mean(1)
        self._descend(errors.sum(), self.critics, 1)
        return errors.detach().mean()

    def _act(
        self,
        sample: Sample,
        taken: Float32[Tensor, "N b K"],
        rng: np.random.Generator,
    ) -> None:
        """A gradient step of the actors on their critics; co-players are replayed."""
        scores = stacked_values(self.actors, sample.observations)
        own = self._played(scores, rng)
        same, others = self.nets.same, taken.transpose(0, 1)[None]
        joint = torch.where(same > 0, own[:, :, None], others).flatten(2)
        value = self.nets.judged(self.critics, joined(sample.observations), joint)
        size = scores.square().mean((1, 2))
        loss = (self.settings.shrink * size - value.mean(1)).sum()
        self._descend(loss, self.actors, 0)

    def _descend(self, loss: Tensor, views: list[Tensor], role: int) -> None:
        slopes = torch.autograd.grad(loss, views)
        gradient = torch.cat([part.reshape(-1) for part in slopes])
        shorten(gradient, self.settings.clip)
        weights, cut = self.state.weights, self.nets.cut
        with torch.no_grad():
            self.adams[role].step(weights[cut:] if role else weights[:cut], gradient)
