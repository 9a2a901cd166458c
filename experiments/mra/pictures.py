"""Pictures of courses: reward by episodes, information and cross entropy."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.lab.charts import learning
from experiments.lab.marks import Axis, Chart, Dash, Panel, Picture, Rule, Series
from experiments.mra.course import Row, Scores

Runs = Mapping[str, Sequence[Sequence[Row]]]
"""Rows of all seeds, by method."""
_ACROSS = Axis(label="episodes of all sizes")
_DASHES: Mapping[str, Dash] = {
    "random": "dotted",
    "largest": "dash-dot",
    "nearest": "dashed",
    "myopic": "long-dash",
    "wary": "long-short",
}


def _value(one: Mapping[str, Sequence[float]], role: int) -> float:
    return one["means"][role]


def learning_curves(
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
      runs: what was learned; a method without a size has no line in its panel.
      known: scores of reference policies.
      roles: what agents of each role are called.
      name: of the files.
      title: of the picture.
      sizes: the panels (default: all sizes of the runs).
      episodes: on which rewards were measured, in words.
    """
    every = [row for own in runs.values() for rows in own for row in rows[:1]]
    shown = sizes or list(dict.fromkeys(s for row in every for s in row["scores"]))
    played = [size for size in shown if any(size in row["scores"] for row in every)]
    panels = [
        Panel(
            title=f"{size} {who}" if len(roles) == 1 else f"{size}: {who}",
            x=_ACROSS,
            y=Axis(label="reward"),
            series=_lines(runs, size, role),
            rules=[
                Rule(
                    name=policy,
                    y=_value(scores[size], role),
                    dash=_DASHES.get(policy, "solid"),
                )
                for policy, scores in known.items()
                if size in scores
            ],
        )
        for size in played
        for role, who in enumerate(roles)
    ]
    caption = f"Reward an agent and episode on episodes of {episodes}."
    if max(len(own) for own in runs.values()) > 1:
        caption += " The mean over seeds, each seed a thin line."
    caption += " Grey: policies by rule, which learn nothing."
    chart = Chart(panels=panels)
    return Picture(name=name, title=title, caption=caption, chart=chart)


def _lines(runs: Runs, size: str, role: int) -> list[Series]:
    """The methods that were measured at a size."""
    made: list[Series] = []
    for method, all_runs in runs.items():
        own = [rows for rows in all_runs if size in rows[0]["scores"]]
        if own:
            at = [row["episodes"] for row in own[0]]
            values = [[_value(r["scores"][size], role) for r in rows] for rows in own]
            made += learning(method, at, np.array(values))
    return made


def learned_curves(runs: Runs, name: str = "") -> list[Picture]:
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
        series = [
            one
            for method, line in lines.items()
            if line is not None
            for one in learning(method, *line)
        ]
        if not series:
            continue
        games = max(len(rows[-1]["learned"]) for own in runs.values() for rows in own)
        rules = []
        if what == "cross_entropy":
            rules.append(Rule(name="guessing", y=math.log(games)))
        panel = Panel(x=_ACROSS, y=Axis(label="nats"), series=series, rules=rules)
        caption = "Mean over sizes, minibatches and roles; each seed a thin line."
        chart = Chart(panels=[panel])
        picture = Picture(
            name=f"{name}{what}", title=title, caption=caption, chart=chart
        )
        made.append(picture)
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
