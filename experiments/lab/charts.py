"""Charts in one style: drawn with matplotlib, kept as PNG, shown as SVG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, ScalarFormatter
from numpy import ndarray

from experiments.lab import marks, statistics
from experiments.lab.escaping import printable
from experiments.lab.report import Picture
from metaspiel import files

FLOOR = 1e-16  # a gap of exactly 0 is drawn here on a logarithmic axis
WIDTH = 7.5
ENOUGH = 5  # runs from which on a bootstrap interval is drawn


def figure(drawn: Figure, title: str, caption: str, png: Path | None) -> Picture:
    """A drawn figure as a ``Picture`` of a report, and as PNG where ``png`` says.

    Its texts are shown as they are: names of strangers are no formulas.
    """
    _take_literally(drawn)
    if png is not None:
        png.parent.mkdir(parents=True, exist_ok=True)
        packed = io.BytesIO()
        drawn.savefig(packed, format="png", dpi=130, bbox_inches="tight")
        files.write_bytes(png, packed.getvalue())
    vector = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawn.savefig(vector, format="svg", bbox_inches="tight", metadata=nothing)
    svg = vector.getvalue()
    return Picture(title, caption, svg[svg.index("<svg") :])


def _take_literally(drawn: Figure) -> None:
    """Shows all texts as they are, but for numbers at ticks, whose powers are math."""
    numbers: set[Artist] = set()
    for axes in drawn.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), ScalarFormatter | LogFormatter):
                ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
                numbers |= {label for t in ticks for label in (t.label1, t.label2)}
    for text in drawn.findobj(Text):
        if text not in numbers and isinstance(text, Text):
            text.set_parse_math(False)
            text.set_text(printable(text.get_text()))


def panels(
    titles: Sequence[str],
    across: str,
    label: str,
    *,
    most: int | None = None,
    width: float = 3.7,
    height: float = 3.6,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Panels with the same axes, one a title: ``most`` in a row, or all.

    ``width`` and ``height`` are a panel's, in inches.
    """
    columns = min(most or len(titles), len(titles))
    rows = -(-len(titles) // columns)
    size = max(5.0, width * columns), height * rows
    drawn = Figure(figsize=size, layout="constrained")
    grid = drawn.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    for axes, title in zip(grid.flat, titles, strict=False):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(across)
        axes.grid(alpha=0.3)
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(label)
    return drawn, list(grid.flat[: len(titles)])


def legend(drawn: Figure, *axes: Axes, columns: int = 5, above: bool = False) -> None:
    """One legend for all panels, below or above, with the labels of some of them."""
    named: dict[str, Artist] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    drawn.legend(
        list(named.values()),
        list(named),
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
    errors: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """A chart of named lines over iterations, or over what ``across`` names.

    Args:
      lines: x and y of each.
      label: of the y axis.
      log: the y axis is logarithmic.
      across: of the x axis.
      errors: standard errors of some lines, drawn as bars.
    """
    drawn, (axes,) = panels([""], across, label, width=WIDTH, height=3.4)
    for name, (x, y) in lines.items():
        values = np.maximum(y, FLOOR) if log else np.asarray(y)
        bars = None if errors is None else errors.get(name)
        style: dict[str, Any] = {"markersize": 3, "linewidth": 1.2, "label": name}
        axes.errorbar(x, values, yerr=bars, fmt="-o", capsize=2, **style)
    if log:
        axes.set_yscale("log")
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


def lines(
    named: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    label: str,
    *,
    log: bool,
    across: str = "iteration",
    errors: Mapping[str, Sequence[float]] | None = None,
) -> marks.Chart:
    """A chart of named lines over iterations, or over what ``across`` names.

    Args:
      named: x and y of each.
      label: of the y axis.
      log: the y axis is logarithmic.
      across: of the x axis.
      errors: standard errors of some lines, drawn as bars.
    """
    series = []
    for name, (x, y) in named.items():
        ends: dict[str, Any] = {}
        if errors is not None and name in errors:
            pairs = list(zip(y, errors[name], strict=True))
            ends = {"low": [v - e for v, e in pairs], "high": [v + e for v, e in pairs]}
        series.append(marks.Series(name=name, x=x, y=y, spread="bars", **ends))
    up = marks.Axis(label=label, scale="log" if log else "linear")
    panel = marks.Panel(x=marks.Axis(label=across), y=up, series=series)
    return marks.Chart(panels=[panel], columns=1, height=260)
