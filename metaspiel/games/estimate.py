"""How large a game tree is, before it is walked: a few thousand states are looked at.

A probe goes down the tree level by level with at most a fixed number of states a level,
drawn without replacement from all children of those above; each stands for as many as
were not drawn (stochastic enumeration: Rubinstein 2013; Vaisman and Kroese 2017, which
is Knuth's 1975 estimator where one state a level is kept). What it counts is right on
average, but a few probes in many see most of a skewed tree, so that their mean is
mostly too low. The lower bound needs no more than that averages are right.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

_PROBES = 20  # of a round
_WIDTHS = (2, 8, 32, 128, 512)  # states a level, of the rounds
_SURE = 32  # a round of this width is enough where the tree is far from too big
_SECONDS = 2.5  # a round is not begun that would go on for longer
_DEEPEST = 10_000  # levels that a probe goes down
_RISK = 1e-3  # that the lower bound of a round is above the truth


@dataclass(frozen=True, kw_only=True)
class TreeSize:
    """An estimate of the size of a game tree.

    Attributes:
      states: mean over the probes, all nodes counted.
      ends: mean over the probes of the terminal histories.
      spread: standard error of ``states``; it is too low where the tree is skewed.
      least_ends: with probability 0.99 there are no fewer terminal histories.
    """

    states: float
    ends: float
    spread: float
    least_ends: float


def estimate(game: Any, *, fits: float, seed: int = 0) -> TreeSize:
    """The size of a game's tree, without walking it; the same for the same seed.

    Rounds of probes are four times as wide each time, until it is sure that the tree
    fits or that it does not. Only the clock of a slow game can end them earlier.

    Args:
      game: with ``new_initial_state``, as ``walk`` takes it.
      fits: how many terminal histories are too many to count closely.
      seed: of what the probes draw.
    """
    rng, begun = np.random.default_rng(seed), time.monotonic()
    for width in _WIDTHS:
        probes = [_probe(game, width, 1e3 * fits, rng) for _ in range(_PROBES)]
        states, ends = np.array(probes).T
        least = _at_least(ends)
        most = ends.mean() + 10 * ends.std() / math.sqrt(_PROBES)
        spent = time.monotonic() - begun
        if (
            least > fits
            or (width >= _SURE and most < fits / 10)
            or 4 * spent > _SECONDS
        ):
            break
    return TreeSize(
        states=float(states.mean()),
        ends=float(ends.mean()),
        spread=float(states.std(ddof=1) / math.sqrt(_PROBES)),
        least_ends=least,
    )


def _at_least(counts: np.ndarray) -> float:
    """A lower bound of what such counts are on average; none is below 0.

    A count is at least twice its average with probability 1/2 at most (Markov), so that
    few of many are: half of a small order statistic is a bound.
    """
    total = len(counts)
    chances = np.array([math.comb(total, k) for k in range(total + 1)]) / 2.0**total
    # Risk of half the r-th smallest: that all but r of them are twice the average.
    safe = np.flatnonzero(np.cumsum(chances[::-1]) <= _RISK)
    return float(np.sort(counts)[safe[-1]]) / 2


def _probe(
    game: Any, width: int, enough: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Estimates of states and terminal histories."""
    level, weight = [game.new_initial_state()], 1.0
    states = ends = 0.0
    for _ in range(_DEEPEST):
        inner = [state for state in level if not state.is_terminal()]
        states += weight * len(level)
        ends += weight * (len(level) - len(inner))
        # Each state of this level has an end of its own below it.
        if ends + weight * len(inner) > enough:
            ends += weight * len(inner)
            break
        moves = [(state, action) for state in inner for action in actions(state)]
        if not moves:
            break
        if len(moves) > width:
            weight *= len(moves) / width
            drawn = rng.choice(len(moves), size=width, replace=False)
            moves = [moves[i] for i in drawn]
        level = [state.child(action) for state, action in moves]
    return states, ends


def actions(state: Any) -> list[int]:
    """Actions of a player, or those of chance that can happen."""
    if state.is_chance_node():
        return [a for a, probability in state.chance_outcomes() if probability > 0]
    legal: list[int] = state.legal_actions()
    return legal
