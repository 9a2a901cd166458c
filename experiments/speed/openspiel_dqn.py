"""OpenSpiel's own route to the same work: its DQN agent on its environment.

The agent is told what ours is told: two hidden layers, Adam, a minibatch every second
step, epsilon falling linearly, learning once enough transitions are stored. It is plain
DQN, not double, so that its update is less work than ours.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from open_spiel.python import rl_environment
from open_spiel.python.algorithms.random_agent import RandomAgent
from open_spiel.python.pytorch import dqn

import metaspiel.games.bargaining_openspiel  # noqa: F401  (registers the game)
from experiments.speed.our_learner import PAPER, whole_updates
from metaspiel.learn.mlp import MLP, layers
from metaspiel.learn.settings import DDQN

WIDTH = 200  # of both hidden layers, as ours
SEED_EPISODES = 20  # its learn() fails before anything is stored


@dataclass(frozen=True)
class Work:
    """What the agent did.

    Attributes:
      decisions: of the learner.
      updates: made.
      seconds: of CPU in all.
      learning: of these, in updates.
    """

    decisions: int
    updates: int
    seconds: float
    learning: float


class _Sampler:
    """Chance events at less cost than OpenSpiel's own sampler, to be fair to it."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, state: Any) -> int:
        outcomes = state.chance_outcomes()  # all games here draw them alike
        return int(outcomes[int(self._rng.random() * len(outcomes))][0])


class _Counted(dqn.DQN):
    """Counts its updates and the CPU seconds in them."""

    updates, learning = 0, 0.0

    def learn(self) -> float | None:
        begin = time.process_time()
        loss = super().learn()
        self.learning += time.process_time() - begin
        self.updates += loss is not None
        return loss


def environment(game: str, seed: int) -> Any:
    """OpenSpiel's environment of a game."""
    return rl_environment.Environment(game, chance_event_sampler=_Sampler(seed))


def agent(env: Any, player: int, settings: DDQN, seed: int) -> Any:
    """OpenSpiel's agent with our settings."""
    every = round(1.25 / settings.updates)  # 1.25 steps of an agent a decision
    return _Counted(
        player,
        env.observation_spec()["info_state"][0],
        env.action_spec()["num_actions"],
        hidden_layers_sizes=(WIDTH, WIDTH),
        batch_size=settings.batch,
        replay_buffer_capacity=settings.capacity,
        learning_rate=settings.rate,
        update_target_network_every=settings.target_every,
        learn_every=every,
        discount_factor=settings.discount,
        min_buffer_size_to_learn=settings.minimum,
        epsilon_start=settings.explore,
        epsilon_end=settings.explore_last,
        epsilon_decay_duration=settings.explore_decisions,
        epsilon_decay_schedule_str="linear",
        optimizer_str="adam",
        seed=seed,
    )


def _seed_replay(env: Any, learner: Any, other: Any) -> None:
    """Stores some random episodes of the learner's."""
    guide = RandomAgent(0, env.action_spec()["num_actions"])
    for _ in range(SEED_EPISODES):
        step, last = env.reset(), None
        while not step.last():
            mine = step.current_player() == 0
            action = (guide if mine else other).step(step).action
            if mine:
                if last is not None:
                    learner.add_transition(*last, step)
                last = (step, action)
            step = env.step([action])
        if last is not None:
            learner.add_transition(*last, step)


def respond(game: str, settings: DDQN, seed: int) -> Work:
    """Learns a response to the uniform policy."""
    env = environment(game, seed)
    learner = agent(env, 0, settings, seed)
    other = RandomAgent(1, env.action_spec()["num_actions"])
    _seed_replay(env, learner, other)
    decisions, begin = 0, time.process_time()
    while decisions < settings.decisions:
        step = env.reset()
        while not step.last():
            mine = step.current_player() == 0
            action = (learner if mine else other).step(step).action
            decisions += mine
            step = env.step([action])
        learner.step(step)
    seconds = time.process_time() - begin
    return Work(decisions, learner.updates, seconds, learner.learning)


def filled(game: str, settings: DDQN, seed: int) -> Any:
    """An agent that may update at once: its replay is full of a few episodes."""
    env = environment(game, seed)
    learner = agent(env, 0, settings, seed)
    _seed_replay(env, learner, RandomAgent(1, env.action_spec()["num_actions"]))
    kept = learner.replay_buffer
    stored = len(kept)
    for part in kept.experience:
        part[:] = part[np.arange(len(part)) % stored]
    kept.entry_index = np.array(settings.capacity)
    return learner


def microseconds(learner: Any, updates: int) -> float:
    """CPU time of an update."""
    begin = time.process_time()
    for _ in range(updates):
        learner.learn()
    return 1e6 * (time.process_time() - begin) / updates


def equal(game: str, settings: DDQN, seed: int, per_update: float) -> float:
    """CPU seconds of the agent for as many decisions and updates as ours.

    Its updates take longer the more its replay holds (a minibatch permutes it all), and
    in whole responses the replay is full when learning begins. So the time of its
    updates is that with a full replay; the time of the rest is extrapolated.

    Args:
      game: where.
      settings: a part of the paper's.
      seed: of all randomness.
      per_update: microseconds of an update with a full replay.
    """
    work = respond(game, settings, seed)
    rest = (work.seconds - work.learning) * PAPER.decisions / work.decisions
    return rest + 1e-6 * per_update * whole_updates()


def load(learner: Any, network: MLP, vector: ndarray) -> None:
    """Gives the agent's network our weights."""
    w1, b1, w2, b2, w3, b3 = layers(network, torch.as_tensor(vector))
    own = (w1.T, b1[0], w2.T, b2[0], w3, b3[0])
    theirs = list(learner._q_network.parameters())
    with torch.no_grad():
        for weights, values in zip(theirs, own, strict=True):
            weights.copy_(values)


def play(env: Any, agents: list[Any], episodes: int) -> tuple[float, int, ndarray]:
    """Greedy episodes: CPU seconds, decisions, and the mean payoffs."""
    decisions, paid = 0, np.zeros(len(agents))
    begin = time.process_time()
    for _ in range(episodes):
        step = env.reset()
        while not step.last():
            mover = agents[step.current_player()]
            step = env.step([mover.step(step, is_evaluation=True).action])
            decisions += 1
        paid += step.rewards
    return time.process_time() - begin, decisions, paid / episodes
