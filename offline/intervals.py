"""The interval between an ensemble's members: what it holds, and how far it must reach.

Members share their data and their inductive bias: an error that all of them make is not
in their disagreement. Held-out payoffs tell how far the interval must be stretched
about the members' mean to hold a given share of them (split conformal prediction, Vovk
et al. 2005; scores as multiples of each interval's own half).
"""

import math

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from metaspiel.nfg.errors import UserError

LOW, HIGH = 4.0, 12.0  # payoffs below and above are told apart
BANDS = ("low", "middle", "high")
_ROUNDING = 1e-9


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
    members: Float[ndarray, "M n"],
    true: Float[ndarray, " n"],
    share: float,
    groups: Int[ndarray, " n"],
) -> float:
    """The factor by which intervals must grow about their means to hold a share.

    Where groups and a new one are exchangeable, the stretched intervals hold all values
    of the new one with probability of at least ``share``.

    Args:
      members: predictions of values that were not trained on.
      true: those values.
      share: to hold, in (0, 1).
      groups: number of the group of each value; values of one may depend on another.

    Raises:
      UserError: there are too few groups for the share, or the members do not differ
        or are not finite.
    """
    _, group = np.unique(groups, return_inverse=True)
    count = int(group.max(initial=-1)) + 1
    check_enough(count, share)
    wide = members.astype(float)
    mean, exact = wide.mean(0), true.astype(float)
    error = np.where(exact > mean, exact - mean, mean - exact)
    half = np.where(exact > mean, wide.max(0) - mean, mean - wide.min(0))
    if not np.isfinite(wide).all():
        raise UserError("calibrate: what the members predict must be finite; it is not")
    with np.errstate(divide="ignore", invalid="ignore"):
        # Infinite where members that agree are wrong.
        scores = np.where(error == 0, 0.0, error / half)
    worst = np.zeros(count)
    np.maximum.at(worst, group, scores)
    factor = float(np.sort(worst)[_rank(count, share) - 1])
    if not 0 < factor < np.inf:
        raise UserError(
            "calibrate: the members must differ about held-out deals for their "
            f"interval to be stretched; got a factor of {factor:g}"
        )
    return factor


def check_enough(groups: int, share: float) -> None:
    """Refuses a share that so few held-out groups cannot tell of.

    Raises:
      UserError: they are too few.
    """
    if _rank(groups, share) > groups:
        raise UserError(
            f"calibrate: to hold a share of {share:g} there must be at least "
            f"{math.ceil(share / (1 - share) - _ROUNDING)} held-out episodes with a "
            f"deal; got {groups} (see held_out)"
        )


def _rank(groups: int, share: float) -> int:
    """The rank of the score that stretches: split conformal prediction's quantile."""
    return math.ceil((groups + 1) * share - _ROUNDING)


def _mean(values: ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
