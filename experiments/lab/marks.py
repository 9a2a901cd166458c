"""What a chart is, as values: panels of lines, points and bars over two axes.

A page makes these values and draws nothing. ``vega`` writes them as a specification
that a browser draws and that PNG, SVG and PDF are made of.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeGuard

Value = float | str | None
"""A number, the name of a category, or nothing, where nothing is drawn."""
Mark = Literal["line", "points", "bars", "area", "ticks"]
Dash = Literal["solid", "dashed", "dotted", "dash-dot", "long-dash", "long-short"]
Scale = Literal["linear", "log", "log2", "symlog", "names"]
ALONG = ("x", "y")
INK = "currentColor"
"""The colour of the text around the chart: dark on light and light on dark."""
GREY = "#8a8a8a"
COLOURS = (
    "#3b78b5", "#e8820e", "#3f9b45", "#d04444", "#8d69b8", "#9a6a55", "#d975bd",
    "#7f8a99", "#a9a52a", "#22a7b8",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of a panel.

    Attributes:
      label: what is measured, with its unit.
      scale: how numbers are laid out; "names" are categories in the order they come.
      low: where it begins (default: where the numbers do).
      high: where it ends (default: where the numbers do).
      floor: of a logarithmic axis: lower numbers are drawn here (default: below all
        that have a place on it, where any has none).
    """

    label: str = ""
    scale: Scale = "linear"
    low: float | None = None
    high: float | None = None
    floor: float | None = None

    @property
    def log(self) -> bool:
        """Whether only numbers above 0 have a place on it."""
        return self.scale in ("log", "log2")


@dataclass(frozen=True, kw_only=True)
class Series:
    """Numbers with a name, which a legend shows and a reader can put aside.

    Attributes:
      name: series of the same name are one entry of the legend; "" is in no legend.
      x: places across.
      y: places up, one for each of ``x``.
      mark: how they are shown; an "area" is the polygon of the points.
      low, high: intervals of ``y``.
      left, right: intervals of ``x``.
      spread: how intervals are shown.
      colour: default: the next colour of the chart.
      dash: of a line.
      width: of a line or an interval, in pixels.
      symbol: of points.
      opacity: 0 to 1.
      dots: a line has a dot at each of its points (default: where they are few).
      notes: what a point says besides when it is pointed at.
      beside: bars with the same place stand side by side by this name; those that also
        have this in common are stacked.
      base: where bars begin (default: on those below them).
    """

    name: str
    x: Sequence[Value]
    y: Sequence[Value]
    mark: Mark = "line"
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    left: Sequence[float | None] | None = None
    right: Sequence[float | None] | None = None
    spread: Literal["band", "bars"] = "band"
    colour: str | None = None
    dash: Dash = "solid"
    width: float = 1.8
    symbol: str = "circle"
    opacity: float = 1.0
    dots: bool | None = None
    notes: Sequence[str] | None = None
    beside: str | None = None
    base: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A straight line across a panel, at ``y`` or at ``x``."""

    name: str
    y: float | None = None
    x: float | None = None
    colour: str = GREY
    dash: Dash = "dashed"
    width: float = 1.2


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A table of numbers as colours; each cell says its names and number.

    Attributes:
      values: rows of numbers; None is left empty.
      rows: labels of the rows, from below, each another.
      columns: labels of the columns, each another.
      row_names: longer names of the rows, for those who point at them.
      column_names: the same of the columns.
      label: what the numbers are.
      scale: "diverging" is even around 0, a "share" goes from 0 to 1.
      texts: what is written in the cells.
    """

    values: Sequence[Sequence[float | None]]
    rows: Sequence[str]
    columns: Sequence[str]
    label: str
    row_names: Sequence[str] | None = None
    column_names: Sequence[str] | None = None
    scale: Literal["diverging", "share"] = "diverging"
    texts: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A pair of axes and what is drawn between them."""

    title: str = ""
    x: Axis = Axis()
    y: Axis = Axis()
    series: Sequence[Series] = ()
    rules: Sequence[Rule] = ()
    heat: Heat | None = None

    def values(self, name: str) -> list[Value]:
        """All numbers and names along an axis; of stacked bars also their tops."""
        made: list[Value] = []
        for one in self.series:
            for kind in ("x", "left", "right") if name == "x" else ("y", "low", "high"):
                made += getattr(one, kind) or ()
            if name == "y" and one.base is not None:
                pairs = zip(one.y, one.base, strict=True)
                made += [y + base for y, base in pairs if finite(y)]
        return made + [getattr(rule, name) for rule in self.rules]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Panels with one legend.

    Attributes:
      panels: from left to right, then down.
      columns: panels in a row, where there is room.
      same: axes that have the same ends in all panels.
      height: of a panel in pixels.
    """

    panels: Sequence[Panel]
    columns: int = 3
    same: Literal["", "x", "y", "xy"] = ""
    height: int = 240

    @property
    def everything(self) -> Iterator[Series | Rule]:
        """All that may have a name in the legend, in order."""
        for panel in self.panels:
            yield from panel.series
            yield from panel.rules


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A chart of a report, and its files for papers.

    Attributes:
      name: of its files: ``plots/NAME.png``, ``.svg`` and ``.pdf``.
      title: text above it.
      caption: text below it.
      chart: what is drawn.
    """

    name: str
    title: str
    caption: str
    chart: Chart


def extent(values: Sequence[Any]) -> tuple[float, float] | None:
    """The least and the largest of the numbers; None where there are none."""
    numbers = [float(v) for v in values if finite(v)]
    return (min(numbers), max(numbers)) if numbers else None


def finite(value: Any) -> TypeGuard[float]:
    """Whether it is a number that can be drawn."""
    return isinstance(value, Real) and math.isfinite(value)
