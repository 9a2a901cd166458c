"""Charts in one style: drawn with matplotlib, kept as PNG, shown as SVG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy import ndarray

from experiments.lab import statistics
from experiments.lab.report import Picture
from metaspiel import files

FLOOR = 1e-16  # a gap of exactly 0 is drawn here on a logarithmic axis
WIDTH = 7.5
ENOUGH = 5  # runs from which on a bootstrap interval is drawn


def write_png(drawn: Figure, path: Path) -> None:
    """Writes a drawn figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    drawn.savefig(packed, format="png", dpi=130, bbox_inches="tight")
    files.write_bytes(path, packed.getvalue())


def figure(drawn: Figure, title: str, caption: str, png: Path | None) -> Picture:
    """A drawn figure as a ``Picture`` of a report, and as PNG where ``png`` says."""
    if png is not None:
        write_png(drawn, png)
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawn.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    svg = text.getvalue()
    return Picture(title, caption, svg[svg.index("<svg") :])


def panels(
    titles: Sequence[str],
    across: str,
    label: str,
    *,
    width: float = 3.7,
    height: float = 3.6,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A row of panels side by side, one a title, with the same axes."""
    size = max(5.0, width * len(titles)), height
    drawn = Figure(figsize=size, layout="constrained")
    row = list(drawn.subplots(1, len(titles), sharey=sharey, squeeze=False)[0])
    for axes, title in zip(row, titles, strict=True):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(across)
        axes.grid(alpha=0.3)
    row[0].set_ylabel(label)
    return drawn, row


def legend(drawn: Figure, axes: Axes, columns: int = 5, *, above: bool = False) -> None:
    """One legend for all panels, below or above, with the labels of one of them."""
    drawn.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper center" if above else "outside lower center",
        ncols=columns,
        fontsize=8,
    )


def learning(
    axes: Axes,
    x: Sequence[float],
    values: Float64[ndarray, "S T"],
    *,
    seed: int | None = None,
    **style: Any,
) -> None:
    """The mean of S runs over time, with what says how far they are apart.

    Args:
      axes: where it is drawn.
      x: when the values were measured.
      values: of the runs.
      seed: of the bootstrap 95 % band that is drawn from five runs on; with None, and
        of fewer runs, each run is a thin line.
      **style: of the mean.
    """
    if seed is not None and len(values) >= ENOUGH:
        spans = [statistics.interval(v.tolist(), seed, draws=2000) for v in values.T]
        low, high = [one.low for one in spans], [one.high for one in spans]
        band(axes, x, values.mean(0).tolist(), low=low, high=high, **style)
        return
    (line,) = axes.plot(x, values.mean(0), linewidth=1.8, **style)
    for one in values if len(values) > 1 else ():
        axes.plot(x, one, color=line.get_color(), linewidth=0.7, alpha=0.5)


def curve(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    label: str,
    log: bool,
    across: str = "iteration",
) -> Figure:
    """A chart of named lines over iterations, or over what ``across`` names."""
    drawn = Figure(figsize=(WIDTH, 3.4))
    axes = drawn.subplots()
    for name, (x, y) in lines.items():
        values = np.maximum(y, FLOOR) if log else np.asarray(y)
        axes.plot(x, values, marker="o", markersize=3, linewidth=1.2, label=name)
    if log:
        axes.set_yscale("log")
    axes.set_xlabel(across)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(fontsize=8)
    return drawn


def band(
    axes: Axes,
    x: Sequence[float],
    middle: Sequence[float],
    *,
    low: Sequence[float | None],
    high: Sequence[float | None],
    **style: Any,
) -> None:
    """A line with its interval around it; without one where an end is missing."""
    (line,) = axes.plot(x, middle, **style)
    if None not in (*low, *high):
        bounds = np.array(low, dtype=float), np.array(high, dtype=float)
        colour = line.get_color()
        axes.fill_between(x, *bounds, color=colour, alpha=0.15, linewidth=0)


def scatters(
    points: Mapping[str, Mapping[str, tuple[float, float]]], across: str, up: str
) -> Figure:
    """Panels by name, at most three in a row, of named points on logarithmic axes."""
    columns = min(3, max(1, len(points)))
    rows = max(1, -(-len(points) // columns))
    drawn = Figure(figsize=(3.2 * columns, 2.6 * rows + 0.6), layout="constrained")
    grid = drawn.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
    names = list(dict.fromkeys(name for panel in points.values() for name in panel))
    marks = {}
    for axes, (title, panel) in zip(grid, points.items(), strict=False):
        for name, (x, y) in panel.items():
            look = {"color": f"C{names.index(name)}", "alpha": 0.7, "label": name}
            marks[name] = axes.loglog([x], [y], "o", **look)[0]
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in grid[len(points) :]:
        axes.set_visible(False)
    drawn.supxlabel(across, fontsize=9)
    drawn.supylabel(up, fontsize=9)
    drawn.legend(
        handles=list(marks.values()), loc="outside upper center", ncols=4, fontsize=8
    )
    return drawn
