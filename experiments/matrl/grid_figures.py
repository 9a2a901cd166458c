"""Figures of the grid-world page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts
from experiments.lab.report import Picture
from experiments.matrl.colours import COLOURS
from experiments.matrl.grid_results import TaskResult

_LINES = {
    "exact optimum": ("black", "-"),
    "attained without more sight (lower bound)": ("black", "--"),
    "random play": ("#999999", ":"),
    "nobody moves": ("#999999", "-."),
}


def pictures(plots: Path, tasks: Sequence[TaskResult]) -> list[Picture]:
    """Every figure, drawn and saved."""
    made = []
    for task in tasks:
        if not task.finished:
            continue
        stem = task.plan.name.replace("(", "-").replace(")", "").replace(",", "-")
        made += [
            charts.figure(
                _curves(task),
                f"Learning curves, {task.plan.name}",
                "Mean over runs and 95 % interval (Student's), in blocks of "
                "iterations; a band wider than the picture is cut.",
                plots / f"{stem}.png",
            ),
            charts.figure(
                _finals(task),
                f"Final returns, {task.plan.name}",
                "Points are runs, bars means and 95 % intervals.",
                plots / f"{stem}-final.png",
            ),
        ]
    if any("matrl" in task.finished for task in tasks):
        shares = charts.figure(
            _shares(tasks),
            "How much the meta-game holds back",
            "Mean over agents and runs of the share of its present policy that an "
            "agent of matrl keeps; 0 is the trial step as it is.",
            plots / "rho.png",
        )
        made.append(shares)
    return made


def _curves(task: TaskResult) -> Figure:
    """Team return over environment steps: mean and interval over runs."""
    across, up = "million environment steps", "team return of an episode"
    drawn, (axes,) = charts.panels([task.title], across, up, width=8.2, height=4.4)
    for name, line in task.finished.items():
        curve = line.mean.curve
        if curve is None:
            continue
        # Where the meta-game lets every step pass, il-la and matrl are the same line.
        charts.band(
            axes,
            [steps / 1e6 for steps in curve.steps],
            curve.mean,
            low=curve.low,
            high=curve.high,
            color=COLOURS[name],
            linewidth=3.2 if name == "matrl" else 1.3,
            linestyle="--" if name == "il-la" else "-",
            zorder=2 if name == "matrl" else 3,
            label=f"{name} (n = {line.n})",
        )
    for name, value in task.known.items():
        usual = COLOURS.get(name.removeprefix("paper: ")), "dotted"
        colour, style = _LINES.get(name, usual)
        label = f"{name.partition(' (')[0]}: {value:.4g}"
        axes.axhline(value, color=colour, linestyle=style, linewidth=1.2, label=label)
    # Room for all lines; bands of few runs would leave none for them.
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    room = 0.07 * max(1e-6, float(np.ptp(values)))
    axes.set_ylim(values.min() - room, values.max() + room)
    axes.margins(x=0.01)
    _beside(drawn)
    return drawn


def _beside(drawn: Figure) -> None:
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)


def _finals(task: TaskResult) -> Figure:
    """Final return of every run, mean and interval of every method."""
    lines = list(task.finished.values())[::-1]
    across, height = f"final team return, {task.plan.name}", 0.42 * max(2, len(lines))
    drawn, (axes,) = charts.panels([""], across, "", width=8.2, height=0.6 + height)
    for at, line in enumerate(lines):
        colour, values = COLOURS[line.method], list(line.finals.values())
        axes.plot(values, [at] * len(values), "o", color=colour, alpha=0.35, ms=5)
        if line.low is not None and line.high is not None:
            axes.plot([line.low, line.high], [at, at], color=colour, linewidth=2)
        axes.plot(np.mean(values), at, "|", color=colour, ms=16, mew=2.5)
    axes.set_yticks(range(len(lines)), [line.method for line in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    return drawn


def _shares(tasks: Sequence[TaskResult]) -> Figure:
    """Mean rho of MATRL over training, a line a task."""
    across, up = "share of training", "mean rho of matrl"
    drawn, (axes,) = charts.panels([""], across, up, width=8.2, height=2.8)
    for task in tasks:
        if "matrl" in task.finished:
            mean = task.finished["matrl"].mean
            if mean.curve is not None and mean.rho_curve is not None:
                training = np.array(mean.curve.steps) / mean.curve.steps[-1]
                axes.plot(training, mean.rho_curve, linewidth=1.3, label=task.plan.name)
    axes.set_ylim(-0.02, 1.02)
    _beside(drawn)
    return drawn
