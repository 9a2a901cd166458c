"""What the games of the Pong page amount to: matrix, league, claims."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from experiments.lab import statistics
from experiments.matrl import cells as _cells
from experiments.matrl import comparisons as claim
from experiments.matrl.cells import Cell
from experiments.matrl.pong_matches import Scores

if TYPE_CHECKING:
    from experiments.matrl.comparisons import Row
    from experiments.matrl.pong_config import Config

_DRAWS = 10_000
_WHO = {"random": "random play", "tracker": "the tracker"}


def cpu(cells: Sequence[Cell], folder: Path) -> dict[str, float]:
    """Mean CPU seconds of a method's training."""
    spent: dict[str, list[float]] = {}
    for cell in cells:
        rows = _cells.rows(cell, folder)
        total = sum(sum(row["seconds"].values()) for row in rows)
        spent.setdefault(cell.method, []).append(total)
    return {method: sum(own) / len(own) for method, own in spent.items()}


def matrix(scores: Scores, games: int) -> tuple[ndarray, ndarray]:
    """Mean score [C, C] of the first method over sides and seeds, and standard error.

    The error is that over seeds; with one seed, that over the games of a pair.
    """
    each = scores.matrix[..., 0].mean(1)  # seeds, C, C
    if len(each) > 1:
        return each.mean(0), each.std(0, ddof=1) / np.sqrt(len(each))
    deviation = scores.matrix[0, ..., 1]
    return each[0], np.sqrt((deviation**2).mean(0) / games)


def league(scores: Scores, figure: int = 0) -> Float64[ndarray, "R R"]:
    """What a run has against another over both sides; see ``FIGURES``."""
    home = scores.league[..., figure]
    if figure == 0:
        score: ndarray = (home - home.T) / 2
        return score
    if figure == 2:  # as agent 1 it wins what the other does not win or draw
        home = (home + 1 - home.T - scores.league[..., 3].T) / 2
        return home
    return (home + home.T) / 2


def duel(scores: Scores, one: str, two: str, seed: int) -> "Row":
    """Final agents of a method against those of another: every run against every run.

    Were the methods alike, every division of the runs into two groups would be as
    likely. A run's score is its sum over all runs of both methods; within a method
    these cancel, so that the permutation test of the scores is that of the mean score
    between the groups. The interval resamples the runs of both methods.
    """
    ours = [r for r, (method, _) in enumerate(scores.runs) if method == one]
    theirs = [r for r, (method, _) in enumerate(scores.runs) if method == two]
    both = [*ours, *theirs]
    score, won, drawn = (league(scores, figure) for figure in (0, 2, 3))
    total = score[np.ix_(both, both)].sum(1)
    a, b = total[: len(ours)].tolist(), total[len(ours) :].tolist()
    against, reverse = (statistics.permutation(*s, seed) for s in ((b, a), (a, b)))
    between = score[np.ix_(ours, theirs)]
    low, high = resampled(between, seed)
    return {
        "first": one,
        "second": two,
        "score": float(between.mean()),
        "low": low,
        "high": high,
        "won": float(won[np.ix_(ours, theirs)].mean()),
        "won_by_run": won[np.ix_(ours, theirs)].mean(1).tolist(),
        "drawn": float(drawn[np.ix_(ours, theirs)].mean()),
        "p": against.p,
        "p_reverse": reverse.p,
        "smallest_p": against.smallest,
        "verdict": claim.verdict(against.p, reverse.p, against.smallest),
    }


def resampled(
    between: Float64[ndarray, "A B"], seed: int
) -> tuple[float | None, float | None]:
    """Percentile 95 % interval of the mean, resampling rows and columns."""
    if min(between.shape) < 2:
        return None, None
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(n, size=(_DRAWS, n)) for n in between.shape)
    means = between[rows[:, :, None], columns[:, None]].mean((1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def choice(scores: Scores, methods: Sequence[str], seed: int) -> "Row":
    """The game in which both sides choose a method, and what solves it."""
    from meta_solvers import get, solve
    from metaspiel.nfg.game import Game

    score = league(scores)
    of = np.array([methods.index(method) for method, _ in scores.runs])
    payoff = np.array(
        [
            [score[np.ix_(of == a, of == b)].mean() for b in range(len(methods))]
            for a in range(len(methods))
        ]
    )
    game = Game(np.stack([payoff, payoff.T]), symmetric=True)
    solved: Row = {"methods": list(methods), "payoff": payoff.tolist()}
    for name in ("nash_lp", "alpharank"):
        answer = solve(get(name), game, np.random.default_rng(seed), throw=False)
        solved[name] = answer.joint.sum(1).tolist()
    return solved


def summarise(config: "Config", scores: Scores, cpu: dict[str, float]) -> "Row":
    """Everything that is reported but the arrays."""
    one, two = config.methods[:2]
    mean, error = matrix(scores, config.games)
    duels = [
        duel(scores, a, b, config.seed)
        for i, a in enumerate(config.methods)
        for b in config.methods[i + 1 :]
    ]
    scripts = [_script(config, scores, method) for method in config.methods]
    claims = [_beats(config, row) for row in duels if "matrl" in (row["first"], two)]
    claims += [_learns(row, name) for row in scripts for name in scores.opponents]
    return {
        "game": config.game,
        "iterations": config.iterations,
        "env_steps": config.iterations * config.batch,
        "seeds": config.seeds,
        "games": config.games,
        "checkpoints": list(scores.checkpoints),
        "matrix": {
            "first": one,
            "second": two,
            "score": mean.tolist(),
            "error": error.tolist(),
            "mean": float(mean.mean()),
            "same_age": float(np.diag(mean).mean()),
            "ahead": float((mean > 2 * error).mean()),
            "behind": float((mean < -2 * error).mean()),
        },
        "duels": duels,
        "choice": choice(scores, config.methods, config.seed),
        "scripts": scripts,
        "cpu_seconds": cpu,
        "claims": claims,
    }


def _script(config: "Config", scores: Scores, method: str) -> "Row":
    """Final agents of a method against opponents that do not learn."""
    runs = [r for r, (name, _) in enumerate(scores.runs) if name == method]
    row: Row = {"method": method}
    for number, name in enumerate(scores.opponents):
        final = scores.script[runs, -1, number]  # runs, sides, figures
        row[name] = claim.spread(final[..., 0].mean(1).tolist(), config.seed)
        row[name]["won"] = float(final[..., 2].mean())
        row[name]["errors"] = np.sqrt(
            (final[..., 1] ** 2).mean(1) / config.games
        ).tolist()
    return row


def _beats(config: "Config", row: "Row") -> "Row":
    """A duel as a claim; MATRL comes first."""
    first, second, score = row["first"], row["second"], row["score"]
    low, high, won = row["low"], row["high"], row["won"]
    p, reverse = row["p"], row["p_reverse"]
    verdict = row["verdict"]
    if second == "matrl":
        first, second, score, won = second, first, -score, 1 - won - row["drawn"]
        low, high = (None, None) if high is None else (-high, -low)
        p, reverse = reverse, p
        verdict = {"holds": "reversed", "reversed": "holds"}.get(verdict, verdict)
    here = f"score {claim.show({'mean': score, 'low': low, 'high': high}, 2)}, won "
    here += f"{100 * won:.0f} % and drawn {100 * row['drawn']:.0f} %; p {p:.2g}, "
    here += f"reverse p {reverse:.2g} (least possible {row['smallest_p']:.2g})"
    return {
        "claim": f"{first} beats {second} in {config.game}, final against final",
        "paper": "Figure 5a, Atari Pong" if second == "il" else "no such comparison",
        "here": here,
        "verdict": verdict,
    }


def _learns(row: "Row", name: str) -> "Row":
    score = row[name]
    pairs = list(zip(score["values"], score["errors"], strict=True))
    above = [value > 2 * error for value, error in pairs]
    here = f"{sum(above)} of {len(above)} runs; score {claim.show(score, 2)}, won "
    return {
        "claim": f"the final agents of {row['method']} beat {_WHO[name]} (above 0 by "
        "two standard errors, every run)",
        "paper": "not reported",
        "here": f"{here}{100 * score['won']:.0f} %",
        "verdict": "holds" if all(above) else "does not hold",
    }
