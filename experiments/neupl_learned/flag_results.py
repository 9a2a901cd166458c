"""What the team games say."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.lab.report import Table, number
from experiments.lab.verdict import Claim
from experiments.neupl_learned.flag import TRIES, Method, Result
from experiments.neupl_learned.kuhn_results import PHASES
from experiments.neupl_learned.study import TEST, Study, over, positive, spread

METHODS = ("neupl", "separate")


def runs_of(study: Study, game: str) -> dict[int, Result]:
    """The finished runs of a game, by seed."""
    made = {}
    for seed, one in study.made[game].items():
        both = {name: Method(**one[name]) for name in METHODS}
        made[int(seed)] = Result(**{**one, **both})
    return dict(sorted(made.items()))


def advantage(one: Result) -> float:
    """What one network gets from separate ones, over both sides."""
    return (one.cross["neupl separate"][0] - one.cross["separate neupl"][0]) / 2


def exploiting(one: Method) -> float:
    """What independent exploiters gain in all."""
    return float(np.maximum(one.gains, 0.0).sum())


def tables(study: Study) -> list[Table]:
    """Methods, cross-play and time, of each game."""
    made = []
    for game in study.sizes:
        runs = list(runs_of(study, game).values())
        if not runs:
            continue
        lines = [(name, [getattr(one, name) for one in runs]) for name in METHODS]
        cpu = sum(m.cpu["all"] for _, own in lines for m in own)
        who = ", ".join(map(str, study.sizes[game].players))
        caption = (
            f"{study.caption(game, len(runs), cpu)} without exploiters, who learn for "
            f"players {who}, {TRIES} seeds each, with as many decisions as a response"
        )
        made.append(Table.of(caption, _COLUMNS, lines))
        made.append(_cross(game, runs))
        seconds: dict[str, Callable[[Any], Any]] = {"method": lambda line: line[0]}
        for phase in PHASES:
            seconds[phase] = _phase(phase)
        made.append(Table.of(f"{game}: CPU seconds a run by phase", seconds, lines))
    return made


def _phase(name: str) -> Callable[[Any], str]:
    return lambda line: number(over(line[1], lambda one: one.cpu[name]))


def _cross(game: str, runs: list[Result]) -> Table:
    rows = [
        [
            first,
            *(
                spread([r.cross[f"{first} {second}"][0] for r in runs], 2)
                for second in METHODS
            ),
        ]
        for first in METHODS
    ]
    error = max(r.cross[key][1] for r in runs for key in r.cross)
    return Table(
        f"{game}: cross-play, payoff of the first half of the players (rows) against "
        f"the others (columns); standard error of a run at most {error:.3f}",
        ["first half", *METHODS],
        rows,
    )


def _last(read: Callable[[Method], list[float]]) -> Callable[[Any], str]:
    return lambda line: spread([read(one)[-1] for one in line[1] if read(one)])


def _noise(one: Method) -> float:
    return float(np.sqrt(np.square(one.gain_errors).sum()))


_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "method": lambda line: line[0],
    "runs": lambda line: len(line[1]),
    "learned gap before the last": _last(lambda one: one.gaps),
    "its error": lambda line: number(
        over(line[1], lambda one: one.errors[-1] if one.errors else 0.0), 3
    ),
    "exploiters gain": lambda line: spread([exploiting(one) for one in line[1]]),
    "error of a run": lambda line: number(over(line[1], _noise), 3),
    "diversity": lambda line: spread([one.diversity for one in line[1]], 2),
    "forgetting": lambda line: number(
        over(line[1], lambda one: max(one.forgetting)), 4
    ),
    "drift": lambda line: number(over(line[1], lambda one: max(one.drift)), 3),
    "bytes a policy": lambda line: number(
        over(line[1], lambda one: one.bytes_a_policy), 0
    ),
}


def claims(study: Study) -> list[Claim]:
    """One network is at least as good a population as separate ones."""
    judged = []
    for game in study.sizes:
        runs = list(runs_of(study, game).values())
        if not runs:
            continue
        for text, read, digits in _CLAIMS:
            values = [read(one) for one in runs]
            judged.append(
                Claim(
                    about=game,
                    text=text,
                    verdict=positive(values),
                    evidence=f"margin {spread(values, digits)}",
                    test=TEST,
                    trials=len(values),
                )
            )
    return judged


_CLAIMS: tuple[tuple[str, Callable[[Result], float], int], ...] = (
    ("one network wins in cross-play against separate ones", advantage, 3),
    (
        "independent exploiters gain less against one network",
        lambda one: exploiting(one.separate) - exploiting(one.neupl),
        3,
    ),
    (
        "the policies of one network are as diverse (at least 2/3 of the divergence)",
        lambda one: one.neupl.diversity - one.separate.diversity / 1.5,
        2,
    ),
    (
        "a policy of one network takes fewer bytes",
        lambda one: one.separate.bytes_a_policy - one.neupl.bytes_a_policy,
        0,
    ),
)
