"""Figures of the grid-world page."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.lab import charts
from experiments.matrl.grid_results import TaskResult

COLOURS = {
    "il": "#4477aa",
    "il-matched": "#66ccee",
    "il-la": "#228833",
    "matrl": "#cc3311",
    "matrl-wo-br": "#ee99aa",
    "random-rho": "#aa7700",
    "il-six-rows": "#777777",
    "vdn": "#882255",
    "qmix": "#332288",
    "qtran": "#44aa99",
    "maddpg": "#999933",
}
"""Colours of the methods, the same in every figure."""
_LINES = {
    "exact optimum": ("black", "-"),
    "attained without more sight (lower bound)": ("black", "--"),
    "random play": ("#999999", ":"),
    "nobody moves": ("#999999", "-."),
}


def curves(task: TaskResult) -> Figure:
    """Team return over environment steps: mean and interval over runs."""
    drawn = Figure(figsize=(8.2, 4.4), layout="constrained")
    axes = drawn.subplots()
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
    _levels(axes, task)
    _frame(axes)
    axes.set_xlabel("million environment steps")
    axes.set_ylabel("team return of an episode")
    axes.set_title(f"{task.title}")
    axes.margins(x=0.01)
    axes.grid(alpha=0.25)
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn


def _frame(axes: Axes) -> None:
    """Room for all lines; bands of few runs would leave none for them."""
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    room = 0.07 * max(1e-6, float(np.ptp(values)))
    axes.set_ylim(values.min() - room, values.max() + room)


def _levels(axes: Axes, task: TaskResult) -> None:
    """Lines of what is known, each with its value."""
    for name, value in task.known.items():
        colour, style = _LINES.get(
            name, (COLOURS.get(name.removeprefix("paper: ")), "dotted")
        )
        label = f"{name.partition(' (')[0]}: {value:.4g}"
        axes.axhline(value, color=colour, linestyle=style, linewidth=1.2, label=label)


def finals(task: TaskResult) -> Figure:
    """Final return of every run, mean and interval of every method."""
    lines = list(task.finished.values())[::-1]
    drawn = Figure(figsize=(8.2, 0.6 + 0.42 * max(2, len(lines))), layout="constrained")
    axes = drawn.subplots()
    for at, line in enumerate(lines):
        colour, values = COLOURS[line.method], list(line.finals.values())
        axes.plot(values, [at] * len(values), "o", color=colour, alpha=0.35, ms=5)
        if line.low is not None and line.high is not None:
            axes.plot([line.low, line.high], [at, at], color=colour, linewidth=2)
        axes.plot(np.mean(values), at, "|", color=colour, ms=16, mew=2.5)
    axes.set_yticks(range(len(lines)), [line.method for line in lines])
    axes.set_ylim(-0.6, len(lines) - 0.4)
    axes.set_xlabel(f"final team return, {task.plan.name}")
    axes.grid(axis="x", alpha=0.25)
    return drawn


def shares(tasks: Sequence[TaskResult]) -> Figure | None:
    """Mean rho of MATRL over training, a line a task; None without MATRL."""
    drawn = Figure(figsize=(8.2, 2.8), layout="constrained")
    axes = drawn.subplots()
    for task in tasks:
        if "matrl" in task.finished:
            mean = task.finished["matrl"].mean
            if mean.curve is not None and mean.rho_curve is not None:
                across = np.array(mean.curve.steps) / mean.curve.steps[-1]
                axes.plot(across, mean.rho_curve, linewidth=1.3, label=task.plan.name)
    if not axes.lines:
        return None
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("share of training")
    axes.set_ylabel("mean rho of matrl")
    axes.grid(alpha=0.25)
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn
