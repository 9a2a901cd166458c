"""Trains and reports step sizes of sampled learners: cells, tables, plot."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any

from experiments.lab.marks import Axis, Chart, Panel, Picture, Series
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, number, percent, publish
from experiments.matrl.cells import Failure, perform
from experiments.matrl.colours import COLOURS
from experiments.matrl.states import Cell
from experiments.matrl.steps_config import VARIANTS, Config
from experiments.matrl.steps_results import (
    Comparison,
    Point,
    beats_all,
    compare,
    point,
)


def kinds(config: Config) -> list[Cell]:
    """Every method at every step size."""
    return [
        Cell(
            label=size.label,
            game=config.game,
            method="matrl" if size.method in VARIANTS else size.method,
            settings=config.settings(size),
            seed=config.seed,
            iterations=config.iterations,
        )
        for size in config.sizes
    ]


def run(config: Config) -> Answer:
    """Trains what is missing and reports; faults are told at the end."""
    return perform(config, "matrl_steps", kinds, write=write)


def write(
    folder: Path, config: Config, cells: Sequence[Cell], failures: Sequence[Failure]
) -> dict[str, Any]:
    """summary.json, table.md, plots and report.html; returns the summary."""
    measure = config.measure
    points = [
        point(size, [c for c in cells if c.label == size.label], folder, measure)
        for size in config.sizes
    ]
    lower = measure == "exploitability"
    compared, beaten = compare(points, lower), beats_all(points, lower)
    summary = {
        "game": config.game,
        "measure": measure,
        "rows": [asdict(one) for one in points],
        "claims": [asdict(one) for one in compared],
        "beats_all": beaten,
        "failed": [one.outcome.fault for one in failures],
    }
    publish(
        folder,
        summary,
        title=f"Step sizes with sampled learners: {config.game}",
        opening=Opening(
            ran=[
                f"{config.seeds} runs of {config.iterations} iterations of "
                f"{config.learner.ppo.batch} steps for every method and step size.",
            ],
            result=[_outcome(beaten)],
            sure=[
                f"The {measure} of the policies that play is averaged over the second "
                f"half of a run; {'lower' if lower else 'higher'} is better. Intervals "
                "are Student's 95 %, over seeds; better and worse mean that they do "
                "not overlap.",
            ],
        ),
        tables=_tables(points, compared, beaten),
        figures=[_picture(points, measure)],
    )
    return summary


def _tables(
    points: Sequence[Point], compared: Sequence[Comparison], beaten: Sequence[str]
) -> list[Table]:
    runs: dict[str, Callable[[Point], Any]] = {
        "clip": lambda p: f"{p.clip:g}",
        "rate": lambda p: f"{p.rate:g}",
        "method": attrgetter("method"),
        "mean": lambda p: number(p.mean, 3),
        "95 % interval": lambda p: (
            "-" if p.low is None else f"{p.low:.3f} to {p.high:.3f}"
        ),
        "runs": lambda p: f"{p.n}{f' ({p.diverged} diverged)' if p.diverged else ''}",
        "rho": lambda p: number(p.rho, 2),
        "rho inside": lambda p: percent(p.inside, 0),
    }
    methods: dict[str, Callable[[Comparison], Any]] = {
        "method": attrgetter("method"),
        "against": attrgetter("against"),
        "better at": lambda one: "; ".join(one.better) or "-",
        "worse at": lambda one: "; ".join(one.worse) or "-",
        "undecided": attrgetter("undecided"),
    }
    return [
        Table.of("Every step size", runs, points),
        Table.of("Comparisons", methods, compared),
        Table("Better than all without a meta-game", ["at"], [[one] for one in beaten]),
    ]


def _outcome(beaten: Sequence[str]) -> str:
    if not beaten:
        return "At no step size is a method better than all without a meta-game."
    return f"Better than all methods without a meta-game: {'; '.join(beaten)}."


def _picture(points: Sequence[Point], measure: str) -> Picture:
    """The measure against the rate: a panel for each clip, a line for each method."""
    panels = []
    for clip in sorted({p.clip for p in points}):
        series = []
        for method in dict.fromkeys(p.method for p in points):
            mine = [p for p in points if (p.clip, p.method) == (clip, method)]
            known = sorted((p for p in mine if p.n), key=lambda p: p.rate)
            one = Series(
                name=method,
                x=[p.rate for p in known],
                y=[p.mean for p in known],
                low=[p.low for p in known],
                high=[p.high for p in known],
                colour=COLOURS[method],
            )
            series.append(one)
        across = Axis(label="rate of Adam", scale="log")
        up = Axis(label=f"{measure}, second half of the run")
        panels.append(Panel(title=f"clip {clip:g}", x=across, y=up, series=series))
    return Picture(
        name="steps",
        title="Step size",
        caption="Bands are 95 % intervals over seeds.",
        chart=Chart(panels=panels, same="y"),
    )
