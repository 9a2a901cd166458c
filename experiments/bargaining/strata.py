"""Tests over several data sets: only what is alike within one of them is exchanged."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.statistics import mean, sign_flips

_SPLITS, _DRAWS = 200_000, 20_000
_SEED = 0
Side = Mapping[Any, float]
"""One number a trial."""
Stratum = tuple[Side, Side]
"""Trials claimed to be lower, and those they are compared with; equal keys pair."""
Strata = Mapping[str, Stratum]
"""The trials of a comparison, by the name of the data set."""
Block = tuple[Sequence[float], Sequence[float]]
"""Two measures of the runs that may be exchanged with each other."""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """P-values of a claim and of its opposite, and the least that either can be."""

    p: float
    p_reverse: float
    p_smallest: float


@dataclass(frozen=True, kw_only=True)
class Correlation(Tested):
    """A rank correlation of n runs in the blocks in which both measures vary."""

    rho: float
    n: int
    blocks: int


@dataclass(frozen=True, kw_only=True)
class Rival(Tested):
    """A test against one rival; below 0 is what is claimed.

    Attributes:
      difference: over all data sets.
      differences: of each data set.
      missing: data sets without trials.
    """

    difference: float
    differences: dict[str, float]
    missing: list[str]

    def said(self, sign: int = 1) -> str:
        """The p-value, and what each data set says where there are several."""
        reverse = self.difference > 0
        p = f"reverse p {self.p_reverse:.2g}" if reverse else f"p {self.p:.2g}"
        parts = [f"{w} {sign * d:+.3f}" for w, d in self.differences.items()]
        each = parts if len(parts) > 1 else []
        gone = [f"none on {where}" for where in self.missing]
        return f" ({'; '.join([p, ', '.join([*each, *gone])]).rstrip('; ')})"


@dataclass(frozen=True, kw_only=True)
class Compared(Rival):
    """A test of regrets; ``trials`` of both sides by data set."""

    paired: bool
    trials: dict[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Related(Correlation, Rival):
    """A test of a rank correlation within blocks."""


def compared(strata: Strata) -> Compared | None:
    """One-sided test of the sum over strata of differences of means.

    Where both sides of every stratum have the same trials it is the sign-flip test of
    their pairs, else the permutation test within strata: all splits where there are at
    most 200,000 altogether, else 20,000 drawn ones, the observed one among them.
    Strata that lack a side are missing; None where all are.
    """
    there = {where: s for where, s in strata.items() if s[0] and s[1]}
    if not there:
        return None
    gaps = [(a[k] - b[k]) / len(a) for a, b in there.values() for k in a if k in b]
    paired = all(a.keys() == b.keys() for a, b in there.values())
    blocks = {w: ([*a.values()], [*b.values()]) for w, (a, b) in there.items()}
    differences = {where: mean(a) - mean(b) for where, (a, b) in blocks.items()}
    if paired:
        low, high = (sign_flips([s * g for g in gaps], _SEED) for s in (1, -1))
        p, reverse, smallest = low.p, high.p, low.smallest
    else:
        p, reverse, smallest = _unpaired([*blocks.values()])
    assert p is not None and reverse is not None and smallest is not None
    return Compared(
        difference=sum(differences.values()) / len(there),
        differences=differences,
        missing=[where for where in strata if where not in there],
        p=p,
        p_reverse=reverse,
        p_smallest=smallest,
        paired=paired,
        trials={where: [len(a), len(b)] for where, (a, b) in blocks.items()},
    )


def _unpaired(strata: Sequence[Block]) -> tuple[float, float, float]:
    """P-values of a sum as low and as high, and the least that they can be."""
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
    return (
        float(((sums <= observed + slack).sum() + extra) / count),
        float(((sums >= observed - slack).sum() + extra) / count),
        max(1 / total, 1 / count),
    )


def _all_differences(lower: Sequence[float], other: Sequence[float]) -> ndarray:
    """Differences of means under every split of the pooled trials."""
    pooled, size = np.array([*lower, *other], dtype=float), len(lower)
    picks = np.array(list(itertools.combinations(range(len(pooled)), size)))
    sums = pooled[picks].sum(axis=1)
    differences: ndarray = sums / size - (pooled.sum() - sums) / (len(pooled) - size)
    return differences


def correlated(blocks: Sequence[Block], sign: int = 1) -> Correlation | None:
    """Rank correlation within blocks, tested by drawn permutations within blocks.

    Runs of different blocks are never compared, so a difference between blocks cannot
    pass for a relation (Simpson's paradox). One block makes it Spearman's.

    Args:
      blocks: runs that may be exchanged.
      sign: of the relation that is claimed, 1 or -1.

    Returns:
      None where no block has runs that differ in both measures.
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
    rising = float((1 + (drawn >= rho - 1e-12).sum()) / (_DRAWS + 1))
    falling = float((1 + (drawn <= rho + 1e-12).sum()) / (_DRAWS + 1))
    return Correlation(
        rho=rho,
        n=sum(len(x) for x, _ in pairs),
        blocks=len(pairs),
        p=rising if sign > 0 else falling,
        p_reverse=falling if sign > 0 else rising,
        p_smallest=max(1 / orders, 1 / (_DRAWS + 1)),
    )


def related(parts: Mapping[str, Sequence[Block]], sign: int) -> Related | None:
    """A relation of one sign within the blocks of all data sets, and of each."""
    pooled = correlated([block for blocks in parts.values() for block in blocks], sign)
    if pooled is None:
        return None
    alone = {where: correlated(blocks) for where, blocks in parts.items()}
    return Related(
        **vars(pooled),
        difference=-sign * pooled.rho,
        differences={w: -sign * one.rho for w, one in alone.items() if one},
        missing=[where for where, one in alone.items() if one is None],
    )
