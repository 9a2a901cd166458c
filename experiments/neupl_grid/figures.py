"""Pictures of the NeuPL grid: gaps by iteration, forgetting by age."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.lab.charts import figure, learning, legend, panels
from experiments.lab.report import Picture
from experiments.neupl_grid.results import Line

_SEEN = 1e-7  # gaps below are drawn here


def pictures(plots: Path, lines: Sequence[Line]) -> list[Picture]:
    """Pictures of all games with finished runs."""
    ours = [line for line in lines if line.runs]
    games = list(dict.fromkeys(line.game for line in ours))
    if not games:
        return []
    drawn, every = panels(games, "iteration", "full-game CCE gap", most=4)
    for axes, game in zip(every, games, strict=True):
        axes.set_yscale("log")
        for line in (line for line in ours if line.game == game):
            gaps = np.array([one.gaps for one in line.runs.values()])
            steps = list(range(1, gaps.shape[1] + 1))
            learning(axes, steps, np.maximum(gaps, _SEEN), label=line.variant)
    legend(drawn, *every)
    made = [
        figure(
            drawn,
            "Gap by iteration",
            "The mean over seeds, and each of them as a thin line. Gaps below "
            f"{_SEEN:g} are drawn there.",
            plots / "gaps.png",
        )
    ]
    neural = [line for line in ours if line.variant != "jpsro"]
    if neural:
        made.append(_ages(plots, neural))
    return made


def _ages(plots: Path, lines: Sequence[Line]) -> Picture:
    """Divergence of codes from what they were, by age."""
    games = list(dict.fromkeys(line.game for line in lines))
    drawn, every = panels(games, "age of a code", "divergence (nats)", most=4)
    for axes, game in zip(every, games, strict=True):
        axes.set_yscale("log")
        for line in (line for line in lines if line.game == game):
            by_age: dict[int, list[float]] = {}
            for one in line.runs.values():
                for age, value in zip(one.ages, one.forgetting, strict=True):
                    by_age.setdefault(age, []).append(value)
            ages = sorted(age for age in by_age if age)
            means = [max(_SEEN, float(np.mean(by_age[age]))) for age in ages]
            axes.plot(ages, means, marker=".", label=line.variant)
    legend(drawn, *every)
    return figure(
        drawn,
        "Forgetting by age",
        "Mean divergence of codes from what they played when they were new, by the "
        "iterations since then.",
        plots / "forgetting.png",
    )
