"""Figure 4: one network on classes of games, most of which it never saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments.lab.marks import GREY, Axis, Chart, Panel, Picture, Series
from experiments.lab.report import Table
from experiments.nes.figures_config import Config
from experiments.nes.numbers import (
    Made,
    Spread,
    compared,
    extent,
    filled,
    number,
    spreads,
)
from meta_solvers.nes.measure import REFINED, Comparison

HEADS = {
    "uniform": "uniform",
    "nes": "NES",
    "refined": f"NES and {REFINED} Newton steps",
}
LOOKS = {"uniform": (GREY, 9), "nes": ("#3b78b5", 5), "refined": ("#3f9b45", 2)}


@dataclass(frozen=True, kw_only=True)
class Class:
    """The solvers on a family: failures and largest gap of the exact one, CPU time.

    ``ms`` is of a game: exact, by the network, refined. ``spreads`` has "gap nes".
    """

    family: str
    games: int
    failed: int
    worst: float
    ms: list[float]
    spreads: Mapping[str, Spread]

    @classmethod
    def of(cls, family: str, measured: Comparison) -> "Class":
        """The numbers of what was measured game by game."""
        timed = (measured.exact, measured.nes, measured.refined)
        return cls(
            family=family,
            games=measured.games,
            failed=measured.games - measured.solved,
            worst=max(measured.exact.gap),
            ms=[1e3 * float(np.mean(solver.seconds)) for solver in timed],
            spreads=spreads(measured),
        )

    @property
    def record(self) -> dict[str, object]:
        """The class as JSON holds it."""
        parts = {name: asdict(spread) for name, spread in self.spreads.items()}
        return {"failed": self.failed, "exact gap": self.worst, "ms": self.ms} | parts


def classes(config: Config, folder: Path) -> Made:
    """The network, and the exact solver, on games of every class."""
    labels = {"gap": f"{config.concept.upper()} gap", "solver_gap": "Solver gap"}
    measure = partial(
        compared,
        actions=(config.size, config.size),
        count=config.count,
        seed=config.seed,
        concept=config.concept,
        network=config.network,
    )
    cells = {family: partial(measure, family) for family in config.classes}
    stored = filled(cells, folder, config)
    rows = [Class.of(family, Comparison.of(one)) for family, one in stored.items()]
    legend = "Bars: best to worst game; points: mean. Grey: the uniform joint."
    means = {row.family: row.spreads["gap nes"].mean for row in rows}
    known = {family: mean for family, mean in means.items() if mean is not None}
    order = sorted(known, key=known.__getitem__)
    ends = [f"{number(known[one])} ({one})" for one in (*order[:1], *order[1:][-1:])]
    return Made(
        result=f"Mean {labels['gap']} of the network: {' to '.join(ends)}.",
        sure=f"{config.count} random games of each class, seed {config.seed}; ranges "
        "are those of the games.",
        record={row.family: row.record for row in rows},
        tables=tables(rows, labels),
        drawings=[
            Picture(
                name=str(place),
                title=f"Figure 4: {label}",
                caption=legend,
                chart=chart(rows, what, label),
            )
            for place, (what, label) in enumerate(labels.items(), 1)
        ],
    )


def tables(rows: Sequence[Class], labels: Mapping[str, str]) -> list[Table]:
    """A table of each gap, and one of failures and time."""

    def gap(key: str) -> Callable[[Class], str]:
        return lambda row: extent(row.spreads[key])

    def time(place: int) -> Callable[[Class], str]:
        return lambda row: f"{row.ms[place]:.3g}"

    family = {"class": lambda row: row.family}
    every = []
    for what, label in labels.items():
        columns = {head: gap(f"{what} {name}") for name, head in HEADS.items()}
        caption = f"{label}: best / mean / worst"
        every.append(Table.of(caption, family | columns, rows))
    columns = {
        "exact: failed": lambda row: f"{row.failed} of {row.games}",
        f"exact: largest {labels['gap']}": lambda row: number(row.worst),
        "exact: ms": time(0),
        "NES: ms": time(1),
        "refined: ms": time(2),
    }
    caption = "The exact solver, and CPU ms a game"
    return [*every, Table.of(caption, family | columns, rows)]


def chart(rows: Sequence[Class], what: str, label: str) -> Chart:
    """One measure: its range and mean in every class."""
    series = []
    for name, (colour, width) in LOOKS.items():
        spread = [row.spreads[f"{what} {name}"] for row in rows]
        # None where the exact solver solved no game of the class; drawn as nothing.
        series.append(
            Series(
                name=HEADS[name],
                x=[row.family for row in rows],
                y=[one.mean for one in spread],
                low=[one.best for one in spread],
                high=[one.worst for one in spread],
                mark="points",
                spread="bars",
                colour=colour,
                width=width,
            )
        )
    across = Axis(scale="names")
    up = Axis(label=label, scale="symlog", low=0.0)
    panel = Panel(x=across, y=up, series=series)
    return Chart(panels=[panel], height=300)
