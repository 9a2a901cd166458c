"""What the units of a grid on Bargaining will cost on this machine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from experiments.bargaining.config import Config
from experiments.bargaining.units import Kind, Unit, missing
from experiments.lab.watch import spell
from metaspiel.games.bargaining import Bargaining
from offline.costs import Speed, measure


def seconds(unit: Unit, config: Config, speed: Speed) -> float:
    """CPU seconds that a unit will take."""
    steps, ddqn = unit.steps(config), config.ddqn
    pairs = (steps + 1) * (steps + 2) / 2
    solving = (steps + 1) * speed.solving
    k = 1 if unit.iteration else config.k
    pool = (steps + 1) * (1 if unit.weight is None else 2) + k + 1
    slower = 1.0 if unit.weight is None else speed.imitating
    judged = slower * (pool * config.screen + 2 * config.fresh) * speed.game.episode
    costs: dict[Kind, float] = {
        "behaviour": speed.game.loop(steps, ddqn, config.episodes) + solving,
        "explore": speed.model.loop(steps, ddqn, config.episodes) + solving,
        "data": unit.trajectories * speed.game.episode,
        "model": config.training.steps * speed.training,
        "clone": config.cloning.steps * speed.cloning,
        "fidelity": pairs * config.fidelity_episodes * speed.game.episode,
        "judge": k * (speed.judging.response(config.judge) + judged + speed.solving),
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
    def _costs(self) -> dict[str, list[float]]:
        """CPU seconds of what is to do by kind, where there is or was anything."""
        every = {
            kind: [cost for unit, cost in self.cost.items() if unit.kind == kind]
            for kind in get_args(Kind)
        }
        return {kind: one for kind, one in every.items() if one or self.done[kind]}

    @property
    def record(self) -> dict[str, object]:
        """The plan as JSON: units done and to do, and CPU seconds, by kind."""
        kinds = {
            kind: {
                "done": self.done[kind],
                "to_do": len(costs),
                "cpu_seconds": sum(costs),
            }
            for kind, costs in self._costs.items()
        }
        total = sum(self.cost.values())
        return {
            "kinds": kinds,
            "to_do": len(self.cost),
            "cpu_seconds": total,
            "wall_seconds": total * self.seconds,
            "jobs": self.parallel,
        }

    @property
    def lines(self) -> list[str]:
        """The plan as lines of text for people."""
        text = [
            f"{'units':<10} {'done':>5} {'to do':>6} {'CPU s each':>11} {'CPU s':>9}"
        ]
        for kind, costs in self._costs.items():
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
    speed = measure(
        Bargaining.of(config.game),
        ddqn=config.ddqn,
        judge=config.judge,
        training=config.training,
        cloning=config.cloning,
        solvers=list(dict.fromkeys((*config.explorations, *config.evaluations))),
        policies=config.iterations // 2,
        trials=config.stack,
    )
    todo = list(units) if folder is None else missing(units, folder, config)
    cost = {u: seconds(u, config, speed) for u in todo}
    done: Counter[str] = Counter(u.kind for u in units if u not in cost)
    return Plan(cost, done, config.run.jobs, speed.wall)
