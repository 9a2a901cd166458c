"""Figures of the grid-world page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.lab.marks import (
    GREY,
    INK,
    Axis,
    Chart,
    Dash,
    Panel,
    Picture,
    Rule,
    Series,
    extent,
)
from experiments.matrl.colours import COLOURS
from experiments.matrl.grid_results import TaskResult

_LINES: Mapping[str, tuple[str, Dash]] = {
    "exact optimum": (INK, "solid"),
    "attained without more sight (lower bound)": (INK, "dashed"),
    "random play": (GREY, "dotted"),
    "nobody moves": (GREY, "dash-dot"),
}


def pictures(tasks: Sequence[TaskResult]) -> list[Picture]:
    """Curves and final returns of every task, and what meta-games held back."""
    made = []
    for task in tasks:
        if not task.finished:
            continue
        stem = task.plan.name.replace("(", "-").replace(")", "").replace(",", "-")
        made += [
            Picture(
                name=stem,
                title=f"Learning curves, {task.plan.name}",
                caption="Mean over runs and 95 % interval (Student's), in blocks of "
                "iterations; a band wider than the picture is cut.",
                chart=_curves(task),
            ),
            Picture(
                name=f"{stem}-final",
                title=f"Final returns, {task.plan.name}",
                caption="Points are runs, lines 95 % intervals around means.",
                chart=_finals(task),
            ),
        ]
    if any("matrl" in task.finished for task in tasks):
        shares = Picture(
            name="rho",
            title="How much the meta-game holds back",
            caption="Mean over agents and runs of the share of its present policy that "
            "an agent of matrl keeps; 0 is the trial step as it is.",
            chart=_shares(tasks),
        )
        made.append(shares)
    return made


def _curves(task: TaskResult) -> Chart:
    """Team return over environment steps: mean and interval over runs."""
    series, rules = [], []
    for name, line in task.finished.items():
        curve = line.mean.curve
        if curve is not None:
            one = Series(
                name=f"{name} (n = {line.n})",
                x=[steps / 1e6 for steps in curve.steps],
                y=curve.mean,
                low=curve.low,
                high=curve.high,
                colour=COLOURS[name],
            )
            series.append(one)
    for name, value in task.known.items():
        colour, style = _LINES.get(
            name, (COLOURS.get(name.removeprefix("paper: "), GREY), "dotted")
        )
        label = f"{name.partition(' (')[0]}: {value:.4g}"
        rules.append(Rule(name=label, y=value, colour=colour, dash=style))
    # Room for all lines; bands of few runs would leave none for them.
    values = [v for one in series for v in one.y] + [rule.y for rule in rules]
    low, high = extent(values) or (0.0, 1.0)
    room = 0.07 * max(1e-6, high - low)
    up = Axis(label="team return of an episode", low=low - room, high=high + room)
    across = Axis(label="million environment steps")
    panel = Panel(title=task.title, x=across, y=up, series=series, rules=rules)
    return Chart(panels=[panel], height=340)


def _finals(task: TaskResult) -> Chart:
    """Final return of every run, mean and interval of every method."""
    series = []
    for line in task.finished.values():
        values, colour = list(line.finals.values()), COLOURS[line.method]
        look: dict[str, Any] = {"name": line.method, "colour": colour}
        names = [line.method] * len(values)
        notes = [f"seed {seed}" for seed in line.finals]
        series += [
            Series(
                x=[float(np.mean(values))],
                y=[line.method],
                left=[line.low],
                right=[line.high],
                mark="points",
                symbol="diamond",
                spread="bars",
                notes=["mean over runs"],
                **look,
            ),
            Series(x=values, y=names, mark="points", opacity=0.45, notes=notes, **look),
        ]
    across = Axis(label=f"final team return, {task.plan.name}")
    panel = Panel(x=across, y=Axis(scale="names"), series=series)
    return Chart(panels=[panel], height=60 + 30 * len(task.finished))


def _shares(tasks: Sequence[TaskResult]) -> Chart:
    """Mean rho of MATRL over training, a line a task."""
    series = []
    for task in tasks:
        mean = task.finished["matrl"].mean if "matrl" in task.finished else None
        if mean is not None and mean.curve is not None and mean.rho_curve is not None:
            training = np.array(mean.curve.steps) / mean.curve.steps[-1]
            series.append(
                Series(name=task.plan.name, x=training.tolist(), y=mean.rho_curve)
            )
    across = Axis(label="share of training")
    up = Axis(label="mean rho of matrl", low=0, high=1)
    return Chart(panels=[Panel(x=across, y=up, series=series)], height=220)
