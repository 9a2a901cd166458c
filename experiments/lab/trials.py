"""A few trials in numbers: their mean and spread, and two sides of them compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from experiments.lab.statistics import (
    PValue,
    interval,
    mann_whitney,
    permutation,
    sign_flips,
    standard_error,
)
from experiments.lab.strata import Side, mean
from experiments.lab.verdict import LEVEL


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The mean of some trials and its spread.

    Attributes:
      n: trials.
      mean, standard_error: of them.
      low, high: a bootstrap interval of the mean; ``interval`` says how it was had.
    """

    n: int
    mean: float
    standard_error: float | None
    low: float | None
    high: float | None
    interval: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Trials against those of a reference, which is claimed to be lower.

    Attributes:
      n, n_reference: trials.
      difference: their mean less that of the reference.
      p_permutation, p_mann_whitney: one-sided, for trials that are independent;
        ``p_smallest`` is the least that the first can be, ``test`` how it was had.
      p_paired: of the sign flips of trials with one key, None where the sides have
        different ones; ``p_paired_smallest`` likewise.
    """

    n: int
    n_reference: int
    difference: float
    p_permutation: float | None
    p_mann_whitney: float | None
    p_smallest: float | None
    p_paired: float | None
    p_paired_smallest: float | None
    test: str

    @property
    def able(self) -> bool:
        """The permutation test could have decided."""
        return self.p_smallest is not None and self.p_smallest <= LEVEL


def summary(values: Sequence[float], seed: int) -> Summary:
    """Mean and bootstrap interval of at least one trial, with the seed of resamples."""
    ends = interval(values, seed)
    return Summary(
        n=len(values),
        mean=mean(values),
        standard_error=standard_error(values),
        low=ends.low,
        high=ends.high,
        interval=ends.note,
    )


def compared(reference: Side, other: Side, seed: int) -> Compared:
    """Two sides of at least one trial each; equal keys pair; ``seed`` is of draws."""
    lower, higher = tuple(reference.values()), tuple(other.values())
    first, second = _tests(lower, higher, seed)
    matched = reference.keys() == other.keys()
    pairs = [reference[key] - other[key] for key in reference] if matched else []
    paired = sign_flips(pairs, seed)
    return Compared(
        n=len(higher),
        n_reference=len(lower),
        difference=mean(higher) - mean(lower),
        p_permutation=first.p,
        p_mann_whitney=second.p,
        p_smallest=first.smallest,
        p_paired=paired.p,
        p_paired_smallest=paired.smallest,
        test=first.note,
    )


@cache
def _tests(
    lower: tuple[float, ...], other: tuple[float, ...], seed: int
) -> tuple[PValue, PValue]:
    return permutation(lower, other, seed), mann_whitney(lower, other, seed)
