"""Where a method stands on a game: numbers over its seeds, with their intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.compare.axes_config import Method
from experiments.compare.config import Config
from experiments.compare.results import Result, Results
from experiments.compare.scale import step
from experiments.lab.censoring import FirstTime, first_time
from experiments.lab.estimates import Estimate, estimate
from experiments.lab.statistics import interval

_DRAWS = 2000  # of a band's points, which are many


def log_gap(gap: float, step: float) -> float:
    """The decimal logarithm of a gap in whole steps, of at least one.

    Gaps of the same number of steps tie: what is less is noise, see ``scale``.
    """
    return math.log10(max(1, round(gap / step)) * step)


def area(gaps: Sequence[float], step: float) -> float:
    """The area under the logarithm of a curve of gaps, for each iteration."""
    logs = [log_gap(gap, step) for gap in gaps]
    if len(logs) == 1:
        return logs[0]
    return float(np.trapezoid(logs)) / (len(logs) - 1)


def first_below(gaps: Sequence[float], target: float) -> float | None:
    """The first iteration whose gap is at most the target."""
    return next((float(i) for i, gap in enumerate(gaps) if gap <= target), None)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A method on a game, over its finished runs.

    Attributes:
      game: as it was asked for.
      method: what is compared.
      players: of the game.
      seeds: of its finished runs.
      same: all of them had the same gaps: the seed decides nothing.
      failed: how many others failed.
      concept: what was responded to.
      last: gap of the last iterate.
      best: the lowest gap of a run.
      at: gap at some iterations.
      first: first iteration at or below some gaps.
      area: under the logarithm of the gap, for each iteration.
      welfare: sum of the players' payoffs at the end.
      support: profiles that are played at the end.
      policies: of all players at the end.
      cpu_seconds: of a run.
      population: exploitability of the populations at the end, the least of any
        mixtures; None where it was not measured.
    """

    game: str
    method: Method
    players: int
    seeds: Sequence[int]
    same: bool
    failed: int
    concept: str
    last: Estimate
    best: Estimate
    at: Mapping[int, Estimate]
    first: Mapping[float, FirstTime]
    area: Estimate
    welfare: Estimate
    support: Estimate
    policies: Estimate
    cpu_seconds: Estimate
    population: Estimate | None = None

    @property
    def exploitability(self) -> Estimate:
        """The last gap for each player: of NashConv, OpenSpiel's exploitability."""

        def each(value: float | None) -> float | None:
            return None if value is None else value / self.players

        return Estimate(
            mean=each(self.last.mean),
            low=each(self.last.low),
            high=each(self.last.high),
            note=self.last.note,
            values=[value / self.players for value in self.last.values],
        )


def standings(results: Results, config: Config) -> list[Standing]:
    """All methods on all games that they finished, the lowest last gap first."""
    made = []
    for game in results.games:
        own = [
            _standing(results, config, game, method)
            for method in results.methods
            if results.judged(game, method)
        ]
        made += sorted(own, key=lambda one: one.last.mean or 0.0)
    return made


def _standing(results: Results, config: Config, game: str, method: Method) -> Standing:
    runs, seed = results.judged(game, method), config.seed

    def over(values: Sequence[float]) -> Estimate:
        return estimate([float(value) for value in values], seed)

    def end(name: str) -> list[Any]:
        return [one.curves[name][-1] for one in runs]

    gaps = [one.curves["gap"] for one in runs]
    least = [one.curves.get("population_exploitability", [None])[-1] for one in runs]
    return Standing(
        game=game,
        method=method,
        players=len(end("policies")[0]),
        seeds=[one.seed for one in runs],
        same=results.same(game, method),
        failed=len(results.of(game, method)) - len(runs),
        concept=runs[0].concept,
        last=over(end("gap")),
        best=over(end("best")),
        at={i: over([g[i] for g in gaps]) for i in config.shown_at if i < len(gaps[0])},
        first={
            target: first_time([first_below(g, target) for g in gaps], seed)
            for target in config.targets
        },
        area=over([area(one, step(game)) for one in gaps]),
        welfare=over(end("welfare")),
        support=over([one for one in end("support") if one is not None]),
        policies=over([sum(one) for one in end("policies")]),
        cpu_seconds=over(end("cpu_seconds")),
        population=None if None in least else over(least),
    )


@dataclass(frozen=True, kw_only=True)
class Band:
    """A mean over seeds at each iteration, with its bootstrap 95 % interval.

    Attributes:
      name: of the column of the curves.
      mean: of each iteration.
      low: lower ends; None with one seed.
      high: upper ends, None likewise.
    """

    name: str
    mean: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]


def band(runs: Sequence[Result], name: str, seed: int) -> Band:
    """The band of a column of some runs of a method on a game."""
    values = np.array([one.curves[name] for one in runs], dtype=float)
    spans = [interval(column.tolist(), seed, draws=_DRAWS) for column in values.T]
    return Band(
        name=name,
        mean=values.mean(axis=0).tolist(),
        low=[one.low for one in spans],
        high=[one.high for one in spans],
    )
