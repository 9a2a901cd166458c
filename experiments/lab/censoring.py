"""When runs first reach something that some of them never reach: medians, censored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaspiel.nfg.errors import UserError

_DRAWS = 2000


@dataclass(frozen=True, kw_only=True)
class FirstTime:
    """The time at which runs first reached a target, over runs.

    A run that ends before it gets there is censored: its time is later than any that
    was seen, which a median can say and a mean cannot.

    Attributes:
      reached: runs that did.
      runs: all of them.
      median: of all runs, those without a time after all others; None where it lies
        after the end.
      low: lower end of its bootstrap 95 % interval; None likewise, and of one run.
      high: upper end, None likewise.
    """

    reached: int
    runs: int
    median: float | None
    low: float | None
    high: float | None

    @property
    def shown(self) -> str:
        """The median and its interval, or how many runs did not get there."""
        missing = self.runs - self.reached
        lacking = f"not reached by {missing} of {self.runs}" if missing else ""
        if self.median is None:
            return lacking or "-"
        text = f"{self.median:g}"
        if self.low is not None:
            high = "later" if self.high is None else f"{self.high:g}"
            text += f" [{self.low:g}, {high}]"
        return f"{text}, {lacking}" if lacking else text


def first_time(times: Sequence[float | None], seed: int) -> FirstTime:
    """The median of first times, None where a run never got there.

    All runs must have had as long; then the median needs no model of what comes after
    the end. Its interval is percentiles of medians of 2000 resamples of the runs.

    Args:
      times: of each run.
      seed: seed of the resamples.

    Raises:
      UserError: there are no runs.
    """
    if not times:
        raise UserError("first_time(): at least 1 run is needed; got 0")
    values = np.array([np.inf if one is None else one for one in times], dtype=float)
    median, low, high = float(np.median(values)), np.inf, np.inf
    if len(values) > 1:
        rng = np.random.default_rng(seed)
        drawn = values[rng.integers(0, len(values), (_DRAWS, len(values)))]
        medians = np.sort(np.median(drawn, axis=1))
        low = float(medians[int(0.025 * _DRAWS)])
        high = float(medians[int(0.975 * _DRAWS)])
    return FirstTime(
        reached=int(np.isfinite(values).sum()),
        runs=len(values),
        median=_finite(median),
        low=_finite(low),
        high=_finite(high),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
