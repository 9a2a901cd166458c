"""How the speed pages measure time, and the table and files that they end with."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from experiments.lab.marks import Picture
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, render
from experiments.lab.work import Outcome, complaint
from metaspiel import files

Given = TypeVar("Given")


def timed(work: Callable[[], Given]) -> tuple[float, Given]:
    """CPU seconds of this process in a call, and what the call gave."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def repeated(
    work: Callable[[], Given], times: int, enough: float = math.inf
) -> tuple[float, Given]:
    """Median CPU seconds of several calls, and what the last one gave.

    Args:
      work: what is called.
      times: how often.
      enough: seconds of all calls after which there is no further one.
    """
    spent: list[float] = []
    while len(spent) < times and sum(spent) < enough:
        seconds, result = timed(work)
        spent.append(seconds)
    return statistics.median(spent), result


def in_turns(works: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median of what each work measures; in every round each has its turn."""
    every = [{name: work() for name, work in works.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in every) for name in works}


def answer(
    folder: Path,
    title: str,
    lead: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    said: Sequence[str],
    faults: Sequence[Outcome] = (),
    figures: Sequence[Picture] = (),
    **results: Any,
) -> Answer:
    """What a page says after it wrote table.md, report.html and its results.

    Args:
      folder: of the run.
      title: of the report.
      lead: sentences on it: what the columns mean.
      rows: of the table, as JSON has them; every field is a column.
      said: what came out, in sentences.
      faults: of the pieces of work.
      figures: of the report.
      results: written as JSON files of their names.
    """
    heads = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in heads] for row in rows]
    table = Table(title, [head.replace("_", " ") for head in heads], cells)
    for name, result in results.items():
        files.write_json(folder / f"{name}.json", result)
    text = "\n".join([table.markdown, *(f"- {sentence}" for sentence in lead)])
    files.write_text(folder / "table.md", f"{text}\n")
    opening = Opening(
        ran=[f"{title}. CPU time on this machine; how it was made stands at the end."],
        result=said,
        sure=lead,
    )
    render(folder / "report.html", title, opening, [table], figures)
    return Answer(summary=rows, text=text, fault=complaint(faults))


def _cell(value: Any) -> Any:
    """Yes and no for people, and nothing for an empty list."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value in ("", [], ()) else value
