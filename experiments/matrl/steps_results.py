"""What the runs of the step-size page came to, and which methods are better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from experiments.lab import statistics
from experiments.lab.verdict import Verdict
from experiments.matrl.states import Cell, cpu_seconds, rows
from experiments.matrl.steps_config import Size


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
    rho: float | None = None
    inside: float | None = None
    cpu_seconds: float | None = None
    values: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Step sizes at which a method is better or worse than another, and the rest.

    They are counted where both have a finished run.
    """

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
        seconds.append(cpu_seconds(made))
    finished = [value for value in values.values() if value is not None]
    low, high = statistics.t_interval(finished)
    return Point(
        **vars(size),
        n=len(finished),
        diverged=len(values) - len(finished),
        mean=statistics.mean_if_any(finished),
        low=low,
        high=high,
        rho=statistics.mean_if_any(rho),
        inside=statistics.mean_if_any(inside),
        cpu_seconds=statistics.mean_if_any(seconds),
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
    ordered = sorted(points, key=lambda p: (p.clip, p.rate))
    at = {(p.method, p.step): p for p in ordered}
    compared = []
    for first, second in combinations(dict.fromkeys(p.method for p in points), 2):
        ours, other = (second, first) if second.startswith("matrl") else (first, second)
        if not ours.startswith("matrl"):
            continue
        given: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
        for step in dict.fromkeys(p.step for p in ordered):
            if not (at[ours, step].n and at[other, step].n):
                continue
            verdict = better(at[ours, step], at[other, step], lower_is_better)
            given[verdict].append(step)
        compared.append(
            Comparison(
                method=ours,
                against=other,
                better=given[Verdict.HOLDS],
                worse=given[Verdict.FAILS],
                undecided=len(given[Verdict.UNDECIDED]),
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
