"""What the units of a grid on Bargaining will cost on this machine."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from experiments.bargaining.config import Config
from experiments.bargaining.units import Kind, Unit
from experiments.lab.watch import spell
from meta_solvers import Game, solve
from metaspiel.games.simulator import Simulator
from metaspiel.learn.ddqn import train
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Habit, Pool
from metaspiel.learn.random import generators
from metaspiel.learn.tasks import Task
from offline import dynamics
from offline.baselines import clone
from offline.coffee import solver_of
from offline.model import ModelSimulator
from offline.record import collect
from offline.starts import starts

_DECISIONS = 1024  # of a measured response
_STEPS = 100  # of a measured network
_EPISODES = 500


@dataclass(frozen=True)
class Play:
    """CPU seconds of playing and learning in one simulator.

    Attributes:
      idle: a decision before learning begins.
      busy: a decision once it has begun.
      episode: one.
    """

    idle: float
    busy: float
    episode: float


@dataclass(frozen=True, kw_only=True)
class Speed:
    """CPU seconds on this machine, measured now.

    Attributes:
      model, game: playing and learning in the learned model and in the true game.
      imitating: how much longer an episode takes where policies imitate.
      training: a step of the ensemble.
      cloning: a step of a clone.
      solving: one meta-game of half the last one's size.
      wall: wall seconds a CPU second; more than 1 where others use the machine.
    """

    model: Play
    game: Play
    imitating: float
    training: float
    cloning: float
    solving: float
    wall: float


def measure(config: Config) -> Speed:
    """A few hundred updates of everything."""
    torch.set_num_threads(1)
    begun, spent = time.perf_counter(), time.process_time()
    device, count = torch.device(config.ddqn.device), config.stack
    data = collect(config.game, 100, 0)
    fits = [data] * count
    short = replace(config.training, steps=_STEPS)
    training, learned = _timed(
        partial(dynamics.train, fits, range(count), short, device)
    )
    fitting = replace(config.cloning, steps=_STEPS, held_out=0.0)
    cloning, cloned = _timed(partial(clone, data, 0, fitting))
    model = ModelSimulator(learned=learned, starts=starts(fits, device)).trial(0)
    pool = _pool(config)
    played = _playing(config.game, pool, config)
    habit = cloned.habit(0.5, (len(pool),) * 2)
    return Speed(
        model=_playing(model, pool, config),
        game=played,
        imitating=max(1.0, _episode(config.game, pool, config, habit) / played.episode),
        training=training / count / _STEPS,
        cloning=cloning / _STEPS,
        solving=_solving(config),
        wall=(time.perf_counter() - begun) / (time.process_time() - spent),
    )


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def _pool(config: Config) -> Pool:
    """Random policies, half as many as in the end."""
    network, (generator,) = MLP.of(config.game), generators((0,), 1)
    count = max(1, config.iterations // 2)
    return Pool.of(np.stack([network.initial(generator).numpy() for _ in range(count)]))


def _playing(simulator: Simulator, pool: Pool, config: Config) -> Play:
    size = max(config.ddqn.batch, config.ddqn.games)
    short = replace(config.ddqn, decisions=_DECISIONS, capacity=size, minimum=size)
    learning = []
    for settings in (replace(short, updates=0.0), short):
        tasks = [
            Task(
                simulator=simulator,
                network=MLP.of(config.game),
                settings=settings,
                player=0,
                pools=(pool, pool),
                co_play=np.full(len(pool), 1 / len(pool)),
                seed=(0, seed),
            )
            for seed in range(config.stack)
        ]
        seconds, _ = _timed(partial(train, tasks))
        learning.append(seconds / config.stack / _DECISIONS)
    return Play(learning[0], max(learning), _episode(simulator, pool, config))


def _episode(
    simulator: Simulator, pool: Pool, config: Config, habit: Habit | None = None
) -> float:
    """CPU seconds an episode."""
    cells = np.stack([np.arange(len(pool)), np.zeros(len(pool), dtype=np.int64)], 1)
    matches = Matches(
        simulator=simulator,
        network=MLP.of(config.game),
        pools=(pool, pool),
        profiles=pure(cells, _EPISODES),
        seed=(0,),
        habit=habit,
        device=config.ddqn.device,
    )
    seconds, _ = _timed(partial(play, [matches]))
    return seconds / (len(pool) * _EPISODES)


def _solving(config: Config) -> float:
    """CPU seconds a meta-game; the mean of the solvers."""
    size, members = max(2, config.iterations // 2 + 1), config.training.members
    values = np.random.default_rng(0).normal(size=(members, size, size)) + 9
    tables = np.stack([values, values.transpose(0, 2, 1)], 1)
    game = Game.ensemble(tables, None, True)
    seconds = [
        _timed(partial(solve, solver_of(name), game, 0, throw=False))[0]
        for name in dict.fromkeys((*config.explorations, *config.evaluations))
    ]
    return float(np.mean(seconds))


def seconds(unit: Unit, config: Config, speed: Speed) -> float:
    """CPU seconds that a unit will take."""
    steps = unit.steps(config)
    pairs = (steps + 1) * (steps + 2) / 2

    def response(where: Play) -> float:
        idle = min(config.ddqn.minimum, config.ddqn.decisions)
        return idle * where.idle + (config.ddqn.decisions - idle) * where.busy

    def loop(where: Play) -> float:
        played = (pairs + steps) * config.episodes  # profiles, and each response
        solving = (steps + 1) * speed.solving
        return steps * response(where) + solving + played * where.episode

    k = 1 if unit.iteration else config.k
    pool = (steps + 1) * (1 if unit.weight is None else 2) + k + 1
    slower = 1.0 if unit.weight is None else speed.imitating
    judged = slower * (pool * config.screen + 2 * config.fresh) * speed.game.episode
    costs: dict[Kind, float] = {
        "behaviour": loop(speed.game),
        "explore": loop(speed.model),
        "data": unit.trajectories * speed.game.episode,
        "model": config.training.steps * speed.training,
        "clone": config.cloning.steps * speed.cloning,
        "fidelity": pairs * config.fidelity_episodes * speed.game.episode,
        "judge": k * (response(speed.game) + judged + speed.solving),
    }
    return costs[unit.kind]


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
      cost: CPU seconds of each unit that is not done.
      done: how many units of each kind are done.
      parallel: processes.
      wall: wall seconds a CPU second.
    """

    cost: dict[Unit, float]
    done: Counter[str]
    parallel: int
    wall: float

    @property
    def seconds(self) -> float:
        """By the clock for a CPU second of the cost, with all processes at work."""
        return self.wall / self.parallel

    @property
    def lines(self) -> list[str]:
        """The plan as lines of text for people."""
        text = [
            f"{'units':<10} {'done':>5} {'to do':>6} {'CPU s each':>11} {'CPU s':>9}"
        ]
        for kind in get_args(Kind):
            costs = [cost for unit, cost in self.cost.items() if unit.kind == kind]
            if costs or self.done[kind]:
                each = np.mean(costs) if costs else 0
                text.append(
                    f"{kind:<10} {self.done[kind]:>5} {len(costs):>6} {each:>11.1f} "
                    f"{sum(costs):>9.0f}"
                )
        total = sum(self.cost.values())
        text.append(
            f"{len(self.cost)} units to do: about {spell(total)} of CPU; "
            f"{spell(total * self.seconds)} by the clock with "
            f"--jobs {self.parallel}, if as many cores stay free as now"
        )
        return text


def plan(config: Config, units: Sequence[Unit], folder: Path | None) -> Plan:
    """Measures the machine and adds up what is not done in the folder."""
    speed = measure(config)
    done = [u for u in units if folder is not None and u.done(folder, config)]
    known = set(done)
    cost = {u: seconds(u, config, speed) for u in units if u not in known}
    return Plan(cost, Counter(u.kind for u in done), config.run.jobs, speed.wall)
