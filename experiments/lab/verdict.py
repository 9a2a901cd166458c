"""Claims that a page tests, and their verdicts.

A claim holds or fails when its test decides; it is undecided when the test could not
tell, and not tested when what it needs was not run. "Fails" says that the opposite was
shown, never that too little was seen; a remark says what qualifies a verdict.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from experiments.lab.report import Table
from experiments.lab.statistics import holm, permutation, sign_flips

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
    def record(self) -> dict[str, object]:
        """The claim as JSON, without empty fields."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None, {})}

    @property
    def judged(self) -> str:
        """The verdict with its remark."""
        return f"{self.verdict}: {self.remark}" if self.remark else str(self.verdict)


def short_of(smallest: float) -> str:
    """The remark that so few trials cannot decide; empty where they can."""
    few = f"too few trials: the least possible p is {smallest:.2g}"
    return few if smallest > LEVEL else ""


@dataclass(frozen=True, kw_only=True)
class Higher:
    """Tests that one group of runs is higher than another, and lower.

    Attributes:
      p: of the one-sided test that it is higher; None without runs on both sides.
      p_reverse: that it is lower.
      smallest_p: the least that so few runs can have, with the correction.
      corrected: both p-values after Holm's correction, where it is one of several.
    """

    p: float | None
    p_reverse: float | None
    smallest_p: float | None
    corrected: tuple[float, float] | None = None

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float], seed: int) -> "Higher":
        """Permutation tests of two groups of independent runs."""
        above = permutation(theirs, ours, seed)
        below = permutation(ours, theirs, seed)
        return cls(p=above.p, p_reverse=below.p, smallest_p=above.smallest)

    @classmethod
    def paired(cls, pairs: Iterable[tuple[float, float]], seed: int) -> "Higher":
        """Sign-flip tests of pairs: is the first higher?"""
        gaps = [ours - theirs for ours, theirs in pairs]
        above, below = sign_flips([-gap for gap in gaps], seed), sign_flips(gaps, seed)
        return cls(p=above.p, p_reverse=below.p, smallest_p=above.smallest)

    @property
    def decided(self) -> tuple[Verdict, str]:
        """The verdict on "higher", and a remark."""
        if self.p is None or self.p_reverse is None or self.smallest_p is None:
            return Verdict.NOT_TESTED, ""
        above, below = self.corrected or (self.p, self.p_reverse)
        if above <= LEVEL:
            return Verdict.HOLDS, ""
        if below <= LEVEL:
            return Verdict.FAILS, ""
        if short_of(self.smallest_p):
            return Verdict.UNDECIDED, short_of(self.smallest_p)
        before = {Verdict.HOLDS: self.p, Verdict.FAILS: self.p_reverse}
        for verdict, p in before.items():
            if p <= LEVEL:
                return Verdict.UNDECIDED, f"{verdict} before correction only"
        return Verdict.UNDECIDED, ""

    @property
    def words(self) -> str:
        """The p-values in words."""
        if self.p is None:
            return "no runs on one side"
        told = f"p {self.p:.2g}, reverse p {self.p_reverse:.2g}"
        if self.corrected is not None:
            told += f", corrected {self.corrected[0]:.2g}, {self.corrected[1]:.2g}"
        told += f" (least possible {self.smallest_p:.2g})"
        return told


Test = TypeVar("Test", bound=Higher)


def several(tests: Sequence[Test]) -> list[Test]:
    """Tests of one page, with p-values corrected for their number (Holm 1979)."""
    made = [one for one in tests if one.p is not None]
    if len(made) < 2:
        return [*tests]
    above = holm([[one.p for one in tests]])[0]
    below = holm([[one.p_reverse for one in tests]])[0]
    return [
        one
        if p is None or q is None or one.smallest_p is None
        else replace(
            one,
            smallest_p=min(1.0, len(made) * one.smallest_p),
            corrected=(p, q),
        )
        for one, p, q in zip(tests, above, below, strict=True)
    ]


def within(low: float | None, high: float | None, bar: float = 0.0) -> Verdict:
    """The verdict whether an interval is above a bar; undecided without an interval."""
    if low is None or high is None:
        return Verdict.UNDECIDED
    if low > bar:
        return Verdict.HOLDS
    return Verdict.FAILS if high < bar else Verdict.UNDECIDED


def table(claims: Sequence[Claim], caption: str = "Claims") -> Table:
    """A table of claims for a report; columns that are empty for all are left out."""
    columns: dict[str, Callable[[Claim], object]] = {
        "about": lambda one: one.about,
        "claim": lambda one: one.text,
        "published": lambda one: one.published,
        "verdict": lambda one: one.judged,
        "evidence": lambda one: one.evidence,
        "test": lambda one: one.test,
        "trials": lambda one: "" if one.trials is None else one.trials,
    }
    used = {k: read for k, read in columns.items() if any(map(read, claims))}
    return Table.of(caption, used, claims)


def counted(claims: Sequence[Claim]) -> str:
    """Counts of the verdicts as text: "2 holds, 1 undecided"."""
    given = [one.verdict for one in claims]
    return ", ".join(f"{given.count(v)} {v}" for v in Verdict if v in given)
