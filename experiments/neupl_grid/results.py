"""What the runs of the NeuPL grid say: lines of tables, and claims."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from experiments.lab.report import Table, number
from experiments.lab.statistics import holm, mean, t_interval, t_test
from experiments.lab.verdict import LEVEL, Claim, Verdict
from experiments.neupl_grid.cells import Result
from experiments.neupl_grid.config import GAMES

SLACK, RATIO = 1e-3, 1.5
_PUBLISHED = "matches exact JPSRO on six general-sum games (which is not known)"


@dataclass(frozen=True, kw_only=True)
class Line:
    """The runs of a variant on a game.

    Attributes:
      game: its name in the grid.
      variant: the name of the variant.
      runs: the finished ones, by seed.
    """

    game: str
    variant: str
    runs: Mapping[int, Result]

    @classmethod
    def of(cls, game: str, variant: str, runs: Mapping[int, Result]) -> "Line":
        """A line of runs in the order of their seeds."""
        return cls(game=game, variant=variant, runs=dict(sorted(runs.items())))

    @property
    def record(self) -> dict[str, Any]:
        """The line as JSON."""
        runs = {str(seed): asdict(one) for seed, one in self.runs.items()}
        return {"game": self.game, "variant": self.variant, "runs": runs}

    @property
    def final(self) -> list[float]:
        """Gaps after the last iteration."""
        return [one.gaps[-1] for one in self.runs.values()]

    def over(self, read: Callable[[Result], float]) -> float | None:
        """The mean of a number over runs; None without runs."""
        return mean([read(one) for one in self.runs.values()]) if self.runs else None


def forgotten(one: Result) -> float:
    """Mean divergence from what they were of codes that are as old as half the run."""
    old = [
        f
        for age, f in zip(one.ages, one.forgetting, strict=True)
        if age * 2 >= one.ages[-1]
    ]
    return float(np.mean(old))


def drifted(one: Result) -> float:
    """The largest change of an old payoff in an iteration."""
    return max(one.drift)


def tables(lines: Sequence[Line]) -> list[Table]:
    """One table a game."""
    columns: dict[str, Callable[[Line], Any]] = {
        "variant": lambda line: line.variant,
        "runs": lambda line: len(line.runs),
        "gap": lambda line: _short(line.over(lambda one: one.gaps[-1])),
        "95 %": lambda line: _span(line.final),
        "policies": lambda line: number(line.over(lambda r: sum(r.policies))),
        "forgetting": lambda line: _short(line.over(forgotten)),
        "moved": lambda line: _short(line.over(lambda one: one.moved)),
        "drift": lambda line: _short(line.over(drifted)),
        "diversity": lambda line: number(line.over(lambda one: one.diversity), 2),
        "worst error": lambda line: _short(line.over(lambda one: one.worst_error)),
        "not reached": lambda line: line.over(lambda one: one.unreached),
        "numbers a policy": lambda line: number(line.over(lambda r: r.numbers), 0),
        "CPU s": lambda line: number(line.over(lambda one: one.cpu_seconds)),
        "of it responding": lambda line: number(
            line.over(lambda one: one.stages["respond"])
        ),
    }
    made = []
    for game in dict.fromkeys(line.game for line in lines):
        own = [line for line in lines if line.game == game and line.runs]
        if own:
            length = len(next(iter(own[0].runs.values())).gaps)
            caption = f"{game}: {GAMES[game].game}, after {length} iterations"
            made.append(Table.of(caption, columns, own))
    return made


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A claim that a number is below 0, seed by seed.

    Attributes:
      control: the variant that is compared with.
      text: the claim.
      excess: of a run and its control's, what must be below 0.
      read: the number that is shown of both.
      games: where it is claimed; everywhere where empty.
      published: the paper's finding.
    """

    control: str
    text: str
    excess: Callable[[Result, Result], float]
    read: Callable[[Result], float]
    games: tuple[str, ...] = ()
    published: str = ""


def _last(one: Result) -> float:
    return one.gaps[-1]


def _less(control: str, text: str, read: Callable[[Result], float], **more: Any) -> Bar:
    """A claim that a number is lower than the control's."""
    return Bar(
        control=control,
        text=text,
        excess=lambda ours, theirs: read(ours) - read(theirs),
        read=read,
        **more,
    )


_BARS = (
    Bar(
        control="jpsro",
        text=f"gap at most {RATIO} times that of JPSRO and {SLACK:g}",
        excess=lambda ours, theirs: _last(ours) - RATIO * _last(theirs) - SLACK,
        read=_last,
        published=_PUBLISHED,
    ),
    Bar(
        control="jpsro",
        text=f"gap at most that of JPSRO and {SLACK:g}",
        excess=lambda ours, theirs: _last(ours) - _last(theirs) - SLACK,
        read=_last,
        games=("kuhn", "kuhn3"),
    ),
    _less("jpsro", "gap lower than that of JPSRO", _last),
    _less("no-regulariser", "the regulariser lowers the gap", _last),
    _less("no-regulariser", "the regulariser keeps codes what they were", forgotten),
    _less("concurrent", "iterating has a lower gap than learning all at once", _last),
    _less(
        "concurrent",
        "iterating changes old payoffs less than learning all at once",
        drifted,
    ),
    Bar(
        control="naive",
        text="at most a third of the CPU seconds of a loop over information states",
        excess=lambda ours, theirs: ours.cpu_seconds - theirs.cpu_seconds / 3,
        read=lambda one: one.cpu_seconds,
    ),
)


def claims(lines: Sequence[Line]) -> list[Claim]:
    """What is claimed of the default settings beside controls, and of all runs."""
    by_name = {(line.game, line.variant): line for line in lines if line.runs}
    tested = []
    for game in dict.fromkeys(line.game for line in lines):
        for bar in _BARS:
            ours, theirs = (by_name.get((game, v)) for v in ("neupl", bar.control))
            if ours and theirs and (not bar.games or game in bar.games):
                tested.append(_tested(bar, ours, theirs))
    (corrected,) = holm([[p for _, p in tested]]) if tested else ([],)
    judged = [
        replace(claim, verdict=_verdict(claim.numbers["excess"], p))
        for (claim, _), p in zip(tested, corrected, strict=True)
    ]
    return [*judged, *_robust(lines)]


def _tested(bar: Bar, ours: Line, theirs: Line) -> tuple[Claim, float | None]:
    """A claim without its verdict, and the p of its test."""
    pairs = [(ours.runs[s], theirs.runs[s]) for s in ours.runs if s in theirs.runs]
    excess = [bar.excess(one, other) for one, other in pairs]
    one, other = (
        _short(mean([bar.read(run) for run in runs]) if runs else None)
        for runs in ([a for a, _ in pairs], [b for _, b in pairs])
    )
    claim = Claim(
        about=ours.game,
        text=bar.text,
        verdict=Verdict.NOT_TESTED,
        evidence=f"{one} against {other}; excess {_span(excess)}",
        test="Student's, seed by seed, Holm over the table",
        trials=len(pairs),
        published=bar.published,
        numbers={"excess": excess},
    )
    return claim, t_test(excess)


def _verdict(excess: Sequence[float], p: float | None) -> Verdict:
    """Whether an excess is below 0, where its corrected test decides."""
    if p is None or p >= LEVEL:
        return Verdict.UNDECIDED if excess else Verdict.NOT_TESTED
    return Verdict.HOLDS if mean(excess) < 0 else Verdict.FAILS


def _robust(lines: Sequence[Line]) -> list[Claim]:
    """The claim that realised gaps inside populations never exceed their bound."""
    runs = [one for line in lines for one in line.runs.values()]
    if not runs:
        return []
    states = sum(len(one.gaps) + 1 for one in runs)
    violated, eta = sum(one.violated for one in runs), max(one.eta for one in runs)
    return [
        Claim(
            about="all runs",
            text="realised gap in the population at most the stored one + 2 eta",
            verdict=Verdict.FAILS if violated else Verdict.HOLDS,
            evidence=f"violated in {violated} of {states} populations; eta {eta:.2g}",
            test="every iteration of every run",
            trials=len(runs),
        )
    ]


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _span(values: Sequence[float]) -> str:
    low, high = t_interval(list(values))
    return "-" if low is None or high is None else f"[{low:.2g}, {high:.2g}]"
