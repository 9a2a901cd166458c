"""Charts of several panels that share their colours and one legend."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.lab.charts import WIDTH


def tiles(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, two a row; each row is so many inches high."""
    columns = min(count, 2)
    rows = -(-count // columns)
    drawn = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    axes = list(np.atleast_1d(drawn.subplots(rows, columns)).ravel())
    for extra in axes[count:]:
        extra.remove()
    for one in axes[:count]:
        one.grid(alpha=0.3)
    return drawn, axes[:count]


def colours(count: int) -> list[Any]:
    """Colours that can be told apart; of a scale where there are more than ten."""
    if count <= 10:
        return [matplotlib.colormaps["tab10"](number) for number in range(count)]
    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, count)))


def legend_below(drawn: Figure, axes: Iterable[Axes]) -> None:
    """One legend of all panels, below them."""
    named: dict[str, Any] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    drawn.legend(
        list(named.values()),
        list(named),
        loc="outside lower center",
        ncols=min(4, len(named)),
        fontsize=8,
    )


def banded(
    curves: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]],
    order: Sequence[str],
    label: str,
    across: str = "iteration",
) -> Figure:
    """Means of trials, and a band of one standard deviation around them.

    One trial has no standard deviation, and then the band no width.

    Args:
      curves: by panel and name, the values of the trials at each point.
      order: of all names, which have the same colour in all panels.
      label: of the values.
      across: of the points.
    """
    drawn, axes = tiles(len(curves), 3.2)
    colour = dict(zip(order, colours(len(order)), strict=True))
    for one, (title, named) in zip(axes, curves.items(), strict=True):
        for name in (known for known in order if known in named):
            points = named[name]
            at = sorted(points)
            trials = [points[x] for x in at]
            mean = np.array([np.mean(values) for values in trials])
            wide = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in trials]
            one.plot(at, mean, marker="o", ms=3, color=colour[name], label=name)
            one.fill_between(
                at, mean - wide, mean + wide, color=colour[name], alpha=0.15, lw=0
            )
        one.set_title(title, fontsize=9)
        one.set_xlabel(across)
        one.set_ylabel(label)
    legend_below(drawn, axes)
    return drawn


def joined(
    measured: Mapping[str, Mapping[str, Mapping[str, float]]], marks: Mapping[str, str]
) -> Figure:
    """Two values of each thing, joined by a line: a panel a measure, a row a thing.

    Args:
      measured: by measure and thing, the values under two keys.
      marks: the two keys, and what the legend calls them.
    """
    labels = sorted({label for values in measured.values() for label in values})
    drawn = Figure(figsize=(WIDTH, 1.4 + 0.25 * len(labels)), layout="constrained")
    axes = np.atleast_1d(drawn.subplots(1, len(measured), sharey=True))
    for one, (name, values) in zip(axes, measured.items(), strict=True):
        heights = [labels.index(label) for label in values]
        for height, both in zip(heights, values.values(), strict=True):
            one.plot([both[key] for key in marks], [height] * 2, color="0.7", zorder=1)
        for (key, label), marker in zip(marks.items(), "os", strict=True):
            at = [both[key] for both in values.values()]
            one.scatter(at, heights, marker=marker, s=20, label=label)
        one.set_yticks(range(len(labels)), labels, fontsize=7)
        one.grid(alpha=0.3, axis="x")
        one.set_xlabel(name)
    legend_below(drawn, axes)
    return drawn
