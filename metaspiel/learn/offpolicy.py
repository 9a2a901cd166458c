"""Common loop of learners from replay: schedule, play, updates and evaluation.

An iteration plays ``batch`` environment steps from fresh episodes, learns meanwhile,
and then measures the policy without exploration in episodes of its own. Its randomness
comes from (seed, iteration, stage) alone.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.markov import MarkovGame
from metaspiel.learn.markov_settings import Schedule
from metaspiel.learn.memory import Moves, Sample
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from metaspiel.learn.replay_run import ReplayRun, copied
from metaspiel.learn.update import Adam

_PLAY, _PICK, _MEASURE = 1, 2, 3  # stages of an iteration


@runtime_checkable
class Algorithm(Protocol):
    """Protocol of learning algorithms, which change weights in place."""

    def explore(
        self, observations: Float32[ndarray, "B N D"], steps: int, rng: Any
    ) -> ndarray:
        """Exploring joint actions, after so many environment steps."""

    def greedy(self, observations: Float32[ndarray, "B N D"]) -> ndarray:
        """Joint actions without exploration."""

    def learn(self, sample: Sample, rng: Any) -> Tensor:
        """One gradient step; returns the loss before it."""

    def epsilon(self, steps: int) -> float:
        """Chance of a uniformly random action after so many environment steps."""


@runtime_checkable
class Sized(Protocol):
    """Networks that lie in one vector of so many weights."""

    size: int


Nets = TypeVar("Nets", bound=Sized)
Choose = Callable[[Float32[ndarray, "B N D"]], ndarray]


def adam(rate: float, mean: Tensor, square: Tensor, updates: int) -> Adam:
    """An optimiser that goes on from these moments, which it changes in place."""
    made = Adam(len(mean), rate, mean.device)
    made.mean, made.square = mean, square
    made.steps.fill_(updates)
    return made


def shorten(gradient: Float32[Tensor, " P"], most: float) -> None:
    """Scales a gradient in place so that its norm is at most this."""
    gradient.mul_((most / (gradient.norm() + 1e-12)).clamp_max(1.0))


def iterate(
    game: MarkovGame,
    settings: Schedule,
    state: ReplayRun,
    *,
    nets: Nets,
    begin: Callable[[Nets, Any, ReplayRun], Algorithm],
) -> tuple[ReplayRun, dict[str, Any]]:
    """Plays, learns and measures.

    Args:
      game: what is played.
      settings: how long.
      state: where to go on; it is not changed.
      nets: the networks.
      begin: their algorithm, which changes the weights of a copy of the state.

    Raises:
      UserError: the state is of another game or other settings.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    state = copied(game, settings.capacity, state, nets.size)
    algorithm = begin(nets, settings, state)
    play, pick, measure = (
        stream(state.seed, state.iteration + 1, stage)
        for stage in (_PLAY, _PICK, _MEASURE)
    )
    memory, begun = state.memory, time.perf_counter()
    steps = state.iteration * settings.batch
    losses: list[Tensor] = []

    def choose(observations: ndarray) -> ndarray:
        return algorithm.explore(observations, steps, play)

    for moves in episodes(game, choose, settings, play):
        memory.add(moves)
        due = (steps + settings.envs) // settings.every - steps // settings.every
        steps += settings.envs
        if steps < settings.warm:
            continue
        for _ in range(due * settings.updates):
            sample = memory.sample(pick.random(settings.minibatch))
            losses.append(algorithm.learn(sample, pick))
    loss = float(torch.stack(losses).double().mean()) if losses else 0.0
    if not np.isfinite(loss):
        raise Diverged(
            f"step(): the loss must be finite; got {loss} in iteration "
            f"{state.iteration + 1}: a smaller rate than {settings.rate} may help"
        )
    learnt = time.perf_counter()
    returns, lengths = evaluate(game, algorithm.greedy, settings.episodes, measure)
    made = ReplayRun(
        game=state.game,
        seed=state.seed,
        iteration=state.iteration + 1,
        updates=state.updates + len(losses),
        weights=state.weights,
        target=state.target,
        mean=state.mean,
        square=state.square,
        memory=memory,
    )
    return made, {
        "iteration": made.iteration,
        "env_steps": steps,
        "returns": float(returns.sum(1).mean()),
        "returns_own": returns.mean(0).tolist(),
        "length": float(lengths.mean()),
        "loss": loss,
        "epsilon": algorithm.epsilon(steps),
        "updates": made.updates,
        "seconds": {"learn": learnt - begun, "evaluate": time.perf_counter() - learnt},
    }


def episodes(
    game: MarkovGame, choose: Choose, settings: Schedule, rng: np.random.Generator
) -> Iterator[Moves]:
    """Plays the steps of an iteration; starts anew, and again where an episode ends."""
    envs = settings.envs
    scene = game.start(rng.random((envs, game.draws)))
    for _ in range(settings.batch // envs):
        before = scene.observations
        actions = choose(before)
        scene = game.step(scene, actions)
        yield Moves(
            observations=before,
            actions=actions,
            rewards=scene.rewards,
            later=scene.observations,
            terminated=scene.terminated,
        )
        over = scene.over
        if over.any():
            scene = game.restart(scene, over, rng.random((envs, game.draws)))


def evaluate(
    game: MarkovGame, greedy: Choose, count: int, rng: np.random.Generator
) -> tuple[Float64[ndarray, "M N"], Int64[ndarray, " M"]]:
    """Own returns and lengths of whole episodes of a deterministic policy.

    M is ``count``, but 1 where the game has no chance either: all are equal then.
    """
    count = count if game.draws else 1
    scene = game.start(rng.random((count, game.draws)))
    returns = np.zeros((count, game.agents))
    lengths = np.zeros(count, np.int64)
    for _ in range(game.limit):
        lengths += ~scene.over
        scene = game.step(scene, greedy(scene.observations))
        returns += scene.rewards  # 0 where the episode was over already
        if scene.over.all():
            break
    return returns, lengths
