"""Comparisons of methods over seeds, and when a claim is said to hold.

A claim that one side is higher holds when the one-sided permutation test of its seeds
against the other's has p of at most .05; it is reversed when the opposite test has;
with so few seeds that neither could, it says so. Nothing is corrected for the number
of claims.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.lab import statistics

Row = dict[str, Any]
LEVEL = 0.05


def higher(ours: Sequence[float], other: Sequence[float], seed: int) -> Row:
    """Are the seeds of ``ours`` higher than those of ``other``?"""
    against = statistics.permutation(other, ours, seed)
    reverse = statistics.permutation(ours, other, seed)
    row: Row = {
        "p": against.p,
        "p_reverse": reverse.p,
        "smallest_p": against.smallest,
        "verdict": verdict(against.p, reverse.p, against.smallest),
    }
    if ours and other:
        row["difference"] = sum(ours) / len(ours) - sum(other) / len(other)
        spans = [statistics.interval(side, seed) for side in (ours, other)]
        row["apart"] = _apart(*spans)
    return row


def verdict(p: float | None, reverse: float | None, smallest: float | None) -> str:
    """Holds, reversed, undecided, too few seeds, or not run."""
    if p is None or reverse is None or smallest is None:
        return "not run"
    if p <= LEVEL:
        return "holds"
    if reverse <= LEVEL:
        return "reversed"
    return "too few seeds" if smallest > LEVEL else "undecided"


def _apart(one: statistics.Interval, two: statistics.Interval) -> bool | None:
    """Whether two intervals do not overlap; None where one is missing."""
    if one.low is None or one.high is None or two.low is None or two.high is None:
        return None
    return one.low > two.high or two.low > one.high


def in_words(compared: Row) -> str:
    """A comparison in words."""
    if compared["p"] is None:
        return "no seeds on one side"
    text = f"difference {compared['difference']:+.3g}, "
    text += f"p {compared['p']:.2g}, reverse p {compared['p_reverse']:.2g} "
    text += f"(least possible {compared['smallest_p']:.2g})"
    if compared["apart"] is not None:
        text += f"; intervals {'apart' if compared['apart'] else 'overlap'}"
    return text


def mean(values: Sequence[float]) -> float | None:
    """The mean of the values; None without values."""
    return sum(values) / len(values) if values else None


def spread(values: Sequence[float], seed: int) -> Row:
    """Mean and bootstrap interval over seeds, with how it was computed."""
    inside = statistics.interval(values, seed)
    return {
        "mean": mean(values),
        "low": inside.low,
        "high": inside.high,
        "note": inside.note,
        "values": list(values),
    }


def show(estimate: Mapping[str, Any], digits: int = 1) -> str:
    """``mean [low, high]`` as text."""
    if estimate["mean"] is None:
        return "-"
    text = f"{estimate['mean']:.{digits}f}"
    if estimate["low"] is not None:
        text += f" [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"
    return text
