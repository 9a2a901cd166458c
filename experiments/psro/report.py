"""Reports of PSRO: of one trial, and of all of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy import ndarray

from experiments.lab.charts import lines
from experiments.lab.marks import Picture
from experiments.lab.report import Table, render
from experiments.psro.pictures import line, pictures
from experiments.psro.sentences import (
    meaning,
    opening,
    opening_of_trials,
    refereed,
    title,
)
from experiments.psro.summary import Summary, gap_name, gap_value, rounded, shown
from experiments.psro_parts.config import EXACT
from psro.metrics import Row


def write_report(
    folder: Path, summary: Summary, rows: Sequence[Row], payoffs: ndarray | None
) -> None:
    """``plots`` and ``report.html`` of one trial; without the tensor no payoffs."""
    facts = summary.flat
    head = title(facts)
    for name in ("cpu_seconds_per_stage", "caveats"):
        del facts[name]
    values = list(facts.items())
    seconds = list(summary.last.cpu_seconds.items())
    render(
        folder / "report.html",
        head,
        opening(summary, rows),
        [
            Table("All of summary.json", ["", "value"], values, raw=True),
            Table("CPU seconds by stage", ["stage", "seconds"], seconds, raw=True),
        ],
        pictures(summary, rows, payoffs),
        cut=summary.interrupted,
    )


def write_whole(
    folder: Path, summary: Mapping[str, Any], rows: Mapping[int, Sequence[Row]]
) -> None:
    """``plots/gaps.png`` and ``report.html`` of all trials together.

    Args:
      folder: of the run.
      summary: of all trials, with their means.
      rows: of each trial, by its seed.
    """
    kind, concept = summary["gap_is"], summary["concept"]
    columns = {
        "seed": lambda one: one["seed"],
        "iterations": lambda one: one["iterations"],
        gap_name(kind, concept): lambda one: gap_value(
            kind, one["gap"], one["gap_error"]
        ),
        **_exact_column(summary),
        "value sum": lambda one: rounded(one["value_sum"], ".5g"),
        "policies": lambda one: one["unique_policies"],
        "meta-solver": lambda one: one["status"],
        "stopped": lambda one: one["stopped"],
    }
    gaps = {
        f"seed {seed}": line(own, lambda row: row.gap) for seed, own in rows.items()
    }
    exact = refereed(*(one["exact_gap"] for one in summary["trials"]))
    if exact:
        gaps |= {
            f"seed {seed}, exact": line(own, lambda row: row.exact_gap)
            for seed, own in rows.items()
        }
    chart = lines(gaps, gap_name(kind, concept), log=kind == EXACT)
    caption = (
        f"{meaning(kind, concept)}{exact} A line a trial; "
        "gaps that were not measured are left out."
    )
    head = "Gap of every trial"
    render(
        folder / "report.html",
        f"{title(summary)}: {len(rows)} trials",
        opening_of_trials(summary),
        [Table.of("Trials", columns, summary["trials"])],
        [Picture(name="gaps", title=head, caption=caption, chart=chart)],
        cut=summary["interrupted"],
    )


def _exact_column(summary: Mapping[str, Any]) -> Mapping[str, Callable[[Any], Any]]:
    """A column of exact gaps beside learned ones, where there was a referee."""
    if not refereed(*(one["exact_gap"] for one in summary["trials"])):
        return {}
    return {"exact gap": lambda one: shown(one["exact_gap"], ".3g")}
