"""Writes charts as Vega-Lite: for a browser, and as PNG, SVG and PDF.

One specification a panel. A browser lays panels out itself and shows one legend of
buttons; the files have the panels in a grid with Vega's own legend below.
"""

import base64
import functools
import gzip
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lab.escaping import printable
from experiments.lab.fitting import Room, fitted
from experiments.lab.looks import Look, coinciding, looks
from experiments.lab.marks import INK, Chart
from experiments.lab.vega_panels import DASHES, HIDDEN, panel_specs, zoom
from experiments.lab.vega_values import Spec
from metaspiel import files

WIDE = 760  # pixels of all panels in a row of a file
_DENSE = 1.25  # of pixels of a PNG; twice as dense takes five times as long
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


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A chart that fits, with the looks of its names and what to say of it besides."""

    chart: Chart
    known: Mapping[str, Look]
    notes: Sequence[str]

    @classmethod
    def of(cls, chart: Chart, room: Room | None = None) -> "Ready":
        """Makes a chart ready to be drawn, in the room that its report has for it."""
        made = fitted(chart, room)
        equal = coinciding(made.chart)
        notes = [*map(str, equal), *made.notes]
        return cls(chart=made.chart, known=looks(made.chart, equal), notes=notes)

    @property
    def page_specs(self) -> list[Spec]:
        """A specification for each panel, as wide as the page lets it be."""
        wide = {"width": "container", "params": [HIDDEN], "autosize": _AUTOSIZE}
        config = _CONFIG | {"background": "transparent"}
        specs = []
        every = panel_specs(self.chart, self.known)
        for panel, spec in zip(self.chart.panels, every, strict=True):
            layers = list(spec["layer"])
            if moves := zoom(panel):
                layers[0] = layers[0] | {"params": [moves]}
            specs.append(_clean(spec | wide | {"layer": layers, "config": config}))
        return specs

    @property
    def file_spec(self) -> Spec:
        """One specification with all panels and a legend below them."""
        columns = max(1, min(self.chart.columns, len(self.chart.panels)))
        width = WIDE // columns - 60
        panels: list[Spec] = []
        data: Spec = {}
        every = panel_specs(self.chart, self.known)
        for place, spec in enumerate(every):
            spec, own = _renamed(spec, f"{place}.")
            title = self.chart.panels[place].title
            panels.append(spec | {"width": width} | ({"title": title} if title else {}))
            data |= own
        shown = {name: look for name, look in self.known.items() if name}
        if shown:
            panels[0]["layer"] = [*panels[0]["layer"], *_names(shown)]
        config = _CONFIG | {"background": "white"}
        whole = {"concat": panels, "columns": columns, "params": [HIDDEN]}
        whole["datasets"] = data
        return dict(_clean(whole | {"config": config}))

    @property
    def legend(self) -> list[dict[str, str]]:
        """The names in order, each with its colour and dash."""
        return [
            {
                "name": name,
                "colour": look.colour,
                "dash": " ".join(map(str, DASHES[look.dash])) if look.lines else "",
            }
            for name, look in self.known.items()
            if name
        ]


def _renamed(spec: Spec, prefix: str) -> tuple[Spec, Spec]:
    """A panel without its data, which have names of their own beside it."""

    def named(one: Spec) -> Spec:
        name = one.get("data", {}).get("name")
        return one if name is None else one | {"data": {"name": f"{prefix}{name}"}}

    data = {f"{prefix}{name}": own for name, own in spec.pop("datasets").items()}
    return named(spec | {"layer": [named(one) for one in spec["layer"]]}), data


def _names(shown: Mapping[str, Look]) -> list[Spec]:
    """A layer without marks whose scales are the legend."""
    names, few = list(shown), WIDE // (7 * max(map(len, shown)) + 40)
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


def save(ready: Ready, place: Path) -> None:
    """Writes the chart beside ``place``, as PNG, SVG and PDF."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(ready.file_spec)
    files.write_text(place.with_name(f"{place.name}.svg"), svg)
    png = vl_convert.svg_to_png(svg, scale=_DENSE)
    files.write_bytes(place.with_name(f"{place.name}.png"), png)
    pdf = vl_convert.svg_to_pdf(svg)
    files.write_bytes(place.with_name(f"{place.name}.pdf"), pdf)


@functools.cache
def packed() -> str:
    """All that a page needs to draw: Vega, Vega-Lite and Vega-Embed.

    As base64 of gzip, under half of the script's size; ``report.js`` unpacks it. To
    bundle it takes 2 to 3 s, so what this vl-convert makes is kept in the user's cache.
    """
    import vl_convert

    kept = cache() / f"vega-of-vl-convert-{vl_convert.__version__}.js.gz"
    try:
        content = kept.read_bytes()
        if not gzip.decompress(content):  # it has a check sum, if it is not empty
            raise EOFError
    except (OSError, EOFError, zlib.error):
        script = str(vl_convert.javascript_bundle()).encode()
        content = gzip.compress(script, mtime=0)
        with suppress(OSError):  # where nothing can be kept, it is made every time
            kept.parent.mkdir(parents=True, exist_ok=True)
            files.write_bytes(kept, content)
    return base64.b64encode(content).decode()


def cache() -> Path:
    """The user's folder for what can be made again: ``~/.cache/metaspiel``."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(root) / "metaspiel"


def _clean(value: Any) -> Any:
    """A specification whose texts may be shown."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
