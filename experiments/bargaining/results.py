"""Rows of the bargaining grid: what they are called, and which stand in the tables.

A judged row is a dict: "approach" ("coffee", "oef", "oef-bc"), "exploration" and
"evaluation" (a solver), "behaviour" and "trajectories" (the data set), "trial", "seed",
"iteration", "iterations", "penalty", "coverage", "weight", "regret" (summed over
players), "error" (its standard error), "welfare", "k", "judged" ("final" or "curve")
and "cpu_seconds".
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Line = tuple[str, str]
"""Approach and exploration solver."""
Data = tuple[str, int]
"""Behaviour and number of trajectories."""
Setting = tuple[float, float, float]
"""Penalty (lambda), coverage (alpha) and weight of behaviour cloning."""

REFERENCE: Line = ("coffee", "r2d")
MAXIMUM = 22.2  # mean over instances of the largest total welfare, undiscounted
NAMES = {"coffee": "COffeE", "oef": "OEF", "oef-bc": "OEF-BC"}
_SOLVERS = ("r2d", "rd")
BEHAVIOURS = {"psro": "PSRO", "uniform": "uniform", "file": "file"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The rows of a run, sorted out.

    Attributes:
      main: final rows at the main setting of each approach and exploration solver.
      final: final rows of all settings, one a trial.
      curves: rows of all iterations, the final ones among them.
      settings: the main settings.
      notes: sentences on what was left out, mixed or chosen.
    """

    main: list[Row]
    final: list[Row]
    curves: list[Row]
    settings: dict[Line, Setting]
    notes: list[str]


def line(row: Row) -> Line:
    """Approach and exploration solver of a row."""
    return row["approach"], row["exploration"]


def data(row: Row) -> Data:
    """The data set of a row."""
    return row["behaviour"], row["trajectories"]


def setting(row: Row) -> Setting:
    """What an approach is tuned by; zero where it has no such part."""
    conservative, cloned = row["approach"] == "coffee", row["approach"] == "oef-bc"
    return (
        float(row.get("penalty") or 0) if conservative else 0.0,
        float(row.get("coverage") or 0) if conservative else 0.0,
        float(row.get("weight") or 0) if cloned else 0.0,
    )


def solver_name(spec: str) -> str:
    """R2D and RD as the paper writes them, other specs as they are."""
    return spec.upper() if spec in _SOLVERS else spec


def line_name(which: Line) -> str:
    """The text for an approach and solver, for example "COffeE, R2D"."""
    return f"{NAMES.get(which[0], which[0])}, {solver_name(which[1])}"


def short_name(which: Line) -> str:
    """The short text for an approach and solver, for example "COffeE+R2D"."""
    return f"{NAMES.get(which[0], which[0])}+{solver_name(which[1])}"


def data_name(where: Data) -> str:
    """The text for a data set, for example "1000 uniform"."""
    return f"{where[1]} {BEHAVIOURS.get(where[0], where[0])}"


def setting_name(approach: str, values: Setting) -> str:
    """The text for an approach's setting, for example "λ 2, α 0.1"."""
    if approach == "coffee":
        return f"λ {values[0]:g}, α {values[1]:g}"
    if approach == "oef-bc":
        return f"w {values[2]:g}"
    return "-"


def tuned_name(row: Row) -> str:
    """The text for an approach and setting, for example "COffeE, λ 2, α 0.1"."""
    approach: str = row["approach"]
    name, tuned = NAMES.get(approach, approach), setting_name(approach, setting(row))
    return name if tuned == "-" else f"{name}, {tuned}"


def ordered(values: Iterable[Any], known: Sequence[Any]) -> list[Any]:
    """Distinct values: the known ones in their order, then the others sorted."""
    first = {value: i for i, value in enumerate(known)}
    return sorted(set(values), key=lambda v: (first.get(v, len(first)), str(v)))


def lines(rows: Sequence[Row]) -> list[Line]:
    """Approaches and exploration solvers, in the paper's order."""
    return ordered(map(line, rows), [(a, s) for a in NAMES for s in _SOLVERS])


def datasets(rows: Sequence[Row]) -> list[Data]:
    """Data sets, in the paper's order."""
    order = ordered((r["behaviour"] for r in rows), list(BEHAVIOURS))
    return sorted({data(r) for r in rows}, key=lambda d: (d[1], order.index(d[0])))


def evaluations(rows: Sequence[Row]) -> list[str]:
    """Evaluation solvers, RD first as in the paper."""
    return ordered((r["evaluation"] for r in rows), _SOLVERS[::-1])


def preferred(rows: Sequence[Row]) -> str:
    """R2D where rows have it, else the first evaluation solver."""
    solvers = evaluations(rows)
    return "r2d" if "r2d" in solvers else solvers[0] if solvers else "r2d"


def regrets(
    rows: Sequence[Row], which: Line, evaluation: str, where: Data
) -> list[float]:
    """Regrets of the trials of one cell."""
    return list(by_trial(rows, which, evaluation, where).values())


def trial_of(row: Row) -> tuple[Any, ...]:
    """Rows of which this is the same share a data set and a model."""
    return (*data(row), row["trial"], row.get("seed"))


def by_trial(
    rows: Sequence[Row], which: Line, evaluation: str, where: Data
) -> dict[tuple[Any, ...], float]:
    """Regrets of one cell by trial; final rows of one setting have one a trial."""
    return {
        trial_of(row): row["regret"]
        for row in rows
        if (line(row), row["evaluation"], data(row)) == (which, evaluation, where)
    }


def sort_out(rows: Sequence[Row]) -> Judged:
    """Finds the final rows and the main settings; says what it left out.

    The main setting of an approach and exploration solver is the one with most rows,
    and among equals the one with the lowest mean regret, as the paper selects.
    """
    usable = [row for row in rows if finite(row["regret"])]
    notes = []
    if len(usable) < len(rows):
        notes.append(f"{len(rows) - len(usable)} rows without a finite regret left out")
    newest: dict[tuple[Any, ...], Row] = {}
    ended = [row for row in usable if row["judged"] == "final"]
    for row in sorted(ended, key=lambda r: (r["iteration"], r["k"])):
        newest[_run_of(row), row["evaluation"]] = row
    final = sorted(newest.values(), key=lambda r: (r["trial"], r["seed"]))
    if len(final) < len(ended):
        notes.append(
            f"{len(ended) - len(final)} final rows of trials that were judged again "
            "later, or with a larger k, left out"
        )
    settings = {}
    for which in lines(final):
        settings[which], note = _main(which, [r for r in final if line(r) == which])
        notes += note
    main = [row for row in final if setting(row) == settings[line(row)]]
    for key in ("k", "iterations"):
        if len(kinds := sorted({row[key] for row in main})) > 1:
            notes.append(f"rows with different {key} ({kinds}) are compared")
    return Judged(main=main, final=final, curves=usable, settings=settings, notes=notes)


def finite(value: Any) -> bool:
    """Whether a value is a number one can average."""
    return isinstance(value, int | float) and math.isfinite(value)


def _run_of(row: Row) -> tuple[Any, ...]:
    return (line(row), data(row), setting(row), row["trial"], row["seed"])


def _main(which: Line, rows: Sequence[Row]) -> tuple[Setting, list[str]]:
    """The setting that stands for an approach in the tables, and how it was chosen."""
    counts = Counter(map(setting, rows))
    if len(counts) == 1:
        return next(iter(counts)), []
    regret = {s: mean([r["regret"] for r in rows if setting(r) == s]) for s in counts}
    best = min(counts, key=lambda s: (-counts[s], regret[s], s))
    name = setting_name(which[0], best)
    alone = counts[best] > max(c for s, c in counts.items() if s != best)
    how = "most rows" if alone else "lowest mean regret, so its regret is biased low"
    return best, [f"{line_name(which)}: of {len(counts)} settings {name} has the {how}"]


def mean(values: Sequence[float]) -> float:
    """Mean of at least one value."""
    return sum(values) / len(values)
