"""Numbers, comparisons and report of the step-size page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts, statistics
from experiments.lab.report import Table, number, percent, publish
from experiments.lab.verdict import Verdict
from experiments.matrl.cells import Cell, Failure, rows
from experiments.matrl.steps_config import Config, Size


@dataclass(frozen=True, kw_only=True)
class Point(Size):
    """What a method came to at a step size.

    Attributes:
      n: runs that were made to their end.
      diverged: runs that were not.
      mean: of the measure, over the second half of these runs, with Student's interval
        from ``low`` to ``high``.
      rho: share of its present policy that an agent keeps, a mean over all runs.
      inside: share of agents and iterations in which it is in (0, 1).
      cpu_seconds: of a run.
      values: the measure by seed.
    """

    n: int
    diverged: int = 0
    mean: float | None
    low: float | None
    high: float | None
    rho: float = 0.0
    inside: float = 0.0
    cpu_seconds: float = 0.0
    values: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Step sizes at which a method is better or worse than another, and the rest."""

    method: str
    against: str
    better: Sequence[str]
    worse: Sequence[str]
    undecided: int


def point(size: Size, cells: Sequence[Cell], folder: Path, measure: str) -> Point:
    """What the runs of a method at a step size came to."""
    values: dict[str, float | None] = {}
    rho, inside, seconds = [], [], []
    for cell in cells:
        made = rows(cell, folder)
        half = [row[measure] for row in made[len(made) // 2 :]]
        whole = len(made) == cell.iterations
        values[str(cell.seed)] = float(np.mean(half)) if whole else None
        kept = np.array([row["rho"] for row in made]) if made else np.zeros((1, 1))
        rho.append(float(kept.mean()))
        inside.append(float(((kept > 0) & (kept < 1)).mean()))
        seconds.append(sum(sum(row["seconds"].values()) for row in made))
    finished = [value for value in values.values() if value is not None]
    low, high = statistics.t_interval(finished)
    return Point(
        **vars(size),
        n=len(finished),
        diverged=len(values) - len(finished),
        mean=float(np.mean(finished)) if finished else None,
        low=low,
        high=high,
        rho=float(np.mean(rho)),
        inside=float(np.mean(inside)),
        cpu_seconds=float(np.mean(seconds)),
        values=values,
    )


def better(one: Point, two: Point, lower_is_better: bool) -> Verdict:
    """Whether one is better than the other: by intervals that do not overlap."""
    ends = (one.low, one.high), (two.low, two.high)
    if one.mean is None or two.mean is None or not statistics.apart(*ends):
        return Verdict.UNDECIDED
    return Verdict.HOLDS if (one.mean < two.mean) == lower_is_better else Verdict.FAILS


def compare(points: Sequence[Point], lower_is_better: bool) -> list[Comparison]:
    """Each method with a meta-game against each other one, by step size."""
    compared = []
    for first, second in combinations(dict.fromkeys(p.method for p in points), 2):
        ours, other = (second, first) if second.startswith("matrl") else (first, second)
        if not ours.startswith("matrl"):
            continue
        rivals = {p.step: p for p in points if p.method == other}
        verdicts = {
            p.step: better(p, rivals[p.step], lower_is_better)
            for p in sorted(points, key=lambda p: (p.clip, p.rate))
            if p.method == ours
        }
        given = list(verdicts.values())
        compared.append(
            Comparison(
                method=ours,
                against=other,
                better=[step for step, v in verdicts.items() if v == Verdict.HOLDS],
                worse=[step for step, v in verdicts.items() if v == Verdict.FAILS],
                undecided=given.count(Verdict.UNDECIDED),
            )
        )
    return compared


def beats_all(points: Sequence[Point], lower_is_better: bool) -> list[str]:
    """Step sizes at which a method with a meta-game is better than all without."""
    sizes = []
    for ours in sorted(points, key=lambda p: (p.clip, p.rate)):
        if ours.method.startswith("matrl"):
            verdicts = {
                better(ours, other, lower_is_better)
                for other in points
                if other.step == ours.step and not other.method.startswith("matrl")
            }
            if verdicts == {Verdict.HOLDS}:
                sizes.append(f"{ours.step}: {ours.method}")
    return sizes


def _span(one: Point) -> str:
    return "-" if one.low is None else f"{one.low:.3f} to {one.high:.3f}"


def _tables(
    points: Sequence[Point], compared: Sequence[Comparison], beaten: Sequence[str]
) -> list[Table]:
    runs = {
        "clip": lambda p: f"{p.clip:g}",
        "rate": lambda p: f"{p.rate:g}",
        "method": lambda p: p.method,
        "mean": lambda p: number(p.mean, 3),
        "95 % interval": _span,
        "runs": lambda p: f"{p.n}{f' ({p.diverged} diverged)' if p.diverged else ''}",
        "rho": lambda p: f"{p.rho:.2f}",
        "rho inside": lambda p: percent(p.inside, 0),
    }
    methods = {
        "method": lambda one: one.method,
        "against": lambda one: one.against,
        "better at": lambda one: "; ".join(one.better) or "-",
        "worse at": lambda one: "; ".join(one.worse) or "-",
        "undecided": lambda one: one.undecided,
    }
    return [
        Table.of("Every step size", runs, points),
        Table.of("Comparisons", methods, compared),
        Table("Better than all without a meta-game", ["at"], [[one] for one in beaten]),
    ]


def figure(points: Sequence[Point], measure: str) -> Figure:
    """The measure against the rate: a panel for each clip, a line for each method."""
    clips = sorted({p.clip for p in points})
    drawn, panels = charts.panels(
        [f"clip {clip:g}" for clip in clips],
        "rate of Adam",
        f"{measure}, second half of the run",
        sharey=True,
    )
    for axes, clip in zip(panels, clips, strict=True):
        for at, method in enumerate(dict.fromkeys(p.method for p in points)):
            mine = [p for p in points if (p.clip, p.method) == (clip, method)]
            known = sorted((p for p in mine if p.n), key=lambda p: p.rate)
            charts.band(
                axes,
                [p.rate for p in known],
                [p.mean for p in known if p.mean is not None],
                low=[p.low for p in known],
                high=[p.high for p in known],
                marker="o",
                ms=3,
                color=f"C{at}",
                label=method,
            )
        axes.set_xscale("log")
    charts.legend(drawn, panels[0])
    return drawn


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
    picture = charts.figure(
        figure(points, measure),
        "Step size",
        "Bands are 95 % intervals over seeds.",
        folder / "plots" / "steps.png",
    )
    publish(
        folder,
        summary,
        title=f"Step sizes with sampled learners: {config.game}",
        lead=[
            f"{config.seeds} runs of {config.iterations} iterations of "
            f"{config.learner.ppo.batch} steps for every method and step size. The "
            f"{measure} of the policies that play is averaged over the second half of "
            f"a run; {'lower' if lower else 'higher'} is better. Intervals are "
            "Student's, over seeds; better and worse mean that they do not overlap.",
        ],
        tables=_tables(points, compared, beaten),
        figures=[picture],
    )
    return summary
