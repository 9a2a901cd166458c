"""Claims that compare one thing with several rivals, on one or several data sets.

Such a claim

- holds when the test of every rival has p at most .05 (an intersection-union test,
  which needs no correction) and every data set points the same way;
- fails when the reverse test of some rival has a Holm-corrected p of at most .05 and
  every data set points to that rival;
- is undecided otherwise; a remark says where a test decides but its data sets disagree
  in sign, and where the sizes cannot give a p of .05 for all rivals;
- is not tested when a rival has no trials on some data set of the claim.

Its numbers say besides where the means lean, whatever their p-values: "for", "against",
"mixed" where rivals or data sets disagree, or "none".
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from experiments.lab.statistics import holm
from experiments.lab.strata import Block, Stratum, apart, correlated, stratified
from experiments.lab.verdict import LEVEL, Claim, Verdict

Strata = Mapping[str, Stratum]
"""The trials of a comparison, by the name of the data set."""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A test against one rival; below 0 is what is claimed.

    Attributes:
      difference: over all data sets.
      differences: of each data set.
      missing: data sets without trials.
      p, p_reverse, p_smallest: of the claim, of its opposite, and the least possible.
    """

    difference: float
    differences: dict[str, float]
    missing: list[str]
    p: float
    p_reverse: float
    p_smallest: float

    def said(self, sign: int = 1) -> str:
        """The p-value, and what each data set says where there are several."""
        reverse = self.difference > 0
        p = f"reverse p {self.p_reverse:.2g}" if reverse else f"p {self.p:.2g}"
        parts = [f"{w} {sign * d:+.3f}" for w, d in self.differences.items()]
        each = parts if len(parts) > 1 else []
        gone = [f"none on {where}" for where in self.missing]
        return f" ({'; '.join([p, ', '.join([*each, *gone])]).rstrip('; ')})"


@dataclass(frozen=True, kw_only=True)
class Compared(Rival):
    """A test of regrets; ``trials`` of both sides by data set."""

    paired: bool
    trials: dict[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Related(Rival):
    """A test of a rank correlation within blocks of runs."""

    rho: float
    n: int
    blocks: int


def lower(
    text: str, rivals: Mapping[str, Strata], why: str, extra: str = "", how: str = ""
) -> Claim:
    """A claim that the first side of all strata is lower, for every rival.

    Args:
      text: the claim.
      rivals: all that the claim is about, each with all its data sets; a side without
        trials is one that is missing.
      why: what the claim needs, said where no rival has trials.
      extra: begins the evidence.
      how: said of the test, after its name.
    """
    tests: dict[str, Compared] = {}
    whole = 0
    for name, strata in rivals.items():
        there = {where: s for where, s in strata.items() if s[0] and s[1]}
        whole += bool(strata) and len(there) == len(strata)
        if there:
            tests[name] = Compared(
                **asdict(stratified([*there.values()])),
                differences={where: apart(s) for where, s in there.items()},
                trials={where: [len(a), len(b)] for where, (a, b) in there.items()},
                missing=[where for where in strata if where not in there],
            )
    sentences = [
        f"{name} {test.difference:+.3f}{test.said()}" for name, test in tests.items()
    ]
    names = {True: "sign flips of paired trials", False: "permutation"}
    each = " or ".join(
        names[kind] for kind in sorted({t.paired for t in tests.values()}, reverse=True)
    )
    return _decided(
        text,
        tests,
        (whole, len(rivals)),
        evidence=f"{extra}{'; '.join(sentences)}. {_sizes(tests)}" if tests else why,
        test=f"{each}, within data sets, one-sided; largest p of rivals{how}",
    )


def related(
    text: str,
    measures: Mapping[str, Mapping[str, Sequence[Block]]],
    sign: int,
    why: str,
    extra: str = "",
) -> Claim:
    """A claim that two measures are related, one test for each entry of ``measures``.

    Args:
      text: the claim.
      measures: for each test the blocks of every data set.
      sign: of the relation that is claimed, 1 or -1.
      why: what the claim needs, said where no block has two different runs.
      extra: ends the evidence.
    """
    tests: dict[str, Related] = {}
    whole = 0
    for name, parts in measures.items():
        pooled = correlated([block for blocks in parts.values() for block in blocks])
        alone = {where: correlated(blocks) for where, blocks in parts.items()}
        whole += bool(alone) and None not in alone.values()
        if pooled is None:
            continue
        rising, falling = pooled.p, pooled.p_reverse
        tests[name] = Related(
            rho=pooled.rho,
            n=pooled.n,
            blocks=pooled.blocks,
            p=rising if sign > 0 else falling,
            p_reverse=falling if sign > 0 else rising,
            p_smallest=pooled.p_smallest,
            difference=-sign * pooled.rho,
            differences={w: -sign * one.rho for w, one in alone.items() if one},
            missing=[where for where, one in alone.items() if one is None],
        )
    sentences = [
        f"{name} rho {test.rho:+.3f} within {test.blocks} blocks of {test.n} "
        f"runs{test.said(-sign)}"
        for name, test in tests.items()
    ]
    return _decided(
        text,
        tests,
        (whole, len(measures)),
        evidence=f"{'; '.join(sentences)}{extra}" if tests else why,
        test="Spearman within blocks, drawn permutations, one-sided",
    )


def _decided(
    text: str,
    tests: Mapping[str, Rival],
    counts: tuple[int, int],
    *,
    evidence: str,
    test: str,
) -> Claim:
    """The claim; ``counts`` are rivals with all trials, and all rivals."""
    verdict, remark, leaning = Verdict.NOT_TESTED, "", "none"
    if tests:
        verdict, remark = _verdict([*tests.values()])
        signs = {np.sign(d) for t in tests.values() for d in t.differences.values()}
        ways = [{-1.0: "for", 1.0: "against"}.get(sign, "none") for sign in signs]
        leaning = "mixed" if len(ways) > 1 else ways[0]
        if counts[0] < counts[1]:
            verdict = Verdict.NOT_TESTED
            remark = f"{counts[0]} of {counts[1]} rivals"
    return Claim(
        text=text,
        verdict=verdict,
        remark=remark,
        evidence=evidence,
        test=test if tests else "",
        numbers={
            "leaning": leaning,
            "rivals": {name: asdict(one) for name, one in tests.items()},
        },
    )


def _verdict(tests: Sequence[Rival]) -> tuple[Verdict, str]:
    disagree = "data sets disagree"
    if max(test.p for test in tests) <= LEVEL:
        if all(d < 0 for t in tests for d in t.differences.values()):
            return Verdict.HOLDS, ""
        return Verdict.UNDECIDED, disagree
    reverse = holm([[test.p_reverse for test in tests]])[0]
    above = [
        all(d > 0 for d in test.differences.values())
        for test, p in zip(tests, reverse, strict=True)
        if p is not None and p <= LEVEL
    ]
    if above:
        return (Verdict.FAILS, "") if any(above) else (Verdict.UNDECIDED, disagree)
    least = max(test.p_smallest for test in tests)
    few = f"too few trials: the least possible p is {least:.2g}"
    return Verdict.UNDECIDED, few if least > LEVEL else ""


def _sizes(tests: Mapping[str, Compared]) -> str:
    sizes = {tuple(n) for test in tests.values() for n in test.trials.values()}
    least = max(test.p_smallest for test in tests.values())
    pairs = ", ".join(f"{a} v {b}" for a, b in sorted(sizes))
    return f"Trials a data set {pairs}; least possible p {least:.2g}"
