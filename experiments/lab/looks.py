"""How the names of a chart look: their colours, and what tells equal curves apart."""

import math
from dataclasses import dataclass, replace
from itertools import combinations

from experiments.lab.marks import COLOURS, Chart, Dash, Panel, Series, extent

_NEAR = 0.004  # of a panel's height: curves so close are one to the eye
_MOSTLY = 0.9  # of their points
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


def looks(chart: Chart) -> dict[str, Look]:
    """The look of every name, in order."""
    made: dict[str, Look] = {}
    free = iter(COLOURS * (1 + len(list(chart.everything)) // len(COLOURS)))
    for one in chart.everything:
        if one.name in made:
            continue
        line = not isinstance(one, Series) or one.mark == "line"
        made[one.name] = Look(
            colour=one.colour or next(free),
            dash=one.dash,
            symbol=one.symbol if isinstance(one, Series) else "circle",
            lines=line,
        )
    for panel in chart.panels:
        for under, over in _equal(panel):
            below, above = made[under], made[over]
            made[under] = replace(below, wider=not below.on)
            if above.on:
                continue
            before = sum(one.on == under for one in made.values())
            if above.dash == below.dash:
                after = _DASHES.index(below.dash) + 1 + before
                above = replace(above, dash=_DASHES[after % len(_DASHES)])
            made[over] = replace(above, on=under)
    return made


def _equal(panel: Panel) -> list[tuple[str, str]]:
    """Names of lines that lie on each other, but for one point in ten."""
    lines: dict[str, Series] = {}
    for one in panel.series:
        if one.mark == "line" and len(one.x) > 1 and one.name:
            lines.setdefault(one.name, one)
    places = {name: _heights(one, panel.y.log) for name, one in lines.items()}
    ends = extent([y for heights in places.values() for y in heights.values()])
    near = _NEAR * (ends[1] - ends[0]) if ends else 0.0
    pairs = []
    for under, over in combinations(places, 2):
        longest = max(len(places[under]), len(places[over]))
        spare = longest - _MOSTLY * longest  # points that may be apart
        for x in places[under].keys() | places[over].keys():
            below, above = places[under].get(x), places[over].get(x)
            spare -= below is None or above is None or abs(below - above) > near
            if spare < 0:
                break
        else:
            pairs.append((under, over))
    return pairs


def _heights(line: Series, log: bool) -> dict[object, float]:
    """Where the points of a line are, by their places across."""
    places: dict[object, float] = {}
    for x, y in zip(line.x, line.y, strict=True):
        if isinstance(y, str) or y is None or not math.isfinite(y):
            continue
        places[x] = math.log10(max(y, 1e-300)) if log else float(y)
    return places
