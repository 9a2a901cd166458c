"""Claims that a page tests, and their verdicts.

A claim holds or fails when its test decides; it is undecided when the test could not
tell, and not tested when what it needs was not run. "Fails" says that the opposite was
shown, never that too little was seen; a remark says what qualifies a verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from experiments.lab.report import Table
from experiments.lab.statistics import permutation, sign_flips

LEVEL = 0.05


class Verdict(StrEnum):
    """The verdict of a test on a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim that is tested, with its verdict and evidence.

    Attributes:
      text: the claim.
      verdict: the result of the test.
      evidence: the numbers, in words.
      about: the game or task; empty where the claim is about all of them.
      test: how it was tested, in words.
      trials: independent runs that it rests on, where they can be counted.
      remark: what qualifies the verdict, such as "before correction only".
      published: the paper's finding.
      numbers: the numbers behind the verdict.
    """

    text: str
    verdict: Verdict
    evidence: str
    about: str = ""
    test: str = ""
    trials: int | None = None
    remark: str = ""
    published: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """The claim as JSON, without empty fields."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None, {})}

    @property
    def judged(self) -> str:
        """The verdict with its remark."""
        return f"{self.verdict}: {self.remark}" if self.remark else str(self.verdict)


def decide(
    p: float | None,
    reverse: float | None,
    smallest: float | None,
    level: float = LEVEL,
) -> tuple[Verdict, str]:
    """The verdict of a one-sided test and of its reverse, and a remark on it.

    Args:
      p: p-value of the claim; None without trials on both sides.
      reverse: p-value of the opposite.
      smallest: the least p that so few trials can have.
      level: at most which a p decides.
    """
    if p is None or reverse is None or smallest is None:
        return Verdict.NOT_TESTED, ""
    if p <= level:
        return Verdict.HOLDS, ""
    if reverse <= level:
        return Verdict.FAILS, ""
    few = f"too few trials: the least possible p is {smallest:.2g}"
    return Verdict.UNDECIDED, few if smallest > level else ""


@dataclass(frozen=True, kw_only=True)
class Higher:
    """Permutation tests that one group of runs is higher than another, and lower.

    Attributes:
      p: of the one-sided test that it is higher; None without runs on both sides.
      p_reverse: that it is lower.
      smallest_p: the least that so few runs can have.
    """

    p: float | None
    p_reverse: float | None
    smallest_p: float | None

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float], seed: int) -> "Higher":
        """Tests the one group against the other."""
        above = permutation(theirs, ours, seed)
        below = permutation(ours, theirs, seed)
        return cls(p=above.p, p_reverse=below.p, smallest_p=above.smallest)

    @property
    def decided(self) -> tuple[Verdict, str]:
        """The verdict on "higher", and a remark."""
        return decide(self.p, self.p_reverse, self.smallest_p)

    @property
    def words(self) -> str:
        """The p-values in words."""
        if self.p is None:
            return "no runs on one side"
        return (
            f"p {self.p:.2g}, reverse p {self.p_reverse:.2g} "
            f"(least possible {self.smallest_p:.2g})"
        )


def within(low: float | None, high: float | None, bar: float = 0.0) -> Verdict:
    """The verdict whether an interval is above a bar; undecided without an interval."""
    if low is None or high is None:
        return Verdict.UNDECIDED
    if low > bar:
        return Verdict.HOLDS
    return Verdict.FAILS if high < bar else Verdict.UNDECIDED


def paired(text: str, differences: Sequence[float], seed: int = 0) -> Claim:
    """A claim that the first of each pair is lower, by flips of the pairs' signs.

    Args:
      text: the claim.
      differences: first less second of each pair.
      seed: seed of the drawn flips, where there are too many pairs for all of them.
    """
    first = sign_flips(differences, seed)
    reverse = sign_flips([-one for one in differences], seed)
    verdict, remark = decide(first.p, reverse.p, first.smallest)
    size, words = len(differences), "no pairs"
    if first.p is not None:
        mean = sum(differences) / size
        words = f"difference {mean:+.3g}, p {first.p:.2g}, reverse p {reverse.p:.2g}"
    return Claim(
        text=text,
        verdict=verdict,
        evidence=words,
        test="sign flips of pairs, one-sided",
        trials=size,
        remark=remark,
    )


def table(claims: Sequence[Claim], caption: str = "Claims") -> Table:
    """A table of claims for a report; columns that are empty for all are left out."""
    columns: dict[str, list[Any]] = {
        "about": [one.about for one in claims],
        "claim": [one.text for one in claims],
        "published": [one.published for one in claims],
        "verdict": [one.judged for one in claims],
        "evidence": [one.evidence for one in claims],
        "test": [one.test for one in claims],
        "trials": ["" if one.trials is None else one.trials for one in claims],
    }
    kept = {head: cells for head, cells in columns.items() if any(map(bool, cells))}
    return Table(caption, list(kept), list(zip(*kept.values(), strict=True)))


def counted(claims: Sequence[Claim]) -> str:
    """Counts of the verdicts as text: "2 holds, 1 undecided"."""
    given = [one.verdict for one in claims]
    return ", ".join(f"{given.count(v)} {v}" for v in Verdict if v in given)
