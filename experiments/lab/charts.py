"""Charts in one style: drawn with matplotlib, kept as PNG, shown as SVG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.lab.report import Picture
from metaspiel import files

FLOOR = 1e-16  # a gap of exactly 0 is drawn here on a logarithmic axis
WIDTH = 7.5


def write_png(drawn: Figure, path: Path) -> None:
    """Writes a drawn figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    drawn.savefig(packed, format="png", dpi=130, bbox_inches="tight")
    files.write_bytes(path, packed.getvalue())


def figure(drawn: Figure, title: str, caption: str, png: Path | None) -> Picture:
    """A drawn figure as a ``Picture`` of a report, and as PNG where ``png`` says."""
    if png is not None:
        write_png(drawn, png)
    text = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    drawn.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    svg = text.getvalue()
    return Picture(title, caption, svg[svg.index("<svg") :])


def curve(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    label: str,
    log: bool,
    across: str = "iteration",
) -> Figure:
    """A chart of named lines over iterations, or over what ``across`` names."""
    drawn = Figure(figsize=(WIDTH, 3.4))
    axes = drawn.subplots()
    for name, (x, y) in lines.items():
        values = np.maximum(y, FLOOR) if log else np.asarray(y)
        axes.plot(x, values, marker="o", markersize=3, linewidth=1.2, label=name)
    if log:
        axes.set_yscale("log")
    axes.set_xlabel(across)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(fontsize=8)
    return drawn
