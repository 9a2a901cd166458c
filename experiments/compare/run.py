"""The comparison: its cells played, judged and reported."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.compare.cells import cells_of
from experiments.compare.config import Config
from experiments.compare.filling import fill, played
from experiments.compare.merging import length, merged
from experiments.compare.report import Judged, write
from experiments.compare.results import FINISHED, Result, Results
from experiments.lab import interrupts, work
from experiments.lab.ending import NotOK
from experiments.lab.folder import claim, page_of, record, widened
from experiments.lab.page import Answer


def run(config: Config) -> Answer:
    """Plays what is missing and reports; faults are told at the end.

    Raises:
      UserError: a game, a solver or an oracle is not known.
    """
    config.check()
    config = replace(config, iterations=length(config))
    for name in config.repeated:
        config.run.say(f"{name} is named more than once: it is compared once")
    list(cells_of(config))  # what is not known is refused before there is a folder
    merged([], config)  # and so is what cannot be merged
    with claim(config.run, page_of(type(config))) as folder:
        lists = ("games", "solvers", "eval_solvers", "oracles", "merge")
        config = widened(folder, config, lists=lists, most=("seeds", "iterations"))
        cells = list(cells_of(config))
        record(folder, config)
        write = partial(_written, folder, config)
        with interrupts.reported(partial(played, cells, folder), write):
            own, faults = fill(cells, folder, config.run, config.executor)
        summary, text = write(own)
    fault = work.complaint(faults, what="cells") or _nothing(merged(own, config))
    return Answer(summary=summary, text=f"{text}\n-> {folder}", fault=fault)


def _nothing(runs: Sequence[Result]) -> NotOK | None:
    """What is said of a comparison in which no run finished."""
    if any(one.outcome == FINISHED for one in runs):
        return None
    first = next((f"; the first: {one.reason}" for one in runs if one.reason), "")
    return NotOK(
        f"a comparison must have runs that finish; none of {len(runs)} did{first}"
    )


def _written(folder: Path, config: Config, own: Sequence[Result]) -> tuple[Any, str]:
    """Writes the report of the runs that are there; returns summary and text."""
    results = Results(merged(own, config))
    shown = replace(config, iterations=results.iterations)
    return write(folder, shown, Judged.of(results, shown))
