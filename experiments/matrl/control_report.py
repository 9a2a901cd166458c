"""Tables, figure and report of the MuJoCo page."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts, report, verdict
from experiments.lab.estimates import trailing
from experiments.matrl.cells import Cell, Failure
from experiments.matrl.control_config import Config
from experiments.matrl.control_results import WINDOW, Curves, Summary, measure
from metaspiel import files

COLOURS = {
    "il": "tab:blue",
    "il-matched": "tab:cyan",
    "il-la": "tab:green",
    "matrl": "tab:red",
    "matrl-wo-br": "tab:orange",
    "random-rho": "tab:purple",
}


def tables(summary: Summary) -> list[report.Table]:
    """Results and claims."""
    seeds = summary.seeds
    few = f" {seeds} seeds are few: such intervals are too narrow."
    return [
        report.Table.of(
            f"Team returns, means over {seeds} seeds with bootstrap 95 % intervals; "
            f"{summary.iterations} iterations, {summary.env_steps:,} steps."
            f"{few if seeds < charts.ENOUGH else ''}",
            {
                "task": attrgetter("task"),
                "method": attrgetter("method"),
                "seeds": lambda line: len(line.seeds),
                "random": lambda line: report.number(line.random),
                "first ten": lambda line: line.first.shown(),
                "last ten": lambda line: line.last.shown(),
                "best ten": lambda line: line.best.shown(),
                "mean ρ": lambda line: report.number(line.rho, 3),
                "pure": lambda line: report.percent(line.pure, 0),
                "CPU s a cell": lambda line: report.number(line.cpu_seconds, 0),
            },
            summary.table,
        ),
        verdict.table(summary.claims),
    ]


def curve_figure(config: Config, curves: Curves, summary: Summary) -> Figure:
    """Returns over steps, one panel a task."""
    drawn, panels = charts.panels(config.tasks, "thousands of steps", "team return")
    x = np.arange(1, config.iterations + 1) * config.learner.ppo.batch / 1000
    for axes, task in zip(panels, config.tasks, strict=True):
        random = float(np.mean(summary.random[task].values))
        axes.axhline(random, color="0.4", linestyle=":", label="random actions")
        for method in config.methods:
            if len(curve := trailing(curves[task, method], WINDOW)):
                style = {"color": COLOURS[method], "label": method}
                charts.learning(axes, x.tolist(), curve, seed=config.seed, **style)
    charts.legend(drawn, panels[0], columns=7)
    return drawn


def write(
    folder: Path, config: Config, cells: Sequence[Cell], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Writes all that the page reports of what is finished; returns the summary."""
    summary, curves = measure(config, cells, folder)
    arrays: dict[str, np.ndarray] = {}
    for line in summary.table:
        if line.seeds:
            name = f"{line.task}/{line.method}"
            arrays[f"{name}/returns"] = curves[line.task, line.method]
            arrays[f"{name}/seeds"] = np.array(line.seeds)
    files.write_arrays(folder / "curves.npz", arrays)
    versions = ", ".join(f"{k} {v}" for k, v in summary.versions.items())
    band = "thin lines are seeds"
    if config.seeds >= charts.ENOUGH:
        band = "a band is the bootstrap 95 % interval of the mean"
    figure = charts.figure(
        curve_figure(config, curves, summary),
        "Learning curves",
        f"Mean over seeds of the last {WINDOW} iterations' return; {band}.",
        folder / "plots" / "curves.png",
    )
    record = summary.record
    report.publish(
        folder,
        record,
        title="MATRL on robots moved by several agents",
        lead=[
            f"{config.iterations} iterations of {config.learner.ppo.batch} steps "
            f"({summary.env_steps:,} in all), {config.seeds} seeds; {versions}. "
            "Returns are those of the whole team in the first episode of every robot; "
            "the paper gives curves without numbers, of an older version of the "
            "robots.",
            "That one method ends above another holds when a one-sided permutation "
            "test over seeds has p of at most .05, and fails when the opposite has.",
        ],
        tables=tables(summary),
        figures=[figure],
    )
    return record
