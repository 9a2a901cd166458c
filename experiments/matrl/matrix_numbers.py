"""What the page on 2 x 2 games measures: races, comparisons by game, meta-games."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from experiments.lab import statistics
from matrl import meta_2x2
from matrl.dynamics import (
    IGA,
    MATRL,
    LookAhead,
    Race,
    Rule,
    WoLF,
    meta_game,
    near,
    points,
    race,
)
from matrl.matrix_games import Games

_DRAWS = 2_000  # resamples of an interval
_Z = 1.959963984540054  # 97.5th percentile of the standard normal

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


@dataclass(frozen=True)
class Entrant:
    """A row of Table 1.

    Attributes:
      key: its name in files.
      label: its name in tables.
      rule: how it moves.
    """

    key: str
    label: str
    rule: Rule


def entrants(alpha: float, beta: float, gamma: float, select: str) -> list[Entrant]:
    """The rows of Table 1: the paper's, then the controls."""
    a, b, c = f"{alpha:g}", f"{beta:g}", f"{gamma:g}"

    usual = MATRL(alpha=alpha, beta=beta, select=select)

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
        Entrant(
            "wolf-first",
            "WoLF-IGA .01/.06, first NE",
            WoLF(0.01, 0.06, "first"),
        ),
    ]


def sweepers(size: float, select: str) -> list[Entrant]:
    """Everyone with one step size for all of its steps."""
    return [
        Entrant("iga", "IGA", IGA(size)),
        Entrant("iga-matched", "IGA, twice the step", IGA(2 * size)),
        Entrant("la", "IGA-LA", LookAhead(size, size)),
        Entrant("la-projected", "IGA-LA, projected", LookAhead(size, size, True)),
        Entrant(
            "random-rho", "random rho", MATRL(alpha=size, beta=size, gate="random")
        ),
        Entrant(
            "matrl-wo-br",
            "MATRL w/o BR",
            MATRL(alpha=size, beta=size, select=select, respond=False),
        ),
        Entrant("matrl", "MATRL", MATRL(alpha=size, beta=size, select=select)),
    ]


def timed(rule: Rule, games: Games, steps: int, seed: int) -> tuple[Race, float]:
    """A race, and its CPU seconds."""
    begin = time.process_time()
    played = race(rule, games, steps, seed)
    return played, time.process_time() - begin


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), in per cent."""
    share, z2 = hits / trials, _Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z * spread / (1 + z2 / trials)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return 100 * min(share, low), 100 * max(share, high)  # against rounding at the ends


def row(played: Race, seed: int, brief: bool = False) -> dict[str, Any]:
    """Rates in per cent with intervals; mean steps over the games that converged."""
    made: dict[str, Any] = {}
    for name, when in (("", played.first), ("stays_", played.settled)):
        done = when[when >= 0]
        low, high = wilson(len(done), len(when))
        made |= {
            f"{name}rate": 100 * len(done) / len(when),
            f"{name}rate_low": low,
            f"{name}rate_high": high,
            f"{name}steps": float(done.mean()) if len(done) else None,
            f"{name}steps_sd": float(done.std()) if len(done) else None,
        }
        if not brief:
            inside = statistics.interval(done.tolist(), seed, draws=_DRAWS)
            made |= {f"{name}steps_low": inside.low, f"{name}steps_high": inside.high}
    return made


def paired(
    ours: Int64[ndarray, "B"], theirs: Int64[ndarray, "B"], steps: int, seed: int
) -> dict[str, Any]:
    """MATRL and another rule on the same games.

    Differences are of steps to convergence, a game that never converged counting as
    ``steps``, so that every game is in; below 0 MATRL is sooner. The p-value is of
    McNemar's exact test on the games of which one converged and the other did not.
    """
    gone = [np.where(when < 0, steps, when) for when in (ours, theirs)]
    difference = (gone[0] - gone[1]).astype(float)
    inside = statistics.interval(difference.tolist(), seed, draws=_DRAWS)
    only = int(((ours >= 0) & (theirs < 0)).sum())
    other = int(((ours < 0) & (theirs >= 0)).sum())
    tail = sum(math.comb(only + other, k) for k in range(min(only, other) + 1))
    return {
        "difference": float(difference.mean()),
        "low": inside.low,
        "high": inside.high,
        "sooner": int((difference < 0).sum()),
        "later": int((difference > 0).sum()),
        "only_matrl": only,
        "only_other": other,
        "p": float(min(1.0, 2 * tail / 2 ** (only + other))),
    }


def holm(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their p-values corrected for one another (Holm 1979)."""
    corrected = statistics.holm([[one["p"] for one in rows]])[0]
    return [one | {"p_holm": p} for one, p in zip(rows, corrected, strict=True)]


def meta_games(rule: MATRL, games: Games, steps: int, seed: int) -> dict[str, Any]:
    """What the meta-games of MATRL look like until a game first converges.

    Shares are in per cent of meta-games. "pure": some equilibrium is pure; "several":
    there is more than one, counting those that play the same policies once; "mixed":
    the chosen one mixes a player's policies; "switch": it has both switch for certain.
    "regret" is the largest of a chosen profile, as a fraction of a player's gain.
    """
    total, rho_sum, worst = 0, 0.0, 0.0
    counts = dict.fromkeys(("pure", "several", "mixed", "switch"), 0)
    rng = np.random.default_rng(seed)  # as in points()
    live = np.ones(games.count, dtype=bool)
    for point in points(rule, games, steps, seed):
        live &= ~near(games, point).any(axis=1)
        uniform = rng.random(point.shape)
        if not live.any():
            break
        predicted = rule.predicted(games, point)
        every = meta_game(games, point, predicted)
        meta = meta_2x2.MetaGames(every.gain[live], every.cross[live])
        listed = meta_2x2.equilibria(meta)
        rho = meta_2x2.choose(meta, listed, rule.select, uniform[live, 0])
        played = _outcomes(listed, point[live], predicted[live])
        counts["pure"] += int(listed.mask[:, :4].any(axis=1).sum())
        counts["several"] += int((played > 1).sum())
        counts["mixed"] += int(((rho > 0) & (rho < 1)).any(axis=1).sum())
        counts["switch"] += int((rho == 0).all(axis=1).sum())
        worst = max(worst, float(meta_2x2.regret(meta, rho).max()))
        total, rho_sum = total + len(rho), rho_sum + float(rho.mean(axis=1).sum())
    shares = {name: 100 * n / total if total else None for name, n in counts.items()}
    mean = rho_sum / total if total else None
    return {"meta_games": total, **shares, "mean_rho": mean, "regret": worst}


def _outcomes(listed: meta_2x2.Listed, point: ndarray, predicted: ndarray) -> ndarray:
    """How many different pairs of policies the equilibria play, ``[B]``."""
    different = listed.mask.sum(axis=1)
    some = np.flatnonzero(different > 1)
    moved = (predicted - point)[some]
    played = point[some][:, None] + listed.switch[some] * moved[:, None]
    same = np.abs(played[:, :, None] - played[:, None]).max(axis=3) < 1e-12
    earlier = np.tril(same, k=-1).any(axis=2)  # NaN is like nothing
    different[some] = (listed.mask[some] & ~earlier).sum(axis=1)
    return different
