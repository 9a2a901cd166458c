"""One panel of a chart as a specification of Vega-Lite."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.lab.looks import Look
from experiments.lab.marks import (
    ALONG,
    INK,
    Axis,
    Chart,
    Panel,
    Rule,
    Series,
    Value,
    extent,
    finite,
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
    "encoding": {name: {"field": name} for name in ALONG},
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
            record = _data(one, panel)
            data[str(number)] = [record]
            columns = [name for name, own in record.items() if isinstance(own, list)]
            base: Spec = {"data": {"name": str(number)}}
            base["transform"] = [{"flatten": columns}, _SHOWN]
            own = _layers(one, panel, look=known[one.name], record=record)
            layers += [base | _over(layer, axes) for layer in own]
        layers += [_over(_rule(rule, panel), axes) for rule in panel.rules]
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


def _values(panel: Panel, name: str) -> list[Value]:
    """Where all that a panel has is drawn along an axis."""
    floor = (panel.x if name == "x" else panel.y).floor
    return [placed(value, floor) for value in panel.values(name)]


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
    numbers = [v for v in (*values, *(ends or ())) if finite(v)]
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
        "axis": _ticks(axis, [] if bars else numbers) | {"title": title},
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
            low = f"≤ {axis.floor:g}".replace("e-0", "e-")
            label = f"datum.value < {1.001 * axis.floor} ? '{low}' : {label}"
        power = "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-3"
        faint = {"condition": {"test": power, "value": 1}, "value": 0.4}
        ticks = {"labelExpr": label, "tickCount": 6, "gridOpacity": faint}
        return ticks | {"format": "~e" if wide else "~g"}
    if numbers and axis.high is None and all(v == int(v) for v in numbers):
        least, most = int(min(numbers)), int(max(numbers))
        if most - least <= _FEW_TICKS:
            return {"format": ",d", "values": list(range(least, most + 1))}
        return {"format": ",d", "tickMinStep": 1, "tickCount": 8}
    return {"tickCount": 6}


def _layers(one: Series, panel: Panel, *, look: Look, record: Spec) -> Iterator[Spec]:
    """The layers of a series: itself, on its intervals; those of bars lie on these."""
    where: Spec = {name: {"field": name} for name in ALONG}
    if one.beside is not None:
        where["xOffset"] = {"field": "beside"}
    intervals = [
        _interval(one, look, where, name=name, ends=(low, high))
        for name, low, high in _ENDS
        if low in record
    ]
    colour = one.colour or look.colour
    common = {"color": colour, "opacity": one.opacity, "clip": True}
    pointed = where | {"tooltip": _tooltip(one, panel, record)}
    if one.mark == "bars":
        bar = {"mark": common | {"type": "bar"}}
        yield bar | {"encoding": pointed | {"y2": {"field": "base"}}}
    yield from intervals
    if one.mark == "line":
        wide = 2.4 * one.width if look.wider else one.width
        dash = DASHES[look.dash if one.dash == "solid" else one.dash]
        line = {"type": "line", "strokeWidth": wide, "strokeDash": dash, "order": False}
        if look.wider:
            line["opacity"] = 0.45 * one.opacity
        yield {"mark": common | line, "encoding": where}
        few = len(one.x) <= FEW if one.dots is None else one.dots
        dots = {"type": "point", "filled": True, "size": 22, "tooltip": True}
        mark = common | dots | ({} if few else {"opacity": 0, "size": 60})
        yield {"mark": mark, "encoding": pointed}
    elif one.mark == "area":
        shape = {"type": "line", "interpolate": "linear-closed", "order": False}
        # A stroke alone shows a polygon that is a point or a segment.
        shape |= {"fill": colour, "strokeCap": "round", "point": len(one.x) == 1}
        yield {"mark": common | shape, "encoding": where}
    elif one.mark == "ticks":
        mark = common | {"type": "tick", "thickness": 2.5, "bandSize": 24}
        yield {"mark": mark, "encoding": pointed}
    elif one.mark == "points":
        full = one.symbol not in ("cross", "stroke")
        shape = {"type": "point", "shape": one.symbol, "size": 45, "filled": full}
        yield {"mark": common | shape, "encoding": pointed}


def _data(one: Series, panel: Panel) -> Spec:
    """A series as one record with a list for each of its columns.

    Where a number is drawn elsewhere than it is, "said y" and the like have it.
    """
    data: Spec = {"name": one.name}
    for name, *kinds in (("x", "x", "left", "right"), ("y", "y", "low", "high")):
        floor = getattr(panel, name).floor
        for column in kinds:
            values = getattr(one, column)
            if values is None or (column != name and not any(map(finite, values))):
                continue  # intervals of nothing
            said = [placed(value) for value in values]
            drawn = [placed(value, floor) for value in values]
            data[column] = drawn
            if said != drawn:
                data[f"said {column}"] = said
    if one.base is not None:
        tops = zip(data["y"], one.base, strict=True)
        data |= {"base": [placed(v) for v in one.base], "said y": data["y"]}
        data["y"] = [placed(v + base) if finite(v) else None for v, base in tops]
    if one.notes is not None:
        data["notes"] = list(one.notes)
    if one.beside is not None:
        data["beside"] = one.beside
    return data


def _interval(
    one: Series, look: Look, where: Spec, *, name: str, ends: tuple[str, str]
) -> Spec:
    """The layer of intervals along an axis."""
    low, high = ends
    mark: Spec = {"color": one.colour or look.colour, "clip": True}
    if one.spread == "band" and one.mark == "line" and len(one.x) > 1:
        mark |= {"type": "area", "opacity": 0.18, "order": False}
    else:
        wide = one.width if one.mark != "bars" else 1.5
        ink = INK if one.mark == "bars" else mark["color"]
        mark |= {"type": "rule", "strokeWidth": wide, "color": ink}
    encoding = where | {name: {"field": low}, f"{name}2": {"field": high}}
    return {"mark": mark, "encoding": encoding}


def _tooltip(one: Series, panel: Panel, record: Spec) -> list[Spec]:
    """What is said of a point that is pointed at."""
    across, up = spoken(panel.x.label), spoken(panel.y.label)
    across, up = across or "across", up or "up"
    titles = {"x": across, "y": up if up != across else f"{up} "}
    titles |= {"low": "from", "high": "to"}
    titles |= {"left": f"from of {across}", "right": f"to of {across}", "notes": "note"}
    said: list[Spec] = [{"field": "name", "title": "title"}] if one.name else []
    for column, title in titles.items():
        if column in record:
            own = f"said {column}" if f"said {column}" in record else column
            said.append({"field": own, "title": title, **_form(record[own])})
    return [{"type": "nominal"} | each for each in said]


def _form(values: Sequence[Value]) -> Spec:
    """How numbers of a column are written."""
    if any(isinstance(v, str) for v in values):
        return {"type": "nominal"}
    whole = all(v == int(v) for v in values if v is not None)
    return {"type": "quantitative", "format": ",d" if whole else ".4~g"}


def _rule(rule: Rule, panel: Panel) -> Spec:
    """A straight line across the panel."""
    name, place = ("y", rule.y) if rule.y is not None else ("x", rule.x)
    drawn = placed(place, getattr(panel, name).floor)
    mark = {
        "type": "rule",
        "color": rule.colour,
        "strokeDash": DASHES[rule.dash],
        "strokeWidth": rule.width,
    }
    tooltip = [{"field": "name", "type": "nominal", "title": "title"}] * bool(rule.name)
    tooltip.append({"field": "said", "type": "quantitative", "format": ".4~g"})
    return {
        "data": {"values": [{"name": rule.name, name: drawn, "said": place}]},
        "transform": [_SHOWN],
        "mark": mark,
        "encoding": {name: {"field": name}, "tooltip": tooltip},
    }
