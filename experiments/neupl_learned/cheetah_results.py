"""What the half-cheetahs say."""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.lab.report import Table, number
from experiments.lab.verdict import Claim
from experiments.neupl_learned.cheetah import PASSES, Result
from experiments.neupl_learned.study import TEST, Study, over, positive, spread

_KINDS = {
    "right": "head with the partner's code",
    "wrong": "the same head with others' codes",
    "blank": "head without codes",
    "best": "the population's best code for the partner",
    "alone": "PPO without a population",
}


def runs_of(study: Study, game: str) -> dict[int, Result]:
    """The finished runs of a game, by seed."""
    made = {int(seed): Result(**one) for seed, one in study.made[game].items()}
    return dict(sorted(made.items()))


def tables(study: Study) -> list[Table]:
    """Returns with every partner, oldest first."""
    made = []
    for game in study.sizes:
        runs = list(runs_of(study, game).values())
        if not runs:
            continue
        cpu = sum(sum(one.cpu.values()) for one in runs)
        partners = len(runs[0].right)
        rows = [_row(name, text, runs) for name, text in _KINDS.items()]
        pair = spread([one.pair for one in runs], 1)
        made.append(
            Table(
                f"{study.caption(game, len(runs), cpu)}; heads meet every partner "
                f"{PASSES} times. Returns with each partner; the pair without a "
                f"population has {pair} with itself",
                ["who", "mean", *(f"partner {k}" for k in range(partners))],
                rows,
            )
        )
        seconds: dict[str, Callable[[Any], str]] = {
            phase: _phase(phase) for phase in runs[0].cpu
        }
        made.append(Table.of(f"{game}: CPU seconds a run", seconds, [runs]))
    return made


def _phase(name: str) -> Callable[[Any], str]:
    return lambda runs: number(over(runs, lambda one: one.cpu[name]))


def _row(name: str, text: str, runs: list[Result]) -> list[str]:
    returns = np.array([getattr(one, name) for one in runs])
    mean = spread(returns.mean(axis=1).tolist(), 1)
    return [text, mean, *(f"{value:.1f}" for value in returns.mean(axis=0))]


def claims(study: Study) -> list[Claim]:
    """The code of the partner is worth knowing."""
    judged = []
    for game in study.sizes:
        runs = list(runs_of(study, game).values())
        for control in ("wrong", "blank", "alone") if runs else ():
            values = [
                float(np.mean(one.right) - np.mean(getattr(one, control)))
                for one in runs
            ]
            judged.append(
                Claim(
                    about=game,
                    text=f"a {_KINDS['right']} earns more with the partners than "
                    f"{_KINDS[control]}",
                    verdict=positive(values),
                    evidence=f"margin {spread(values, 1)}",
                    test=TEST,
                    trials=len(values),
                )
            )
    return judged
