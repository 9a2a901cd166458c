"""How the names of a chart look: their colours, and what tells equal curves apart."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, cycle, product

from experiments.lab.marks import (
    COLOURS,
    Axis,
    Chart,
    Dash,
    Panel,
    Series,
    extent,
    finite,
)

Heights = Mapping[object, float]

_NEAR = 0.004  # of a panel's height: curves so close are one to the eye
_MOSTLY = 0.9  # of their points
_NAMED = 4  # curves that a sentence names
_DASHES: tuple[Dash, ...] = (
    "solid", "dashed", "dotted", "dash-dot", "long-dash", "long-short",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a name of a chart is drawn, wherever it is.

    Attributes:
      colour: of all that has the name.
      dash: of its lines.
      symbol: of its points.
      wider: a line lies over it, so it is drawn wider.
      on: the name of the line that it lies on; "" for none.
      lines: it has any.
    """

    colour: str
    dash: Dash
    symbol: str
    wider: bool = False
    on: str = ""
    lines: bool = True


@dataclass(frozen=True, kw_only=True)
class Coinciding:
    """Curves that lie on an earlier one, but for one point in ten.

    Attributes:
      under: the name of that curve.
      over: names of those that lie on it, in order.
      where: titles of the panels; none where it is so wherever they are.
    """

    under: str
    over: Sequence[str]
    where: Sequence[str] = ()

    def __str__(self) -> str:
        shown, more = list(self.over[:_NAMED]), len(self.over) - _NAMED
        if more > 0:
            shown.append(f"{more} more")
        names = " and ".join([*filter(None, [", ".join(shown[:-1])]), shown[-1]])
        where = f" in {', '.join(self.where)}" if self.where else ""
        return f"{names} lie{'s' * (len(self.over) == 1)} on {self.under}{where}."


def coinciding(chart: Chart) -> list[Coinciding]:
    """Which curves of a chart a reader may take for one."""
    places: dict[tuple[str, str], list[int]] = {}
    drawn = []
    for number, panel in enumerate(chart.panels):
        names, pairs = _equal(panel)
        drawn.append(names)
        for pair in pairs:
            places.setdefault(pair, []).append(number)
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (under, over), own in places.items():
        both = [k for k, names in enumerate(drawn) if {under, over} <= names]
        where = () if own == both else tuple(chart.panels[k].title for k in own)
        groups.setdefault((under, where), []).append(over)
    return [
        Coinciding(under=under, over=over, where=where)
        for (under, where), over in groups.items()
    ]


def looks(chart: Chart, equal: Sequence[Coinciding]) -> dict[str, Look]:
    """The look of every name, in order, where some curves coincide."""
    made: dict[str, Look] = {}
    every = list(chart.everything)
    given = {one.colour for one in every}
    free = product(_DASHES, [c for c in COLOURS if c not in given] or COLOURS)
    again = cycle(free)  # a name has a dash where all colours are taken
    for one in every:
        if one.name in made:
            continue
        line = not isinstance(one, Series) or one.mark == "line"
        dash, colour = (one.dash, one.colour) if one.colour else next(again)
        made[one.name] = Look(
            colour=colour,
            dash=dash if one.dash == "solid" else one.dash,
            symbol=one.symbol if isinstance(one, Series) else "circle",
            lines=line,
        )
    for group in equal:
        below = made[group.under]
        made[group.under] = replace(below, wider=not below.on)
        for name in group.over:
            above = made[name]
            if above.on:
                continue
            before = sum(one.on == group.under for one in made.values())
            if above.dash == below.dash:
                after = _DASHES.index(below.dash) + 1 + before
                above = replace(above, dash=_DASHES[after % len(_DASHES)])
            made[name] = replace(above, on=group.under)
    return made


def _equal(panel: Panel) -> tuple[set[str], list[tuple[str, str]]]:
    """Names of a panel's lines, and of those that lie on each other."""
    lines: dict[str, Series] = {}
    for one in panel.series:
        if one.mark == "line" and len(one.x) > 1 and one.name:
            lines.setdefault(one.name, one)
    places = {name: _heights(one, panel.y) for name, one in lines.items()}
    ends = extent([y for heights in places.values() for y in heights.values()])
    near = _NEAR * (ends[1] - ends[0]) if ends else 0.0
    pairs: dict[str, str] = {}  # by what lies above
    for under, over in combinations(places, 2):
        if under in pairs or over in pairs or not places[under]:
            continue
        if _alike(places[under], places[over], near):
            pairs[over] = under
    return set(lines), [(under, over) for over, under in pairs.items()]


def _alike(one: Heights, other: Heights, near: float) -> bool:
    """Whether nearly all points of two lines are near each other."""
    longest = max(len(one), len(other))
    spare = longest - _MOSTLY * longest  # points that may be apart
    for x in one.keys() | other.keys():
        below, above = one.get(x), other.get(x)
        spare -= below is None or above is None or abs(below - above) > near
        if spare < 0:
            return False
    return True


def _heights(line: Series, up: Axis) -> Heights:
    """Where the points of a line are, by their places across."""
    least = up.floor or 1e-300
    return {
        x: math.log10(max(float(y), least)) if up.log else float(y)
        for x, y in zip(line.x, line.y, strict=True)
        if finite(y)
    }
