"""Value decomposition for a team: VDN, QMIX and QTRAN-base from one replay.

Every agent has a network of its own and plays greedily by it; all are trained at once
towards the team's reward through a mixer, with Double-Q targets (van Hasselt et al.
2016). The agents' networks are stacked, so a layer of all is one batched product.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.markov import Discrete, MarkovGame
from metaspiel.learn import mixers, offpolicy, replay_run
from metaspiel.learn.markov_settings import Mixing as Mixing
from metaspiel.learn.memory import Sample, joined
from metaspiel.learn.mlp import MLP, layers, stacked_values
from metaspiel.learn.offpolicy import adam
from metaspiel.learn.random import generators
from metaspiel.learn.replay_run import ReplayRun
from metaspiel.nfg.errors import UserError

save, load = replay_run.save, replay_run.load


def start(game: MarkovGame, settings: Mixing, seed: int) -> ReplayRun:
    """The state before the first iteration, with untrained agents.

    Raises:
      UserError: the game's actions are not discrete.
    """
    weights = _Nets(game, settings).initial(seed)
    return replay_run.start(game, settings.capacity, seed, weights)


def step(
    game: MarkovGame, settings: Mixing, state: ReplayRun
) -> tuple[ReplayRun, dict[str, Any]]:
    """Runs one iteration; returns the next state and its metrics as JSON can hold them.

    Of the agents after it, without exploration: ``returns``, the mean team return,
    ``returns_own`` and ``length``. ``loss`` is the mean over the iteration's updates
    (0 without any), ``epsilon`` that of the coming step.

    Raises:
      UserError: the state is of another game or other settings.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    nets = _Nets(game, settings)
    return offpolicy.iterate(game, settings, state, nets=nets, begin=_Algorithm)


class _Nets:
    """Layout of the networks of all agents and of the mixer in one flat vector."""

    def __init__(self, game: MarkovGame, settings: Mixing) -> None:
        if not isinstance(game.actions, Discrete):
            raise UserError(
                f"Mixing(): the game's actions must be discrete; got {game.name}"
            )
        n, s = game.agents, game.agents * game.inputs
        self.agents = n
        self.network = MLP(game.inputs, settings.width, game.actions.size)
        self.mixer: mixers.Sum | mixers.Monotone | mixers.Joint
        if settings.kind == "vdn":
            self.mixer = mixers.Sum()
        elif settings.kind == "qmix":
            self.mixer = mixers.Monotone(n, s, settings.mixing, settings.hyper)
        else:
            self.mixer = mixers.Joint(n, s, game.actions.size, settings.mixing)
        self.own = n * self.network.size
        self.size = self.own + mixers.count(self.mixer.sizes)

    def initial(self, seed: int) -> Float32[Tensor, " P"]:
        made = generators((seed, 0), self.agents + 1)
        stacked = torch.zeros(self.own)
        for n, generator in enumerate(made[:-1]):
            vector = self.network.initial(generator)
            rows = zip(self.stacked(stacked), layers(self.network, vector), strict=True)
            for view, part in rows:
                view[n] = part
        return torch.cat([stacked, mixers.fresh(self.mixer.sizes, made[-1])])

    def stacked(self, flat: Float32[Tensor, " P"]) -> list[Tensor]:
        """The agents' layers ``[N, rows, columns]``."""
        sizes = [self.agents * rows * columns for rows, columns in self.network.layers]
        parts = flat[: self.own].split(sizes)
        pairs = zip(parts, self.network.layers, strict=True)
        return [part.view(self.agents, *size) for part, size in pairs]

    def views(self, flat: Float32[Tensor, " P"]) -> tuple[list[Tensor], list[Tensor]]:
        """The agents' layers, and the mixer's."""
        return self.stacked(flat), mixers.views(self.mixer.sizes, flat[self.own :])


Layers = tuple[list[Tensor], list[Tensor]]  # of the agents, and of the mixer


def _loss(
    nets: _Nets, online: Layers, target: Layers, sample: Sample, gamma: float
) -> Float32[Tensor, ""]:
    """The loss of a minibatch."""
    scores = stacked_values(online[0], sample.observations)
    each = scores.gather(2, sample.actions[:, :, None])[:, :, 0].T
    state, later = joined(sample.observations), joined(sample.later)
    best = scores.detach().argmax(2)
    with torch.no_grad():
        follow = stacked_values(online[0], sample.later).argmax(2)
        if isinstance(nets.mixer, mixers.Joint):
            then = nets.mixer.joint(target[1], later, follow)
        else:
            chosen = stacked_values(target[0], sample.later)
            chosen = chosen.gather(2, follow[:, :, None])[:, :, 0].T
            then = nets.mixer.total(target[1], chosen, later)
        wanted = sample.rewards.sum(0) + gamma * sample.alive * then
    if not isinstance(nets.mixer, mixers.Joint):
        return (nets.mixer.total(online[1], each, state) - wanted).square().mean()
    joint = nets.mixer.joint(online[1], state, sample.actions)
    with torch.no_grad():
        at_best = nets.mixer.joint(online[1], state, best)
    extra = nets.mixer.state(online[1], state)
    # Eqs. 4 and 5 of QTRAN: equal at the greedy joint action, nowhere below elsewhere.
    tops = scores.gather(2, best[:, :, None])[:, :, 0].sum(0)
    optimal = tops - at_best + extra
    other = (each.sum(1) - joint.detach() + extra).clamp_max(0.0)
    return ((joint - wanted).square() + optimal.square() + other.square()).mean()


class _Algorithm:
    """Updates of the weights of a state by value mixing, in place."""

    def __init__(self, nets: _Nets, settings: Mixing, state: ReplayRun) -> None:
        self.nets, self.settings, self.state = nets, settings, state
        self.updates = state.updates
        self.online, self.mixer = nets.views(state.weights)
        self.leaves = [view.requires_grad_() for view in self.online + self.mixer]
        self.adam = adam(settings.rate, state.mean, state.square, state.updates)

    def epsilon(self, steps: int) -> float:
        given = self.settings
        part = min(steps / given.anneal, 1.0)
        return given.explore + part * (given.explore_last - given.explore)

    @torch.no_grad()
    def greedy(self, observations: Float32[ndarray, "B N D"]) -> Int64[ndarray, "B N"]:
        x = torch.from_numpy(np.ascontiguousarray(observations.swapaxes(0, 1)))
        return stacked_values(self.online, x).argmax(2).T.contiguous().numpy()

    def explore(
        self,
        observations: Float32[ndarray, "B N D"],
        steps: int,
        rng: np.random.Generator,
    ) -> Int64[ndarray, "B N"]:
        greedy = self.greedy(observations)
        numbers = rng.random((2, *greedy.shape))
        random = (numbers[1] * self.nets.network.actions).astype(np.int64)
        return np.where(numbers[0] < self.epsilon(steps), random, greedy)

    def learn(self, sample: Sample, rng: np.random.Generator) -> Tensor:
        if self.updates % self.settings.target_every == 0:
            self.state.target.copy_(self.state.weights)
        online, target = (self.online, self.mixer), self.nets.views(self.state.target)
        loss = _loss(self.nets, online, target, sample, self.settings.gamma)
        slopes = torch.autograd.grad(loss, self.leaves)
        gradient = torch.cat([part.reshape(-1) for part in slopes])
        offpolicy.shorten(gradient, self.settings.clip)
        with torch.no_grad():
            self.adam.step(self.state.weights, gradient)
        self.updates += 1
        return loss.detach()
