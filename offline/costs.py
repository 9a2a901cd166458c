"""What parts of an offline PSRO run cost in CPU time on this machine, measured now."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from meta_solvers import Game, solve
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.simulator import Simulator
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Habit, Pool
from metaspiel.learn.random import generators
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from offline import dynamics
from offline.baselines import clone
from offline.coffee import solver_of
from offline.model import ModelSimulator
from offline.record import collect
from offline.settings import Cloning, Training
from offline.starts import starts

_DECISIONS = 1024  # of a measured response
_STEPS = 100  # of a measured network
_EPISODES = 500
T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """CPU seconds of learning and playing in one simulator.

    Attributes:
      idle: a decision before learning begins.
      busy: a decision once it has begun.
      episode: one.
    """

    idle: float
    busy: float
    episode: float

    def response(self, ddqn: DDQN) -> float:
        """CPU seconds of learning a response."""
        idle = min(ddqn.minimum, ddqn.decisions)
        return idle * self.idle + (ddqn.decisions - idle) * self.busy

    def loop(self, iterations: int, ddqn: DDQN, episodes: int) -> float:
        """CPU seconds of symmetric PSRO, without those of solving its meta-games."""
        profiles = (iterations + 1) * (iterations + 2) / 2
        played = (profiles + iterations) * episodes  # each response is played too
        return iterations * self.response(ddqn) + played * self.episode


@dataclass(frozen=True, kw_only=True)
class Speed:
    """CPU seconds on this machine.

    Attributes:
      model, game: learning and playing in the learned model and in the true game.
      judging: learning in the true game as those do that judge.
      imitating: how much longer an episode takes where policies imitate.
      training: a step of the ensemble.
      cloning: a step of a clone.
      solving: a meta-game.
      wall: wall seconds a CPU second; more than 1 where others use the machine.
    """

    model: Pace
    game: Pace
    judging: Pace
    imitating: float
    training: float
    cloning: float
    solving: float
    wall: float


def measure(
    game: Bargaining,
    *,
    ddqn: DDQN,
    judge: DDQN,
    training: Training,
    cloning: Cloning,
    solvers: Sequence[str],
    policies: int,
    trials: int = 1,
) -> Speed:
    """Measures a few hundred updates of everything.

    Args:
      game: the true game.
      ddqn: how responses are learned.
      judge: how those are that judge a profile.
      training: of the dynamics model.
      cloning: of the behaviour.
      solvers: of meta-games, as for ``offline.setup``; the mean is taken.
      policies: of each player in what is played and solved; half as many as a run
        ends with make costs that are right on average.
      trials: that are learned in lockstep.
    """
    torch.set_num_threads(1)
    begun, spent = time.perf_counter(), time.process_time()
    device, data = torch.device(ddqn.device), collect(game, 100, 0)
    fits = [data] * trials
    short = replace(training, steps=_STEPS, calibrate=0.0)
    trained, learned = _timed(
        partial(dynamics.train, fits, range(trials), short, device)
    )
    fitting = replace(cloning, steps=_STEPS, held_out=0.0)
    imitated, habit_of = _timed(partial(clone, data, 0, fitting))
    model = ModelSimulator(learned=learned, starts=starts(fits, device)).trial(0)
    network, (generator,) = MLP.of(game), generators((0,), 1)
    rows = [network.initial(generator).numpy() for _ in range(max(1, policies))]
    pool = Pool.of(np.stack(rows))
    habit = habit_of.habit(0.5, (len(pool),) * 2)
    played = _pace(game, network, pool, ddqn, trials)
    return Speed(
        model=_pace(model, network, pool, ddqn, trials),
        game=played,
        judging=_pace(game, network, pool, judge, trials),
        imitating=max(1.0, _episode(game, network, pool, ddqn, habit) / played.episode),
        training=trained / trials / _STEPS,
        cloning=imitated / _STEPS,
        solving=_solving(solvers, max(2, policies + 1), training.members),
        wall=(time.perf_counter() - begun) / (time.process_time() - spent),
    )


def _timed(action: Callable[[], T]) -> tuple[float, T]:
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def _pace(
    simulator: Simulator, network: MLP, pool: Pool, ddqn: DDQN, trials: int
) -> Pace:
    size = max(ddqn.batch, ddqn.games)
    short = replace(ddqn, decisions=_DECISIONS, capacity=size, minimum=size)
    learning = []
    for settings in (replace(short, updates=0.0), short):
        tasks = [
            Task(
                simulator=simulator,
                network=network,
                settings=settings,
                player=0,
                pools=(pool, pool),
                co_play=np.full(len(pool), 1 / len(pool)),
                seed=(0, seed),
            )
            for seed in range(trials)
        ]
        seconds, _ = _timed(partial(train, tasks))
        learning.append(seconds / trials / _DECISIONS)
    episode = _episode(simulator, network, pool, ddqn)
    return Pace(learning[0], max(learning), episode)


def _episode(
    simulator: Simulator,
    network: MLP,
    pool: Pool,
    ddqn: DDQN,
    habit: Habit | None = None,
) -> float:
    cells = np.stack([np.arange(len(pool)), np.zeros(len(pool), dtype=np.int64)], 1)
    matches = Matches(
        simulator=simulator,
        network=network,
        pools=(pool, pool),
        profiles=pure(cells, _EPISODES),
        seed=(0,),
        habit=habit,
        device=ddqn.device,
    )
    seconds, _ = _timed(partial(play, [matches]))
    return seconds / (len(pool) * _EPISODES)


def _solving(solvers: Sequence[str], size: int, members: int) -> float:
    values = np.random.default_rng(0).normal(size=(members, size, size)) + 9
    tables = np.stack([values, values.transpose(0, 2, 1)], 1)
    game = Game.ensemble(tables, None, True)
    seconds = [
        _timed(partial(solve, solver_of(name), game, 0, throw=False))[0]
        for name in solvers
    ]
    return float(np.mean(seconds))
