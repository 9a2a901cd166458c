"""Claims of the grid: differences seed by seed, with Holm's correction an output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.lab.statistics import holm, mean, t_interval, t_test
from experiments.lab.verdict import LEVEL, Claim, Verdict

TEST = "Student's, seed by seed, Holm over claims of these words"
UNCORRECTED = (
    "Intervals are of one claim each and not corrected for their number; verdicts are "
    "of tests that are."
)
Numbers = Mapping[int, float]
"""A number of each seed."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A claim that a number is above another one, seed by seed.

    Attributes:
      text: the claim.
      about: game and size.
      ours: what must be higher, by seed.
      theirs: what must be lower: the control.
      published: the paper's finding.
      bound: what must be higher is a lower bound, so that nothing is shown if it is
        not.
    """

    text: str
    about: str
    ours: Numbers
    theirs: Numbers
    published: str = ""
    bound: bool = False

    @property
    def excess(self) -> list[float]:
        """Differences of the seeds that both have."""
        return [self.ours[s] - self.theirs[s] for s in self.ours if s in self.theirs]

    @property
    def untested(self) -> Claim:
        """The claim without its verdict."""
        seeds = [seed for seed in self.ours if seed in self.theirs]
        low, high = t_interval(self.excess)
        evidence = "no runs on one side"
        if seeds:
            evidence = (
                f"{mean([self.ours[s] for s in seeds]):.2f} against "
                f"{mean([self.theirs[s] for s in seeds]):.2f}; difference "
                f"{mean(self.excess):+.2f}"
            )
        if low is not None and high is not None:
            evidence += f" [{low:+.2f}, {high:+.2f}]"
        return Claim(
            about=self.about,
            text=self.text,
            verdict=Verdict.NOT_TESTED,
            evidence=evidence,
            test=TEST,
            trials=len(seeds),
            published=self.published,
            numbers={"excess": self.excess},
        )


def judged(gaps: Sequence[Gap]) -> list[Claim]:
    """Verdicts; claims of the same words are corrected over what they are about."""
    made: list[Claim] = []
    for text in dict.fromkeys(gap.text for gap in gaps):
        kind = [gap for gap in gaps if gap.text == text]
        (corrected,) = holm([[t_test(gap.excess) for gap in kind]])
        made += [
            replace(gap.untested, verdict=_verdict(gap, p))
            for gap, p in zip(kind, corrected, strict=True)
        ]
    return made


def _verdict(gap: Gap, p: float | None) -> Verdict:
    """Whether a difference is above 0, where its corrected test decides."""
    if p is None or p >= LEVEL:
        return Verdict.UNDECIDED if gap.excess else Verdict.NOT_TESTED
    if mean(gap.excess) > 0:
        return Verdict.HOLDS
    return Verdict.UNDECIDED if gap.bound else Verdict.FAILS
