"""Curves of a comparison: the last iterate and the best so far, with bands."""

from collections.abc import Sequence
from typing import Any

from experiments.compare.results import Results
from experiments.compare.scale import step
from experiments.lab.folder import slug
from experiments.lab.marks import Axis, Chart, Panel, Picture, Series

_TITLES = {"gap": "last iterate", "best": "lowest so far"}
_GAP = "Exact gap; 0 is an equilibrium, and what is below {:.2g} is noise in this game."
_BAND = "A mean over seeds; bands are its bootstrap 95 % intervals."


def pictures(results: Results, bands: Sequence[dict[str, Any]]) -> list[Picture]:
    """A picture a game; with one seed without bands."""
    banded = any(one["gap_low"] is not None for one in bands)
    caption = f"{_GAP} {_BAND}" if banded else _GAP
    return [
        Picture(
            name=slug(game),
            title=results.names[game],
            caption=caption.format(step(game)),
            chart=_chart(
                results, [one for one in bands if one["game"] == game], step(game)
            ),
        )
        for game in results.games
        if any(one["game"] == game for one in bands)
    ]


def _chart(results: Results, bands: Sequence[dict[str, Any]], least: float) -> Chart:
    panels = [
        Panel(
            title=title,
            x=Axis(label="iteration"),
            y=Axis(label="gap", scale="log", floor=least),
            series=[
                _series(results.labels[method], name, own)
                for method in results.methods
                if (own := [one for one in bands if _of(one) == _key(method)])
            ],
        )
        for name, title in _TITLES.items()
    ]
    return Chart(panels=panels, columns=2, same="y")


def _series(label: str, name: str, rows: Sequence[dict[str, Any]]) -> Series:
    middle, low, high = (
        [row[key] for row in rows] for key in (name, f"{name}_low", f"{name}_high")
    )
    at = [row["iteration"] for row in rows]
    return Series(name=label, x=at, y=middle, low=low, high=high)


def _key(method: Any) -> tuple[Any, ...]:
    return tuple(vars(method).values())


def _of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["solver"], row["evaluation"], row["oracle"]
