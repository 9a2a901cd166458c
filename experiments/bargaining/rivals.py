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
from dataclasses import asdict

import numpy as np

from experiments.bargaining.strata import (
    Block,
    Compared,
    Related,
    Rival,
    Strata,
    compared,
    related,
)
from experiments.lab.statistics import holm
from experiments.lab.verdict import LEVEL, Claim, Verdict, short_of


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
    every = {name: compared(strata) for name, strata in rivals.items()}
    tests = {name: test for name, test in every.items() if test is not None}
    sentences = [
        f"{name} {test.difference:+.3f}{test.said()}" for name, test in tests.items()
    ]
    names = {True: "sign flips of paired trials", False: "permutation"}
    each = " or ".join(
        names[kind] for kind in sorted({t.paired for t in tests.values()}, reverse=True)
    )
    return _decided(
        text,
        every,
        evidence=f"{extra}{'; '.join(sentences)}. {_sizes(tests)}" if tests else why,
        test=f"{each}, within data sets, one-sided; largest p of rivals{how}",
    )


def correlates(
    text: str,
    measures: Mapping[str, Mapping[str, Sequence[Block]]],
    sign: int,
    *,
    why: str,
    extra: str = "",
) -> Claim:
    """A claim that two measures rise together, or against each other, within blocks.

    Args:
      text: the claim.
      measures: for each test the blocks of every data set.
      sign: of the relation that is claimed, 1 or -1.
      why: what the claim needs, said where no block has two different runs.
      extra: ends the evidence.
    """
    every = {name: related(parts, sign) for name, parts in measures.items()}
    sentences = [
        f"{name} rho {test.rho:+.3f} within {test.blocks} blocks of {test.n} "
        f"runs{test.said(-sign)}"
        for name, test in every.items()
        if test is not None
    ]
    return _decided(
        text,
        every,
        evidence=f"{'; '.join(sentences)}{extra}" if sentences else why,
        test="Spearman within blocks, drawn permutations, one-sided",
    )


def _decided(
    text: str,
    every: Mapping[str, Compared | None] | Mapping[str, Related | None],
    *,
    evidence: str,
    test: str,
) -> Claim:
    """The claim; a rival is None where nothing tells of it."""
    tests: dict[str, Rival] = {name: one for name, one in every.items() if one}
    whole = sum(not one.missing for one in tests.values())
    verdict, remark, leaning = Verdict.NOT_TESTED, "", "none"
    if tests:
        verdict, remark = _verdict([*tests.values()])
        signs = {np.sign(d) for t in tests.values() for d in t.differences.values()}
        ways = [{-1.0: "for", 1.0: "against"}.get(sign, "none") for sign in signs]
        leaning = "mixed" if len(ways) > 1 else ways[0]
        if whole < len(every):
            verdict, remark = Verdict.NOT_TESTED, f"{whole} of {len(every)} rivals"
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
    return Verdict.UNDECIDED, short_of(least)


def _sizes(tests: Mapping[str, Compared]) -> str:
    sizes = {tuple(n) for test in tests.values() for n in test.trials.values()}
    least = max(test.p_smallest for test in tests.values())
    pairs = ", ".join(f"{a} v {b}" for a, b in sorted(sizes))
    return f"Trials a data set {pairs}; least possible p {least:.2g}"
