"""Regret, p-value and tuning tables of the bargaining grid."""

import csv
import io
from collections.abc import Sequence
from functools import cache
from typing import Any

from experiments.bargaining.published import PUBLISHED
from experiments.bargaining.results import (
    BEHAVIOURS,
    MAXIMUM,
    NAMES,
    REFERENCE,
    Row,
    Setting,
    by_trial,
    data,
    datasets,
    evaluations,
    finite,
    line,
    lines,
    mean,
    setting,
    solver_name,
    trial_of,
)
from experiments.lab.statistics import (
    PValue,
    holm,
    interval,
    mann_whitney,
    permutation,
    sign_flips,
    standard_error,
)

SEED = 0  # of bootstrap resamples and drawn splits
_CELL = ("evaluation", "approach", "exploration", "behaviour", "trajectories")
_SETTING = ("penalty", "coverage", "weight")


def regret_cells(rows: Sequence[Row]) -> list[Row]:
    """One dict for each evaluation solver, approach, exploration and data set."""
    cells = []
    for evaluation in evaluations(rows):
        for which in lines(rows):
            for where in datasets(rows):
                kept = [
                    row
                    for row in rows
                    if (line(row), data(row)) == (which, where)
                    and row["evaluation"] == evaluation
                ]
                if kept:
                    cells.append(_cell(kept))
    for where in datasets(rows):
        column = [cell for cell in cells if data(cell) == where]
        if len(column) > 1:
            min(column, key=lambda cell: cell["mean"])["best"] = True
    return cells


def _cell(rows: Sequence[Row]) -> Row:
    """Mean, spread and sizes of the trials of one cell."""
    first = rows[0]
    values = [row["regret"] for row in rows]
    ends = interval(values, SEED)
    means = {
        name: mean(kept) if (kept := _numbers(rows, key)) else None
        for name, key in (
            ("estimation_error", "error"),
            ("screened", "screened"),
            ("welfare", "welfare"),
        )
    }
    welfare = means["welfare"]
    return {
        **{key: first[key] for key in _CELL},
        **dict(zip(_SETTING, setting(first), strict=True)),
        "n": len(rows),
        "k": sorted({row["k"] for row in rows}),
        "mean": mean(values),
        "standard_error": standard_error(values),
        "low": ends.low,
        "high": ends.high,
        "interval": ends.note,
        **means,
        "welfare_share": None if welfare is None else welfare / MAXIMUM,
        "best": False,
    }


def _numbers(rows: Sequence[Row], key: str) -> list[float]:
    return [row[key] for row in rows if finite(row.get(key))]


@cache
def _tests(lower: tuple[float, ...], other: tuple[float, ...]) -> tuple[PValue, PValue]:
    return permutation(lower, other, SEED), mann_whitney(lower, other, SEED)


def comparisons(rows: Sequence[Row], evaluation: str | None) -> list[Row]:
    """Every cell against COffeE that explored with R2D, on the same data set.

    Args:
      rows: final rows.
      evaluation: evaluation solver of the reference; None takes that of the row, as
        the paper's table appears to (it has no row for COffeE with R2D under either).

    Returns:
      One dict a comparison: one-sided p-values for a lower regret of the reference,
      Holm's correction over all of them, and the published value where there is one.
      "p_paired" is the sign-flip test of trials of one data set and model, None where
      the two sides have other trials.
    """
    compared = []
    for cell in regret_cells(rows):
        against = evaluation or cell["evaluation"]
        if (line(cell), cell["evaluation"]) == (REFERENCE, against):
            continue
        theirs = by_trial(rows, line(cell), cell["evaluation"], data(cell))
        ours = by_trial(rows, REFERENCE, against, data(cell))
        if not ours:
            continue
        lower, other = tuple(ours.values()), tuple(theirs.values())
        first, second = _tests(lower, other)
        pairs = [ours[k] - theirs[k] for k in ours if k in theirs]
        matched = pairs if ours.keys() == theirs.keys() else []
        compared.append(
            {
                **{key: cell[key] for key in (*_CELL, *_SETTING)},
                "reference_evaluation": against,
                "n": len(other),
                "n_reference": len(lower),
                "difference": mean(other) - mean(lower),
                "p_permutation": first.p,
                "p_mann_whitney": second.p,
                "p_smallest": first.smallest,
                "p_paired": sign_flips(matched, SEED).p,
                "p_paired_smallest": sign_flips(matched, SEED).smallest,
                "test": first.note,
                "published": None if evaluation else _published(cell),
            }
        )
    corrected = holm([[one["p_permutation"] for one in compared]])[0]
    return [one | {"p_holm": p} for one, p in zip(compared, corrected, strict=True)]


def _published(cell: Row) -> float | None:
    row = (
        solver_name(cell["evaluation"]),
        NAMES.get(cell["approach"], ""),
        solver_name(cell["exploration"]),
    )
    column = (cell["trajectories"], BEHAVIOURS.get(cell["behaviour"], ""))
    if row not in PUBLISHED.rows or column not in PUBLISHED.columns:
        return None
    return PUBLISHED.p[PUBLISHED.rows.index(row)][PUBLISHED.columns.index(column)]


def model_cells(fidelity: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """How well models and clones do, one dict a data set and measure.

    Models are described by "model" of fidelity rows and clones by "clone" of judged
    rows: numbers, or dicts of numbers. Runs of one trial share both, so a trial counts
    once. Errors of single entries of a state are left out.
    """
    measured: dict[tuple[Any, str], dict[Any, float]] = {}
    for key, source in (("model", fidelity), ("clone", rows)):
        for row in source:
            for name, value in _flat(row.get(key), key):
                if finite(value) and not name.split("_")[-1].isdigit():
                    measured.setdefault((data(row), name), {}).setdefault(
                        trial_of(row), float(value)
                    )
    return [
        {
            "behaviour": where[0],
            "trajectories": where[1],
            "measure": name,
            "mean": mean([*values.values()]),
            "lowest": min(values.values()),
            "highest": max(values.values()),
            "n": len(values),
        }
        for (where, name), values in measured.items()
    ]


def _flat(value: Any, name: str) -> list[tuple[str, Any]]:
    """Numbers in nested dicts, with the names on the way to them."""
    if not isinstance(value, dict):
        return [(name, value)]
    return [one for key, part in value.items() for one in _flat(part, f"{name} {key}")]


def tuning_cells(rows: Sequence[Row], approach: str) -> list[Row]:
    """Cells of the data sets and solvers under which settings of an approach differ.

    OEF is OEF-BC with weight 0, and stands for it where that was not run itself.
    """
    rows = [row for row in rows if row["approach"] in (approach, "oef")]
    if approach != "oef-bc":
        rows = [row for row in rows if row["approach"] == approach]
    groups: dict[tuple[Any, ...], dict[Setting, list[Row]]] = {}
    for row in sorted(rows, key=lambda r: r["approach"] == "oef"):
        place = (data(row), row["exploration"], row["evaluation"])
        same = groups.setdefault(place, {}).setdefault(setting(row), [])
        if not same or same[0]["approach"] == row["approach"]:
            same.append(row)
    return [
        _cell(settings[one])
        for _, settings in sorted(groups.items())
        if len([s for s, r in settings.items() if r[0]["approach"] == approach]) > 1
        for one in sorted(settings)
    ]


def comma_separated(rows: Sequence[Row]) -> str:
    """Dicts as CSV, one line each; lists with spaces between."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    k: " ".join(map(str, v)) if isinstance(v, list) else v
                    for k, v in row.items()
                }
            )
    return text.getvalue()
