"""Statistics of few trials: one-sided tests, Holm's correction and intervals.

Everything answers honestly for one, two or three trials: a number that cannot be had is
None beside the reason, and a test says the smallest p-value its sizes allow.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
from numpy import ndarray

from metaspiel.nfg.errors import UserError

_SPLITS = 200_000  # of the pooled trials; all of them up to here, draws beyond
_DRAWS, _BLOCK = 100_000, 5_000
_BCA = 5  # fewest values whose jackknife says anything of skewness


@dataclass(frozen=True)
class PValue:
    """The result of a one-sided test.

    Attributes:
      p: probability, were the groups alike, of a result as extreme; None without
        trials on both sides.
      smallest: the least p that groups of these sizes can have; None likewise.
      note: how it was computed, or why it was not.
    """

    p: float | None
    smallest: float | None
    note: str


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a mean.

    Attributes:
      low: lower end, None where there is no interval.
      high: upper end, None likewise.
      note: how it was computed, or why it was not.
    """

    low: float | None
    high: float | None
    note: str


def permutation(lower: Sequence[float], other: Sequence[float], seed: int) -> PValue:
    """One-sided permutation test: is the mean of ``lower`` below that of ``other``?

    All splits of the pooled trials are looked at where there are at most 200,000 (ten
    trials against ten have 184,756); else 100,000 drawn ones, the observed one counted
    among them (Phipson & Smyth 2010).

    Args:
      lower: trials that the alternative expects to be lower (a regret).
      other: trials to compare with; not paired.
      seed: seed of the drawn splits.

    Raises:
      UserError: a value is not finite.
    """
    first, second = _values(lower, "permutation()"), _values(other, "permutation()")
    if not (len(first) and len(second)):
        return PValue(None, None, "no trials on one side")
    pooled, size = np.concatenate([first, second]), len(first)
    # With the sizes fixed, the difference of means grows with the sum of one side.
    slack = 1e-12 * float(np.abs(pooled).sum())
    limit = first.sum() + slack
    splits = _splits(size, len(second))
    if splits is not None:
        index = _every_split(len(pooled), size)
        share = float(np.mean(pooled[index].sum(axis=1) <= limit))
        return PValue(share, 1 / splits, f"exact, {splits} splits")

    def hits(rng: np.random.Generator) -> int:
        drawn = rng.permuted(np.tile(pooled, (_BLOCK, 1)), axis=1)[:, :size]
        return int((drawn.sum(axis=1) <= limit).sum())

    return _drawn(hits, seed, "splits")


def least_by_splits(lower: int, other: int) -> float:
    """The least p that ``permutation`` can give groups of such sizes."""
    return 1 / (_splits(lower, other) or _DRAWS + 1)


def least_by_flips(pairs: int) -> float:
    """The least p that ``sign_flips`` can give so many pairs."""
    return 1 / (_signs(pairs) or _DRAWS + 1)


def _splits(lower: int, other: int) -> int | None:
    """How many splits a permutation test looks at; None where it draws some."""
    splits = math.comb(lower + other, lower)
    return splits if splits <= _SPLITS and splits * lower <= 20 * _SPLITS else None


def _signs(pairs: int) -> int | None:
    """How many signs a sign-flip test looks at; None where it draws some."""
    return 2**pairs if 2**pairs <= _SPLITS else None


@lru_cache(maxsize=4)  # the same sizes come again, in tests of many pairs
def _every_split(total: int, size: int) -> ndarray:
    """All ways to pick ``size`` of ``total``, one a row."""
    picks = chain.from_iterable(combinations(range(total), size))
    count = math.comb(total, size)
    return np.fromiter(picks, np.int64, count * size).reshape(count, size)


def sign_flips(differences: Sequence[float], seed: int) -> PValue:
    """One-sided sign-flip test of pairs: is the mean of the differences below 0?

    Were the members of a pair exchangeable, every sign would be as likely. All of them
    are looked at up to 17 pairs, else 100,000 drawn ones, the observed one among them.
    With n pairs no p-value is below 1 / 2^n: 1/8 for three, 1/32 for five.

    Args:
      differences: first less second member of each pair (lower is what is claimed).
      seed: seed of the drawn signs.

    Raises:
      UserError: a value is not finite.
    """
    values = _values(differences, "sign_flips()")
    size = len(values)
    if not size:
        return PValue(None, None, "no pairs")
    # The sum falls by twice the values whose sign is flipped.
    slack = 1e-12 * float(np.abs(values).sum())
    signs = _signs(size)
    if signs is not None:
        falls = np.zeros(1)
        for value in values:
            falls = np.add.outer(falls, [0.0, value]).ravel()
        share = float(np.mean(falls >= -slack))
        return PValue(share, 1 / signs, f"exact, {signs} signs")

    def hits(rng: np.random.Generator) -> int:
        flipped = rng.random((_BLOCK, size)) < 0.5
        return int((flipped @ values >= -slack).sum())

    return _drawn(hits, seed, "signs")


def _drawn(hits: Callable[[np.random.Generator], int], seed: int, what: str) -> PValue:
    """The p-value of drawn blocks, the observed draw counted among them."""
    rng = np.random.default_rng(seed)
    every = 1 + sum(hits(rng) for _ in range(_DRAWS // _BLOCK))
    return PValue(every / (_DRAWS + 1), 1 / (_DRAWS + 1), f"{_DRAWS} drawn {what}")


def mann_whitney(lower: Sequence[float], other: Sequence[float], seed: int) -> PValue:
    """One-sided Mann-Whitney test: do trials of ``lower`` tend to be lower?

    It is the permutation test of midranks, so ties need no approximation.

    Args:
      lower: trials that the alternative expects to be lower.
      other: trials to compare with; not paired.
      seed: seed of the drawn splits, as in ``permutation``.

    Raises:
      UserError: a value is not finite.
    """
    from scipy.stats import rankdata

    first, second = _values(lower, "mann_whitney()"), _values(other, "mann_whitney()")
    ranks = rankdata(np.concatenate([first, second])).tolist()
    return permutation(ranks[: len(first)], ranks[len(first) :], seed)


def holm(table: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    """A table of p-values after Holm's correction (Holm 1979), over all its cells.

    Cells without a p-value stay without one and are not counted as tests.

    Raises:
      UserError: a p-value is not in [0, 1].
    """
    cells = [(p, i, j) for i, row in enumerate(table) for j, p in enumerate(row)]
    tests = sorted((p, i, j) for p, i, j in cells if p is not None)
    corrected: list[list[float | None]] = [[None] * len(row) for row in table]
    largest = 0.0
    for number, (p, i, j) in enumerate(tests):
        if not 0 <= p <= 1:
            raise UserError(f"holm(): p-values must be in [0, 1]; got {p}")
        largest = max(largest, min(1.0, (len(tests) - number) * p))
        corrected[i][j] = largest
    return corrected


def mean(values: Sequence[float]) -> float:
    """Mean of at least one value."""
    return sum(values) / len(values)


def mean_if_any(values: Sequence[float]) -> float | None:
    """Mean of values; None where there are none."""
    return mean(values) if values else None


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for fewer than two values.

    Raises:
      UserError: a value is not finite.
    """
    array = _values(values, "standard_error()")
    if len(array) < 2:
        return None
    return float(array.std(ddof=1) / math.sqrt(len(array)))


def interval(
    values: Sequence[float], seed: int, level: float = 0.95, draws: int = 10_000
) -> Interval:
    """Bootstrap confidence interval of the mean.

    Bias-corrected and accelerated (BCa; Efron 1987) from five values on; below, plain
    percentiles, which are too narrow at such sizes and say so.

    Args:
      values: independent trials.
      seed: seed of the resamples.
      level: share of repetitions that should hold the mean.
      draws: number of resamples.

    Raises:
      UserError: a value is not finite, or ``level`` or ``draws`` is out of range.
    """
    array = _values(values, "interval()")
    if not (0 < level < 1 and draws >= 1):
        raise UserError(
            "interval(): level must be in (0, 1) and draws >= 1; got "
            f"{level} and {draws}"
        )
    size = len(array)
    if size < 2:
        return Interval(None, None, f"at least 2 values are needed; got {size}")
    if np.ptp(array) == 0:
        return Interval(float(array[0]), float(array[0]), "all values are equal")
    index = np.random.default_rng(seed).integers(0, size, (draws, size))
    means = array[index].mean(axis=1)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    note = f"percentiles; {size} values are too few, the interval is too narrow"
    if size >= _BCA:
        tails, note = _accelerated(array, means, tails), "BCa"
    low, high = np.quantile(means, tails)
    return Interval(float(low), float(high), note)


def _accelerated(array: ndarray, means: ndarray, tails: ndarray) -> ndarray:
    """Percentiles that BCa takes in place of ``tails``."""
    from scipy.stats import norm

    below = np.mean(means < array.mean()) + np.mean(means == array.mean()) / 2
    # A share of 0 or 1 would be infinitely many standard deviations.
    most = 1 - 0.5 / len(means)
    bias = norm.ppf(min(max(below, 1 - most), most))
    gone = (array.mean() - array) / (len(array) - 1)  # leave-one-out mean less the mean
    acceleration = -np.sum(gone**3) / (6 * np.sum(gone**2) ** 1.5)
    shifted = bias + norm.ppf(tails)
    shares: ndarray = norm.cdf(bias + shifted / (1 - acceleration * shifted))
    return shares


def _values(values: Sequence[float], where: str) -> ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise UserError(f"{where}: values must be a list of finite numbers")
    return array


def mcnemar(only_one: int, only_other: int) -> float:
    """Two-sided p of McNemar's exact test on pairs of which one side alone had a hit.

    Args:
      only_one: pairs in which only the one side had it.
      only_other: pairs in which only the other had.
    """
    discordant = only_one + only_other
    fewer = min(only_one, only_other)
    tail = sum(math.comb(discordant, k) for k in range(fewer + 1))
    return float(min(1.0, 2 * tail / 2**discordant))


def t_interval(
    values: Sequence[float], level: float = 0.95
) -> tuple[float | None, float | None]:
    """Student's confidence interval of the mean; None for fewer than two values.

    Args:
      values: independent runs.
      level: share of repetitions that should hold the mean.
    """
    from scipy.stats import t

    if len(values) < 2:
        return None, None
    middle, error = _moments(values)
    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * error
    return middle - half, middle + half


def t_test(values: Sequence[float]) -> float | None:
    """Two-sided p of Student's test that the mean is 0; None below two values."""
    from scipy.stats import t

    if len(values) < 2:
        return None
    middle, error = _moments(values)
    if error == 0:
        return 1.0 if middle == 0 else 0.0
    return float(2 * t.sf(abs(middle) / error, len(values) - 1))


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5


Ends = tuple[float | None, float | None]


def apart(one: Ends, two: Ends) -> bool | None:
    """Whether two intervals do not overlap; None where an end is missing."""
    if one[0] is None or one[1] is None or two[0] is None or two[1] is None:
        return None
    return one[0] > two[1] or two[0] > one[1]
