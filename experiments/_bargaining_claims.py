"""The paper's claims (Nguyen & Wellman 2026), judged from the rows of a grid.

A claim says that some regrets are lower than others, for one rival or several. For each
rival a one-sided permutation test sums the differences of means over data sets and
splits trials anew within each data set only. A claim holds against all rivals when its
largest p-value is at most .05 (an intersection-union test, which needs no correction);
it is contradicted when a rival is lower with a Holm-corrected p-value of at most .05.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments._bargaining_rows import (
    REFERENCE,
    Data,
    Judged,
    Line,
    Row,
    data,
    data_name,
    datasets,
    finite,
    line,
    lines,
    mean,
    preferred,
    regrets,
    setting,
    setting_name,
    short_name,
    solver_name,
)
from experiments._bargaining_strata import Stratum, spearman, stratified
from experiments._statistics import holm

LEVEL = 0.05
SMALL = 500  # trajectories of the paper's smallest data sets
VERDICTS = ("for", "against", "too few trials to say", "not tested")


def _claim(
    text: str, rivals: dict[str, list[Stratum]], why: str, extra: str = ""
) -> Row:
    """A claim that the first side of all strata is lower, for every rival.

    ``why`` says what is missing where no rival has trials.
    """
    kept = {
        name: found
        for name, strata in rivals.items()
        if (found := [(a, b) for a, b in strata if len(a) and len(b)])
    }
    if not kept:
        return _row(text, "not tested", "none", why, {}, "none")
    tests = {name: stratified(strata) for name, strata in kept.items()}
    reverse = holm([[t["p_reverse"] for t in tests.values()]])[0]
    against = min(p for p in reverse if p is not None)
    largest = max(t["p"] for t in tests.values())
    verdict = "too few trials to say"
    if largest <= LEVEL:
        verdict = "for"
    elif against <= LEVEL:
        verdict = "against"
    signs = {np.sign(t["difference"]) for t in tests.values()}
    leaning = {-1.0: "for", 1.0: "against"}.get(signs.pop(), "none")
    if signs:
        leaning = "mixed"
    evidence = "; ".join(f"{name} {_told(t)}" for name, t in tests.items())
    sizes = sorted({_sizes(strata) for strata in kept.values()})
    least = max(t["p_smallest"] for t in tests.values())
    evidence += f". Trials {' or '.join(sizes)}; least possible p {least:.2g}"
    test = "permutation within data sets, one-sided; largest p over rivals"
    return _row(text, verdict, leaning, extra + evidence, tests, test)


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


def _told(test: dict[str, float]) -> str:
    reverse = test["difference"] > 0
    p = f"reverse p {test['p_reverse']:.2g}" if reverse else f"p {test['p']:.2g}"
    return f"{test['difference']:+.3f} ({p})"


def _sizes(strata: Sequence[Stratum]) -> str:
    sizes = sorted({(len(a), len(b)) for a, b in strata})
    many = "strata" if len(strata) > 1 else "stratum"
    return f"{', '.join(f'{a} v {b}' for a, b in sizes)} in {len(strata)} {many}"


def judge(judged: Judged, fidelity: Sequence[Row]) -> list[Row]:
    """Each claim with its verdict, evidence, test and numbers.

    The evaluation solver is R2D where rows have it, but for the claim on final solvers.
    "leaning" is where the differences point, whatever their p-values.
    """
    rows = judged.main
    chosen = preferred(rows)
    return [
        _lowest(rows, chosen),
        _margin(rows, chosen),
        *_cloning(rows, chosen),
        _final_solver(rows),
        _related(fidelity),
        _moderate(judged.final, chosen),
    ]


def _against(
    rows: Sequence[Row], lower: Line, other: Line, chosen: str, where: Sequence[Data]
) -> list[Stratum]:
    return [
        (regrets(rows, lower, chosen, d), regrets(rows, other, chosen, d))
        for d in where
    ]


def _lowest(rows: Sequence[Row], chosen: str) -> Row:
    where = [d for d in datasets(rows) if regrets(rows, REFERENCE, chosen, d)]
    rivals = [other for other in lines(rows) if other != REFERENCE]
    first = lowest = 0
    for one in where:
        means = {
            which: mean(found)
            for which in [REFERENCE, *rivals]
            if (found := regrets(rows, which, chosen, one))
        }
        if len(means) > 1:
            first += 1
            lowest += min(means, key=lambda which: means[which]) == REFERENCE
    return _claim(
        "COffeE with R2D has the lowest regret",
        {short_name(o): _against(rows, REFERENCE, o, chosen, where) for o in rivals},
        "needs COffeE with R2D and another approach or solver on one data set",
        f"Lowest mean on {lowest} of {first} data sets (evaluated with "
        f"{solver_name(chosen)}). Against ",
    )


def _margin(rows: Sequence[Row], chosen: str) -> Row:
    """Margins are of trials of one number: such trials share their data set."""
    found = lines(rows)
    rival = next((o for o in (("oef", "r2d"), ("oef", "rd")) if o in found), None)
    text = "COffeE with R2D beats OEF by more on uniform data than on PSRO data"
    why = "needs COffeE with R2D and OEF on uniform and PSRO data of one size"
    if rival is None:
        return _claim(text, {}, why)

    def margins(where: Data) -> list[float]:
        kept: dict[Line, dict[int, float]] = {REFERENCE: {}, rival: {}}
        for row in rows:
            if line(row) in kept and (data(row), row["evaluation"]) == (where, chosen):
                kept[line(row)][row["trial"]] = row["regret"]
        ours, theirs = kept[REFERENCE], kept[rival]
        return [theirs[t] - ours[t] for t in sorted(ours.keys() & theirs.keys())]

    sizes = sorted({size for _, size in datasets(rows)})
    strata: list[Stratum] = [
        (margins(("psro", n)), margins(("uniform", n))) for n in sizes
    ]
    return _claim(
        text, {f"margin over {short_name(rival)}, PSRO less uniform": strata}, why
    )


def _cloning(rows: Sequence[Row], chosen: str) -> list[Row]:
    found, where = lines(rows), datasets(rows)
    cloned = [one for one in found if one[0] == "oef-bc"]
    others = [one for one in found if one[0] != "oef-bc"]
    small = [d for d in where if d[0] == "uniform" and d[1] <= SMALL]
    large = [d for d in where if d[0] == "uniform" and d[1] > SMALL]
    online = [d for d in where if d[0] == "psro"]

    def pairs(lower: list[Line], other: list[Line], on: list[Data]) -> dict[str, Any]:
        return {
            f"{short_name(a)} less {short_name(b)}": _against(rows, a, b, chosen, on)
            for a in lower
            for b in other
        }

    return [
        _claim(
            f"OEF-BC has the lowest regret on small uniform data (at most {SMALL})",
            pairs(cloned, others, small),
            f"needs OEF-BC and another approach on uniform data of at most {SMALL}",
        ),
        _claim(
            f"OEF-BC no longer beats COffeE with R2D on more than {SMALL} uniform",
            pairs([REFERENCE] if REFERENCE in found else [], cloned, large),
            f"needs COffeE with R2D and OEF-BC on uniform data of more than {SMALL}",
        ),
        _claim(
            "OEF-BC has the highest regret on PSRO data",
            pairs(others, cloned, online),
            "needs OEF-BC and another approach on PSRO data",
        ),
    ]


def _final_solver(rows: Sequence[Row]) -> Row:
    """The same runs under both evaluation solvers: pairs."""
    pairs: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        key = (line(row), data(row), row["trial"], row["seed"])
        pairs.setdefault(key, {})[row["evaluation"]] = row["regret"]
    both = [one for one in pairs.values() if {"r2d", "rd"} <= one.keys()]
    strata: list[Stratum] = [([one["r2d"]], [one["rd"]]) for one in both]
    lower = sum(one["r2d"] < one["rd"] for one in both)
    claim = _claim(
        "R2D as the final solver has lower regret than RD",
        {"RD of the same run": strata},
        "needs runs evaluated with both R2D and RD",
        f"R2D lower in {lower} of {len(both)} runs. Against ",
    )
    if both:
        claim["test"] = (
            "sign flips of pairs, one-sided; runs of different approaches on one data "
            "set are taken as independent"
        )
    return claim


def _related(fidelity: Sequence[Row]) -> Row:
    text = "Model uncertainty and utility error are positively related"
    points = [
        row
        for row in fidelity
        if finite(row.get("uncertainty")) and finite(row.get("utility_error"))
    ]
    if len(points) < 2:
        return _row(text, "not tested", "none", f"{len(points)} runs", {}, "none")
    found = spearman(points)
    if found is None:
        return _row(text, "not tested", "none", "one of them is constant", {}, "none")
    verdict = "too few trials to say"
    if found["p"] <= LEVEL:
        verdict = "for"
    elif found["p_reverse"] <= LEVEL:
        verdict = "against"
    within = []
    for one in datasets(points):
        part = spearman([row for row in points if data(row) == one])
        if part is not None:
            within.append(f"{part['rho']:+.2f} on {data_name(one)} (n {part['n']})")
    evidence = (
        f"Spearman {found['rho']:+.3f}, n {found['n']}, p {found['p']:.3g} (reverse "
        f"{found['p_reverse']:.3g}); {', '.join(within) or 'no data set alone'}"
    )
    leaning = {1.0: "for", -1.0: "against"}.get(float(np.sign(found["rho"])), "none")
    test = "Spearman over runs, drawn permutations, one-sided"
    return _row(text, verdict, leaning, evidence, found, test)


def _moderate(rows: Sequence[Row], chosen: str) -> Row:
    """Settings between the least and the most conservative one, against both."""
    rivals: dict[str, list[Stratum]] = {
        "the least conservative": [],
        "the most conservative": [],
    }
    best = []
    kept = [r for r in rows if (r["approach"], r["evaluation"]) == ("coffee", chosen)]
    groups = sorted({(data(r), r["exploration"]) for r in kept})
    for where, exploration in groups:
        trials: dict[Any, list[float]] = {}
        for row in kept:
            if (data(row), row["exploration"]) == (where, exploration):
                trials.setdefault(setting(row), []).append(row["regret"])
        ends = [tuple(f(s[i] for s in trials) for i in range(3)) for f in (min, max)]
        between = [v for s, found in trials.items() if s not in ends for v in found]
        if not (between and all(end in trials for end in ends)):
            continue
        for name, end in zip(rivals, ends, strict=True):
            rivals[name].append((between, trials[end]))
        top = min(trials, key=lambda s: mean(trials[s]))
        best.append(
            f"{setting_name('coffee', top)} ({data_name(where)}, explored with "
            f"{solver_name(exploration)}, {len(trials)} settings)"
        )
    return _claim(
        "Moderate conservatism (λ, α between the extremes) has the lowest regret",
        rivals,
        "needs COffeE at the least, the most and a setting between on one data set",
        f"Lowest mean at {'; '.join(best)}. All moderate settings together against ",
    )
