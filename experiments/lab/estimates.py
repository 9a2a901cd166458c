"""Means of independent runs and shares of trials, with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from experiments.lab import report
from experiments.lab.statistics import Interval, interval, mean_if_any

_Z = 1.959963984540054  # 97.5th percentile of the standard normal


@dataclass(frozen=True, kw_only=True)
class Estimate(Interval):
    """The mean of independent runs, None without any, with its interval."""

    mean: float | None
    values: list[float]

    def shown(self, digits: int = 1) -> str:
        """The mean as "1.0 [0.5, 1.5]"; without the interval where there is none."""
        return report.estimate(self.mean, self.low, self.high, digits=digits)


def estimate(values: Sequence[float], seed: int) -> Estimate:
    """Mean and bootstrap interval of independent runs, as ``interval`` has it."""
    return Estimate(
        **vars(interval(values, seed)),
        mean=mean_if_any(values),
        values=list(values),
    )


def trailing(values: Float64[ndarray, "*S T"], window: int) -> Float64[ndarray, "*S T"]:
    """Means over the last values up to each one, fewer at the start."""
    total = np.cumsum(values, -1)
    total[..., window:] -= total[..., :-window].copy()
    means: ndarray = total / np.minimum(np.arange(1, values.shape[-1] + 1), window)
    return means


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share of at least one trial, in per cent (Wilson 1927)."""
    share, z2 = hits / trials, _Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z * spread / (1 + z2 / trials)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return 100 * min(share, low), 100 * max(share, high)  # against rounding at the ends
