"""Tests over several data sets: only what is alike within one of them is exchanged."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.statistics import sign_flips

_SPLITS, _DRAWS = 200_000, 20_000
_SEED = 0
Side = Mapping[Any, float]
"""One number a trial."""
Stratum = tuple[Side, Side]
"""Trials claimed to be lower, and those they are compared with; equal keys pair."""
Block = tuple[Sequence[float], Sequence[float]]
"""Two measures of the runs that may be exchanged with each other."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The answer of ``stratified``.

    Attributes:
      difference: mean over strata of the lower side less the other.
      p: of a sum as low.
      p_reverse: of one as high.
      p_smallest: the least that either can be.
      paired: every trial has its own counterpart.
    """

    difference: float
    p: float
    p_reverse: float
    p_smallest: float
    paired: bool


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """The answer of ``correlated``.

    Attributes:
      rho: rank correlation within blocks.
      n: runs.
      blocks: in which both measures vary; others say nothing.
      p: of a rho as high.
      p_reverse: of one as low.
      p_smallest: the least that either can be.
    """

    rho: float
    n: int
    blocks: int
    p: float
    p_reverse: float
    p_smallest: float


def mean(values: Sequence[float]) -> float:
    """Mean of at least one value."""
    return sum(values) / len(values)


def apart(stratum: Stratum) -> float:
    """Mean of the first side less that of the other."""
    lower, other = stratum
    return mean([*lower.values()]) - mean([*other.values()])


def stratified(strata: Sequence[Stratum]) -> Difference:
    """One-sided test of the sum over strata of differences of means.

    Where both sides of every stratum have the same trials it is the sign-flip test of
    their pairs, else the permutation test within strata: all splits where there are at
    most 200,000 altogether, else 20,000 drawn ones, the observed one among them.

    Args:
      strata: at least one, each with trials on both sides.
    """
    difference = sum(map(apart, strata)) / len(strata)
    if any(a.keys() != b.keys() for a, b in strata):
        blocks = [([*a.values()], [*b.values()]) for a, b in strata]
        return _unpaired(blocks, difference)
    gaps = [(a[key] - b[key]) / len(a) for a, b in strata for key in a]
    low, high = (sign_flips([s * g for g in gaps], _SEED) for s in (1, -1))
    if low.p is None or high.p is None or low.smallest is None:
        raise ValueError("stratified(): every stratum must have trials")
    return Difference(
        difference=difference,
        p=low.p,
        p_reverse=high.p,
        p_smallest=low.smallest,
        paired=True,
    )


def _unpaired(strata: Sequence[Block], difference: float) -> Difference:
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
    return Difference(
        difference=difference,
        p=float(((sums <= observed + slack).sum() + extra) / count),
        p_reverse=float(((sums >= observed - slack).sum() + extra) / count),
        p_smallest=max(1 / total, 1 / count),
        paired=False,
    )


def _all_differences(lower: Sequence[float], other: Sequence[float]) -> ndarray:
    """Differences of means under every split of the pooled trials."""
    pooled, size = np.array([*lower, *other], dtype=float), len(lower)
    picks = np.array(list(itertools.combinations(range(len(pooled)), size)))
    sums = pooled[picks].sum(axis=1)
    differences: ndarray = sums / size - (pooled.sum() - sums) / (len(pooled) - size)
    return differences


def correlated(blocks: Sequence[Block]) -> Correlation | None:
    """Rank correlation within blocks, tested by drawn permutations within blocks.

    Runs of different blocks are never compared, so a difference between blocks cannot
    pass for a relation (Simpson's paradox). One block makes it Spearman's. None where
    no block has runs that differ in both measures.
    """
    from scipy.stats import rankdata

    ranks = [[rankdata(side) for side in block] for block in blocks]
    pairs = [
        (x - x.mean(), y - y.mean())
        for x, y in ranks
        if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0
    ]
    if not pairs:
        return None
    norm = math.sqrt(math.prod(sum(p[i] @ p[i] for p in pairs) for i in (0, 1)))
    rho = sum(float(x @ y) for x, y in pairs) / norm
    rng = np.random.default_rng(_SEED)
    drawn = np.zeros(_DRAWS)
    for x, y in pairs:
        drawn += rng.permuted(np.tile(y, (_DRAWS, 1)), axis=1) @ x / norm
    orders = math.prod(math.factorial(len(x)) for x, _ in pairs)
    return Correlation(
        rho=rho,
        n=sum(len(x) for x, _ in pairs),
        blocks=len(pairs),
        p=float((1 + (drawn >= rho - 1e-12).sum()) / (_DRAWS + 1)),
        p_reverse=float((1 + (drawn <= rho + 1e-12).sum()) / (_DRAWS + 1)),
        p_smallest=max(1 / orders, 1 / (_DRAWS + 1)),
    )
