"""Writes charts as Vega-Lite: for a browser, and as PNG, SVG and PDF.

One specification a panel. A browser lays panels out itself and shows one legend of
buttons; the files have the panels in a grid with Vega's own legend below.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.lab.escaping import printable
from experiments.lab.fitting import fitted
from experiments.lab.looks import Look, looks
from experiments.lab.marks import INK, Chart
from experiments.lab.vega_panels import DASHES, HIDDEN, Spec, panel_specs, zoom
from metaspiel import files

WIDE = 760  # pixels of all panels in a row of a file
_AUTOSIZE = {"type": "fit-x", "contains": "padding"}
_CONFIG: Spec = {
    "font": "system-ui, 'Helvetica Neue', Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": INK,
        "tickColor": INK,
        "gridColor": INK,
        "gridOpacity": 0.13,
        "domainOpacity": 0.5,
        "tickOpacity": 0.5,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "labelLimit": 150,
    },
    "title": {"color": INK, "fontSize": 12, "fontWeight": "normal"},
    "legend": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelLimit": 0,
    },
}


def page_specs(chart: Chart) -> list[Spec]:
    """A specification for each panel, as wide as the page lets it be."""
    wide = {"width": "container", "params": [HIDDEN], "autosize": _AUTOSIZE}
    config = _CONFIG | {"background": None}
    specs = []
    for panel, spec in zip(chart.panels, panel_specs(chart), strict=True):
        layers = list(spec["layer"])
        if moves := zoom(panel):
            layers[0] = layers[0] | {"params": [moves]}
        specs.append(_clean(spec | wide | {"layer": layers, "config": config}))
    return specs


def file_spec(chart: Chart) -> Spec:
    """One specification with all panels and a legend below them."""
    columns = min(chart.columns, len(chart.panels))
    width = WIDE // columns - 60
    panels = [
        {**spec, "width": width, "title": panel.title or None}
        for spec, panel in zip(panel_specs(chart), chart.panels, strict=True)
    ]
    shown = {name: look for name, look in looks(chart).items() if name}
    if shown:
        panels[0]["layer"] = [*panels[0]["layer"], *_names(shown)]
    return _clean(
        {
            "concat": panels,
            "columns": columns,
            "params": [HIDDEN],
            "config": _CONFIG | {"background": "white"},
        }
    )


def _names(shown: Mapping[str, Look]) -> list[Spec]:
    """A layer without marks whose scales are the legend."""
    names, few = list(shown), 760 // (7 * max(map(len, shown)) + 40)
    scales = {
        "color": [look.colour for look in shown.values()],
        "strokeDash": [DASHES[look.dash] for look in shown.values()],
    }
    below = {"orient": "bottom", "title": None, "columns": max(1, few)}
    symbol = "stroke" if all(look.lines for look in shown.values()) else "circle"
    return [
        {
            "data": {"values": []},
            "mark": {"type": "line"},
            "encoding": {
                channel: {
                    "field": "name",
                    "type": "nominal",
                    "scale": {"domain": names, "range": values},
                    "legend": below | {"symbolType": symbol, "symbolSize": 300},
                }
                for channel, values in scales.items()
            },
        }
    ]


def legend(chart: Chart) -> list[dict[str, str]]:
    """The names of a chart in order, each with its colour, dash and what it lies on."""
    return [
        {
            "name": name,
            "colour": look.colour,
            "dash": " ".join(map(str, DASHES[look.dash])) if look.lines else "",
            "on": look.on,
        }
        for name, look in looks(chart).items()
        if name
    ]


def notes(chart: Chart) -> list[str]:
    """What a reader must know besides: equal curves, points that are left out."""
    said = [
        f"{name} lies on {look.on}."
        for name, look in looks(chart).items()
        if look.on and name
    ]
    return [*said, *fitted(chart).notes]


def save(chart: Chart, place: Path) -> None:
    """Writes the chart beside ``place``, as PNG, SVG and PDF."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(file_spec(chart))
    files.write_text(place.with_name(f"{place.name}.svg"), svg)
    png = vl_convert.svg_to_png(svg, scale=2)
    files.write_bytes(place.with_name(f"{place.name}.png"), png)
    pdf = vl_convert.svg_to_pdf(svg)
    files.write_bytes(place.with_name(f"{place.name}.pdf"), pdf)


@functools.cache
def javascript() -> str:
    """All that a page needs to draw: Vega, Vega-Lite and Vega-Embed, as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle()).replace("</script", "<\\/script")


def _clean(value: Any) -> Any:
    """A specification whose texts may be shown and which holds no empty entries."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
