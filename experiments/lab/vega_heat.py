"""A table of colours as a specification of Vega-Lite."""

from experiments.lab.marks import Heat, Panel
from experiments.lab.vega_values import Spec, placed, spoken

_BELOW = {"orient": "bottom", "gradientLength": 160, "gradientThickness": 8}


def heat_spec(panel: Panel, heat: Heat) -> Spec:
    """A table of colours, and the texts in its cells."""
    cells, read = _cells(heat)
    numbers = [v for cell in cells for v in cell["number"] if v is not None]
    most = max(map(abs, numbers), default=1.0)
    scale: Spec = {"domain": [0, 1], "scheme": "viridis"}
    if heat.scale == "diverging":
        most = most or 1.0
        scale = {"domain": [-most, most], "scheme": "redblue"}
    colour = {
        "field": "number",
        "type": "quantitative",
        "scale": scale,
        "title": spoken(heat.label),
        "legend": _BELOW | {"title": heat.label},
    }
    up, across = spoken(panel.y.label) or "row", spoken(panel.x.label) or "column"
    said: list[Spec] = [
        {"field": "beside", "type": "nominal", "title": up},
        {"field": "below", "type": "nominal", "title": across},
        colour | {"format": ".5~g"},
    ]
    for key in ("scale", "legend"):
        del said[-1][key]
    rect = {"mark": {"type": "rect"}, "encoding": {"color": colour, "tooltip": said}}
    layers: list[Spec] = [rect]
    if heat.texts is not None:
        dark = f"abs(datum.number) > {0.6 * most}"
        if heat.scale == "share":  # dark is low
            dark = "datum.number < 0.6"
        ink = {"condition": {"test": dark, "value": "white"}, "value": "#222"}
        mark = {"type": "text", "fontSize": 9, "lineBreak": "\n"}
        drawn = {"text": {"field": "text"}, "color": ink}
        layers.append({"mark": mark, "encoding": drawn})
    data = {"data": {"name": "0"}, "datasets": {"0": cells}, "transform": read}
    return data | {"encoding": _places(panel, heat), "layer": layers}


def _cells(heat: Heat) -> tuple[list[Spec], list[Spec]]:
    """A record for each row, and how cells are read from them."""
    cells: list[Spec] = [
        {"row": row, "beside": name, "column": list(heat.columns)}
        | {"number": [placed(value) for value in values]}
        for row, name, values in zip(
            heat.rows, heat.row_names or heat.rows, heat.values, strict=True
        )
    ]
    if heat.texts is not None:
        for cell, texts in zip(cells, heat.texts, strict=True):
            cell["text"] = list(texts)
    names = [
        {"column": label, "below": name}
        for label, name in zip(
            heat.columns, heat.column_names or heat.columns, strict=True
        )
    ]
    columns = ["column", "number"] + ["text"] * (heat.texts is not None)
    named = {"data": {"values": names}, "key": "column", "fields": ["below"]}
    return cells, [{"flatten": columns}, {"lookup": "column", "from": named}]


def _places(panel: Panel, heat: Heat) -> Spec:
    """Where the columns and rows are."""
    axes = {"x": ("column", heat.columns, panel.x), "y": ("row", heat.rows, panel.y)}
    where: Spec = {}
    for name, (field, order, axis) in axes.items():
        long = name == "x" and max(map(len, order), default=0) > 9
        ticks = {"labelOverlap": True, "grid": False, "labelAngle": -45 if long else 0}
        where[name] = {
            "field": field,
            "type": "nominal",
            "scale": {"domain": list(order) if name == "x" else list(order)[::-1]},
            "axis": ticks | {"title": axis.label or None},
            "title": spoken(axis.label),
        }
        where[name]["scale"] |= {"paddingInner": 0.02, "paddingOuter": 0}
    return where
