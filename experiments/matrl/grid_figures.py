"""Figures of the grid-world page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Row = dict[str, Any]

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
"""Of each method, the same in every figure."""
_LINES = {
    "optimum": ("optimum", "black", "-"),
    "attained": ("attained, decentralised", "black", "--"),
    "uniform": ("random play", "#999999", ":"),
    "waiting": ("nobody moves", "#999999", "-."),
}


def curves(task: Row) -> Figure:
    """Team return over environment steps: mean and interval over runs."""
    drawn = Figure(figsize=(8.2, 4.4), layout="constrained")
    axes = drawn.subplots()
    for row in task["methods"]:
        if not row["n"]:
            continue
        curve, colour = row["curve"], COLOURS[row["method"]]
        steps = np.array(curve["steps"]) / 1e6
        # Where the meta-game lets every step pass, il-la and matrl are the same line.
        axes.plot(
            steps,
            curve["mean"],
            color=colour,
            linewidth=3.2 if row["method"] == "matrl" else 1.3,
            linestyle="--" if row["method"] == "il-la" else "-",
            zorder=2 if row["method"] == "matrl" else 3,
            label=f"{row['method']} (n = {row['n']})",
        )
        if row["n"] > 1:
            low, high = np.array(curve["low"]), np.array(curve["high"])
            axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
    _levels(axes, task)
    _frame(axes)
    axes.set_xlabel("million environment steps")
    axes.set_ylabel("team return of an episode")
    axes.set_title(f"{task['task']}: {task['game']}, {task['reward']} reward")
    axes.margins(x=0.01)
    axes.grid(alpha=0.25)
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn


def _frame(axes: Axes) -> None:
    """Room for all lines; bands of few runs would leave none for them."""
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines])
    room = 0.07 * max(1e-6, float(np.ptp(values)))
    axes.set_ylim(values.min() - room, values.max() + room)


def _levels(axes: Axes, task: Row) -> None:
    """Lines of what is known, each with its value; equal ones are drawn once."""
    known = task["reference"]
    if known is not None:
        for key, (name, colour, style) in _LINES.items():
            value = known[key]
            if value is None or (key == "attained" and value == known["optimum"]):
                continue
            if key == "optimum" and known["attained"] == value:
                name = "optimum, attained decentralised"
            axes.axhline(
                value,
                color=colour,
                linestyle=style,
                linewidth=1,
                label=f"{name}: {value:.4g}",
            )
    for name, value in task["published"]:
        axes.axhline(
            value,
            color=COLOURS[name],
            linestyle=(0, (1, 2)),
            linewidth=1.6,
            label=f"{name} in the paper: {value:g}",
        )


def finals(task: Row) -> Figure:
    """Final return of every run, mean and interval of every method."""
    rows = [row for row in task["methods"] if row["n"]]
    drawn = Figure(figsize=(8.2, 0.6 + 0.42 * max(2, len(rows))), layout="constrained")
    axes = drawn.subplots()
    for at, row in enumerate(reversed(rows)):
        colour = COLOURS[row["method"]]
        values = list(row["finals"].values())
        axes.plot(values, [at] * len(values), "o", color=colour, alpha=0.35, ms=5)
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [at, at], color=colour, linewidth=2)
        axes.plot([row["final"]], [at], "|", color=colour, ms=16, mew=2.5)
    axes.set_yticks(range(len(rows)), [row["method"] for row in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"final team return, {task['task']}")
    axes.grid(axis="x", alpha=0.25)
    return drawn


def shares(tasks: Sequence[Row]) -> Figure | None:
    """Mean rho of MATRL over training, a line a task; None without MATRL."""
    lines = [
        (task["task"], row)
        for task in tasks
        for row in task["methods"]
        if row["method"] == "matrl" and row["n"]
    ]
    if not lines:
        return None
    drawn = Figure(figsize=(8.2, 2.8), layout="constrained")
    axes = drawn.subplots()
    for name, row in lines:
        across = np.array(row["curve"]["steps"]) / row["curve"]["steps"][-1]
        axes.plot(across, row["rho_curve"], linewidth=1.3, label=name)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("share of training")
    axes.set_ylabel("mean rho of matrl")
    axes.grid(alpha=0.25)
    drawn.legend(loc="outside right upper", fontsize=8, frameon=False)
    return drawn
