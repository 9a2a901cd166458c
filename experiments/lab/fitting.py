"""Charts as they can be drawn: few points, nothing below a logarithmic axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.lab.marks import ALONG, Chart, Heat, Panel, Series, finite

FLOOR = 1e-16  # the least number that a logarithmic axis shows; below is rounding
_ALL, _POINTS = 10_000, 400  # points of a report, and of one series
_AREA, _CELLS = 30_000, 100  # cells of a report; rows and columns of one table


@dataclass(frozen=True)
class Room:
    """How much is drawn of each of the charts of a report, which must stay small.

    Attributes:
      points: of a line, or of a cloud.
      cells: rows and columns of a table of colours.
    """

    points: int = _POINTS
    cells: int = _CELLS

    @classmethod
    def of(cls, charts: Sequence[Chart]) -> "Room":
        """Gives each of these charts as much as all may have."""
        panels = [panel for one in charts for panel in one.panels]
        series = max(1, sum(len(panel.series) for panel in panels))
        heats = max(1, sum(panel.heat is not None for panel in panels))
        return cls(
            points=max(2, min(_POINTS, _ALL // series)),
            cells=max(1, min(_CELLS, math.isqrt(_AREA // heats))),
        )


@dataclass(frozen=True)
class Fitted:
    """A chart that can be drawn, and what a reader must know of it besides."""

    chart: Chart
    notes: Sequence[str] = ()


def fitted(chart: Chart, room: Room | None = None) -> Fitted:
    """The chart with what has a place in it, and sentences on what has none."""
    room = room or Room.of([chart])
    notes = []
    if step := _step(chart, room.points):
        notes.append(f"Of the longest series one point in {step} is drawn.")
    if missing := sum(map(_endless, chart.panels)):
        notes.append(f"Numbers that are not finite are not drawn: {missing}.")
    panels = [
        replace(
            panel,
            series=_stacked([_thinned(one, room.points) for one in panel.series]),
            heat=panel.heat and _last(panel.heat, room.cells),
        )
        for panel in chart.panels
    ]
    for name in ALONG:
        floor = _floor([panel for panel in panels if getattr(panel, name).log], name)
        panels = [_on(panel, name, floor) for panel in panels]
        if floor is not None:
            notes.append(
                f"What is below {floor:g} is drawn there, at the lower end; pointing "
                "at it gives the number."
            )
    if any(p.heat and _large(p.heat, room.cells) for p in chart.panels):
        notes.append(f"Only the last {room.cells} rows and columns are shown.")
    return Fitted(replace(chart, panels=panels), notes)


def _step(chart: Chart, most: int) -> int:
    """How many points stand for one where a series has most; 0 where all are drawn."""
    counts = [len(one.x) for p in chart.panels for one in p.series if _long(one, most)]
    return -(-max(counts, default=0) // most)


def _long(one: Series, most: int) -> bool:
    return one.mark in ("line", "points") and len(one.x) > most


def _thinned(one: Series, most: int) -> Series:
    """The series with every so many-th of its points, and the last."""
    if not _long(one, most):
        return one
    last, step = len(one.x) - 1, -(-len(one.x) // most)
    kept = sorted({*range(0, last + 1, step), last})
    made: dict[str, Any] = {}
    for name in ("x", "y", "low", "high", "left", "right", "notes"):
        values = getattr(one, name)
        if values is not None:
            made[name] = [values[place] for place in kept]
    return replace(one, **made)


def _stacked(series: Sequence[Series]) -> list[Series]:
    """The series with bars that begin where those of the same place end."""
    ends: dict[object, float] = {}
    made = []
    for one in series:
        if one.mark == "bars":
            base = []
            for x, y in zip(one.x, one.y, strict=True):
                high = float(y) if finite(y) else 0.0
                key = one.beside, x, high < 0
                base.append(ends.get(key, 0.0))
                ends[key] = base[-1] + high
            one = replace(one, base=base)
        made.append(one)
    return made


def _endless(panel: Panel) -> int:
    """How many numbers are infinite or not numbers."""
    rows = panel.heat.values if panel.heat else ()
    values = [v for one in panel.series for v in one.y] + [
        v for row in rows for v in row
    ]
    return sum(not isinstance(v, str | None) and not finite(v) for v in values)


def _floor(panels: Sequence[Panel], name: str) -> float | None:
    """Where numbers are drawn that have no place on logarithmic axes, if any."""
    numbers = [float(v) for p in panels for v in p.values(name) if finite(v)]
    given = max((getattr(p, name).floor or 0.0 for p in panels), default=0.0)
    seen = [v for v in numbers if v >= (given or FLOOR)]
    if len(seen) == len(numbers):
        return None
    return given or 10.0 ** (math.floor(math.log10(min(seen, default=1.0))) - 1)


def _on(panel: Panel, name: str, floor: float | None) -> Panel:
    axis = getattr(panel, name)
    changed: dict[str, Any] = {name: replace(axis, floor=floor if axis.log else None)}
    return replace(panel, **changed)


def _large(heat: Heat, most: int) -> bool:
    return len(heat.rows) > most or len(heat.columns) > most


def _last(heat: Heat, most: int) -> Heat:
    """The last rows and columns of a table."""
    last = slice(-most, None)
    cut: dict[str, Any] = {}
    for name in ("rows", "columns", "row_names", "column_names"):
        own = getattr(heat, name)
        cut[name] = own and own[last]
    for name in ("values", "texts"):
        own = getattr(heat, name)
        cut[name] = own and [row[last] for row in own[last]]
    return replace(heat, **cut)
