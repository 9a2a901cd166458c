"""OpenSpiel's own route to the same work: its DQN agent on its environment.

The agent is told what ours is told: two hidden layers, Adam, a minibatch every second
step, epsilon falling linearly, learning once enough transitions are stored. It is plain
DQN, not double, so that its update is less work than ours.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from open_spiel.python import rl_environment
from open_spiel.python.algorithms.random_agent import RandomAgent
from open_spiel.python.pytorch import dqn

import metaspiel.games.bargaining_openspiel  # noqa: F401  (registers the game)
from experiments.speed.measuring import timed
from metaspiel.learn.mlp import MLP, layers
from metaspiel.learn.settings import DDQN

WIDTH = 200  # of both hidden layers, as ours
SEED_EPISODES = 20  # its learn() fails before anything is stored


class _Sampler:
    """Chance events at less cost than OpenSpiel's own sampler, to be fair to it."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, state: Any) -> int:
        outcomes = state.chance_outcomes()  # all games here draw them alike
        return int(outcomes[int(self._rng.random() * len(outcomes))][0])


class _Timed(dqn.DQN):
    """Adds up the CPU seconds in its updates."""

    learning = 0.0

    def learn(self) -> float | None:
        seconds, loss = timed(super().learn)
        self.learning += seconds
        return loss


def environment(game: str, seed: int) -> Any:
    """OpenSpiel's environment of a game."""
    return rl_environment.Environment(game, chance_event_sampler=_Sampler(seed))


def agent(env: Any, player: int, settings: DDQN, seed: int) -> Any:
    """OpenSpiel's agent with our settings."""
    return _Timed(
        player,
        env.observation_spec()["info_state"][0],
        env.action_spec()["num_actions"],
        hidden_layers_sizes=(WIDTH, WIDTH),
        batch_size=settings.batch,
        replay_buffer_capacity=settings.capacity,
        learning_rate=settings.rate,
        update_target_network_every=settings.target_every,
        learn_every=round(1.25 / settings.updates),  # 1.25 of its steps a decision
        discount_factor=settings.discount,
        min_buffer_size_to_learn=settings.minimum,
        epsilon_start=settings.explore,
        epsilon_end=settings.explore_last,
        epsilon_decay_duration=settings.explore_decisions,
        epsilon_decay_schedule_str="linear",
        optimizer_str="adam",
        seed=seed,
    )


def _episode(env: Any, agents: Sequence[Any], greedy: bool = False) -> Iterator[Any]:
    """Steps of an episode, each with the action taken; the last one with None."""
    step = env.reset()
    while not step.last():
        mover = agents[step.current_player()]
        action = mover.step(step, is_evaluation=greedy).action
        yield step, action
        step = env.step([action])
    yield step, None


def _begun(game: str, settings: DDQN, seed: int) -> tuple[Any, Any, Any]:
    """Environment, an agent that has stored some random episodes, and the other."""
    env = environment(game, seed)
    learner = agent(env, 0, settings, seed)
    guide, other = (RandomAgent(p, env.action_spec()["num_actions"]) for p in (0, 1))
    for _ in range(SEED_EPISODES):
        last: tuple[Any, ...] = ()
        for step, action in _episode(env, (guide, other)):
            if action is None or step.current_player() == 0:
                if last:
                    learner.add_transition(*last, step)
                last = step, action
    return env, learner, other


def filled(game: str, settings: DDQN, seed: int) -> Any:
    """An agent that may update at once: its replay is full of a few episodes."""
    learner = _begun(game, settings, seed)[1]
    kept = learner.replay_buffer
    stored = len(kept)
    for part in kept.experience:
        part[:] = part[np.arange(len(part)) % stored]
    kept.entry_index = np.array(settings.capacity)
    return learner


def microseconds(learner: Any, updates: int) -> float:
    """CPU time of an update."""
    return 1e6 * timed(lambda: [learner.learn() for _ in range(updates)])[0] / updates


def respond(
    game: str, settings: DDQN, *, fraction: float, seed: int, per_update: float
) -> float:
    """CPU seconds of a response to the uniform policy, with as many updates as ours.

    Its updates take longer the more its replay holds (a minibatch permutes it all), and
    in whole responses the replay is full when learning begins. So the time of its
    updates is that with a full replay; the time of the rest is extrapolated.

    Args:
      game: where.
      settings: of a whole response.
      fraction: of it that is learned.
      seed: of all randomness.
      per_update: microseconds of an update with a full replay.
    """
    part = settings.part(fraction)
    env, learner, other = _begun(game, part, seed)

    def learned() -> int:
        decisions = 0
        while decisions < part.decisions:
            for step, action in _episode(env, (learner, other)):
                decisions += action is not None and step.current_player() == 0
            learner.step(step)
        return decisions

    seconds, decisions = timed(learned)
    rest = (seconds - learner.learning) * settings.decisions / decisions
    return rest + 1e-6 * per_update * settings.total_updates


def load(learner: Any, network: MLP, vector: ndarray) -> None:
    """Gives the agent's network our weights."""
    w1, b1, w2, b2, w3, b3 = layers(network, torch.as_tensor(vector))
    own = (w1.T, b1[0], w2.T, b2[0], w3, b3[0])
    with torch.no_grad():
        for weights, values in zip(learner._q_network.parameters(), own, strict=True):
            weights.copy_(values)


def play(env: Any, agents: Sequence[Any], episodes: int) -> tuple[int, ndarray]:
    """Plays greedy episodes: decisions in all, and the mean payoffs."""
    decisions, paid = 0, np.zeros(len(agents))
    for _ in range(episodes):
        steps = [step for step, _ in _episode(env, agents, greedy=True)]
        decisions += len(steps) - 1
        paid += steps[-1].rewards
    return decisions, paid / episodes
