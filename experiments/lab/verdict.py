"""Claims and verdicts: one vocabulary for everything that a page says holds or fails.

A claim is judged by a test over seeds, which are the unit: it holds when its one-sided
p is at most the level, fails when the opposite's is, and is undecided between the two.
Where there are no seeds on one side, or so few that no result could decide, it is not
tested. What the numbers were is in the evidence, in words and as values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from experiments.lab.statistics import Interval, interval, permutation

LEVEL = 0.05


class Verdict(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim and its verdict.

    Attributes:
      text: what is claimed, as one sentence.
      verdict: what became of it.
      evidence: the numbers, in words.
      test: which test decided, and over what.
      where: the task, game or data set that it is about; empty for all of them.
      published: what the source says or shows; empty where it says nothing.
      trials: seeds on either side of each comparison.
      numbers: further values, for summary.json.
    """

    text: str
    verdict: Verdict
    evidence: str
    test: str = ""
    where: str = ""
    published: str = ""
    trials: Mapping[str, Sequence[int]] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, Any]:
        """As summary.json holds it."""
        return {
            "claim": self.text,
            "verdict": str(self.verdict),
            "evidence": self.evidence,
            "test": self.test,
            "where": self.where,
            "published": self.published,
            "trials": {name: list(sizes) for name, sizes in self.trials.items()},
            **self.numbers,
        }


def decide(
    p: float | None, reverse: float | None, smallest: float | None = None
) -> Verdict:
    """The verdict of a one-sided test and its opposite.

    Args:
      p: of the claim; None where there are no trials on one side.
      reverse: of the opposite claim.
      smallest: the least p that so few trials can have; None where any is possible.
    """
    if p is None or reverse is None:
        return Verdict.NOT_TESTED
    if p <= LEVEL:
        return Verdict.HOLDS
    if reverse <= LEVEL:
        return Verdict.FAILS
    few = smallest is not None and smallest > LEVEL
    return Verdict.NOT_TESTED if few else Verdict.UNDECIDED


def of_interval(low: float | None, high: float | None) -> Verdict:
    """The verdict of an interval: of what is claimed to be above 0."""
    if low is None or high is None:
        return Verdict.NOT_TESTED
    if low > 0:
        return Verdict.HOLDS
    return Verdict.FAILS if high < 0 else Verdict.UNDECIDED


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Whether the seeds of one side are higher than those of the other.

    Attributes:
      p: of the one-sided permutation test; None without seeds on both sides.
      reverse: p of the opposite.
      smallest: the least p that groups of these sizes can have.
      difference: of the means, first less second.
      apart: whether the bootstrap intervals of the two means do not overlap.
    """

    p: float | None
    reverse: float | None
    smallest: float | None
    difference: float | None
    apart: bool | None

    @property
    def verdict(self) -> Verdict:
        """Of the claim that the first side is higher."""
        return decide(self.p, self.reverse, self.smallest)

    @property
    def words(self) -> str:
        """The comparison for people."""
        if self.p is None or self.reverse is None or self.smallest is None:
            return "no seeds on one side"
        text = (
            f"difference {self.difference:+.3g}, p {self.p:.2g}, reverse p "
            f"{self.reverse:.2g} (least possible {self.smallest:.2g})"
        )
        if self.apart is not None:
            text += f"; intervals {'apart' if self.apart else 'overlap'}"
        return text


def higher(first: Sequence[float], second: Sequence[float], seed: int) -> Comparison:
    """Compares two groups of independent seeds, by their means."""
    claim = permutation(second, first, seed)
    reverse = permutation(first, second, seed)
    difference, disjoint = None, None
    if first and second:
        difference = sum(first) / len(first) - sum(second) / len(second)
        disjoint = apart(interval(first, seed), interval(second, seed))
    return Comparison(
        p=claim.p,
        reverse=reverse.p,
        smallest=claim.smallest,
        difference=difference,
        apart=disjoint,
    )


def apart(one: Interval, two: Interval) -> bool | None:
    """Whether two intervals do not overlap; None where one is missing."""
    ends = (one.low, one.high, two.low, two.high)
    if None in ends:
        return None
    low, high, other_low, other_high = (float(end) for end in ends if end is not None)
    return low > other_high or other_low > high
