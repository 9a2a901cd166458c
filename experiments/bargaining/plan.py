"""What the units of a grid on Bargaining will cost on this machine."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from experiments.bargaining import builders as _parts
from experiments.bargaining.units import Kind, Unit, steps_of
from experiments.lab.watch import spell
from meta_solvers import Game, get, solve
from metaspiel.games.simulator import Simulator
from metaspiel.learn.ddqn import train
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.random import generators
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Task
from offline import dynamics
from offline.baselines import Cloning, clone
from offline.coffee import SOLVERS
from offline.model import ModelSimulator
from offline.record import collect
from offline.starts import starts

if TYPE_CHECKING:
    from experiments.bargaining.config import Config

_DECISIONS = 1024  # of a measured response
_STEPS = 100  # of a measured network
_EPISODES = 500


@dataclass(frozen=True, kw_only=True)
class Speed:
    """CPU seconds on this machine, measured now.

    Attributes:
      idle: a decision before learning begins, in the model and in the true game.
      busy: a decision once it has begun, likewise.
      episode: one, likewise.
      imitating: how much longer a decision or episode takes where policies imitate.
      model: a training step of the ensemble.
      clone: a training step of a clone.
      solve: one meta-game of half the last one's size.
      wall: wall seconds a CPU second; more than 1 where others use the machine.
    """

    idle: tuple[float, float]
    busy: tuple[float, float]
    episode: tuple[float, float]
    imitating: float
    model: float
    clone: float
    solve: float
    wall: float


def measure(config: "Config") -> Speed:
    """A few hundred updates of everything."""
    torch.set_num_threads(1)
    begun, spent = time.perf_counter(), time.process_time()
    simulator = _parts.game(config)
    data = collect(simulator, 100, 0)
    count = config.stack
    fits = [data] * count
    fitting = replace(_parts.training(config), steps=_STEPS)
    model_seconds, learned = _timed(
        lambda: dynamics.train(fits, range(count), fitting, torch.device(config.device))
    )
    clone_seconds, cloned = _timed(
        partial(clone, data, 0, Cloning(steps=_STEPS, held_out=0.0))
    )
    device = torch.device(config.device)
    model = ModelSimulator(learned=learned, starts=starts(fits, device)).trial(0)
    pool = _pool(config)
    habit = cloned.habit(0.5, (len(pool),) * 2)
    played = [_play(sim, pool, config) for sim in (model, simulator)]
    rates = [_rates(sim, pool, config) for sim in (model, simulator)]
    slow = _play(simulator, pool, config, habit)
    return Speed(
        idle=(rates[0][0], rates[1][0]),
        busy=(rates[0][1], rates[1][1]),
        episode=(played[0], played[1]),
        imitating=max(1.0, slow / played[1]),
        model=model_seconds / count / _STEPS,
        clone=clone_seconds / _STEPS,
        solve=_solving(config),
        wall=(time.perf_counter() - begun) / (time.process_time() - spent),
    )


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    before = time.process_time()
    result = action()
    return time.process_time() - before, result


def _pool(config: "Config") -> Pool:
    """Random policies, half as many as in the end."""
    network = _parts.network(config)
    count = max(1, steps_of(Unit(kind="explore", trial=0), config) // 2)
    (generator,) = generators((0,), 1)
    rows = [network.initial(generator).numpy() for _ in range(count)]
    return Pool.of(np.stack(rows))


def _rates(simulator: Simulator, pool: Pool, config: "Config") -> tuple[float, float]:
    """CPU seconds a decision before and after learning begins."""
    base = _parts.settings(config)
    size = max(base.batch, base.games)
    short = replace(base, decisions=_DECISIONS, capacity=size, minimum=size)
    per_decision = []
    for chosen in (replace(short, updates=0.0), short):
        asked = partial(_task, simulator, _parts.network(config), pool)
        tasks = [asked(chosen, s) for s in range(config.stack)]
        seconds, _ = _timed(partial(train, tasks))
        per_decision.append(seconds / config.stack / _DECISIONS)
    return per_decision[0], max(per_decision)


def _task(
    simulator: Simulator, network: MLP, pool: Pool, settings: DDQN, seed: int
) -> Task:
    mixture = np.full(len(pool), 1 / len(pool))
    return Task(
        simulator=simulator,
        network=network,
        settings=settings,
        player=0,
        pools=(pool, pool),
        co_play=mixture,
        seed=(0, seed),
    )


def _play(
    simulator: Simulator, pool: Pool, config: "Config", habit: Any = None
) -> float:
    """CPU seconds an episode."""
    cells = np.stack([np.arange(len(pool)), np.zeros(len(pool), dtype=np.int64)], 1)
    matches = Matches(
        simulator=simulator,
        network=_parts.network(config),
        pools=(pool, pool),
        profiles=pure(cells, _EPISODES),
        seed=(0,),
        habit=habit,
        device=config.device,
    )
    seconds, _ = _timed(partial(play, [matches]))
    return seconds / (len(pool) * _EPISODES)


def _solving(config: "Config") -> float:
    """CPU seconds a meta-game; the mean of the solvers."""
    size = max(2, steps_of(Unit(kind="explore", trial=0), config) // 2 + 1)
    values = np.random.default_rng(0).normal(size=(config.members, size, size)) + 9
    tables = np.stack([values, values.transpose(0, 2, 1)], 1)
    game = Game.ensemble(tables, None, True)
    seconds = [
        _timed(partial(solve, get(SOLVERS.get(s, s)), game, 0, throw=False))[0]
        for s in dict.fromkeys((*config.explorations, *config.evaluations))
    ]
    return float(np.mean(seconds))


def seconds(unit: Unit, config: "Config", speed: Speed) -> float:
    """CPU seconds that a unit will take."""
    chosen, steps = _parts.settings(config), steps_of(unit, config)
    episodes = config.episodes or 0

    def response(where: int) -> float:
        idle = min(chosen.minimum, chosen.decisions)
        rest = chosen.decisions - idle
        return idle * speed.idle[where] + rest * speed.busy[where]

    def loop(where: int) -> float:
        played = (steps + 1) * (steps + 2) / 2 + steps  # profiles, and each response
        play = played * episodes * speed.episode[where]
        return steps * response(where) + (steps + 1) * speed.solve + play

    if unit.kind == "behaviour":
        return loop(1)
    if unit.kind == "explore":
        return loop(0)
    if unit.kind == "data":
        return unit.trajectories * speed.episode[1]
    if unit.kind == "model":
        return (config.model_steps or 0) * speed.model
    if unit.kind == "clone":
        return (config.clone_steps or 0) * speed.clone
    if unit.kind == "fidelity":
        pairs = (steps + 1) * (steps + 2) / 2
        return pairs * (config.fidelity_episodes or 0) * speed.episode[1]
    k = 1 if unit.iteration else config.k
    pool = (steps + 1) * (1 if unit.weight is None else 2) + k + 1
    play = pool * (config.screen or 0) + 2 * (config.fresh or 0)
    slower = 1.0 if unit.weight is None else speed.imitating
    each = response(1) + slower * play * speed.episode[1]
    return k * each + k * speed.solve


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
    done: dict[str, int]
    parallel: int
    wall: float

    @property
    def seconds(self) -> float:
        """By the clock for a CPU second of the cost, with all processes at work."""
        return self.wall / self.parallel

    @property
    def lines(self) -> list[str]:
        """The plan as lines of text for people."""
        kinds: dict[str, list[float]] = {kind: [] for kind in get_args(Kind)}
        for unit, cost in self.cost.items():
            kinds[unit.kind].append(cost)
        head = f"{'units':<10} {'done':>5} {'to do':>6} {'CPU s each':>11} {'CPU s':>9}"
        table = [
            f"{kind:<10} {self.done.get(kind, 0):>5} {len(costs):>6} "
            f"{np.mean(costs) if costs else 0:>11.1f} {sum(costs):>9.0f}"
            for kind, costs in kinds.items()
            if costs or kind in self.done
        ]
        total = sum(self.cost.values())
        last = (
            f"{len(self.cost)} units to do: about {spell(total)} of CPU; "
            f"{spell(total * self.seconds)} by the clock with "
            f"--jobs {self.parallel}, if as many cores stay free as now"
        )
        return [head, *table, last]


def plan(config: "Config", units: Sequence[Unit], folder: Path | None) -> Plan:
    """Measures the machine and adds up what is not done in the folder."""
    speed = measure(config)
    done = [u for u in units if folder is not None and u.done(folder, config)]
    known = set(done)
    cost = {u: seconds(u, config, speed) for u in units if u not in known}
    return Plan(cost, dict(Counter(u.kind for u in done)), config.run.jobs, speed.wall)
