"""Pictures of the NeuPL grid: gaps by iteration, forgetting by age."""

from collections.abc import Sequence

import numpy as np

from experiments.lab.charts import learning
from experiments.lab.marks import Axis, Chart, Panel, Picture, Series
from experiments.neupl_grid.results import Line


def pictures(lines: Sequence[Line]) -> list[Picture]:
    """Pictures of all games with finished runs."""
    ours = [line for line in lines if line.runs]
    games = list(dict.fromkeys(line.game for line in ours))
    if not games:
        return []
    panels = []
    for game in games:
        series: list[Series] = []
        for line in (line for line in ours if line.game == game):
            gaps = np.array([one.gaps for one in line.runs.values()])
            steps = list(range(1, gaps.shape[1] + 1))
            series += learning(line.variant, steps, gaps)
        across = Axis(label="iteration")
        up = Axis(label="full-game CCE gap", scale="log")
        panels.append(Panel(title=game, x=across, y=up, series=series))
    made = [
        Picture(
            name="gaps",
            title="Gap by iteration",
            caption="The mean over seeds, and each of them as a thin line.",
            chart=Chart(panels=panels, columns=2),
        )
    ]
    neural = [line for line in ours if line.variant != "jpsro"]
    if neural:
        made.append(_ages(neural))
    return made


def _ages(lines: Sequence[Line]) -> Picture:
    """Divergence of codes from what they were, by age."""
    panels = []
    for game in dict.fromkeys(line.game for line in lines):
        series = []
        for line in (line for line in lines if line.game == game):
            by_age: dict[int, list[float]] = {}
            for one in line.runs.values():
                for age, value in zip(one.ages, one.forgetting, strict=True):
                    by_age.setdefault(age, []).append(value)
            ages = sorted(age for age in by_age if age)
            means = [float(np.mean(by_age[age])) for age in ages]
            series.append(Series(name=line.variant, x=ages, y=means))
        across = Axis(label="age of a code")
        up = Axis(label="divergence (nats)", scale="log")
        panels.append(Panel(title=game, x=across, y=up, series=series))
    return Picture(
        name="forgetting",
        title="Forgetting by age",
        caption="Mean divergence of codes from what they played when they were new, by "
        "the iterations since then.",
        chart=Chart(panels=panels, columns=2),
    )
