"""Report of the bargaining grid: tables, figures and the paper's claims.

Compares with Nguyen & Wellman, "Conservative Equilibrium Discovery in Offline
Game-Theoretic MARL" (AAMAS 2026).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.bargaining.claims import judge
from experiments.bargaining.layout import (
    model_tables,
    p_tables,
    regret_tables,
    tuning_tables,
)
from experiments.bargaining.notes import LOWER_BOUND, PAIRED, PUBLISHED_NOTE, notes
from experiments.bargaining.results import (
    Judged,
    Row,
    data_name,
    datasets,
    line_name,
    setting_name,
    sort_out,
)
from experiments.bargaining.tables import (
    comma_separated,
    comparisons,
    model_cells,
    regret_cells,
    tuning_cells,
)
from experiments.bargaining.verdicts import LEVEL, VERDICTS
from experiments.lab.process import command
from experiments.lab.report import Table, markdown, show
from metaspiel import files

_SILENT = ("json", "quiet", "config", "plan", "report", "resume", "out")
_CLAIM = ("claim", "verdict", "leaning", "evidence", "test")


def write(
    folder: Path, rows: list[Row], fidelity: list[Row], facts: dict[str, Any]
) -> dict[str, Any]:
    """Writes the tables, plots and report.html into a run folder.

    Args:
      folder: exists; files of the same names are replaced.
      rows: judged rows, as ``_bargaining_rows`` describes them.
      fidelity: one dict a run: "approach", "exploration", "behaviour", "trajectories",
        "trial", "penalty", "coverage", "uncertainty" and "utility_error"; may have
        "model", and judged rows of OEF-BC "clone" (see ``model_cells``).
      facts: shown as they are; "config" is a dict, "env" one with "command", "missing"
        a list of unfinished units. All may be absent.

    Returns:
      What summary.json holds: sizes, notes, cells, comparisons, tuning and claims.
    """
    judged = sort_out(rows)
    cells = regret_cells(judged.main)
    same, against = comparisons(judged.main, None), comparisons(judged.main, "r2d")
    weights, grid = (tuning_cells(judged.final, name) for name in ("oef-bc", "coffee"))
    claims = judge(judged, fidelity)
    sizes = _sizes(judged, fidelity, facts)
    said_first = [*judged.notes, *notes(judged, same, facts)]
    models = model_cells(fidelity, rows)
    where = datasets(judged.main)
    lowest = regret_tables(cells, where)
    tested = p_tables(same, against, where)
    tuned = tuning_tables(weights, grid)
    body = [[one[key] for key in _CLAIM] for one in claims]
    said = Table("The paper's claims", _CLAIM, body)
    short = [{key: one[key] for key in _CLAIM} for one in claims]
    _texts(folder, "regret_table", lowest, cells)
    _texts(folder, "p_values", tested, [*same, *against])
    _texts(folder, "tuning", tuned, [*weights, *grid])
    _texts(folder, "claims", [said], short)
    shown = model_tables(models)
    if shown:
        _texts(folder, "model_and_clone", shown, models)
    lead = [*_lead(judged, claims), LOWER_BOUND, PAIRED, PUBLISHED_NOTE]
    lead += [f"Note: {note}." for note in said_first]
    facts_table = Table("Sizes, seeds and time", ["", "value"], _listed(sizes))
    tables = [said, *lowest, *tested, *tuned, *shown, facts_table]
    _render(folder, lead, tables, judged, fidelity)
    summary = {
        "sizes": sizes,
        "notes": said_first,
        "regret": cells,
        "p_values": same,
        "p_values_against_r2d_evaluation": against,
        "tuning": {"weight": weights, "penalty_coverage": grid},
        "model_and_clone": models,
        "claims": claims,
    }
    cleaned: dict[str, Any] = files.spelled(summary)
    return cleaned


def _lead(judged: Judged, claims: Sequence[Row]) -> list[str]:
    if not judged.main:
        return ["No final profile has been judged yet."]
    first = []
    counts = [sum(c["verdict"].startswith(v) for c in claims) for v in VERDICTS]
    verdicts = ", ".join(f"{n} {v}" for n, v in zip(counts, VERDICTS, strict=True) if n)
    where = ", ".join(data_name(d) for d in datasets(judged.main))
    k, iterations = (_span(r[key] for r in judged.main) for key in ("k", "iterations"))
    first.append(
        f"{_trials(judged)} trials a cell on {where}; {iterations} iterations, "
        f"k = {k}. Of {len(claims)} claims of the paper: {verdicts}."
    )
    first.append(
        f"A claim is 'for' where the one-sided tests of all rivals reach p = {LEVEL:g} "
        "and every data set points the same way, 'against' where the reverse holds for "
        "one rival, 'mixed' where a test decides but data sets disagree; 'too few "
        "trials' could not have been 'for' whatever their regrets, 'undecided' could "
        "have. The leaning is where the means point."
    )
    return first


def _span(values: Any) -> str:
    distinct = sorted(set(values))
    if not distinct:
        return "none"
    return (
        str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]} to {distinct[-1]}"
    )


def _trials(judged: Judged) -> str:
    """Fewest to most trials of a cell."""
    return _span(cell["n"] for cell in regret_cells(judged.main))


def _sizes(
    judged: Judged, fidelity: Sequence[Row], facts: dict[str, Any]
) -> dict[str, Any]:
    used = judged.curves
    spent = [row["cpu_seconds"] for row in used if row.get("cpu_seconds")]
    config = facts.get("config") or {}
    rest = {k: v for k, v in facts.items() if k not in ("config", "env", "missing")}
    return {
        "command": (facts.get("env") or facts).get("command") or command(),
        "trials_a_cell": _trials(judged),
        "seeds": sorted({row["seed"] for row in used}),
        "iterations": sorted({row["iterations"] for row in used}),
        "k": sorted({row["k"] for row in used}),
        "settings": {
            line_name(one): setting_name(one[0], tuned)
            for one, tuned in judged.settings.items()
        },
        "judged_rows": len(used),
        "fidelity_rows": len(fidelity),
        "cpu_seconds_of_judging": sum(spent),
        **{k: v for k, v in rest.items() if k != "command"},
        "unfinished": len(facts.get("missing") or []),
        "config": {k: v for k, v in config.items() if k not in _SILENT},
    }


def _listed(sizes: dict[str, Any]) -> list[list[str]]:
    lines = []
    for key, value in sizes.items():
        if isinstance(value, dict):
            start = "" if key == "config" else f"{key}: "
            lines += [[start + str(name), show(one)] for name, one in value.items()]
        else:
            lines.append([key.replace("_", " "), show(value)])
    return lines


def _texts(
    folder: Path, name: str, tables: Sequence[Table], plain: Sequence[Row]
) -> None:
    """The tables as Markdown, and their numbers as CSV."""
    parts = [f"{t.caption}.\n\n{markdown(t.columns, t.lines)}" for t in tables]
    text = "\n".join(parts) or "Nothing to tell from the rows of this run.\n"
    files.write_text(folder / f"{name}.md", text)
    files.write_text(folder / f"{name}.csv", comma_separated(plain))


def _render(
    folder: Path,
    lead: Sequence[str],
    tables: Sequence[Table],
    judged: Judged,
    fidelity: Sequence[Row],
) -> None:
    from experiments.bargaining import figures as _bargaining_figures
    from experiments.lab import charts, report

    plots = folder / "plots"
    report.render(
        folder / "report.html",
        "Offline solving of the Bargaining game: COffeE, OEF and OEF-BC",
        lead,
        tables,
        [
            charts.figure(drawn, title, caption, plots / f"{name}.png")
            for name, title, caption, drawn in _bargaining_figures.draw(
                judged, fidelity
            )
        ],
    )
