"""The interval between an ensemble's members: what it holds, and how far it must reach.

Members share their data and their inductive bias: an error that all of them make is not
in their disagreement. Held-out payoffs tell how far the interval must be stretched
about the members' mean to hold a given share of them (split conformal prediction, Vovk
et al. 2005; scores as multiples of each interval's own half).
"""

import math
from itertools import count

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from metaspiel.nfg.errors import UserError

LOW, HIGH = 4.0, 12.0  # payoffs below and above are told apart
BANDS = ("low", "middle", "high")
_LEAST = 1e-6  # half an interval, as a share of the largest payoff


def told(
    members: Float[ndarray, "M n"], true: Float[ndarray, " n"]
) -> dict[str, float]:
    """How the members' predictions lie about n true values.

    Args:
      members: the prediction of each member.
      true: true values.

    Returns:
      ``coverage``: share of values between the least and the largest prediction;
      ``slope``: least-squares slope through 0 of mean predictions on true values, 1
      without bias; ``bias_low``, ``bias_middle``, ``bias_high``: mean of prediction
      less value where that is below 4, up to 12, and above. NaN of none.
    """
    wide, exact = members.astype(float), true.astype(float)
    mean = wide.mean(0)
    inside = (wide.min(0) <= exact) & (exact <= wide.max(0))
    square = float(exact @ exact)
    band = np.digitize(exact, [LOW, HIGH])
    bias = {
        f"bias_{name}": _mean((mean - exact)[band == number])
        for number, name in enumerate(BANDS)
    }
    slope = float(mean @ exact) / square if square > 0 else math.nan
    return {"coverage": _mean(inside), "slope": slope, **bias}


def stretch(
    members: Float[ndarray, "M n"], true: Float[ndarray, " n"], share: float
) -> float:
    """The factor by which intervals must grow about their means to hold a share.

    Where the n values and a new one are exchangeable, the stretched interval holds the
    new one with probability of at least ``share``.

    Args:
      members: predictions of values that were not trained on.
      true: those values.
      share: to hold, in (0, 1).

    Raises:
      UserError: n is too small for the share.
    """
    check_enough(len(true), share)
    rank = _rank(len(true), share)
    wide = members.astype(float)
    mean, exact = wide.mean(0), true.astype(float)
    least_half = _LEAST * max(float(np.abs(exact).max()), 1.0)
    above = np.maximum(wide.max(0) - mean, least_half)
    below = np.maximum(mean - wide.min(0), least_half)
    scores = np.maximum((exact - mean) / above, (mean - exact) / below)
    return float(np.sort(scores)[rank - 1])


def check_enough(payoffs: int, share: float) -> None:
    """Refuses a share that so few held-out payoffs cannot tell of.

    Raises:
      UserError: they are too few.
    """
    if _rank(payoffs, share) > payoffs:
        least = next(n for n in count(1) if _rank(n, share) <= n)
        raise UserError(
            f"calibrate: to hold a share of {share:g} there must be at least {least} "
            f"payoffs of held-out deals; got {payoffs} (see held_out)"
        )


def _rank(payoffs: int, share: float) -> int:
    """The rank of the score that stretches: split conformal prediction's quantile."""
    return math.ceil((payoffs + 1) * share)


def _mean(values: ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
