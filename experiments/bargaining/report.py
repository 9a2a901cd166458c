"""Report of the bargaining grid: tables, figures and the paper's claims.

Compares with Nguyen & Wellman, "Conservative Equilibrium Discovery in Offline
Game-Theoretic MARL" (AAMAS 2026).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.bargaining.claims import judge
from experiments.bargaining.figures import draw
from experiments.bargaining.layout import (
    model_tables,
    p_tables,
    regret_tables,
    tuning_tables,
)
from experiments.bargaining.notes import (
    LOWER_BOUND,
    PAIRED,
    PUBLISHED_NOTE,
    Facts,
    notes,
)
from experiments.bargaining.results import (
    Fidelity,
    Judged,
    Results,
    datasets,
    setting_name,
    sort_out,
)
from experiments.bargaining.tables import (
    KEYS,
    Cell,
    RegretCell,
    comparisons,
    measures,
    regret_cells,
    tuning_cells,
)
from experiments.lab.folder import plain
from experiments.lab.report import Opening, Table, comma_separated, render, show
from experiments.lab.verdict import LEVEL, Claim, counted
from metaspiel import files

CLAIM: dict[str, Callable[[Claim], str]] = {
    "claim": lambda one: one.text,
    "verdict": lambda one: one.judged,
    "leaning": lambda one: one.numbers["leaning"],
    "evidence": lambda one: one.evidence,
    "test": lambda one: one.test,
}


def write(
    folder: Path, rows: Sequence[Judged], fidelity: Sequence[Fidelity], facts: Facts
) -> dict[str, Any]:
    """Writes the tables, plots and report.html into a run folder.

    Args:
      folder: exists; files of the same names are replaced.
      rows: all that was judged.
      fidelity: of the models.
      facts: of the run.

    Returns:
      What summary.json holds: sizes, notes, cells, comparisons, tuning and claims.
    """
    results = sort_out(rows, fidelity)
    cells = regret_cells(results.main)
    same, against = comparisons(results.main, None), comparisons(results.main, "r2d")
    weights, grid = (tuning_cells(results.final, name) for name in ("oef-bc", "coffee"))
    claims = judge(results)
    sizes = _sizes(results, cells, facts)
    said_first = notes(results, cells, same, facts)
    models = measures(fidelity, rows)
    where = datasets(row.data for row in results.main)
    told = [{k: read(one) for k, read in CLAIM.items()} for one in claims]
    said = [Table.of("The paper's claims", CLAIM, claims)]
    written = {
        "claims": (said, comma_separated(told)),
        "regret_table": (regret_tables(cells, where), _numbers(cells, "n", "k")),
        "p_values": (
            p_tables(same, against, where),
            _numbers([*same, *against], "reference_evaluation"),
        ),
        "tuning": (
            tuning_tables(weights, grid),
            _numbers([*weights, *grid], "n", "k"),
        ),
    }
    if models:
        written["model_and_clone"] = model_tables(models), comma_separated(models)
    for name, (tables, numbers) in written.items():
        text = "\n".join(table.markdown for table in tables)
        nothing = "Nothing to tell from the rows of this run.\n"
        files.write_text(folder / f"{name}.md", text or nothing)
        files.write_text(folder / f"{name}.csv", numbers)
    shown = [table for tables, _ in written.values() for table in tables]
    listed = Table("Sizes, seeds and time", ["", "value"], _listed(sizes))
    title = "Offline solving of the Bargaining game: COffeE, OEF and OEF-BC"
    ran, result, sure = _lead(results, cells, claims)
    besides = [LOWER_BOUND, PAIRED, PUBLISHED_NOTE]
    besides += [f"Note: {note}." for note in said_first]
    opening = Opening(ran=ran, result=result, sure=[*sure, *besides])
    figures = draw(results)
    render(folder / "report.html", title, opening, [*shown, listed], figures)
    summary: dict[str, Any] = files.spelled(
        {
            "sizes": sizes,
            "notes": said_first,
            "regret": [asdict(one) for one in cells],
            "p_values": [asdict(one) for one in same],
            "p_values_against_r2d_evaluation": [asdict(one) for one in against],
            "tuning": {
                "weight": [asdict(one) for one in weights],
                "penalty_coverage": [asdict(one) for one in grid],
            },
            "model_and_clone": [asdict(one) for one in models],
            "claims": [one.record for one in claims],
        }
    )
    return summary


def _numbers(cells: Sequence[Cell], *first: str) -> str:
    """Cells as CSV: the columns that say which it is, those named, and the others."""
    rows = [asdict(cell) for cell in cells]
    heads = (*KEYS, *first)
    return comma_separated([{name: row[name] for name in heads} | row for row in rows])


def _lead(
    results: Results, cells: Sequence[RegretCell], claims: Sequence[Claim]
) -> tuple[list[str], list[str], list[str]]:
    """What was run, what came out, and what a claim needs to hold."""
    rows = results.main
    if not rows:
        return [], ["No final profile has been judged yet."], []
    where = ", ".join(data.name for data in datasets(row.data for row in rows))
    return (
        [
            f"{_span(c.n for c in cells)} trials a cell on {where}; "
            f"{_span(r.iterations for r in rows)} iterations, k = "
            f"{_span(r.k for r in rows)}."
        ],
        [f"Of {len(claims)} claims of the paper: {counted(claims)}."],
        [
            f"A claim holds where the one-sided tests of all rivals reach p = "
            f"{LEVEL:g} and every data set points the same way, and fails where the "
            "reverse holds for one rival; it is undecided else, also where a test "
            "decides but data sets disagree, and 'too few trials' could not have held "
            "whatever their regrets. The leaning is where the means point."
        ],
    )


def _span(values: Iterable[int]) -> str:
    """Fewest to most."""
    distinct = sorted(set(values))
    ends = dict.fromkeys([distinct[0], distinct[-1]] if distinct else ["none"])
    return " to ".join(map(str, ends))


def _sizes(
    results: Results, cells: Sequence[RegretCell], facts: Facts
) -> dict[str, Any]:
    used = results.curves
    config = plain(asdict(facts.config))
    sizes = {
        "command": facts.command,
        "trials_a_cell": _span(cell.n for cell in cells),
        "seeds": sorted({row.seed for row in used}),
        "iterations": sorted({row.iterations for row in used}),
        "k": sorted({row.k for row in used}),
        "settings": {
            line.name: setting_name(line.approach, tuned)
            for line, tuned in results.settings.items()
        },
        "judged_rows": len(used),
        "fidelity_rows": len(results.fidelity),
        "cpu_seconds_of_judging": sum(row.cpu_seconds for row in used),
        "units": facts.units,
        "cpu_seconds": facts.cpu_seconds,
        "wall_seconds": facts.wall_seconds,
        "units_without_cpu_seconds": facts.unknown,
        "commits": facts.commits,
        "unfinished": len(facts.missing),
        "config": {k: v for k, v in config.items() if k not in _SILENT},
    }
    return {
        name: value for name, value in sizes.items() if name not in _OPTIONAL or value
    }


_SILENT = ("run", "plan", "report")
_OPTIONAL = ("units_without_cpu_seconds", "commits")


def _listed(sizes: dict[str, Any], start: str = "") -> list[tuple[str, str]]:
    """Nested fields as lines of a name and a value."""
    lines = []
    for name, value in sizes.items():
        if isinstance(value, dict):
            lines += _listed(value, "" if name == "config" else f"{start}{name}: ")
        else:
            lines.append((f"{start}{name}".replace("_", " "), show(value)))
    return lines
