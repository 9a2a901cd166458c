"""What the training runs on MuJoCo robots amount to: table and claims."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.estimates import Estimate, estimate, trailing
from experiments.lab.statistics import apart
from experiments.lab.verdict import Claim, Higher, Verdict
from experiments.matrl.cells import Cell, finished, rows
from experiments.matrl.control_config import TASKS, Config
from matrl.methods import METHODS
from metaspiel.learn.random import stream
from metaspiel.learn.rollout import uniform_returns

WINDOW = 10  # iterations that "first", "last" and "best" are means of
RIVALS = {
    "il": "the paper's claim",
    "il-matched": "a control: as many steps",
    "il-la": "the paper's ablation",
    "matrl-wo-br": "the paper's ablation",
    "random-rho": "a control: a random gate",
}
"""What MATRL is compared with, and why."""

Curves = Mapping[tuple[str, str], ndarray]
"""Mean team returns [seeds, iterations] of the finished cells, by task and method."""


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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that is reported but the curves."""

    tasks: dict[str, str]
    iterations: int
    env_steps: int
    seeds: int
    random: dict[str, Estimate]
    table: list[Line]
    claims: list[Claim]
    versions: dict[str, str]

    @property
    def record(self) -> dict[str, Any]:
        """The summary as JSON holds it."""
        return asdict(self) | {"claims": [claim.record for claim in self.claims]}


def measure(
    config: Config, cells: Sequence[Cell], folder: Path
) -> tuple[Summary, Curves]:
    """The table, the claims and what they are of; and the curves."""
    random = {}
    for task in config.tasks:
        rng = stream(config.seed, sorted(TASKS).index(task))
        returns = uniform_returns(config.game(task), config.random_episodes, rng)
        random[task] = estimate(returns.tolist(), 0)
    lines: dict[tuple[str, str], Line] = {}
    curves: dict[tuple[str, str], ndarray] = {}
    for task in config.tasks:
        for method in config.methods:
            own = [cell for cell in cells if cell.label == f"{task} {method}"]
            runs = {c.seed: rows(c, folder) for c in own if finished(c, folder)}
            values = [[row["returns"] for row in run] for run in runs.values()]
            curve = np.array(values, dtype=float).reshape(-1, config.iterations)
            curves[task, method] = curve
            lines[task, method] = _line(
                task, method, runs, curve=curve, random=random[task], seed=config.seed
            )
    claims = [rises(line) for line in lines.values()]
    for task in config.tasks:
        for rival in RIVALS:
            if {"matrl", rival} <= {*config.methods}:
                pair = lines[task, "matrl"], lines[task, rival]
                claims.append(ends_above(*pair, seed=config.seed))
    summary = Summary(
        tasks={task: TASKS[task] for task in config.tasks},
        iterations=config.iterations,
        env_steps=config.iterations * config.learner.ppo.batch,
        seeds=config.seeds,
        random=random,
        table=list(lines.values()),
        claims=claims,
        versions={name: metadata.version(name) for name in ("gymnasium", "mujoco")},
    )
    return summary, curves


def _line(
    task: str,
    method: str,
    runs: Mapping[int, Sequence[Mapping[str, Any]]],
    *,
    curve: ndarray,
    random: Estimate,
    seed: int,
) -> Line:
    every = [row for run in runs.values() for row in run]
    gated = every if METHODS[method].gate == "nash" else []
    last = curve[:, -WINDOW:].mean(1).tolist()
    best = trailing(curve, WINDOW)[:, WINDOW - 1 :]
    cpu = [sum(sum(row["seconds"].values()) for row in run) for run in runs.values()]
    return Line(
        task=task,
        method=method,
        seeds=list(runs),
        random=sum(random.values) / len(random.values),
        first=estimate(curve[:, :WINDOW].mean(1).tolist(), seed),
        last=estimate(last, seed),
        best=estimate(best.max(1).tolist() if best.size else last, seed),
        cpu_seconds=_mean(cpu),
        rho=_mean([float(np.mean(row["rho"])) for row in gated]),
        pure=_mean([float({*row["rho"]} <= {0.0, 1.0}) for row in gated]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def rises(line: Line) -> Claim:
    """Whether a method learns at all."""
    pairs = zip(line.last.values, line.first.values, strict=True)
    higher = [last > max(first, line.random) for last, first in pairs]
    verdict, evidence = Verdict.NOT_TESTED, "no finished seed"
    if higher:
        verdict = Verdict.HOLDS if all(higher) else Verdict.FAILS
        evidence = f"{sum(higher)} of {len(higher)} seeds; first {line.first.shown()}, "
        evidence += f"last {line.last.shown()}, random {line.random:.1f}"
    return Claim(
        text=f"{line.task}: the return of {line.method} rises (the last ten "
        "iterations are above the first ten and above random actions, in every seed)",
        published=f"{TASKS[line.task]}, curves only",
        evidence=evidence,
        verdict=verdict,
    )


def ends_above(matrl: Line, rival: Line, *, seed: int) -> Claim:
    """Whether MATRL ends higher, by a one-sided permutation test of the seeds."""
    why, ours, theirs = RIVALS[rival.method], matrl.last, rival.last
    test = Higher.of(ours.values, theirs.values, seed)
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
