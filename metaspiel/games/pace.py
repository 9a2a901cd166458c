"""Random play of a Markov game: its returns, and how fast it goes."""

import statistics
import time

import numpy as np
from jaxtyping import Float64, Shaped
from numpy import ndarray

from metaspiel.games.markov import Discrete, MarkovGame


def uniform_actions(
    game: MarkovGame, envs: int, rng: np.random.Generator
) -> Shaped[ndarray, "B N ..."]:
    """A uniformly random joint action in each of ``envs`` environments."""
    space = game.actions
    if isinstance(space, Discrete):
        return rng.integers(0, space.size, (envs, game.agents))
    shape = (envs, game.agents, space.size)
    return rng.uniform(-1, 1, shape).astype(np.float32)


def uniform_returns(
    game: MarkovGame, episodes: int, rng: np.random.Generator
) -> Float64[ndarray, " M"]:
    """Team returns of M episodes of uniform actions, to compare learners with.

    Args:
      game: what is played, each episode to its end.
      episodes: M.
      rng: of chance and actions.
    """
    scene = game.start(rng.random((episodes, game.draws)))
    total: ndarray = scene.rewards.sum(1)
    while not scene.over.all():
        scene = game.step(scene, uniform_actions(game, episodes, rng))
        total = total + scene.rewards.sum(1)
    return total


def steps_per_second(
    game: MarkovGame, envs: int, *, steps: int, rounds: int, seed: int = 0
) -> float:
    """Environment steps a CPU second, drawing actions included: the median of rounds.

    Args:
      game: what is played; episodes that end begin anew.
      envs: environments side by side.
      steps: of each environment, a round.
      rounds: repetitions of the same play.
      seed: of actions and chance.
    """
    taken = [_seconds(game, envs, steps=steps, seed=seed) for _ in range(rounds)]
    return envs * steps / statistics.median(taken)


def _seconds(game: MarkovGame, envs: int, *, steps: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    begin = time.process_time()
    scene = game.start(rng.random((envs, game.draws)))
    for _ in range(steps):
        scene = game.step(scene, uniform_actions(game, envs, rng))
        over = scene.over
        if over.any():
            scene = game.restart(scene, over, rng.random((envs, game.draws)))
    return time.process_time() - begin
