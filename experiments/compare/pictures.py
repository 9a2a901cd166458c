"""Curves of a comparison: the last iterate and the best so far, with bands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.compare.results import Results
from experiments.compare.standings import FLOOR
from experiments.lab import charts
from experiments.lab.folder import slug
from experiments.lab.report import Picture

_TITLES = {"gap": "last iterate", "best": "lowest so far"}
_BAND = (
    "Exact gap, a mean over seeds; bands are its bootstrap 95 % intervals over seeds. "
    f"0 is an equilibrium; what is below {FLOOR:g} is drawn there."
)


def pictures(
    results: Results, bands: Sequence[dict[str, Any]], plots: Path
) -> list[Picture]:
    """A picture a game; with one seed without bands."""
    return [
        _picture(results, game, [one for one in bands if one["game"] == game], plots)
        for game in results.games
        if any(one["game"] == game for one in bands)
    ]


def _picture(
    results: Results, game: str, bands: Sequence[dict[str, Any]], plots: Path
) -> Picture:
    drawn, axes = charts.panels([*_TITLES.values()], "iteration", "gap", sharey=True)
    for method in results.methods:
        own = [one for one in bands if _of(one) == (*vars(method).values(),)]
        if not own:
            continue
        for name, panel in zip(_TITLES, axes, strict=True):
            middle, low, high = (
                [_drawn(row[key]) for row in own]
                for key in (name, f"{name}_low", f"{name}_high")
            )
            at = [row["iteration"] for row in own]
            style = {"label": method.name, "linewidth": 1.3}
            charts.band(panel, at, middle, low=low, high=high, **style)
    for panel in axes:
        panel.set_yscale("log")
    charts.legend(drawn, axes[0], columns=3)
    return charts.figure(drawn, game, _BAND, plots / f"{slug(game)}.png")


def _of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["solver"], row["evaluation"], row["oracle"]


def _drawn(value: float | None) -> Any:
    return None if value is None else float(np.maximum(value, FLOOR))
