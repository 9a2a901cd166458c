"""Charts as they can be drawn: few points, nothing below a logarithmic axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.lab.marks import Axis, Chart, Heat, Series, Value

FLOOR = 1e-16  # the least number that a logarithmic axis shows; below is rounding
_MOST, _ALL = 400, 12_000  # points of a line, and of all lines of a chart
_CELLS = 100  # rows and columns of a table of colours


@dataclass(frozen=True)
class Fitted:
    """A chart that can be drawn, and what a reader must know of it besides."""

    chart: Chart
    notes: Sequence[str] = ()


def fitted(chart: Chart) -> Fitted:
    """The chart with at most some hundreds of points a line, and none too low."""
    notes = []
    chart, step = _thinned(chart)
    if step > 1:
        notes.append(f"Of the longest lines one point in {step} is drawn.")
    if (floor := _floor(chart)) is not None:
        panels = [
            replace(
                p,
                y=replace(p.y, floor=floor if p.y.log else None),
                series=[_raised(one, p.y, floor) for one in p.series],
            )
            for p in chart.panels
        ]
        chart = replace(chart, panels=panels)
        notes.append("Numbers that are 0 but for rounding are drawn at the lower end.")
    if any(p.heat is not None and _large(p.heat) for p in chart.panels):
        panels = [
            p if p.heat is None else replace(p, heat=_last(p.heat))
            for p in chart.panels
        ]
        chart = replace(chart, panels=panels)
        notes.append(f"Only the last {_CELLS} rows and columns are shown.")
    return Fitted(chart, notes)


def _floor(chart: Chart) -> float | None:
    """Where numbers are drawn that have no place on a logarithmic axis, if any."""
    heights: list[float] = []
    for panel in chart.panels if any(p.y.log for p in chart.panels) else ():
        for one in panel.series if panel.y.log else ():
            listed = [own for own in (one.y, one.low, one.high) if own is not None]
            heights += [v for own in listed for v in _numbers(own)]
    seen = [v for v in heights if v >= FLOOR]
    if len(seen) == len(heights):
        return None
    return 10.0 ** (math.floor(math.log10(min(seen, default=1.0))) - 1)


def _large(heat: Heat) -> bool:
    return len(heat.rows) > _CELLS or len(heat.columns) > _CELLS


def _last(heat: Heat) -> Heat:
    """The last rows and columns of a table."""
    rows, columns = slice(-_CELLS, None), slice(-_CELLS, None)
    cut: dict[str, Any] = {
        "values": [row[columns] for row in heat.values[rows]],
        "rows": heat.rows[rows],
        "columns": heat.columns[columns],
    }
    if heat.row_names is not None:
        cut["row_names"] = heat.row_names[rows]
    if heat.column_names is not None:
        cut["column_names"] = heat.column_names[columns]
    if heat.texts is not None:
        cut["texts"] = [row[columns] for row in heat.texts[rows]]
    return replace(heat, **cut)


def _numbers(values: Sequence[Value]) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]


def _raised(one: Series, axis: Axis, floor: float) -> Series:
    """The series with what is too low at the floor; points say what they are."""
    if not axis.log:
        return one
    moved: dict[str, Any] = {}
    for name in ("y", "low", "high"):
        own = getattr(one, name)
        if own is not None:
            moved[name] = [v if v is None else max(v, floor) for v in own]
    if min(_numbers(one.y), default=floor) < floor:
        moved["said"] = ["" if v is None else f"{v:.3g}" for v in one.y]
    return replace(one, **moved)


def _thinned(chart: Chart) -> tuple[Chart, int]:
    """The chart with at most some hundreds of points a line.

    Returns:
      The chart, and of how many points one is kept where a line has most: 1 for all.
    """
    lines = sum(one.mark == "line" for p in chart.panels for one in p.series)
    most = max(50, min(_MOST, _ALL // max(1, lines)))
    steps = [1]

    def fewer(one: Series) -> Series:
        step = -(-len(one.x) // most) if one.mark == "line" else 1
        steps.append(step)
        return one if step == 1 else replace(one, **_every(one, step))

    panels = [
        replace(panel, series=[fewer(one) for one in panel.series])
        for panel in chart.panels
    ]
    return replace(chart, panels=panels), max(steps)


def _every(one: Series, step: int) -> dict[str, Any]:
    """Every ``step``-th of what a line has at each point, and the last."""
    last = len(one.x) - 1
    kept = sorted({*range(0, last + 1, step), last})
    made: dict[str, Any] = {}
    for name in ("x", "y", "low", "high", "left", "right", "notes", "said"):
        values = getattr(one, name)
        if values is not None:
            made[name] = [values[place] for place in kept]
    return made
