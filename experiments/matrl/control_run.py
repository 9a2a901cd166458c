"""Trains and reports robots moved by several agents: cells, curves, tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab import charts, verdict
from experiments.lab.estimates import Estimate, estimate, trailing
from experiments.lab.marks import Axis, Chart, Panel, Picture, Rule, Series
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, number, percent, publish
from experiments.matrl.cells import Failure, perform
from experiments.matrl.colours import COLOURS
from experiments.matrl.control_config import TASKS, Config
from experiments.matrl.control_results import WINDOW, Line, claims, line
from experiments.matrl.states import Cell, completed
from metaspiel import files
from metaspiel.games.pace import uniform_returns
from metaspiel.learn.random import stream

Curves = Mapping[tuple[str, str], ndarray]
"""Mean team returns [seeds, iterations] of the finished cells, by task and method."""


def kinds(config: Config) -> list[Cell]:
    """The cells of every method on every task, with the first seed.

    Raises:
      UserError: the extra ``mujoco`` is not installed.
    """
    games = {task: config.game(task) for task in config.tasks}
    for game in games.values():
        game.start(np.zeros((1, game.draws)))
    return [
        Cell(
            label=f"{task} {method}",
            game=game.name,
            method=method,
            settings=config.learner,
            seed=config.seed,
            iterations=config.iterations,
        )
        for task, game in games.items()
        for method in config.methods
    ]


def run(config: Config) -> Answer:
    """Trains what is missing, judges and reports."""
    return perform(config, "matrl_control", kinds, write=write)


def write(
    folder: Path, config: Config, cells: Sequence[Cell], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Writes all that the page reports of what is finished; returns the summary."""
    random = {task: _random(config, task) for task in config.tasks}
    curves: dict[tuple[str, str], ndarray] = {}
    lines: list[Line] = []
    arrays: dict[str, ndarray] = {}
    for task, method in product(config.tasks, config.methods):
        runs = completed(cells, folder, f"{task} {method}")
        values = [[row["returns"] for row in run] for run in runs.values()]
        curve = np.array(values, dtype=float).reshape(-1, config.iterations)
        lines.append(
            line(task, method, runs, curve=curve, random=random[task], config=config)
        )
        curves[task, method] = curve
        if runs:
            arrays[f"{task}/{method}/returns"] = curve
            arrays[f"{task}/{method}/seeds"] = np.array(list(runs))
    files.write_arrays(folder / "curves.npz", arrays)
    judged = claims(config, lines)
    versions = {name: metadata.version(name) for name in ("gymnasium", "mujoco")}
    summary = {
        "tasks": {task: TASKS[task] for task in config.tasks},
        "iterations": config.iterations,
        "env_steps": config.iterations * config.learner.ppo.batch,
        "seeds": config.seeds,
        "random": {task: asdict(one) for task, one in random.items()},
        "table": [asdict(one) for one in lines],
        "claims": [one.record for one in judged],
        "versions": versions,
    }
    publish(
        folder,
        summary,
        title="MATRL on robots moved by several agents",
        opening=Opening(
            ran=[
                f"{config.iterations} iterations of {config.learner.ppo.batch} steps "
                f"({summary['env_steps']:,} in all), {config.seeds} seeds; "
                f"{', '.join(f'{name} {one}' for name, one in versions.items())}.",
            ],
            result=[f"Claims: {verdict.counted(judged)}."] if judged else [],
            sure=[
                "Returns are those of the whole team in the first episode of every "
                "robot; the paper gives curves without numbers, of an older version of "
                "the robots.",
                "That one method ends above another holds when a one-sided permutation "
                "test over seeds has p of at most .05 after Holm's correction over all "
                "such claims of this page, and fails when the opposite has.",
            ],
        ),
        tables=[_table(config, lines), verdict.table(judged)],
        figures=[_picture(config, curves, random)],
    )
    return summary


def _random(config: Config, task: str) -> Estimate:
    rng = stream(config.seed, sorted(TASKS).index(task))
    returns = uniform_returns(config.game(task), config.random_episodes, rng)
    return estimate(returns.tolist(), 0)


def _table(config: Config, lines: Sequence[Line]) -> Table:
    seeds = min((len(one.seeds) for one in lines if one.seeds), default=0)
    few = f" {seeds} seeds are few: such intervals are too narrow."
    return Table.of(
        f"Team returns, means over seeds with bootstrap 95 % intervals; "
        f"{config.iterations} iterations, "
        f"{config.iterations * config.learner.ppo.batch:,} steps."
        f"{few if seeds < charts.ENOUGH else ''}",
        {
            "task": attrgetter("task"),
            "method": attrgetter("method"),
            "seeds": lambda line: len(line.seeds),
            "random": lambda line: number(line.random),
            "first ten": lambda line: line.first.shown(),
            "last ten": lambda line: line.last.shown(),
            "best ten": lambda line: line.best.shown(),
            "mean ρ": lambda line: number(line.rho, 3),
            "pure": lambda line: percent(line.pure, 0),
            "CPU s a cell": lambda line: number(line.cpu_seconds, 0),
        },
        lines,
    )


def _picture(config: Config, curves: Curves, random: Mapping[str, Estimate]) -> Picture:
    """Returns over steps, one panel a task."""
    x = np.arange(1, config.iterations + 1) * config.learner.ppo.batch / 1000
    panels = []
    for task in config.tasks:
        series: list[Series] = []
        level = float(np.mean(random[task].values))
        rule = Rule(name="random actions", y=level, dash="dotted")
        for method in config.methods:
            if len(curve := trailing(curves[task, method], WINDOW)):
                colour, seed = COLOURS[method], config.seed
                series += charts.learning(
                    method, x.tolist(), curve, seed=seed, colour=colour
                )
        across, up = Axis(label="thousands of steps"), Axis(label="team return")
        panels.append(Panel(title=task, x=across, y=up, series=series, rules=[rule]))
    band = "thin lines are seeds"
    if any(len(curve) >= charts.ENOUGH for curve in curves.values()):
        band = "a band is the bootstrap 95 % interval of the mean"
    return Picture(
        name="curves",
        title="Learning curves",
        caption=f"Mean over seeds of the last {WINDOW} iterations' return; {band}.",
        chart=Chart(panels=panels),
    )
