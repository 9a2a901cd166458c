"""Tests over several data sets: permutations within strata, and rank correlation."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy import ndarray

from experiments._bargaining_rows import Row, mean

_SPLITS, _DRAWS = 200_000, 20_000
_SEED = 0
Stratum = tuple[Sequence[float], Sequence[float]]
"""Trials claimed to be lower, and trials they are compared with."""


def stratified(strata: Sequence[Stratum]) -> dict[str, float]:
    """One-sided permutation test of sums of differences over strata.

    All splits within strata are looked at where there are at most 200,000 altogether,
    else 20,000 drawn ones, the observed one among them. Strata of one trial against one
    make it the sign-flip test of pairs.

    Args:
      strata: at least one, each with trials on both sides.

    Returns:
      "difference" (mean over strata of lower less other), "p" (of a sum as low),
      "p_reverse" (as high) and "p_smallest" (the least that either can be).
    """
    total = math.prod(math.comb(len(a) + len(b), len(a)) for a, b in strata)
    observed = sum(mean(a) - mean(b) for a, b in strata)
    slack = 1e-12 * sum(abs(v) for pair in strata for side in pair for v in side)
    if total <= _SPLITS:
        sums = np.zeros(1)
        for pair in strata:
            sums = np.add.outer(sums, _all_differences(*pair)).ravel()
        extra, count = 0, total
    else:
        rng = np.random.default_rng(_SEED)
        sums = np.zeros(_DRAWS)
        for lower, other in strata:
            drawn = rng.permuted(np.tile([*lower, *other], (_DRAWS, 1)), axis=1)
            size = len(lower)
            sums += drawn[:, :size].mean(axis=1) - drawn[:, size:].mean(axis=1)
        extra, count = 1, _DRAWS + 1
    return {
        "difference": observed / len(strata),
        "p": float(((sums <= observed + slack).sum() + extra) / count),
        "p_reverse": float(((sums >= observed - slack).sum() + extra) / count),
        "p_smallest": max(1 / total, 1 / count),
    }


def _all_differences(lower: Sequence[float], other: Sequence[float]) -> ndarray:
    """Differences of means under every split of the pooled trials."""
    pooled, size = np.array([*lower, *other], dtype=float), len(lower)
    picks = np.array(list(itertools.combinations(range(len(pooled)), size)))
    sums = pooled[picks].sum(axis=1)
    found: ndarray = sums / size - (pooled.sum() - sums) / (len(pooled) - size)
    return found


def spearman(points: Sequence[Row]) -> dict[str, float] | None:
    """Rank correlation of uncertainty and utility error; None where one is constant."""
    from scipy.stats import rankdata

    ranks = [
        rankdata([row[key] for row in points])
        for key in ("uncertainty", "utility_error")
    ]
    if any(np.ptp(one) == 0 for one in ranks):
        return None
    x, y = [(r - r.mean()) / np.linalg.norm(r - r.mean()) for r in ranks]
    rho = float(x @ y)
    rng = np.random.default_rng(_SEED)
    drawn = rng.permuted(np.tile(y, (_DRAWS, 1)), axis=1) @ x
    return {
        "rho": rho,
        "n": len(points),
        "p": float((1 + (drawn >= rho - 1e-12).sum()) / (_DRAWS + 1)),
        "p_reverse": float((1 + (drawn <= rho + 1e-12).sum()) / (_DRAWS + 1)),
    }
