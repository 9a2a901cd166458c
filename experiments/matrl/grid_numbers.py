"""Numbers of the grid-world page: of runs, of methods, and of pairs of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from experiments.lab.statistics import apart, holm, sign_flips, t_interval, t_test
from experiments.matrl.grid_config import Plan
from metaspiel.games.grids import Reference
from metaspiel.games.markov import MarkovGame

_KNOWN = {
    "exact optimum": "optimum",
    "attained without more sight (lower bound)": "attained",
    "random play": "uniform",
    "nobody moves": "waiting",
}
_POINTS = 50  # of a curve at most; iterations beyond are averaged in blocks
Row = Mapping[str, Any]  # metrics of an iteration


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Team returns by block of iterations, with Student's interval over runs."""

    steps: list[float]
    mean: list[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of a run, or means over runs; None where a method has no such thing.

    ``final`` is the mean team return of the last iterations, ``own`` that of each
    agent, ``length`` that of episodes; ``average`` is of all iterations, ``best`` of
    the blocks of iterations. ``rho`` is the share of its present policy that an agent
    keeps, ``rho_inside`` the share of iterations in which that of some agent is in
    (0, 1), ``rho_any`` above 0. ``equilibria`` are found in a meta-game, ``several`` is
    the share of those with more than one, ``meta_regret`` the largest of all runs and
    ``approximate`` the number of inexact ones in all of them.
    """

    final: float | None = None
    own: list[float] | None = None
    length: float | None = None
    average: float | None = None
    best: float | None = None
    cpu_seconds: float | None = None
    curve: Curve | None = None
    rho: float | None = None
    rho_inside: float | None = None
    rho_any: float | None = None
    rho_curve: list[float] | None = None
    equilibria: float | None = None
    several: float | None = None
    meta_regret: float | None = None
    approximate: int | None = None


@dataclass(frozen=True, kw_only=True)
class MethodLine:
    """A method on a task: finished and unfinished runs, final returns by seed.

    ``low`` and ``high`` are Student's interval of the mean final return.
    """

    method: str
    n: int = 0
    failed: int = 0
    finals: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    mean: Facts = Facts()

    @property
    def record(self) -> Row:
        """The line as JSON holds it, without what the method does not have."""
        fields = asdict(self)
        means = fields.pop("mean")
        return fields | {k: v for k, v in means.items() if v is not None}


@dataclass(frozen=True)
class TaskResult:
    """A task, the game that was played, and a line for each method."""

    plan: Plan
    game: MarkovGame
    lines: Sequence[MethodLine]

    @property
    def title(self) -> str:
        """Task, game and reward."""
        reward = self.plan.learner.ppo.reward
        return f"{self.plan.name}: {self.game.name}, {reward} reward"

    @property
    def reference(self) -> Reference | None:
        """What is known of the game, if anything is."""
        return getattr(self.game, "reference", None)

    @property
    def known(self) -> Mapping[str, float]:
        """Final team returns of the paper and exact ones, by name."""
        known = {f"paper: {name}": value for name, value in self.plan.published}
        if self.reference is not None:
            for text, name in _KNOWN.items():
                value = getattr(self.reference, name)
                if value is not None:
                    known[text] = value
        return known

    @property
    def finished(self) -> Mapping[str, MethodLine]:
        """The methods of which a run is finished, by name."""
        return {line.method: line for line in self.lines if line.n}

    @property
    def record(self) -> Row:
        """The task as JSON holds it."""
        ppo, known = self.plan.learner.ppo, self.reference
        return {
            "task": self.plan.name,
            "game": self.game.name,
            "reward": ppo.reward,
            "iterations": self.plan.iterations,
            "batch": ppo.batch,
            "envs": ppo.envs,
            "reference": None if known is None else asdict(known),
            "published": self.plan.published,
            "methods": [line.record for line in self.lines],
        }


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a method has more than another at the end of the runs, seed by seed.

    ``n`` seeds are of both, ``same`` of them end the same. ``low`` and ``high`` are
    Student's interval, ``p`` and ``p_holm`` (corrected for the number of pairs)
    two-sided of his test, ``p_sign`` one-sided of the sign-flip test. ``apart`` says
    that the intervals of the two methods do not overlap.
    """

    task: str
    first: str
    second: str
    n: int
    same: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None
    p_sign: float | None
    apart: bool | None


def blocks(values: Sequence[float]) -> tuple[Float64[ndarray, " P"], ...]:
    """Means of blocks of iterations, and the last iteration of each block."""
    size = max(1, -(-len(values) // _POINTS))
    starts = range(0, len(values), size)
    means = [float(np.mean(values[at : at + size])) for at in starts]
    ends = [min(at + size, len(values)) for at in starts]
    return np.array(ends, dtype=float), np.array(means)


def of_run(rows: Sequence[Row], last: int) -> Facts:
    """What one run came to.

    Args:
      rows: of its iterations, at least one.
      last: iterations at the end that make up its final return.
    """
    end = rows[-last:]
    returns = [row["returns"] for row in rows]
    ends, means = blocks(returns)
    steps = (ends * rows[0]["env_steps"]).tolist()
    facts = Facts(
        final=float(np.mean(returns[-last:])),
        own=np.mean([row["returns_own"] for row in end], 0).tolist(),
        length=float(np.mean([row["length"] for row in end])),
        average=float(np.mean(returns)),
        best=float(np.max(means)),
        cpu_seconds=float(sum(sum(row["seconds"].values()) for row in rows)),
        curve=Curve(steps=steps, mean=means.tolist()),
    )
    if "rho" in rows[0]:
        rho = np.array([row["rho"] for row in rows], dtype=float)
        facts = replace(
            facts,
            rho=float(rho.mean()),
            rho_inside=float(((rho > 0) & (rho < 1)).any(1).mean()),
            rho_any=float((rho > 0).any(1).mean()),
            rho_curve=blocks(rho.mean(1).tolist())[1].tolist(),
        )
    if "equilibria" in rows[0]:
        count = np.array([row["equilibria"] for row in rows])
        facts = replace(
            facts,
            equilibria=float(count.mean()),
            several=float((count > 1).mean()),
            meta_regret=float(max(row["meta_regret"] for row in rows)),
            approximate=sum(row["meta_status"] != "OK" for row in rows),
        )
    return facts


def of_method(name: str, runs: Mapping[int, Facts], failed: int) -> MethodLine:
    """A line of a task's table, from its finished runs by seed."""
    every = dict(sorted(runs.items()))
    finals = {
        str(seed): run.final for seed, run in every.items() if run.final is not None
    }
    low, high = t_interval(list(finals.values()))
    return MethodLine(
        method=name,
        n=len(every),
        failed=failed,
        finals=finals,
        low=low,
        high=high,
        mean=_mean(list(every.values())) if every else Facts(),
    )


def _mean(runs: Sequence[Facts]) -> Facts:
    """The mean over runs of one method."""
    over: Mapping[str, Any] = {"meta_regret": np.max, "approximate": np.sum}
    facts: dict[str, Any] = {}
    for name in (one.name for one in fields(Facts)):
        values = [getattr(run, name) for run in runs]
        if isinstance(values[0], Curve):
            curves = np.array([curve.mean for curve in values])
            bounds = [t_interval(column) for column in curves.T.tolist()]
            low, high = zip(*bounds, strict=True)
            mean = curves.mean(0).tolist()
            facts[name] = replace(values[0], mean=mean, low=low, high=high)
        elif values[0] is not None:
            facts[name] = over.get(name, np.mean)(values, 0).tolist()
    return Facts(**facts)


def pair(task: str, first: MethodLine, second: MethodLine) -> Pair:
    """What the first method has more than the second at the end, seed by seed."""
    seeds = [seed for seed in first.finals if seed in second.finals]
    more = [first.finals[seed] - second.finals[seed] for seed in seeds]
    low, high = t_interval(more)
    return Pair(
        task=task,
        first=first.method,
        second=second.method,
        n=len(seeds),
        same=sum(value == 0 for value in more),
        difference=float(np.mean(more)) if more else None,
        low=low,
        high=high,
        p=t_test(more),
        p_sign=sign_flips([-value for value in more], 0).p,
        apart=apart((first.low, first.high), (second.low, second.high)),
    )


def pairs(tasks: Sequence[TaskResult]) -> list[Pair]:
    """MATRL against every other method on every task; Holm's correction over all."""
    made = []
    for task in tasks:
        methods = {line.method: line for line in task.lines}
        if "matrl" in methods:
            matrl = methods.pop("matrl")
            made += [pair(task.plan.name, matrl, other) for other in methods.values()]
    corrected = holm([[one.p for one in made]])[0]
    return [replace(one, p_holm=p) for one, p in zip(made, corrected, strict=True)]
