"""What a grid would run, what it has, and about how long the rest takes."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from experiments.lab.page import Answer
from experiments.lab.report import Table
from experiments.lab.watch import spell
from experiments.mra.cells import Adapted, Cell, Trained
from experiments.mra.grid_config import Config
from experiments.mra.task_config import Task

# CPU ms of a critic and a policy step, and of an information step, with 1024
# transitions on one thread, by number of agents; all else grows with the steps.
_AGENTS = (3, 6, 12, 24)
_STEP = (17.8, 38.2, 130.0, 651.0)
_INFORM = (25.0, 61.0, 144.0, 564.0)
_FIXED = 35.0


def seconds(task: Task, *, adapts: bool = False) -> float:
    """About how long a training or an adaptation takes on one core."""
    how, total = task.training, 0.0
    for game in task.games:
        batches = task.sweeps * how.envs * game.limit
        cycles = batches / how.every
        steps = task.sweeps * game.limit if adapts else cycles * how.inner
        share = how.minibatch / 1024
        total += steps * (_at(_STEP, game.agents) * share + _FIXED) / 1000
        if not adapts and task.how.graph in ("information", "both"):
            total += cycles * _at(_INFORM, game.agents) * share / 1000
    return total


def _at(known: Sequence[float], agents: int) -> float:
    """Milliseconds between, and beyond, the numbers that were measured."""
    slope = np.polyfit(np.log(_AGENTS[-2:]), np.log(known[-2:]), 1)
    if agents > _AGENTS[-1]:
        return float(np.exp(np.polyval(slope, np.log(agents))))
    return float(np.exp(np.interp(np.log(agents), np.log(_AGENTS), np.log(known))))


def planned(config: Config, cells: Sequence[Cell], ready: Collection[str]) -> Answer:
    """The cells that remain and their cost, in core hours, beside what is finished.

    Args:
      config: what is asked for.
      cells: all of it.
      ready: names of the cells that are finished.
    """
    done: Counter[str] = Counter()
    left: dict[str, list[float]] = {}
    for one in cells:
        if isinstance(one, Trained | Adapted):
            costs = left.setdefault(one.kind, [])
            if one.name in ready:
                done[one.kind] += 1
            else:
                costs.append(seconds(one.task, adapts=isinstance(one, Adapted)))
    rows = [[kind, done[kind], len(own), sum(own) / 3600] for kind, own in left.items()]
    hours = sum(sum(own) for own in left.values()) / 3600
    remaining = [one.name for one in cells if one.name not in ready]
    where = "" if config.run.out is None else f" in '{config.run.out}'"
    caption = (
        f"{len(cells)} cells at budget {config.budget}: "
        f"{len(cells) - len(remaining)} are finished{where}, "
        f"{len(remaining)} remain, about {spell(3600 * hours)} on one core "
        f"({hours:.2g} core hours; tests, references and EPC's comparisons not counted)"
    )
    columns = ["runs of", "finished", "remain", "core hours that remain"]
    summary = {
        "cells": [one.name for one in cells],
        "finished": [one.name for one in cells if one.name in ready],
        "remaining": remaining,
        "core_hours": hours,
    }
    return Answer(summary=summary, text=Table(caption, columns, rows).markdown)
