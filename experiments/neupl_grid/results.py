"""What the runs of the NeuPL grid say: lines of tables, and claims."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.lab.report import Table, number
from experiments.lab.statistics import mean, t_interval
from experiments.lab.verdict import Claim, Verdict
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
    """Mean divergence of the oldest half of the codes from what they were."""
    old = one.forgetting[len(one.forgetting) // 2 :]
    return float(np.mean(old))


def tables(lines: Sequence[Line]) -> list[Table]:
    """One table a game."""
    columns: dict[str, Callable[[Line], Any]] = {
        "variant": lambda line: line.variant,
        "runs": lambda line: len(line.runs),
        "gap": lambda line: _short(line.over(lambda one: one.gaps[-1])),
        "95 %": lambda line: _span(line.final),
        "policies": lambda line: number(line.over(lambda r: sum(r.policies))),
        "forgetting": lambda line: _short(line.over(forgotten)),
        "drift": lambda line: _short(line.over(lambda one: max(one.drift))),
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


def claims(lines: Sequence[Line]) -> list[Claim]:
    """What is claimed of the default settings and of the controls."""
    by_name = {(line.game, line.variant): line for line in lines if line.runs}
    judged = []
    for game in dict.fromkeys(line.game for line in lines):
        ours = by_name.get((game, "neupl"))
        if ours is None:
            continue
        for name, make in _CLAIMS.items():
            control = by_name.get((game, name))
            if control is not None:
                judged.append(make(game, ours, control))
    return judged


def _as_good(game: str, ours: Line, control: Line) -> Claim:
    """The gap is at most 1.5 times that of separate policies and 1e-3."""
    seeds = [seed for seed in ours.runs if seed in control.runs]
    over = [
        ours.runs[s].gaps[-1] - RATIO * control.runs[s].gaps[-1] - SLACK for s in seeds
    ]
    one, other = mean(ours.final), mean(control.final)
    return Claim(
        about=game,
        text=f"gap at most {RATIO} times that of JPSRO and {SLACK:g}",
        verdict=_below(over),
        evidence=f"{one:.2g} against {other:.2g}; excess {_span(over)}",
        test="Student's 95 % interval of the excess, seed by seed",
        trials=len(seeds),
        published=_PUBLISHED,
    )


def _better(text: str, read: Callable[[Result], float]) -> Callable[..., Claim]:
    """A claim that a number is lower than the control's, seed by seed."""

    def judged(game: str, ours: Line, control: Line) -> Claim:
        seeds = [seed for seed in ours.runs if seed in control.runs]
        more = [read(ours.runs[s]) - read(control.runs[s]) for s in seeds]
        one, other = ours.over(read), control.over(read)
        return Claim(
            about=game,
            text=text,
            verdict=_below(more),
            evidence=f"{_short(one)} against {_short(other)}; difference {_span(more)}",
            test="Student's 95 % interval of the difference, seed by seed",
            trials=len(seeds),
        )

    return judged


def _faster(game: str, ours: Line, control: Line) -> Claim:
    """A third of the CPU seconds of the naive loop is enough."""
    seeds = [seed for seed in ours.runs if seed in control.runs]
    over = [ours.runs[s].cpu_seconds - control.runs[s].cpu_seconds / 3 for s in seeds]
    one = ours.over(lambda run: run.cpu_seconds)
    other = control.over(lambda run: run.cpu_seconds)
    return Claim(
        about=game,
        text="at most a third of the CPU seconds of a loop over information states",
        verdict=_below(over),
        evidence=f"{_short(one)} s against {_short(other)} s; excess {_span(over)}",
        test="Student's 95 % interval of the excess, seed by seed",
        trials=len(seeds),
    )


_CLAIMS: Mapping[str, Callable[[str, Line, Line], Claim]] = {
    "jpsro": _as_good,
    "no-regulariser": _better("the regulariser keeps codes what they were", forgotten),
    "concurrent": _better(
        "iterating changes old payoffs less than learning all codes at once",
        lambda one: max(one.drift[1:], default=0.0),
    ),
    "naive": _faster,
}


def _below(values: Sequence[float]) -> Verdict:
    """Whether an interval is below 0: of one value, which has none, undecided."""
    low, high = t_interval(list(values))
    if low is None or high is None:
        return Verdict.UNDECIDED
    if high <= 0:
        return Verdict.HOLDS
    return Verdict.FAILS if low > 0 else Verdict.UNDECIDED


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def _span(values: Sequence[float]) -> str:
    low, high = t_interval(list(values))
    return "-" if low is None or high is None else f"[{low:.2g}, {high:.2g}]"
