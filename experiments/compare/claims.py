"""What seeds decide: pairs of methods on a game, and ranks over games."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from experiments.compare.axes_config import Method
from experiments.compare.config import Config
from experiments.compare.results import Result, Results
from experiments.compare.scale import step
from experiments.compare.sizes import two_sided
from experiments.compare.standings import area, log_gap
from experiments.lab.ranks import MeanRank, mean_ranks
from experiments.lab.report import digits
from experiments.lab.statistics import holm, interval, mean
from experiments.lab.verdict import LEVEL, Claim, Higher, Verdict, short_of

TESTS = (
    "permutation of log gaps, two-sided, Holm",
    "sign flips of log gaps, two-sided, Holm: one is the same in all seeds",
    "none: both are the same in all seeds",
)
"""By how many of the two methods are the same in all seeds."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two methods on a game, the one with the lower last gaps first.

    Attributes:
      game: as it was asked for.
      lower: the method whose mean logarithm of the last gap is lower.
      higher: the other one.
      seeds: that both finished.
      ratio: how many times the other's gap is larger, a geometric mean over seeds.
      low: lower end of its 95 % interval, of differences of the same seed.
      high: upper end.
      test: of the logarithms, in words.
      p: two-sided, before correction; None where there is nothing to test.
      corrected: after Holm's correction over the tested pairs of the game.
      least: the least corrected p that so few seeds can have, were all pairs of the
        game as far apart as can be; None where there is nothing to test.
    """

    game: str
    lower: Method
    higher: Method
    seeds: int
    ratio: float
    low: float | None
    high: float | None
    test: str
    p: float | None
    corrected: float | None
    least: float | None

    @property
    def decided(self) -> bool:
        """Whether the gaps differ: as the test says, or as they are in all seeds."""
        if self.corrected is None:  # untested
            return self.ratio > 1
        return self.corrected <= LEVEL

    @property
    def untested(self) -> bool:
        """Whether both are the same in all seeds, so that nothing is tested."""
        return self.corrected is None

    @property
    def flipped(self) -> bool:
        """Whether one of them is the same in all seeds: tested by sign flips."""
        return self.test == TESTS[1]

    @property
    def too_few(self) -> bool:
        """Whether the seeds could not decide, whatever the gaps are."""
        return self.least is not None and self.least > LEVEL

    def claim(self, results: Results) -> Claim:
        """The pair as a claim with its verdict, in the names of the comparison."""
        labels = results.labels
        span = ""
        if self.low is not None and self.high is not None:
            span = f" [{digits(self.low, 3)}, {digits(self.high, 3)}]"
        evidence, remark = f"{digits(self.ratio, 3)}{span} times", ""
        if self.corrected is None:
            remark = "" if self.decided else "they tie"
        else:
            evidence += f"; corrected p {self.corrected:.2g}"
            remark = "" if self.decided else short_of(self.least or 0.0)
        return Claim(
            about=results.names[self.game],
            text=f"{labels[self.lower]} ends at a lower gap than {labels[self.higher]}",
            verdict=Verdict.HOLDS if self.decided else Verdict.UNDECIDED,
            evidence=evidence,
            test=self.test,
            trials=self.seeds,
            remark=remark,
        )


def pairs(results: Results, game: str, config: Config) -> list[Pair]:
    """All pairs of methods on a game, tested; none with one seed.

    Of two methods that depend on the seed the runs are pooled: a sign-flip test of five
    pairs of seeds could never decide. That errs on the safe side where a shared seed
    makes runs alike. A method with the same gaps in all seeds is one number, no sample:
    the other's runs are tested against it by sign flips, and two such are compared as
    they are, without a test. Ratios and their intervals are of the same seeds.
    """
    ends, unit = {}, step(game)
    for method in results.methods:
        runs = results.judged(game, method)
        if len(runs) > 1:
            gaps = {one.seed: one.curves["gap"][-1] for one in runs}
            ends[method] = {seed: log_gap(gap, unit) for seed, gap in gaps.items()}
    tested = []
    for one, two in combinations(ends, 2):
        seeds = sorted(ends[one].keys() & ends[two].keys())
        if len(seeds) > 1:
            first = [ends[one][seed] for seed in seeds]
            second = [ends[two][seed] for seed in seeds]
            if mean(first) > mean(second):
                one, two, first, second = two, one, second, first
            same = results.same(game, one) + results.same(game, two)
            tested.append((one, two, first, second, same))
    raw = [
        _higher(first, second, same, config.seed)
        for _, _, first, second, same in tested
    ]
    sided = [None if t is None else two_sided(t.p, t.p_reverse) for t in raw]
    (corrected,) = holm([sided])
    (least,) = holm([[None if t is None else two_sided(t.smallest_p) for t in raw]])
    made = []
    for number, (one, two, first, second, same) in enumerate(tested):
        apart = [b - a for a, b in zip(first, second, strict=True)]
        span = interval(apart, config.seed)
        made.append(
            Pair(
                game=game,
                lower=one,
                higher=two,
                seeds=len(apart),
                ratio=10 ** mean(apart),
                low=None if span.low is None else 10**span.low,
                high=None if span.high is None else 10**span.high,
                test=TESTS[same],
                p=sided[number],
                corrected=corrected[number],
                least=least[number],
            )
        )
    return made


def _higher(
    first: Sequence[float], second: Sequence[float], same: int, seed: int
) -> Higher | None:
    """The test of two methods, of which so many are the same in all seeds."""
    if same == 2:
        return None
    if same == 1:
        return Higher.paired(zip(second, first, strict=True), seed)
    return Higher.of(second, first, seed)


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Mean ranks of the methods that finished all games with the same seeds.

    Attributes:
      methods: that are ranked, the lowest mean rank of the last gap first.
      last: ranks by the gap of the last iterate.
      best: by the lowest gap of a run.
      area: by the area under the logarithm of the gap.
      games: how many games count.
      seeds: how many seeds, in each game.
      left_out: methods that are not ranked: they have not finished all games.
      about: which games count.
    """

    methods: Sequence[Method] = ()
    last: Sequence[MeanRank] = ()
    best: Sequence[MeanRank] = ()
    area: Sequence[MeanRank] = ()
    games: int = 0
    seeds: int = 0
    left_out: Sequence[Method] = ()
    about: str = "all"


def rankings(results: Results, config: Config) -> list[Ranking]:
    """Ranks over all games and, where constants were chosen on some, over each part."""
    every = [ranking(results, config)]
    chosen = [game for game in results.games if game in config.training]
    others = [game for game in results.games if game not in config.training]
    if chosen and others:
        for about, games in (("test", others), ("training", chosen)):
            own = ranking(results.on(games), config)
            every.append(replace(own, about=about))
    return every


def ranking(results: Results, config: Config) -> Ranking:
    """Ranks of methods; empty with one seed, one method, or none on all games."""
    games = [
        g for g in results.games if any(results.judged(g, m) for m in results.methods)
    ]
    seeds = {
        (game, method): {one.seed for one in results.judged(game, method)}
        for game in games
        for method in results.methods
    }
    whole = {
        game: set[int]().union(*(seeds[game, m] for m in results.methods))
        for game in games
    }
    ranked = [
        m
        for m in results.methods
        if all(seeds[game, m] == whole[game] for game in games)
    ]
    left_out = [m for m in results.methods if m not in ranked]
    fewest = min(map(len, whole.values()), default=0)
    if len(ranked) < 2 or fewest < 2:
        return Ranking(left_out=left_out)

    steps = {game: step(game) for game in games}

    def by(value: Callable[[Result], float]) -> tuple[MeanRank, ...]:
        every = [
            np.array([[value(one) for one in results.judged(g, m)] for m in ranked]).T
            for g in games
        ]
        return mean_ranks(every, config.seed)

    last = by(lambda one: log_gap(one.curves["gap"][-1], steps[one.game]))
    best = by(lambda one: log_gap(one.curves["best"][-1], steps[one.game]))
    areas = by(lambda one: area(one.curves["gap"], steps[one.game]))
    order = sorted(range(len(ranked)), key=lambda number: last[number].mean)
    return Ranking(
        methods=[ranked[i] for i in order],
        last=[last[i] for i in order],
        best=[best[i] for i in order],
        area=[areas[i] for i in order],
        games=len(games),
        seeds=fewest,
        left_out=left_out,
    )
