"""When a claim is said to hold.

A claim compares one thing with several rivals, on one or several data sets. It is

- "for" when the test of every rival has p at most .05 (an intersection-union test,
  which needs no correction) and every data set points the same way;
- "against" when the reverse test of some rival has a Holm-corrected p of at most .05
  and every data set points to that rival;
- "mixed" when a test decides but its data sets disagree in sign;
- "too few trials" when nothing was decided and the sizes cannot give a p of .05 for
  all rivals; else "undecided";
- "not tested" when a rival has no trials on some data set of the claim.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.bargaining.results import Row, mean
from experiments.bargaining.strata import Block, Stratum, correlated, stratified
from experiments.lab.statistics import holm

LEVEL = 0.05
VERDICTS = ("for", "against", "mixed", "undecided", "too few trials", "not tested")
Strata = Mapping[str, Stratum]
"""The trials of a comparison, by the name of the data set."""


def lower(
    text: str, rivals: Mapping[str, Strata], why: str, extra: str = "", how: str = ""
) -> Row:
    """A claim that the first side of all strata is lower, for every rival.

    Args:
      text: the claim.
      rivals: all that the claim is about, each with all its data sets; a side without
        trials is one that is missing.
      why: what the claim needs, said where no rival has trials.
      extra: begins the evidence.
      how: said of the test, after its name.
    """
    tests: dict[str, Row] = {}
    whole = 0
    for name, strata in rivals.items():
        there = {where: s for where, s in strata.items() if s[0] and s[1]}
        whole += bool(strata) and len(there) == len(strata)
        if there:
            tests[name] = stratified([*there.values()]) | {
                "differences": {
                    where: mean([*a.values()]) - mean([*b.values()])
                    for where, (a, b) in there.items()
                },
                "trials": {where: [len(a), len(b)] for where, (a, b) in there.items()},
                "missing": [where for where in strata if where not in there],
            }
    sentences = [f"{name} {_difference(test)}" for name, test in tests.items()]
    row = _decided(text, tests, (whole, len(rivals)), sentences, why)
    if tests:
        kinds = {"paired" if t["paired"] else "unpaired" for t in tests.values()}
        names = {"paired": "sign flips of paired trials", "unpaired": "permutation"}
        each = " or ".join(names[kind] for kind in sorted(kinds))
        row["test"] = f"{each}, within data sets, one-sided; largest p of rivals{how}"
        row["evidence"] = f"{extra}{row['evidence']}. {_sizes(tests)}"
    return row


def related(
    text: str,
    measures: Mapping[str, Mapping[str, Sequence[Block]]],
    sign: int,
    why: str,
    extra: str = "",
) -> Row:
    """A claim that two measures are related, one test for each entry of ``measures``.

    Args:
      text: the claim.
      measures: for each test the blocks of every data set.
      sign: of the relation that is claimed, 1 or -1.
      why: what the claim needs, said where no block has two different runs.
      extra: ends the evidence.
    """
    tests: dict[str, Row] = {}
    whole = 0
    for name, parts in measures.items():
        pooled = correlated([block for blocks in parts.values() for block in blocks])
        alone = {where: correlated(blocks) for where, blocks in parts.items()}
        whole += bool(alone) and None not in alone.values()
        if pooled is None:
            continue
        p, reverse = pooled["p"], pooled["p_reverse"]
        tests[name] = pooled | {
            "difference": -sign * pooled["rho"],
            "p": p if sign > 0 else reverse,
            "p_reverse": reverse if sign > 0 else p,
            "differences": {w: -sign * f["rho"] for w, f in alone.items() if f},
            "missing": [where for where, f in alone.items() if f is None],
        }
    sentences = [
        f"{name} rho {test['rho']:+.3f} within {test['blocks']} blocks of {test['n']} "
        f"runs{_judged(test, -sign)}"
        for name, test in tests.items()
    ]
    row = _decided(text, tests, (whole, len(measures)), sentences, why)
    if tests:
        row["test"] = "Spearman within blocks, drawn permutations, one-sided"
        row["evidence"] += extra
    return row


def _decided(
    text: str,
    tests: Mapping[str, Row],
    counts: tuple[int, int],
    sentences: Sequence[str],
    why: str,
) -> Row:
    """The claim as a row; ``counts`` are rivals with all trials, and all rivals."""
    if not tests:
        return _row(text, "not tested", "none", evidence=why, numbers={}, test="none")
    verdict = _verdict(tests)
    if counts[0] < counts[1]:
        verdict = f"not tested ({counts[0]} of {counts[1]} rivals)"
    signs = {np.sign(d) for t in tests.values() for d in t["differences"].values()}
    leaning = {-1.0: "for", 1.0: "against"}.get(signs.pop(), "none")
    if signs:
        leaning = "mixed"
    return _row(
        text,
        verdict,
        leaning,
        evidence="; ".join(sentences),
        numbers=dict(tests),
        test="",
    )


def _verdict(tests: Mapping[str, Row]) -> str:
    if max(test["p"] for test in tests.values()) <= LEVEL:
        agree = all(d < 0 for t in tests.values() for d in t["differences"].values())
        return "for" if agree else "mixed"
    reverse = holm([[test["p_reverse"] for test in tests.values()]])[0]
    above = [
        all(d > 0 for d in test["differences"].values())
        for test, p in zip(tests.values(), reverse, strict=True)
        if p is not None and p <= LEVEL
    ]
    if above:
        return "against" if any(above) else "mixed"
    least = max(test["p_smallest"] for test in tests.values())
    return "too few trials" if least > LEVEL else "undecided"


def _row(
    text: str, verdict: str, leaning: str, evidence: str, numbers: Any, test: str
) -> Row:
    return {
        "claim": text,
        "verdict": verdict,
        "leaning": leaning,
        "evidence": evidence,
        "test": test,
        "numbers": numbers,
    }


def _difference(test: Row) -> str:
    return f"{test['difference']:+.3f}{_judged(test, 1)}"


def _judged(test: Row, sign: int) -> str:
    """The p-value, and what each data set says where there are several."""
    reverse = test["difference"] > 0
    p = f"reverse p {test['p_reverse']:.2g}" if reverse else f"p {test['p']:.2g}"
    parts = [f"{w} {sign * d:+.3f}" for w, d in test["differences"].items()]
    each = parts if len(parts) > 1 else []
    gone = [f"none on {where}" for where in test["missing"]]
    return f" ({'; '.join([p, ', '.join([*each, *gone])]).rstrip('; ')})"


def _sizes(tests: Mapping[str, Row]) -> str:
    sizes = {tuple(n) for test in tests.values() for n in test["trials"].values()}
    least = max(test["p_smallest"] for test in tests.values())
    pairs = ", ".join(f"{a} v {b}" for a, b in sorted(sizes))
    return f"Trials a data set {pairs}; least possible p {least:.2g}"
