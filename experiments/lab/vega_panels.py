"""One panel of a chart as a specification of Vega-Lite."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.lab.looks import Look
from experiments.lab.marks import (
    INK,
    Axis,
    Chart,
    Panel,
    Rule,
    Series,
    Value,
    extent,
)
from experiments.lab.vega_heat import heat_spec
from experiments.lab.vega_values import Spec, placed, spoken

_FEW_TICKS = 8  # whole numbers up to which each has a tick
FEW = 60  # points up to which a line has dots
DASHES = {
    "solid": [1, 0],
    "dashed": [6, 4],
    "dotted": [2, 3],
    "dash-dot": [8, 3, 2, 3],
    "long-dash": [12, 4],
    "long-short": [10, 3, 3, 3],
}
HIDDEN: Spec = {"name": "hidden", "value": []}
"""Names that a reader has put aside."""
_NOTHING: Spec = {
    "data": {"values": []},
    "mark": {"type": "point"},
    "encoding": {name: {"field": name} for name in ("x", "y")},
}
_SHOWN = {"filter": "indexof(hidden, datum.name) < 0"}
_ENDS = (("y", "low", "high"), ("x", "left", "right"))


def panel_specs(chart: Chart, known: Mapping[str, Look]) -> Iterator[Spec]:
    """A specification of each panel of a chart that fits, without its width."""
    ends = {
        name: extent([v for one in chart.panels for v in _values(one, name)])
        for name in chart.same
    }
    for panel in chart.panels:
        spec: Spec = {"height": chart.height}
        if panel.heat is not None:
            yield spec | heat_spec(panel, panel.heat)
            continue
        axes = {
            name: _axis(axis, _values(panel, name), ends.get(name), panel)
            for name, axis in (("x", panel.x), ("y", panel.y))
        }
        layers, data = [], {}
        for number, one in enumerate(panel.series):
            columns, data[str(number)] = _data(one)
            base: Spec = {"data": {"name": str(number)}}
            base["transform"] = [{"flatten": columns}, _SHOWN]
            own = _layers(one, panel, known[one.name])
            layers += [base | _over(layer, axes) for layer in own]
        layers += [_over(_rule(rule), axes) for rule in panel.rules]
        if not layers:  # axes alone
            layers = [_over(_NOTHING, axes)]
        yield spec | {"layer": layers, "datasets": data}


def _over(layer: Spec, axes: Mapping[str, Spec]) -> Spec:
    """A layer whose places are on the axes of its panel."""
    encoding = {
        name: axes[name] | own if name in axes else own
        for name, own in layer["encoding"].items()
    }
    return layer | {"encoding": encoding}


def zoom(panel: Panel) -> Spec | None:
    """What lets a reader move and widen the part that is seen, where axes allow it."""
    axes = (("x", panel.x), ("y", panel.y))
    free = [name for name, axis in axes if axis.scale != "names"]
    if panel.heat is not None or not free or not panel.series:
        return None
    wheel = "wheel![event.ctrlKey || event.metaKey || event.shiftKey]"
    select = {"type": "interval", "encodings": free, "zoom": wheel}
    return {"name": "zoom", "select": select, "bind": "scales"}


def _values(panel: Panel, name: str) -> list[Any]:
    """All numbers or names along an axis of a panel."""
    kinds = ("x", "left", "right") if name == "x" else ("y", "low", "high")
    made: list[Any] = []
    for one in panel.series:
        listed = [getattr(one, kind) for kind in kinds]
        made += [placed(v) for own in listed if own is not None for v in own]
    return made + [placed(getattr(rule, name)) for rule in panel.rules]


def _axis(
    axis: Axis, values: Sequence[Any], ends: tuple[float, float] | None, panel: Panel
) -> Spec:
    """The encoding of an axis: its scale, ticks and title."""
    title, said = axis.label or None, spoken(axis.label)
    if axis.scale == "names":
        names = list(dict.fromkeys(v for v in values if v is not None))
        scale: Spec = {"domain": names}
        angle = {"labelAngle": -45} if max(map(len, names), default=0) > 9 else {}
        ticks = {"grid": False, "labelAngle": 0, "title": title} | angle
        return {"type": "nominal", "scale": scale, "axis": ticks, "title": said}
    numbers = [v for v in values if isinstance(v, int | float)]
    kind = {"log2": "log"}.get(axis.scale, axis.scale)
    bars = any(one.mark == "bars" for one in panel.series) and axis is panel.y
    scale = {"type": kind, "nice": False}
    if not axis.log:
        scale["zero"] = bars
    if axis.scale == "symlog":
        scale["constant"] = 1e-3
    if axis.scale == "log2":
        scale["base"] = 2
    if not bars:
        scale["padding"] = 8
    low, high = ends or (None, None)
    for key, end in (
        ("domainMin", low if axis.low is None else axis.low),
        ("domainMax", high if axis.high is None else axis.high),
    ):
        if end is not None:
            scale[key] = end
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": _ticks(axis, numbers) | {"title": title},
        "title": said,
    }


def _ticks(axis: Axis, numbers: Sequence[float]) -> Spec:
    """Whole numbers where all numbers are; powers where they span many."""
    if axis.log:
        ends = extent(numbers) or (1.0, 1.0)
        wide = ends[0] < 1e-3 or ends[1] / ends[0] > 1e3
        label = "datum.label"
        if wide:
            label = "replace(replace(datum.label, 'e+', 'e'), regexp('e0$'), '')"
        if axis.floor is not None:
            label = f"datum.value < {2 * axis.floor} ? '≈ 0' : {label}"
        power = "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-3"
        faint = {"condition": {"test": power, "value": 1}, "value": 0.4}
        ticks = {"labelExpr": label, "tickCount": 6, "gridOpacity": faint}
        return ticks | {"format": "~e" if wide else "~g"}
    if numbers and axis.high is None and all(v == int(v) for v in numbers):
        low, high = int(min(numbers)), int(max(numbers))
        if high - low <= _FEW_TICKS:
            return {"format": ",d", "values": list(range(low, high + 1))}
        return {"format": ",d", "tickMinStep": 1, "tickCount": 8}
    return {"tickCount": 6}


def _layers(one: Series, panel: Panel, look: Look) -> Iterator[Spec]:
    """The layers of a series: its intervals, then itself, then what is pointed at."""
    where = {name: {"field": name} for name in ("x", "y")}
    said = _tooltip(one, panel)
    if one.beside is not None:
        where["xOffset"] = {"field": "beside"}
    for name, low, high in _ENDS:
        if getattr(one, low) is not None:
            yield _interval(one, look, where, name=name, ends=(low, high))
    colour = one.colour or look.colour
    common = {"color": colour, "opacity": one.opacity, "clip": True}
    if one.mark == "line":
        wide = 2.4 * one.width if look.wider else one.width
        dash = DASHES[look.dash if one.dash == "solid" else one.dash]
        line = {"type": "line", "strokeWidth": wide, "strokeDash": dash, "order": False}
        if look.wider:
            line["opacity"] = 0.45 * one.opacity
        yield {"mark": common | line, "encoding": where}
        few = len(one.x) <= FEW if one.dots is None else one.dots
        dots = {"type": "point", "filled": True, "size": 22, "tooltip": True}
        yield {
            "mark": common | dots | ({} if few else {"opacity": 0, "size": 60}),
            "encoding": where | {"tooltip": said},
        }
    elif one.mark == "area":
        shape = {"type": "line", "interpolate": "linear-closed", "order": False}
        yield {"mark": common | shape | {"fill": colour}, "encoding": where}
    else:
        kinds: dict[str, Spec] = {
            "bars": {"type": "bar"},
            "ticks": {"type": "tick", "thickness": 2.5, "bandSize": 24},
            "points": {"type": "point", "shape": one.symbol, "size": 45,
                       "filled": one.symbol not in ("cross", "stroke")},
        }  # fmt: skip
        mark = common | kinds[one.mark]
        yield {"mark": mark, "encoding": where | {"tooltip": said}}


def _data(one: Series) -> tuple[list[str], list[Spec]]:
    """A series as one record with a list for each of its columns, which are named."""
    data: Spec = {"name": one.name}
    for column in ("x", "y", "low", "high", "left", "right"):
        values = getattr(one, column)
        if values is not None:
            data[column] = [placed(value) for value in values]
    for column in ("said", "notes"):
        values = getattr(one, column)
        if values is not None:
            data[column] = list(values)
    columns = [name for name in data if name != "name"]
    if one.beside is not None:
        data["beside"] = one.beside
    return columns, [data]


def _interval(
    one: Series, look: Look, where: Spec, *, name: str, ends: tuple[str, str]
) -> Spec:
    """The layer of intervals along an axis."""
    low, high = ends
    mark: Spec = {"color": one.colour or look.colour, "clip": True}
    if one.spread == "band" and one.mark == "line":
        mark |= {"type": "area", "opacity": 0.18, "order": False}
    else:
        wide = one.width if one.mark != "bars" else 1.5
        ink = INK if one.mark == "bars" else mark["color"]
        mark |= {"type": "rule", "strokeWidth": wide, "color": ink}
    encoding = where | {name: {"field": low}, f"{name}2": {"field": high}}
    return {"mark": mark, "encoding": encoding}


def _tooltip(one: Series, panel: Panel) -> list[Spec]:
    """What is said of a point that is pointed at."""
    across, up = spoken(panel.x.label), spoken(panel.y.label)
    across, up = across or "across", up or "up"
    said: list[Spec] = [{"field": "name", "title": "title"}] if one.name else []
    said.append({"field": "x", "title": across, **_form(one.x)})
    height: Spec = {"field": "y", **_form(one.y)}
    if one.said is not None:
        height = {"field": "said"}
    said.append(height | {"title": up if up != across else f"{up} "})
    for label, low, high in (("", "low", "high"), (f" of {across}", "left", "right")):
        if getattr(one, low) is not None:
            form = {"type": "quantitative", "format": ".4~g"}
            said.append({"field": low, "title": f"from{label}", **form})
            said.append({"field": high, "title": f"to{label}", **form})
    if one.notes is not None:
        said.append({"field": "notes", "title": "note", "type": "nominal"})
    return [{"type": "nominal"} | each for each in said]


def _form(values: Sequence[Value]) -> Spec:
    """How numbers of a column are written."""
    if any(isinstance(v, str) for v in values):
        return {"type": "nominal"}
    known = [v for v in values if v is not None]
    whole = all(math.isfinite(v) and v == int(v) for v in known)  # type: ignore[arg-type]
    return {"type": "quantitative", "format": ",d" if whole else ".4~g"}


def _rule(rule: Rule) -> Spec:
    """A straight line across the panel."""
    name, place = ("y", rule.y) if rule.y is not None else ("x", rule.x)
    mark = {
        "type": "rule",
        "color": rule.colour,
        "strokeDash": DASHES[rule.dash],
        "strokeWidth": rule.width,
    }
    tooltip = [{"field": "name", "type": "nominal", "title": "title"}] * bool(rule.name)
    tooltip.append({"field": name, "type": "quantitative", "format": ".4~g"})
    return {
        "data": {"values": [{"name": rule.name, name: place}]},
        "transform": [_SHOWN],
        "mark": mark,
        "encoding": {name: {"field": name}, "tooltip": tooltip},
    }
