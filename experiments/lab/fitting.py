"""Charts as they can be drawn: few points, nothing below a logarithmic axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.lab.marks import Axis, Chart, Series, Value

FLOOR = 1e-16  # the least number that a logarithmic axis shows; below is rounding
_MOST, _ALL = 400, 12_000  # points of a line, and of all lines of a chart


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
            replace(p, series=[_raised(one, p.y, floor) for one in p.series])
            for p in chart.panels
        ]
        chart = replace(chart, panels=panels)
        notes.append(f"Numbers below {floor:.0e} are drawn at the lower end.")
    return Fitted(chart, notes)


def _floor(chart: Chart) -> float | None:
    """Where numbers are drawn that have no place on a logarithmic axis, if any."""
    heights: list[float] = []
    for panel in chart.panels if any(p.y.log for p in chart.panels) else ():
        for one in panel.series if panel.y.log else ():
            listed = [own for own in (one.y, one.low, one.high) if own is not None]
            heights += [float(v) for own in listed for v in own if _number(v)]
    seen = [v for v in heights if v >= FLOOR]
    if len(seen) == len(heights):
        return None
    return 10.0 ** math.floor(math.log10(min(seen, default=1.0) / 2))


def _number(value: Value) -> bool:
    return value is not None and not isinstance(value, str) and math.isfinite(value)


def _raised(one: Series, axis: Axis, floor: float) -> Series:
    """The series with what is too low at the floor; points say what they are."""
    if not axis.log:
        return one
    moved: dict[str, Any] = {}
    for name in ("y", "low", "high"):
        own = getattr(one, name)
        if own is not None:
            moved[name] = [max(v, floor) if _number(v) else v for v in own]
    if any(_number(v) and v < floor for v in one.y):
        moved["said"] = [f"{v:.3g}" if _number(v) else "" for v in one.y]
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
