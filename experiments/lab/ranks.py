"""Mean ranks of methods over games, with intervals over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError

_DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class MeanRank:
    """The mean rank of a method, 1 the lowest value.

    Attributes:
      mean: over games, and in each over seeds.
      low: lower end of its 95 % interval; None with one seed.
      high: upper end, None likewise.
    """

    mean: float
    low: float | None
    high: float | None


def mean_ranks(
    games: Sequence[Float64[ndarray, "_ K"]], seed: int
) -> tuple[MeanRank, ...]:
    """Mean rank of each of K methods over games.

    In every game each seed ranks the methods, ties by their mean rank; ranks are
    averaged over the seeds of a game, then over games, each of the same weight. The
    interval is percentiles of 10,000 resamples of the seeds of each game, the same
    seeds for all methods. Games are taken as they are: it says nothing of others.

    Args:
      games: of each game the values ``[S, K]`` of all methods with S seeds, lower is
        better.
      seed: seed of the resamples.

    Raises:
      UserError: there is no game, a game has no seeds, or a value is not finite.
    """
    from scipy.stats import rankdata

    values = [np.asarray(one, dtype=float) for one in games]
    if not values or any(not (len(one) and np.isfinite(one).all()) for one in values):
        raise UserError(
            "mean_ranks(): every game must have a finite value of each method and seed"
        )
    ranks = [rankdata(one, axis=1) for one in values]
    middle = np.mean([one.mean(axis=0) for one in ranks], axis=0)
    if min(map(len, ranks)) < 2:
        return tuple(MeanRank(mean=float(m), low=None, high=None) for m in middle)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((_DRAWS, middle.size))
    for one in ranks:
        counts = rng.multinomial(len(one), np.full(len(one), 1 / len(one)), _DRAWS)
        drawn += counts @ one / len(one) / len(ranks)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple(
        MeanRank(mean=float(m), low=float(a), high=float(b))
        for m, a, b in zip(middle, low, high, strict=True)
    )
