"""The comparison: its cells played, judged and reported."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.compare.cells import cells_of
from experiments.compare.config import Config
from experiments.compare.filling import fill
from experiments.compare.results import Results
from experiments.compare.tables import curve_rows, missing, table
from experiments.lab import work
from experiments.lab.folder import claim, clock, plain, record, widened
from experiments.lab.page import Answer
from experiments.lab.report import comma_separated, publish
from metaspiel import files


def run(config: Config) -> Answer:
    """Plays what is missing and reports; faults are told at the end.

    Raises:
      UserError: a game, a solver or an oracle is not known.
    """
    config.check()
    list(cells_of(config))  # what is not known is refused before there is a folder
    with claim(config.run, "compare") as folder:
        config = _with_earlier(folder, config)
        cells = list(cells_of(config))
        record(folder, config)
        runs, faults = fill(cells, folder, config.run, config.executor)
        results = Results(runs)
        tables = [table(results, game, config) for game in results.games]
        left_out = missing(results)
        if left_out.rows:
            tables.append(left_out)
        curves = comma_separated(list(curve_rows(results)))
        files.write_text(folder / "curves.csv", curves)
        summary: dict[str, Any] = {
            "folder": str(folder),
            "config": plain(asdict(config)),
            "wall_seconds": clock(folder),
        }
        text = publish(folder, summary, title="Comparison", lead=[], tables=tables)
    fault = work.complaint(faults, what="cells")
    return Answer(summary=summary, text=f"{text}\n-> {folder}", fault=fault)


def _with_earlier(folder: Path, config: Config) -> Config:
    """The configuration with all that the folder was asked for before."""
    lists = ("games", "solvers", "eval_solvers", "oracles", "merge")
    return widened(folder, config, lists=lists, most=("seeds", "iterations"))
