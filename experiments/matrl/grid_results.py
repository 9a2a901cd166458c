"""Results of the grid-world page: methods, tasks, pairs of methods, and claims."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from experiments.lab.report import percent, span
from experiments.lab.statistics import apart, holm, sign_flips, t_interval, t_test
from experiments.lab.verdict import LEVEL, Claim, Verdict, within
from experiments.matrl.grid_config import Plan
from matrl.history import Curve, History
from metaspiel.games.grids import Reference
from metaspiel.games.markov import MarkovGame

MEETS = 0.05  # mean rho from which the meta-game is said to hold steps back
_KNOWN = {
    "exact optimum": "optimum",
    "attained without more sight (lower bound)": "attained",
    "random play": "uniform",
    "nobody moves": "waiting",
}


@dataclass(frozen=True, kw_only=True)
class MethodLine:
    """A method on a task: finished and unfinished runs, final returns by seed.

    ``low`` and ``high`` are Student's interval of the mean final return, ``rho_low``
    and ``rho_high`` that of the mean share of its policy that an agent keeps.
    """

    method: str
    n: int = 0
    failed: int = 0
    finals: Mapping[str, float] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    rho_low: float | None = None
    rho_high: float | None = None
    mean: History = History()

    @property
    def record(self) -> Mapping[str, Any]:
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
        kept = [run.rho for run in every.values() if run.rho is not None]
        rho_low, rho_high = t_interval(kept)
        return cls(
            method=method,
            n=len(every),
            failed=failed,
            finals=finals,
            low=low,
            high=high,
            rho_low=rho_low,
            rho_high=rho_high,
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
    def record(self) -> Mapping[str, Any]:
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


def claims(tasks: Sequence[TaskResult], compared: Sequence[Pair]) -> list[Claim]:
    """Which of the paper's claims these runs bear out, by the rules in each claim."""
    judged = [_better(one) for one in compared]
    for task in tasks:
        methods = task.finished
        for name, value in task.plan.published:
            if name in methods:
                judged.append(_published(task.plan.name, methods[name], value))
        if "il" in methods and "il-six-rows" in methods:
            judged.append(_six(task.plan.name, methods["il"], methods["il-six-rows"]))
        if "matrl" in methods:
            judged.append(_gate(task.plan.name, methods["matrl"]))
    return judged


def _better(one: Pair) -> Claim:
    verdict, remark = within(one.low, one.high), ""
    if one.low is None:
        verdict = Verdict.UNDECIDED if one.n else Verdict.NOT_TESTED
        remark = "fewer than two pairs of runs"
    elif one.p_holm is not None and one.p_holm >= LEVEL:
        if verdict != Verdict.UNDECIDED:
            remark = f"{verdict} before correction only"
        verdict = Verdict.UNDECIDED
    facts = "no pairs"
    if one.difference is not None:
        facts = f"difference {one.difference:+.2f} {span(one.low, one.high, 2)}"
        facts += f", n = {one.n}"
    if one.same:
        facts += f", {one.same} of them the same number"
    if one.p is not None:
        facts += f", p {one.p:.2g}, corrected {one.p_holm:.2g}"
        facts += f"; intervals of the two {'apart' if one.apart else 'overlap'}"
    return Claim(
        text=f"{one.first} ends above {one.second}",
        about=one.task,
        verdict=verdict,
        remark=remark,
        evidence=facts,
    )


def _published(task: str, line: MethodLine, value: float) -> Claim:
    """Whether the figure's final return lies in our interval."""
    verdict, remark = Verdict.UNDECIDED, "one run"
    if line.low is not None and line.high is not None:
        verdict, remark = Verdict.HOLDS, ""
        if not line.low <= value <= line.high:
            verdict = Verdict.FAILS
            remark = f"ours is {'higher' if line.low > value else 'lower'}"
    return Claim(
        text=f"{line.method} ends at {value:g}, as the figure shows",
        about=task,
        verdict=verdict,
        remark=remark,
        evidence=f"ours {_final(line)}, n = {line.n}",
    )


def _six(task: str, whole: MethodLine, six: MethodLine) -> Claim:
    """Whether updates on six samples explain a low independent learner."""
    compared = pair(task, whole, six)
    return Claim(
        text="il is held down by updates that see six samples (not of the paper)",
        about=task,
        verdict=within(compared.low, compared.high),
        remark="fewer than two pairs of runs" if compared.low is None else "",
        evidence=f"six samples {_final(six)}, all of them {_final(whole)}",
    )


def _final(line: MethodLine) -> str:
    return f"{line.mean.final:.2f} {span(line.low, line.high, 2)}"


def _gate(task: str, line: MethodLine) -> Claim:
    """Whether the interval of what the meta-game keeps back is above a level."""
    facts, verdict = line.mean, within(line.rho_low, line.rho_high, MEETS)
    remark = "it lets nearly every step pass" if verdict is Verdict.FAILS else ""
    mean = f"{facts.rho:.3f} {span(line.rho_low, line.rho_high, 3)}"
    return Claim(
        text=f"the meta-game holds steps back (mean rho at least {MEETS:g})",
        about=task,
        verdict=verdict,
        remark="one run" if line.rho_low is None else remark,
        evidence=f"mean rho {mean}; above 0 for some agent in "
        f"{percent(facts.rho_any)} of iterations, inside (0, 1) in "
        f"{percent(facts.rho_inside)}; {facts.equilibria:.2f} equilibria found on "
        f"average, several in {percent(facts.several)}",
    )
