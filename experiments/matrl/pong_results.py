"""What the games of the Pong page amount to: score matrix, league, claims."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab import report
from experiments.lab.estimates import Estimate, estimate
from experiments.lab.verdict import Claim, Higher, Verdict, several
from experiments.matrl.pong_config import Config
from experiments.matrl.pong_matches import Scores
from experiments.matrl.states import Cell, completed, cpu_seconds
from matrl.crossplay import Ages, Choice, resampled

TITLES = {"random": "random play", "tracker": "the tracker"}
"""Opponents that do not learn, for readers."""


@dataclass(frozen=True, kw_only=True)
class Matrix(Ages):
    """Scores of the first method against the second, by checkpoint of both."""

    first: str
    second: str


@dataclass(frozen=True, kw_only=True)
class Duel(Higher):
    """Final agents of a method against those of another: every run against every run.

    Score, its interval and the share of games won are those of the first.
    """

    first: str
    second: str
    score: float
    low: float | None
    high: float | None
    won: float
    won_by_run: list[float]
    drawn: float


@dataclass(frozen=True, kw_only=True)
class Against(Estimate):
    """Final agents of a method, one a run, against who does not learn.

    Besides the scores: the share of games won, and the error of each run's score.
    """

    won: float
    errors: list[float]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that is reported but the arrays; scripts by method and opponent."""

    game: str
    iterations: int
    env_steps: int
    seeds: int
    games: int
    checkpoints: list[int]
    matrix: Matrix
    duels: list[Duel]
    choice: Choice
    scripts: dict[str, dict[str, Against]]
    cpu_seconds: dict[str, float]
    claims: list[Claim]

    @property
    def record(self) -> dict[str, Any]:
        """The summary as JSON holds it."""
        plain = asdict(self)
        scripts = plain["scripts"].items()
        return plain | {
            "duels": [asdict(one) | {"verdict": one.decided[0]} for one in self.duels],
            "scripts": [{"method": method, **own} for method, own in scripts],
            "claims": [claim.record for claim in self.claims],
        }


def duel(scores: Scores, one: str, two: str, *, seed: int) -> Duel:
    """Whether the final agents of a method beat those of another.

    Were the methods alike, every division of the runs into two groups would be as
    likely. A run's score is its sum over all runs of both methods; within a method
    these cancel, so that the permutation test of the scores is that of the mean score
    between the groups. The interval resamples the runs of both methods.
    """
    ours, theirs, league = scores.of(one), scores.of(two), scores.final
    both, between = [*ours, *theirs], np.ix_(ours, theirs)
    total = league.score[np.ix_(both, both)].sum(1).tolist()
    test = Higher.of(total[: len(ours)], total[len(ours) :], seed)
    low, high = resampled(league.score[between], seed)
    return Duel(
        **asdict(test),
        first=one,
        second=two,
        score=float(league.score[between].mean()),
        low=low,
        high=high,
        won=float(league.won[between].mean()),
        won_by_run=league.won[between].mean(1).tolist(),
        drawn=float(league.drawn[between].mean()),
    )


def against(config: Config, scores: Scores, method: str) -> dict[str, Against]:
    """Final agents of a method against opponents that do not learn."""
    final = scores.script[scores.of(method), -1]  # runs, opponents, sides, figures
    made = {}
    for number, name in enumerate(scores.opponents):
        score, deviation, won, _ = np.moveaxis(final[:, number], -1, 0)
        made[name] = Against(
            **asdict(estimate(score.mean(1).tolist(), config.seed)),
            won=float(won.mean()),
            errors=np.sqrt((deviation**2).mean(1) / config.games).tolist(),
        )
    return made


def summarise(
    config: Config, scores: Scores, cells: Sequence[Cell], *, folder: Path
) -> Summary:
    """Everything that is reported but the arrays."""
    methods, seed = config.methods, config.seed
    # MATRL comes first in its duels: they are the claims, and so one family of tests.
    order = sorted(methods, key=lambda name: name != "matrl")
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    duels = [duel(scores, *pair, seed=seed) for pair in pairs]
    ours = several([one for one in duels if one.first == "matrl"])
    duels[: len(ours)] = ours
    scripts = {method: against(config, scores, method) for method in methods}
    claims = [beats(config, one) for one in ours]
    for method, own in scripts.items():
        claims += [learns(method, name, score) for name, score in own.items()]
    ages = Ages.of(scores.matrix, config.games)
    return Summary(
        game=config.game,
        iterations=config.iterations,
        env_steps=config.iterations * config.learner.ppo.batch,
        seeds=config.seeds,
        games=config.games,
        checkpoints=scores.checkpoints,
        matrix=Matrix(first=methods[0], second=methods[1], **asdict(ages)),
        duels=duels,
        choice=scores.final.choice({name: scores.of(name) for name in methods}, seed),
        scripts=scripts,
        cpu_seconds={method: _cpu(cells, folder, method) for method in methods},
        claims=claims,
    )


def _cpu(cells: Sequence[Cell], folder: Path, method: str) -> float:
    """Mean CPU seconds of a method's training."""
    own = completed(cells, folder, method).values()
    return sum(map(cpu_seconds, own)) / len(own)


def beats(config: Config, one: Duel) -> Claim:
    """A duel of MATRL, which comes first, as a claim."""
    score = report.estimate(one.score, one.low, one.high, digits=2)
    verdict, remark = one.decided
    independent = one.second == "il"
    return Claim(
        text=f"{one.first} beats {one.second} in {config.game}, final against final",
        published="Figure 5a, Atari Pong" if independent else "no such comparison",
        evidence=f"score {score}, won {report.percent(one.won, 0)} and drawn "
        f"{report.percent(one.drawn, 0)}; {one.words}",
        verdict=verdict,
        remark=remark,
    )


def learns(method: str, opponent: str, score: Against) -> Claim:
    """Whether every run's final agents beat who does not learn; or every run's lose."""
    pairs = list(zip(score.values, score.errors, strict=True))
    above = [value > 2 * error for value, error in pairs]
    below = [value < -2 * error for value, error in pairs]
    verdict = Verdict.FAILS if all(below) else Verdict.UNDECIDED
    return Claim(
        text=f"the final agents of {method} beat {TITLES[opponent]} (above 0 by two "
        "standard errors, every run)",
        published="not reported",
        evidence=f"{sum(above)} of {len(above)} runs; score {score.shown(2)}, won "
        f"{report.percent(score.won, 0)}",
        verdict=Verdict.HOLDS if all(above) else verdict,
    )
