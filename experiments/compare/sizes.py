"""How many seeds the tests of a comparison need before they can decide anything."""

from experiments.lab.statistics import holm, least_by_flips, least_by_splits
from experiments.lab.verdict import LEVEL

_MOST = 18
"""Seeds from which on more of them do not make the least p less: both tests draw some
100,000 splits or signs then."""


def two_sided(*sides: float | None) -> float:
    """The p-value of a two-sided test by those of its sides; 1 where there is none."""
    return min(1.0, 2 * min(1.0 if p is None else p for p in sides))


def seeds_needed(pooled: int, flipped: int = 0) -> int | None:
    """The fewest seeds with which every test of a game could decide, after Holm.

    "Could": were all methods as far apart as can be, each run of one below all of the
    other. Where their gaps overlap it takes more.

    Args:
      pooled: pairs of methods that are tested by permuting their pooled runs.
      flipped: pairs that are tested by sign flips: one is the same in all seeds.

    Returns:
      None where no number of seeds is enough, as there are too many pairs.
    """
    for seeds in range(2, _MOST + 1):
        splits = two_sided(least_by_splits(seeds, seeds))
        flips = two_sided(least_by_flips(seeds))
        (least,) = holm([[splits] * pooled + [flips] * flipped])
        if all(p is not None and p <= LEVEL for p in least):
            return seeds
    return None
