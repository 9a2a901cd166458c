"""Pictures of courses: reward by episodes, information and cross entropy."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.lab.charts import figure, learning, legend, panels
from experiments.lab.report import Picture
from experiments.mra.course import Row, Scores

Runs = Mapping[str, Sequence[Sequence[Row]]]
"""Rows of all seeds, by method."""
_DASHES: Mapping[str, Any] = {
    "random": ":",
    "largest": (0, (1, 4)),
    "nearest": "--",
    "myopic": "-.",
    "wary": (0, (6, 1, 1, 1, 1, 1)),
}


def _value(one: Mapping[str, Sequence[float]], role: int) -> float:
    return one["means"][role]


def learning_curves(
    plots: Path,
    runs: Runs,
    known: Mapping[str, Scores],
    *,
    roles: Sequence[str],
    name: str = "reward",
    title: str = "Reward by episodes",
    sizes: Sequence[str] | None = None,
    episodes: str = "the run's measurements",
) -> Picture:
    """Reward an agent and episode, one panel a size and role, with dashed references.

    Args:
      plots: folder of the pictures.
      runs: what was learned; a method without a size has no line in its panel.
      known: scores of reference policies.
      roles: what agents of each role are called.
      name: of the file.
      title: of the picture.
      sizes: the panels (default: all sizes of the runs).
      episodes: on which rewards were measured, in words.
    """
    every = [row for own in runs.values() for rows in own for row in rows[:1]]
    shown = sizes or list(dict.fromkeys(s for row in every for s in row["scores"]))
    played = [size for size in shown if any(size in row["scores"] for row in every)]
    places = [(size, role) for size in played for role in range(len(roles))]
    titles = [
        f"{size} {roles[0]}" if len(roles) == 1 else f"{size}: {roles[role]}"
        for size, role in places
    ]
    drawn, axes = panels(titles, "episodes of all sizes", "reward", most=3)
    for one, (size, role) in zip(axes, places, strict=True):
        for method, own in runs.items():
            _line(one, method, [rows for rows in own if size in rows[0]["scores"]],
                  size, role)  # fmt: skip
        for policy, scores in known.items():
            if size in scores:
                style = _DASHES.get(policy, "-")
                one.axhline(
                    _value(scores[size], role),
                    color="grey",
                    linestyle=style,
                    linewidth=1.0,
                    label=policy,
                )
    legend(drawn, *axes)
    caption = f"Reward an agent and episode on episodes of {episodes}."
    if max(len(own) for own in runs.values()) > 1:
        caption += " The mean over seeds, each seed a thin line."
    caption += " Grey: policies by rule, which learn nothing."
    return figure(drawn, title, caption, plots / f"{name}.png")


def _line(
    axes: Axes, method: str, own: Sequence[Sequence[Row]], size: str, role: int
) -> None:
    if own:
        at = [row["episodes"] for row in own[0]]
        values = [[_value(row["scores"][size], role) for row in rows] for rows in own]
        learning(axes, at, np.array(values), label=method)


def learned_curves(plots: Path, runs: Runs, name: str = "") -> list[Picture]:
    """Information of latents and actions, and cross entropy of the guessed game."""
    made = []
    for what, title in (
        ("information", "Information of latents and actions"),
        ("cross_entropy", "Cross entropy of the guessed game"),
    ):
        lines = {m: _learned(own, what) for m, own in runs.items()}
        if what == "cross_entropy":
            lines |= {
                f"{m}, by counting agents": _learned(own, f"counting_{what}")
                for m, own in runs.items()
            }
        lines = {method: one for method, one in lines.items() if one is not None}
        if not lines:
            continue
        drawn, (axes,) = panels([""], "episodes of all sizes", "nats", width=7.5)
        for method, one in lines.items():
            if one is not None:
                learning(axes, one[0], one[1], label=method)
        games = max(len(rows[-1]["learned"]) for own in runs.values() for rows in own)
        if what == "cross_entropy":
            axes.axhline(
                math.log(games), color="grey", linestyle="--", label="guessing"
            )
        legend(drawn, axes)
        caption = "Mean over sizes, minibatches and roles; each seed a thin line."
        made.append(figure(drawn, title, caption, plots / f"{name}{what}.png"))
    return made


def _learned(
    own: Sequence[Sequence[Row]], what: str
) -> tuple[list[int], np.ndarray] | None:
    """When a metric was measured, and its mean over sizes in every run."""
    values = [
        [[one.get(what) for one in row["learned"].values()] for row in rows[1:]]
        for rows in own
    ]
    if not values or any(v is None for rows in values for row in rows for v in row):
        return None
    at = [row["episodes"] for row in own[0][1:]]
    return at, np.array(values).mean(2)
