"""What warm and cold responses say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.lab.report import Table
from experiments.lab.statistics import t_interval
from experiments.lab.verdict import Claim
from experiments.neupl_learned.study import TEST, Study, positive
from experiments.neupl_learned.transfer import Probe, Result

SHARES = (0.5, 0.9)
LEAST = 0.05  # a gain below is nothing to learn


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How many decisions a response of each kind needed; None where all were too few.

    Attributes:
      seed: of the run.
      warm: begun with the population's network.
      cold: begun with fresh weights.
      ends: gains in the end, warm and cold, over the best one.
    """

    seed: int
    warm: int | None
    cold: int | None
    ends: tuple[float, float]

    @property
    def log(self) -> float | None:
        """log2 of cold over warm, where both are known."""
        if self.warm is None or self.cold is None:
            return None
        return float(np.log2(self.cold / self.warm))


def runs_of(study: Study, game: str) -> dict[int, Result]:
    """The finished runs of a game, by seed."""
    made = {}
    for seed, one in study.made[game].items():
        probes = [Probe(**probe) for probe in one["probes"]]
        made[int(seed)] = Result(**{**one, "probes": probes})
    return dict(sorted(made.items()))


def pairs(
    runs: Mapping[int, Result], share: float, iteration: int | None = None
) -> tuple[list[Pair], int]:
    """The pairs of some iteration or of all, and how many had nothing to gain."""
    known, nothing = [], 0
    for seed, one in runs.items():
        for probe in one.probes:
            if iteration not in (None, probe.iteration):
                continue
            best = probe.best
            if best is None:
                best = max(probe.warm[-1], probe.cold[-1])
            if best < LEAST:
                nothing += 1
                continue
            known.append(
                Pair(
                    seed=seed,
                    warm=_first(one.budgets, probe.warm, share * best),
                    cold=_first(one.budgets, probe.cold, share * best),
                    ends=(probe.warm[-1] / best, probe.cold[-1] / best),
                )
            )
    return known, nothing


def _first(budgets: Sequence[int], gains: Sequence[float], goal: float) -> int | None:
    """The smallest budget that was enough."""
    return next((b for b, g in zip(budgets, gains, strict=True) if g >= goal), None)


def logs(known: Sequence[Pair]) -> list[float]:
    """The mean log2 ratio of each seed, of pairs in which both arrived."""
    by_seed: dict[int, list[float]] = {}
    for pair in known:
        if pair.log is not None:
            by_seed.setdefault(pair.seed, []).append(pair.log)
    return [float(np.mean(own)) for own in by_seed.values()]


def ratio(values: Sequence[float]) -> str:
    """Geometric mean ratio with its interval."""
    if not values:
        return "-"
    low, high = t_interval(list(values))
    text = f"{2 ** float(np.mean(values)):.2f}"
    if low is None or high is None:
        return text
    return f"{text} [{2**low:.2f}, {2**high:.2f}]"


def tables(study: Study) -> list[Table]:
    """One table a game."""
    made = []
    for game, size in study.sizes.items():
        runs = runs_of(study, game)
        if not runs:
            continue
        cpu = sum(one.cpu_seconds for one in runs.values())
        rows = [
            _row(runs, share, iteration)
            for iteration in (*size.probes, None)
            for share in SHARES
        ]
        budgets = next(iter(runs.values())).budgets
        caption = study.caption(game, len(runs), cpu)
        made.append(
            Table(f"{caption}; looked at after {budgets} decisions", _HEADS, rows)
        )
    return made


_HEADS = (
    "iteration",
    "of the gain",
    "pairs",
    "nothing to gain",
    "both arrive",
    "warm only",
    "cold only",
    "neither",
    "decisions, cold over warm",
    "gain in the end, warm",
    "cold",
)


def _row(runs: Mapping[int, Result], share: float, iteration: int | None) -> list[Any]:
    known, nothing = pairs(runs, share, iteration)
    both, warm, cold, neither = arrived(known)
    ends = np.array([pair.ends for pair in known]).reshape(-1, 2)
    shown = ends.mean(axis=0).tolist() if len(ends) else [None, None]
    return [
        "all" if iteration is None else iteration,
        f"{100 * share:.0f} %",
        len(known),
        nothing,
        both,
        warm,
        cold,
        neither,
        ratio(logs(known)),
        *("-" if end is None else f"{end:.2f}" for end in shown),
    ]


def arrived(known: Sequence[Pair]) -> tuple[int, int, int, int]:
    """In how many pairs both arrive, the warm one only, the cold one only, neither."""
    which = [(pair.warm is not None, pair.cold is not None) for pair in known]
    kinds = ((True, True), (True, False), (False, True), (False, False))
    both, warm, cold, neither = (which.count(kind) for kind in kinds)
    return both, warm, cold, neither


def claims(study: Study) -> list[Claim]:
    """A warm response needs fewer decisions; pairs without an end are told."""
    judged = []
    for game in study.sizes:
        runs = runs_of(study, game)
        for share in SHARES if runs else ():
            known, nothing = pairs(runs, share)
            both, warm, cold, neither = arrived(known)
            values = logs(known)
            judged.append(
                Claim(
                    about=game,
                    text=f"a warm response has {100 * share:.0f} % of the gain after "
                    "fewer decisions than a cold one",
                    verdict=positive(values),
                    evidence=f"cold over warm {ratio(values)} in {both} pairs; only "
                    f"the warm one arrives in {warm}, the cold one in {cold}, neither "
                    f"in {neither}; nothing to gain in {nothing}",
                    test=f"{TEST}, of mean log ratios",
                    trials=len(values),
                )
            )
    return judged
