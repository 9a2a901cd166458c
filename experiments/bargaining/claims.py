"""The paper's claims (Nguyen & Wellman 2026), judged from the rows of a grid.

Trials of one number and seed share their data set and model, whatever the approach, so
they are compared as pairs where both sides have the same trials, and as independent
ones where they do not. See ``_bargaining_verdicts`` for what decides.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from experiments.bargaining.results import (
    NAMES,
    REFERENCE,
    Data,
    Judged,
    Line,
    Row,
    by_trial,
    data,
    data_name,
    datasets,
    finite,
    line,
    mean,
    preferred,
    regrets,
    setting,
    setting_name,
    short_name,
    solver_name,
    trial_of,
)
from experiments.bargaining.strata import Block, correlated
from experiments.bargaining.verdicts import Strata, lower, related

SMALL = 500  # trajectories of the paper's smallest data sets
_FEWEST = 3  # trials whose spread says anything
LINES: tuple[Line, ...] = tuple((a, s) for a in NAMES for s in ("r2d", "rd"))
RIVALS: tuple[Line, ...] = tuple(one for one in LINES if one != REFERENCE)
"""What the paper compares COffeE with R2D with."""


def judge(judged: Judged, fidelity: Sequence[Row]) -> list[Row]:
    """Each claim with its verdict, evidence, test and numbers.

    The evaluation solver is R2D where rows have it, but for the claim on final solvers.
    "leaning" is where the differences point, whatever their p-values: "mixed" where
    rivals or data sets disagree.
    """
    rows = judged.main
    chosen = preferred(rows)
    return [
        _lowest(rows, chosen),
        _consistent(rows, chosen),
        _margin(rows, chosen),
        *_cloning(rows, chosen),
        _final_solver(rows),
        _uncertain(fidelity),
        _conservative(fidelity),
        _moderate(judged.final, chosen),
    ]


def _against(
    rows: Sequence[Row], first: Line, other: Line, chosen: str, where: Sequence[Data]
) -> Strata:
    return {
        data_name(d): (
            by_trial(rows, first, chosen, d),
            by_trial(rows, other, chosen, d),
        )
        for d in where
    }


def _lowest(rows: Sequence[Row], chosen: str) -> Row:
    where = datasets(rows)
    first = 0
    for one in where:
        means = {
            which: mean(values)
            for which in LINES
            if (values := regrets(rows, which, chosen, one))
        }
        first += min(means, key=lambda which: means[which], default=None) == REFERENCE
    return lower(
        "COffeE with R2D has the lowest regret",
        {short_name(o): _against(rows, REFERENCE, o, chosen, where) for o in RIVALS},
        "needs COffeE with R2D and another approach or solver on one data set",
        f"Lowest mean on {first} of {len(where)} data sets (evaluated with "
        f"{solver_name(chosen)}). Against ",
    )


def _consistent(rows: Sequence[Row], chosen: str) -> Row:
    def distances(strata: Strata) -> Strata:
        return {w: (_distances(a), _distances(b)) for w, (a, b) in strata.items()}

    where = datasets(rows)
    return lower(
        "COffeE with R2D has the most consistent regret (smallest spread)",
        {
            short_name(o): distances(_against(rows, REFERENCE, o, chosen, where))
            for o in RIVALS
        },
        f"needs COffeE with R2D and another approach, {_FEWEST} trials each",
        "Mean distance to the median of trials, less that of ",
        "; of distances to the median of trials (Brown & Forsythe), approximate",
    )


def _distances(side: Mapping[Any, float]) -> dict[Any, float]:
    """Distances to the median; none where there are too few trials for a spread."""
    if len(side) < _FEWEST:
        return {}
    centre = median(side.values())
    return {key: abs(value - centre) for key, value in side.items()}


def _margin(rows: Sequence[Row], chosen: str) -> Row:
    """A margin is of one trial; PSRO and uniform data of one trial are no pair."""

    def margins(rival: Line, where: Data) -> dict[Any, float]:
        ours, theirs = (by_trial(rows, o, chosen, where) for o in (REFERENCE, rival))
        return {key: theirs[key] - ours[key] for key in ours if key in theirs}

    where = datasets(rows)
    sizes = [n for b, n in where if b == "psro" and ("uniform", n) in where]
    return lower(
        "COffeE with R2D beats OEF by more on uniform data than on PSRO data",
        {
            f"margin over {short_name(rival)}, PSRO less uniform,": {
                f"{n}": (margins(rival, ("psro", n)), margins(rival, ("uniform", n)))
                for n in sizes
            }
            for rival in RIVALS
            if rival[0] == "oef"
        },
        "needs COffeE with R2D and OEF on uniform and PSRO data of one size",
    )


def _cloning(rows: Sequence[Row], chosen: str) -> list[Row]:
    where = datasets(rows)
    cloned = [one for one in LINES if one[0] == "oef-bc"]
    others = [one for one in LINES if one[0] != "oef-bc"]
    small = [d for d in where if d[0] == "uniform" and d[1] <= SMALL]
    large = [d for d in where if d[0] == "uniform" and d[1] > SMALL]
    online = [d for d in where if d[0] == "psro"]

    def pairs(first: list[Line], other: list[Line], on: list[Data]) -> dict[str, Any]:
        return {
            f"{short_name(a)} less {short_name(b)}": _against(rows, a, b, chosen, on)
            for a in first
            for b in other
        }

    return [
        lower(
            f"OEF-BC has the lowest regret on small uniform data (at most {SMALL})",
            pairs(cloned, others, small),
            f"needs OEF-BC and another approach on uniform data of at most {SMALL}",
        ),
        lower(
            f"OEF-BC no longer beats COffeE with R2D on more than {SMALL} uniform",
            pairs([REFERENCE], cloned, large),
            f"needs COffeE with R2D and OEF-BC on uniform data of more than {SMALL}",
        ),
        lower(
            "OEF-BC has the highest regret on PSRO data",
            pairs(others, cloned, online),
            "needs OEF-BC and another approach on PSRO data",
        ),
    ]


def _averages(
    pairs: Mapping[tuple[Any, ...], Sequence[tuple[float, float]]], where: Data
) -> tuple[dict[Any, float], dict[Any, float]]:
    """Both sides of a data set, each the mean over the pairs of a trial."""
    own = {
        key: of_trial
        for key, of_trial in pairs.items()
        if key[:2] == where and of_trial
    }
    first, other = (
        {key: mean([pair[i] for pair in of_trial]) for key, of_trial in own.items()}
        for i in (0, 1)
    )
    return first, other


def _final_solver(rows: Sequence[Row]) -> Row:
    """One pair a trial: its runs share a data set and a model.

    OEF and OEF-BC even share their profile. So a trial counts once, with the mean over
    its approaches.
    """
    runs: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        by_solver = runs.setdefault((line(row), trial_of(row)), {})
        by_solver[row["evaluation"]] = row["regret"]
    pairs: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for (_, trial), one in runs.items():
        if {"r2d", "rd"} <= one.keys():
            pairs.setdefault(trial, []).append((one["r2d"], one["rd"]))
    down = sum(mean([a - b for a, b in both]) < 0 for both in pairs.values())
    strata = {data_name(d): _averages(pairs, d) for d in datasets(rows)}
    return lower(
        "R2D as the final solver has lower regret than RD",
        {"RD of the same runs": strata},
        "needs runs evaluated with both R2D and RD",
        f"R2D lower in {down} of {len(pairs)} trials, each the mean over its "
        "approaches. Against ",
    )


def _blocks(points: Sequence[Row], x: str, key: Any) -> dict[str, list[Block]]:
    """Runs by data set and block, as ``x`` and utility error."""
    grouped: dict[Data, dict[Any, list[Row]]] = {one: {} for one in datasets(points)}
    for row in points:
        grouped[data(row)].setdefault(key(row), []).append(row)
    return {
        data_name(where): [
            ([r[x] for r in rows], [r["utility_error"] for r in rows])
            for rows in blocks.values()
        ]
        for where, blocks in grouped.items()
    }


def _uncertain(fidelity: Sequence[Row]) -> Row:
    """Within trials, whose runs share a model; within data sets where trials have one.

    Then the runs of a data set are independent, and may be exchanged.
    """
    points = [
        row
        for row in fidelity
        if finite(row.get("uncertainty")) and finite(row.get("utility_error"))
    ]
    trials = {trial_of(row) for row in points}
    key, named = (trial_of, "trials") if len(trials) < len(points) else (data, "data")
    blocks = _blocks(points, "uncertainty", key)
    everything = [block for parts in blocks.values() for block in parts]
    pooled = correlated(
        [([x for b in everything for x in b[0]], [y for b in everything for y in b[1]])]
    )
    extra = f". Blocks are {named}; {len(points)} runs pooled"
    extra += "" if pooled is None else f": rho {pooled['rho']:+.3f}, no evidence alone"
    return related(
        "Model uncertainty and utility error are positively related",
        {"uncertainty": blocks} if points else {},
        1,
        f"needs runs of one block that differ in both; got {len(points)} runs",
        extra,
    )


def _conservative(fidelity: Sequence[Row]) -> Row:
    """Runs of COffeE at several settings on one model."""
    points = [
        row
        for row in fidelity
        if row["approach"] == "coffee" and finite(row.get("utility_error"))
    ]
    return related(
        "Larger λ and α lower the model's utility error",
        {
            name: _blocks(points, key, lambda r: (r["exploration"], trial_of(r)))
            for name, key in (("λ", "penalty"), ("α", "coverage"))
        },
        -1,
        "needs COffeE at several λ and α on one data set",
        ". Blocks are the settings of one trial and exploration solver",
    )


def _moderate(rows: Sequence[Row], chosen: str) -> Row:
    """Settings between the least and the most conservative one, against both.

    A trial counts once: the mean over its moderate settings and exploration solvers.
    """
    names = ("the least conservative", "the most conservative")
    pairs: dict[str, dict[Any, list[tuple[float, float]]]] = {n: {} for n in names}
    kept = [r for r in rows if (r["approach"], r["evaluation"]) == ("coffee", chosen)]
    best = []
    for where, solver in sorted({(data(r), r["exploration"]) for r in kept}):
        own = [r for r in kept if (data(r), r["exploration"]) == (where, solver)]
        regret: dict[Any, dict[Any, float]] = {}
        for row in own:
            regret.setdefault(setting(row), {})[trial_of(row)] = row["regret"]
        ends = [tuple(f(s[i] for s in regret) for i in range(3)) for f in (min, max)]
        between = [s for s in regret if s not in ends]
        if not (between and all(end in regret for end in ends)):
            continue
        # Trials that lack a setting would compare different settings.
        whole = set.intersection(*(set(trials) for trials in regret.values()))
        for name, end in zip(names, ends, strict=True):
            for trial in sorted(whole):
                middle = mean([regret[s][trial] for s in between])
                gaps = pairs[name].setdefault(trial, [])
                gaps.append((middle, regret[end][trial]))
        top = min(regret, key=lambda s: mean([*regret[s].values()]))
        best.append(
            f"{setting_name('coffee', top)} ({data_name(where)}, explored with "
            f"{solver_name(solver)}, {len(regret)} settings)"
        )
    swept = [d for d in datasets(kept) if any(k[:2] == d for k in pairs[names[0]])]
    return lower(
        "Moderate conservatism (λ, α between the extremes) has the lowest regret",
        {
            name: {data_name(d): _averages(pairs[name], d) for d in swept}
            for name in names
        },
        "needs COffeE at the least, the most and a setting between on one data set",
        f"Lowest mean at {'; '.join(best)}. All moderate settings together against ",
    )
