"""Figure 4: one network on classes of games, most of which it never saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.lab.charts import panels
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
LOOKS = {"uniform": ("0.7", 9), "nes": ("tab:blue", 5), "refined": ("tab:green", 2)}


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
    return Made(
        record={row.family: row.record for row in rows},
        tables=tables(rows, labels),
        drawings=[
            (draw_classes(rows, what, label), f"Figure 4: {label}", legend)
            for what, label in labels.items()
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


def draw_classes(rows: Sequence[Class], what: str, label: str) -> Figure:
    """One measure: its range and mean in every class."""
    drawn, (axes,) = panels([""], "", label, width=9, height=4)
    at = np.arange(len(rows))
    for name, (colour, width) in LOOKS.items():
        drawn_of = [row.spreads[f"{what} {name}"] for row in rows]
        # None where the exact solver solved no game of the class; drawn as nothing.
        numbers = [(one.best, one.mean, one.worst) for one in drawn_of]
        best, mean, worst = np.array(numbers, dtype=float).T
        axes.vlines(at, best, worst, color=colour, linewidth=width, label=name)
        axes.scatter(at, mean, color=colour, edgecolors="black", s=20, zorder=3)
    axes.set_yscale("symlog", linthresh=1e-3)
    names = [row.family for row in rows]
    axes.set_xticks(at, names, rotation=60, ha="right", fontsize=8)
    axes.set_ylim(0, None)
    axes.grid(visible=False, axis="x")
    axes.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return drawn
