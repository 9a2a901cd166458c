"""Results of the grid-world page: of methods, of tasks, and of pairs of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from experiments.lab.statistics import apart, holm, sign_flips, t_interval, t_test
from experiments.matrl.grid_config import Plan
from matrl.history import Curve, History
from metaspiel.games.grids import Reference
from metaspiel.games.markov import MarkovGame

_KNOWN = {
    "exact optimum": "optimum",
    "attained without more sight (lower bound)": "attained",
    "random play": "uniform",
    "nobody moves": "waiting",
}


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
    mean: History = History()

    @property
    def record(self) -> dict[str, Any]:
        """The line as JSON holds it, without what the method does not have."""
        fields = asdict(self)
        means = fields.pop("mean")
        return fields | {k: v for k, v in means.items() if v is not None}

    @classmethod
    def of(cls, method: str, runs: Mapping[int, History], failed: int) -> "MethodLine":
        """A line of a task's table, from its finished runs by seed."""
        every = dict(sorted(runs.items()))
        finals = {
            str(seed): run.final for seed, run in every.items() if run.final is not None
        }
        low, high = t_interval(list(finals.values()))
        return cls(
            method=method,
            n=len(every),
            failed=failed,
            finals=finals,
            low=low,
            high=high,
            mean=_mean(list(every.values())) if every else History(),
        )


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
    def record(self) -> dict[str, Any]:
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


def _mean(runs: Sequence[History]) -> History:
    """The mean over runs of one method."""
    over: Mapping[str, Any] = {"meta_regret": np.max, "approximate": np.sum}
    facts: dict[str, Any] = {}
    for name in (one.name for one in fields(History)):
        values = [getattr(run, name) for run in runs]
        if isinstance(values[0], Curve):
            curves = np.array([curve.mean for curve in values])
            bounds = [t_interval(column) for column in curves.T.tolist()]
            low, high = zip(*bounds, strict=True)
            mean = curves.mean(0).tolist()
            facts[name] = replace(values[0], mean=mean, low=low, high=high)
        elif values[0] is not None:
            facts[name] = over.get(name, np.mean)(values, 0).tolist()
    return History(**facts)


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
