"""Whole numbers in place of floats: what a solver needs that never rounds.

A float is a fraction with a power of two below, so any payoffs can be written as whole
numbers in some unit. The simplest ones within rounding are taken, which undoes what
changing the unit of payoff has done to ties: 0.1, 0.2 and 0.3 become 0, 1 and 2.
"""

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_ROUNDINGS = 4 * np.finfo(np.float64).eps  # of the largest number: scale, then shift


def simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator in ``[low, high]``, 0 <= low <= high.

    A walk down the Stern-Brocot tree, by continued fractions.
    """
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    whole -= 1
    return whole + 1 / simplest(1 / (high - whole), 1 / (low - whole))


def whole_numbers(values: Float64[ndarray, "*S"]) -> ndarray:
    """Python integers from 0 up, ``values`` moved and scaled, as an array of objects.

    They are the simplest within rounding: multiples of one unit where there is one that
    is no coincidence; otherwise the floats as they are, but for those that differ by
    rounding only, which become equal.

    Args:
      values: any finite numbers. Rounding is four units in the last place of the
        largest one, which two operations on each (a scale, a shift) stay within.
    """
    flat = [Fraction(value) for value in values.ravel().tolist()]
    low, high = min(flat), max(flat)
    error = Fraction(_ROUNDINGS) * max(abs(low), abs(high))
    if high - low <= error:
        return np.zeros(values.shape, dtype=object)
    shares = {value: (value - low) / (high - low) for value in set(flat)}
    unit = _unit(shares.values(), error / (high - low))
    if unit is None:  # denominators of floats are powers of two: the largest will do
        shares = {value: new - low for value, new in _merged(flat, error).items()}
        unit = max(share.denominator for share in shares.values())
    result = np.empty(len(flat), dtype=object)
    result[:] = [round(shares[value] * unit) for value in flat]
    return result.reshape(values.shape) // math.gcd(*result)


def _unit(shares: Iterable[Fraction], error: Fraction) -> int | None:
    """The least D for which every share is within ``error`` of a multiple of 1 / D.

    None where it is so large that random shares would have one too.
    """
    unit = 1
    for share in shares:
        scaled, slack = share * unit, error * unit
        if abs(scaled - round(scaled)) <= slack:
            continue
        unit *= simplest(max(scaled - slack, Fraction(0)), scaled + slack).denominator
        if 100 * unit * unit * error > 1:
            return None
    return unit


def _merged(values: list[Fraction], error: Fraction) -> dict[Fraction, Fraction]:
    """For each value the least of those within ``error`` below it."""
    merged: dict[Fraction, Fraction] = {}
    least = min(values)
    for value in sorted(set(values)):
        if value - least > error:
            least = value
        merged[value] = least
    return merged
