"""What the page on 2 x 2 games measures: races, comparisons by game, meta-games."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from experiments.lab.estimates import wilson
from experiments.lab.statistics import holm, interval, mcnemar
from experiments.matrl.matrix_config import Config
from matrl.counts import MetaGameCounts
from matrl.dynamics import IGA, LookAhead, Race, Rule, WoLF, race
from matrl.matrix_games import Games, gather

_DRAWS = 2_000  # resamples of an interval

PAPER: dict[tuple[str, str], tuple[float, float, float]] = {
    ("iga", "coordination"): (99.0, 140.7, 105),
    ("iga", "anti_coordination"): (97.5, 89.0, 130),
    ("iga", "cyclic"): (78.0, 452.9, 202),
    ("la", "coordination"): (99.0, 138.6, 105),
    ("la", "anti_coordination"): (97.5, 83.1, 129),
    ("la", "cyclic"): (80.9, 433.0, 206),
    ("matrl", "coordination"): (99.0, 86.5, 77),
    ("matrl", "anti_coordination"): (98.3, 75.5, 119),
    ("matrl", "cyclic"): (84.6, 369.4, 200),
}
"""Wen et al., MATRL, Table 1: per cent converged, mean and deviation of steps."""

SCRIPT: dict[tuple[str, str], tuple[float, float]] = {
    ("iga", "coordination"): (98.5, 132.3),
    ("iga", "anti_coordination"): (98.0, 79.9),
    ("iga", "cyclic"): (81.0, 430.0),
    ("matrl", "coordination"): (98.5, 84.6),
    ("matrl", "anti_coordination"): (98.5, 59.5),
    ("matrl", "cyclic"): (87.3, 342.3),
}
"""What the authors' released script gave on 200 seeds when we ran it."""


class Entrant(NamedTuple):
    """A rule with its name in files and its name in tables."""

    key: str
    label: str
    rule: Rule


def entrants(config: Config) -> list[Entrant]:
    """The rows of Table 1: the paper's, then the controls."""
    alpha, beta, gamma, usual = config.alpha, config.beta, config.gamma, config.matrl()
    a, b, c = f"{alpha:g}", f"{beta:g}", f"{gamma:g}"
    return [
        Entrant("iga", f"IGA {a}", IGA(alpha)),
        Entrant("la", f"IGA-LA {a}, ahead {c}", LookAhead(alpha, gamma)),
        Entrant("wolf", "WoLF-IGA .02/.06", WoLF(0.02, 0.06)),
        Entrant("matrl", f"MATRL {a}, BR {b}", usual),
        Entrant("matrl-wo-br", f"MATRL w/o BR {a}", replace(usual, respond=False)),
        Entrant("iga-beta", f"IGA {b}: BR's step", IGA(beta)),
        Entrant("iga-matched", f"IGA {alpha + beta:g}: both steps", IGA(alpha + beta)),
        Entrant("la-beta", f"IGA-LA {b}, ahead {a}", LookAhead(beta, alpha)),
        Entrant("matrl-equal", f"MATRL {a}, BR {a}", replace(usual, beta=alpha)),
        Entrant("random-rho", f"random rho {a}, BR {b}", replace(usual, gate="random")),
        Entrant("wolf-script", "WoLF-IGA .01/.06", WoLF(0.01, 0.06)),
        Entrant("wolf-first", "WoLF-IGA .01/.06, first NE", WoLF(0.01, 0.06, "first")),
    ]


COMPARED = ("iga", "iga-beta", "la-beta", "iga-matched", "random-rho")
"""Rows of Table 1 that MATRL is compared with game by game."""


def sweepers(config: Config, size: float) -> list[Entrant]:
    """Everyone with one step size for all of its steps."""
    usual = config.matrl(size)
    return [
        Entrant("iga", "IGA", IGA(size)),
        Entrant("iga-matched", "IGA, twice the step", IGA(2 * size)),
        Entrant("la", "IGA-LA", LookAhead(size, size)),
        Entrant("la-projected", "IGA-LA, projected", LookAhead(size, size, True)),
        Entrant("random-rho", "random rho", replace(usual, gate="random")),
        Entrant("matrl-wo-br", "MATRL w/o BR", replace(usual, respond=False)),
        Entrant("matrl", "MATRL", usual),
    ]


@dataclass(frozen=True, kw_only=True)
class Share:
    """Share of games that got somewhere, in per cent, with Wilson's interval.

    Steps until then are of those games: mean, deviation, bootstrap interval of the mean
    unless it is not asked for.
    """

    rate: float
    rate_low: float
    rate_high: float
    steps: float | None
    steps_sd: float | None
    steps_low: float | None
    steps_high: float | None

    @classmethod
    def of(cls, when: Int64[ndarray, " B"], seed: int, *, brief: bool) -> "Share":
        """The share of B games, from the step at which each got there, or -1."""
        done = when[when >= 0]
        low, high = wilson(len(done), len(when))
        inside = interval([] if brief else done.tolist(), seed, draws=_DRAWS)
        return cls(
            rate=100 * len(done) / len(when),
            rate_low=low,
            rate_high=high,
            steps=float(done.mean()) if len(done) else None,
            steps_sd=float(done.std()) if len(done) else None,
            steps_low=inside.low,
            steps_high=inside.high,
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """A rule on the games of a class: how many converged, how many stay, and when.

    The sweep has its ``step``, and no intervals of steps.
    """

    kind: str
    key: str
    label: str
    step: float | None
    first: Share
    stays: Share
    cpu_seconds: float

    @property
    def paper(self) -> tuple[float, float, float] | None:
        """The paper's numbers."""
        return PAPER.get((self.key, self.kind))

    @property
    def script(self) -> tuple[float, float] | None:
        """The numbers of the authors' script."""
        return SCRIPT.get((self.key, self.kind))


def plain(row: Any) -> dict[str, object]:
    """A row as JSON holds it: flat, and its kind is its class."""
    values = asdict(row)
    if isinstance(row, Result):
        stays = values.pop("stays").items()
        values |= values.pop("first") | {f"stays_{name}": one for name, one in stays}
    return {"class": values.pop("kind"), **values} if "kind" in values else values


def run_rule(
    entrant: Entrant, games: Games, config: Config, *, kind: str, step: float | None
) -> tuple[Result, Race]:
    """The race of a rule on the games of a class."""
    begin = time.process_time()
    played = race(entrant.rule, games, config.steps, config.seed)
    seconds, brief = time.process_time() - begin, step is not None
    result = Result(
        kind=kind,
        key=entrant.key,
        label=entrant.label,
        step=step,
        first=Share.of(played.first, config.seed, brief=brief),
        stays=Share.of(played.settled, config.seed, brief=brief),
        cpu_seconds=seconds,
    )
    return result, played


def title(kind: str) -> str:
    """A class as text."""
    return kind.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Paired:
    """MATRL against another rule on the same games of a class.

    The difference is that of the mean steps to convergence, a game that never converged
    counting as all steps: below 0 MATRL is sooner. ``p`` is of McNemar's exact test on
    the games in which only one converged, ``p_holm`` corrected for all of the page.
    """

    kind: str
    other: str
    difference: float
    low: float | None
    high: float | None
    sooner: int
    later: int
    only_matrl: int
    only_other: int
    p: float
    p_holm: float | None = None


def paired(
    kind: str, other: str, races: Mapping[str, Race], *, steps: int, seed: int
) -> Paired:
    """MATRL against another rule in the races of a class."""
    ours, theirs = races["matrl"].first, races[other].first
    gone = [np.where(when < 0, steps, when) for when in (ours, theirs)]
    difference = (gone[0] - gone[1]).astype(float)
    inside = interval(difference.tolist(), seed, draws=_DRAWS)
    only_matrl = int(((ours >= 0) & (theirs < 0)).sum())
    only_other = int(((ours < 0) & (theirs >= 0)).sum())
    return Paired(
        kind=kind,
        other=other,
        difference=float(difference.mean()),
        low=inside.low,
        high=inside.high,
        sooner=int((difference < 0).sum()),
        later=int((difference > 0).sum()),
        only_matrl=only_matrl,
        only_other=only_other,
        p=mcnemar(only_matrl, only_other),
    )


def corrected(pairs: Sequence[Paired]) -> list[Paired]:
    """The comparisons with their p-values corrected for one another (Holm 1979)."""
    every = holm([[one.p for one in pairs]])[0]
    return [replace(one, p_holm=p) for one, p in zip(pairs, every, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Counted(MetaGameCounts):
    """Meta-games of MATRL on the first games of a class, at some step sizes."""

    kind: str
    alpha: float
    beta: float
    games: int


@dataclass(frozen=True, kw_only=True)
class PureShare:
    """Share, in per cent, of random meta-games of N agents with a pure equilibrium."""

    agents: int
    meta_games: int
    pure: float
    low: float
    high: float


@dataclass(frozen=True)
class Turned:
    """A method on the rotational game: how fast its distance from equilibrium falls.

    The factor is that of the first step; steps are counted until it is below .01.
    """

    method: str
    factor: float
    steps: int | None
    both_switch: float | None


@dataclass(frozen=True)
class Pennies:
    """A rule on matching pennies: the step from which it stays, None for never."""

    label: str
    step: float | None
    stays: int | None


def pennies(config: Config) -> list[Pennies]:
    """Matching pennies at several step sizes."""
    rules: list[tuple[str, float | None, Rule]] = []
    for size in (0.02, 0.03, 0.1):
        rules.append(("IGA", size, IGA(size)))
        rules.append(("IGA-LA", size, LookAhead(size, size)))
        rules.append(("MATRL", size, config.matrl(size)))
    for wolf in (WoLF(0.01, 0.06), WoLF()):
        rules.append((f"WoLF-IGA {wolf.slow:g}/{wolf.fast:g}", None, wolf))
    made, games = [], gather(["matching_pennies"])
    for label, step, rule in rules:
        settled = race(rule, games, config.pennies_steps, config.seed).settled.item()
        made.append(Pennies(label, step, settled if settled >= 0 else None))
    return made


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All results of a run but the arrays; ``pure`` is of random meta-games."""

    table: list[Result]
    paired: list[Paired]
    sweep: list[Result]
    meta_games: list[Counted]
    pure: list[PureShare]
    rotation: list[Turned]
    pennies: list[Pennies]

    def result(self, kind: str, key: str) -> Result:
        """A rule in Table 1."""
        return next(one for one in self.table if (one.kind, one.key) == (kind, key))

    def pair(self, kind: str, other: str) -> Paired:
        """MATRL against another rule."""
        return next(p for p in self.paired if (p.kind, p.other) == (kind, other))

    def swept(self, kind: str, key: str) -> list[Result]:
        """A rule at every step size of the sweep."""
        return [one for one in self.sweep if (one.kind, one.key) == (kind, key)]

    @property
    def record(self) -> dict[str, list[dict[str, object]]]:
        """The results as JSON holds them."""
        made = {name: list(map(plain, rows)) for name, rows in vars(self).items()}
        table = zip(made["table"], self.table, strict=True)
        published = [
            row | {"paper": one.paper, "script": one.script} for row, one in table
        ]
        return made | {"table": published}
