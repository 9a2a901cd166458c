"""What the training runs on MuJoCo robots amount to: table and claims."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.estimates import Estimate, estimate, trailing
from experiments.lab.statistics import apart, mean_if_any, t_interval
from experiments.lab.verdict import Claim, Higher, Verdict, several, within
from experiments.matrl.control_config import TASKS, Config
from experiments.matrl.states import cpu_seconds
from matrl.methods import METHODS

WINDOW = 10  # iterations that "first", "last" and "best" are means of
RIVALS = {
    "il": "the paper's claim",
    "il-matched": "a control: as many steps",
    "il-la": "the paper's ablation",
    "matrl-wo-br": "the paper's ablation",
    "random-rho": "a control: a random gate",
}
"""What MATRL is compared with, and why."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Team returns of a method on a task in the first, last and best ten iterations.

    Where a meta-game is solved, ``rho`` is the mean share of its policy that an agent
    keeps, and ``pure`` how often all agents keep all or nothing.
    """

    task: str
    method: str
    seeds: list[int]
    random: float
    first: Estimate
    last: Estimate
    best: Estimate
    cpu_seconds: float | None
    rho: float | None
    pure: float | None


def line(
    task: str,
    method: str,
    runs: Mapping[int, Sequence[Mapping[str, Any]]],
    *,
    curve: ndarray,
    random: Estimate,
    config: Config,
) -> Line:
    """What the finished runs of a method on a task came to.

    Args:
      task: name of the robot.
      method: of all runs.
      runs: metrics by seed.
      curve: mean team returns [seeds, iterations].
      random: team returns of uniform actions.
      config: of the page.
    """
    every = [row for run in runs.values() for row in run]
    gated = every if METHODS[method].gate == "nash" else []
    last = curve[:, -WINDOW:].mean(1).tolist()
    best = trailing(curve, WINDOW)[:, WINDOW - 1 :]
    return Line(
        task=task,
        method=method,
        seeds=list(runs),
        random=sum(random.values) / len(random.values),
        first=estimate(curve[:, :WINDOW].mean(1).tolist(), config.seed),
        last=estimate(last, config.seed),
        best=estimate(best.max(1).tolist() if best.size else last, config.seed),
        cpu_seconds=mean_if_any([cpu_seconds(run) for run in runs.values()]),
        rho=mean_if_any([float(np.mean(row["rho"])) for row in gated]),
        pure=mean_if_any([float({*row["rho"]} <= {0.0, 1.0}) for row in gated]),
    )


def claims(config: Config, lines: Sequence[Line]) -> list[Claim]:
    """Claims that each method learns, and that MATRL ends above every other."""
    made = [rises(one, config.seeds) for one in lines]
    of = {(one.task, one.method): one for one in lines}
    pairs = [
        (of[task, "matrl"], of[task, rival])
        for task in config.tasks
        for rival in RIVALS
        if {"matrl", rival} <= {*config.methods}
    ]
    tests = [
        Higher.of(ours.last.values, theirs.last.values, config.seed)
        for ours, theirs in pairs
    ]
    for pair, test in zip(pairs, several(tests), strict=True):
        made.append(ends_above(*pair, test))
    return made


def rises(line: Line, seeds: int) -> Claim:
    """Whether a method learns at all: in all seeds, so many of which were asked for.

    It fails where Student's interval of what is gained, over seeds, is below 0.
    """
    pairs = zip(line.last.values, line.first.values, strict=True)
    gained = [last - max(first, line.random) for last, first in pairs]
    verdict, evidence = Verdict.NOT_TESTED, "no finished seed"
    if gained:
        higher = [gain > 0 for gain in gained]
        below = within(*t_interval(gained)) is Verdict.FAILS
        verdict = Verdict.FAILS if below else Verdict.UNDECIDED
        verdict = Verdict.HOLDS if all(higher) and len(higher) >= seeds else verdict
        evidence = f"{sum(higher)} of {len(higher)} seeds; first {line.first.shown()}, "
        evidence += f"last {line.last.shown()}, random {line.random:.1f}"
    return Claim(
        text=f"{line.task}: the return of {line.method} rises (the last ten "
        "iterations are above the first ten and above random actions, in every seed)",
        published=f"{TASKS[line.task]}, curves only",
        evidence=evidence,
        verdict=verdict,
    )


def ends_above(matrl: Line, rival: Line, test: Higher) -> Claim:
    """Whether MATRL ends higher, by a one-sided permutation test of the seeds."""
    why, ours, theirs = RIVALS[rival.method], matrl.last, rival.last
    verdict, remark = test.decided
    numbers, evidence = asdict(test), test.words
    if ours.mean is not None and theirs.mean is not None:
        difference = ours.mean - theirs.mean
        differ = apart((ours.low, ours.high), (theirs.low, theirs.high))
        numbers |= {"difference": difference, "apart": differ}
        evidence = f"difference {difference:+.3g}, {evidence}"
        if differ is not None:
            evidence += f"; intervals {'apart' if differ else 'overlap'}"
    return Claim(
        text=f"{matrl.task}: MATRL ends above {rival.method} ({why})",
        published=f"{TASKS[matrl.task]}, curves only"
        if "paper" in why
        else "no such control",
        evidence=evidence,
        verdict=verdict,
        remark=remark,
        numbers=numbers,
    )
