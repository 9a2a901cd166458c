"""What the runs in Kuhn poker say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.lab.report import Table, number
from experiments.lab.statistics import mean
from experiments.lab.verdict import Claim, Verdict
from experiments.neupl_learned.kuhn import Judged, Result
from experiments.neupl_learned.study import TEST, Study, over, positive, spread

RATIO, SLACK = 1.5, 1e-3
PHASES = ("train", "play", "visit", "distil", "solve", "rest", "all")
_EPS = 1e-9
Runs = Mapping[str, Mapping[int, Result]]
"""By variant and seed."""


def runs_of(study: Study, game: str) -> Runs:
    """The finished runs of a game."""
    runs: dict[str, dict[int, Result]] = {}
    for name, one in study.made[game].items():
        variant, _, seed = name.rpartition("-")
        judged = [Judged(**row) for row in one["judged"]]
        runs.setdefault(variant, {})[int(seed)] = Result(**{**one, "judged": judged})
    return {name: dict(sorted(own.items())) for name, own in runs.items()}


def forgotten(one: Result) -> float:
    """Mean divergence of the oldest half of the codes from what they were."""
    ages = one.forgetting[1:]  # what is new has forgotten nothing
    return float(np.mean(ages[len(ages) // 2 :])) if ages else 0.0


def tables(study: Study) -> list[Table]:
    """Two tables a game: what came of it, and where the time went."""
    made = []
    for game in study.sizes:
        runs = runs_of(study, game)
        if not runs:
            continue
        lines = [(name, list(own.values())) for name, own in runs.items()]
        count = sum(len(own) for _, own in lines)
        cpu = sum(one.cpu["all"] for _, own in lines for one in own)
        made.append(Table.of(study.caption(game, count, cpu), _COLUMNS, lines))
        seconds: dict[str, Callable[[Any], Any]] = {"variant": lambda line: line[0]}
        for phase in PHASES:
            seconds[phase] = _phase(phase)
        made.append(Table.of(f"{game}: CPU seconds a run by phase", seconds, lines))
    return made


def _phase(name: str) -> Callable[[Any], str]:
    return lambda line: number(over(line[1], lambda one: one.cpu[name]))


def _last(read: Callable[[Judged], float]) -> Callable[[Any], str]:
    return lambda line: spread([read(one.judged[-1]) for one in line[1]])


def _rows(line: Any) -> list[Judged]:
    return [row for one in line[1] for row in one.judged]


def _said(line: Any) -> str:
    said = [row.said for row in _rows(line) if row.said is not None]
    return number(mean(said), 3) if said else "-"


_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "variant": lambda line: line[0],
    "runs": lambda line: len(line[1]),
    "exact gap": _last(lambda row: row.gap),
    "in the population": lambda line: number(
        mean([row.realised for row in _rows(line)]), 3
    ),
    "eta": lambda line: number(mean([row.eta for row in _rows(line)]), 3),
    "held-out error": _said,
    "cells played": lambda line: number(mean([row.share for row in _rows(line)]), 2),
    "largest excess": lambda line: number(max(row.excess for row in _rows(line)), 3),
    "forgetting": lambda line: number(over(line[1], forgotten), 4),
    "drift": lambda line: number(
        over(line[1], lambda one: max(one.drift, default=0.0)), 3
    ),
    "diversity": lambda line: number(over(line[1], lambda one: one.diversity), 2),
    "worst error": lambda line: number(over(line[1], lambda one: one.worst_error), 3),
    "not reached": lambda line: number(over(line[1], lambda one: one.unreached)),
    "bytes a policy": lambda line: number(
        over(line[1], lambda one: one.bytes_a_policy), 0
    ),
}


def claims(study: Study) -> list[Claim]:
    """What is claimed of the network and of its controls."""
    judged = []
    for game in study.sizes:
        runs = runs_of(study, game)
        if not runs:
            continue
        judged.append(_bound(game, runs))
        ours = runs.get("neupl")
        if ours is not None:
            judged += [
                make(game, ours, runs[name]) for name, make in _CLAIMS if name in runs
            ]
    return judged


def _bound(game: str, runs: Runs) -> Claim:
    rows = [r for own in runs.values() for one in own.values() for r in one.judged]
    broken = sum(row.excess > _EPS for row in rows)
    return Claim(
        about=game,
        text="the gap inside the population is at most the stored one and 2 eta, for "
        "every player",
        verdict=Verdict.FAILS if broken else Verdict.HOLDS,
        evidence=f"{broken} of {len(rows)} iterations of all variants break it",
        test="every iteration, exact payoffs",
        trials=len(rows),
    )


def _gap(one: Result) -> float:
    return one.judged[-1].gap


def _compared(
    text: str,
    read: Callable[[Result], float],
    better: Callable[[float, float], float] = lambda ours, control: control - ours,
    *,
    digits: int = 3,
) -> Callable[[str, Mapping[int, Result], Mapping[int, Result]], Claim]:
    """A claim on pairs of runs of one seed; ``better`` is above 0 where it holds."""

    def made(
        game: str, ours: Mapping[int, Result], control: Mapping[int, Result]
    ) -> Claim:
        seeds = [seed for seed in ours if seed in control]
        one, two = ([read(runs[s]) for s in seeds] for runs in (ours, control))
        more = [better(a, b) for a, b in zip(one, two, strict=True)]
        return Claim(
            about=game,
            text=text,
            verdict=positive(more),
            evidence=f"{spread(one, digits)} against {spread(two, digits)}; margin "
            f"{spread(more, digits)}",
            test=TEST,
            trials=len(seeds),
        )

    return made


def _used(
    game: str, ours: Mapping[int, Result], control: Mapping[int, Result]
) -> Claim:
    """The estimator is good enough to be used."""
    rows = [row for one in control.values() for row in one.judged]
    asked = [row for row in rows if row.said is not None]
    used = sum(row.believed for row in asked)
    none = Verdict.NOT_TESTED if not asked else Verdict.FAILS
    return Claim(
        about=game,
        text="payoffs estimated from codes err by at most 1 % of their range, so that "
        "cells need not be played",
        verdict=Verdict.HOLDS if asked and 2 * used > len(asked) else none,
        evidence=f"in {used} of {len(asked)} iterations with enough cells; mean "
        f"held-out error {mean([r.said or 0.0 for r in asked]) if asked else 0:.2f}",
        test="holds if in most of them",
        trials=len(control),
    )


def _covered(
    game: str, ours: Mapping[int, Result], control: Mapping[int, Result]
) -> Claim:
    """What held-out cells show is no less than what payoffs err by."""
    rows = [row for one in control.values() for row in one.judged if row.believed]
    covered = sum((row.said or 0.0) >= row.eta for row in rows)
    none = Verdict.FAILS if rows else Verdict.NOT_TESTED
    return Claim(
        about=game,
        text="estimated payoffs err by no more than those on held-out cells do",
        verdict=Verdict.HOLDS if rows and covered == len(rows) else none,
        evidence=f"in {covered} of {len(rows)} iterations with estimates",
        test="holds if in all of them; exact payoffs",
        trials=len(control),
    )


Make = Callable[[str, Mapping[int, Result], Mapping[int, Result]], Claim]
_CLAIMS: Sequence[tuple[str, Make]] = (
    (
        "separate",
        _compared(
            f"exact gap at most {RATIO} times that of separate networks and {SLACK:g}",
            _gap,
            lambda ours, control: RATIO * control + SLACK - ours,
        ),
    ),
    (
        "separate",
        _compared(
            "a policy takes fewer bytes than a network of its own",
            lambda one: one.bytes_a_policy,
            digits=0,
        ),
    ),
    (
        "no-regulariser",
        _compared("the regulariser keeps codes what they were (nats)", forgotten),
    ),
    ("no-regulariser", _compared("the regulariser lowers the exact gap", _gap)),
    ("blank", _compared("a summary of the co-players lowers the exact gap", _gap)),
    (
        "dirichlet",
        _compared(
            "drawn mixtures (dirichlet) give a lower exact gap than sigma",
            _gap,
            lambda ours, control: ours - control,
        ),
    ),
    (
        "half",
        _compared(
            "drawn mixtures, then sigma (half) give a lower exact gap than sigma",
            _gap,
            lambda ours, control: ours - control,
        ),
    ),
    ("estimated", _used),
    ("estimated-any", _covered),
    (
        "estimated-any",
        _compared(
            "payoffs estimated however wrong give as low an exact gap "
            f"(at most {RATIO} times and {SLACK:g})",
            _gap,
            lambda ours, control: RATIO * ours + SLACK - control,
        ),
    ),
)
