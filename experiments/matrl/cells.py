"""Many training runs in one folder: each a cell with a folder of its own.

    cells/<slug>/cell.json       what is trained
                 metrics.jsonl   one row an iteration
                 checkpoint/     the two newest states written, to go on from
                 kept/000020/    states kept for later, where the cell asks for them
                 done.json       all iterations are made
                 failed.json     why they are not: the sentence, the last good state

What a cell learns depends on its fields alone: not on the other cells, on how many are
trained at once, or on how often the run was killed and resumed. A state is sealed with
what it belongs to: the cell, its iteration, and the rows before it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from experiments.lab import checkpoints, interrupts, work
from experiments.lab.folder import claim, record, widened
from experiments.lab.metrics import Metrics
from experiments.lab.options import Parallel, least
from experiments.lab.page import Answer
from experiments.lab.watch import RowsMade, carry_out
from experiments.lab.work import Outcome, Piece
from experiments.matrl.states import (
    Cell,
    all_rows,
    check_kept,
    failed,
    finished,
    last_good,
    named,
    newest,
    save,
)
from matrl.learners import LEARNERS
from metaspiel import files
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import Diverged
from metaspiel.nfg.errors import UserError, unknown

PAUSE = 30.0  # seconds between checkpoints; results do not depend on it


@dataclass(frozen=True)
class Failure:
    """A cell that could not be trained to its end, and what became of it."""

    cell: Cell
    outcome: Outcome


def perform(
    config: Any,
    name: str,
    kinds: Callable[[Any], Sequence[Cell]],
    *,
    write: Callable[[Path, Any, Sequence[Cell], Sequence[Failure]], Any],
    remembers: Sequence[str] = (),
    parts: bool = True,
) -> Answer:
    """Trains what is missing and reports: all that a page with cells does.

    Args:
      config: of the page, with ``seed``, ``seeds`` and ``run``.
      name: of the page.
      kinds: the cells of a configuration with its first seed, or a sentence that says
        why they cannot be made.
      write: writes the report of folder, config, cells and failures, and returns the
        summary.
      remembers: lists of the configuration to which those of earlier runs of the
        folder are added; then the most seeds count too.
      parts: an interrupted run is reported: there is a report of a part of the cells.
    """
    cells = plan(config, kinds(config))
    with claim(config.run, name) as folder:
        if remembers:
            config = widened(folder, config, lists=remembers, most=("seeds",))
            cells = plan(config, kinds(config))
        record(folder, config)

        def there() -> tuple[list[Cell], list[Failure]] | None:
            return _over(cells, folder) if parts else None

        with interrupts.reported(there, lambda over: write(folder, config, *over)):
            failures = train(cells, folder, config.run.jobs, config.run.silent)
        summary = write(folder, config, cells, failures)
    text = f"{(folder / 'table.md').read_text('utf-8')}\n-> {folder}"
    return Answer(summary=summary, text=text, fault=complaint(failures, folder))


def _over(
    cells: Sequence[Cell], folder: Path
) -> tuple[list[Cell], list[Failure]] | None:
    """The cells that were trained to their end or failed, and the failures, if any."""
    done = {cell: finished(cell, folder) for cell in cells}
    failures = [
        Failure(cell, outcome)
        for cell in cells
        if not done[cell] and (outcome := failed(cell, folder)) is not None
    ]
    every = [one for one in cells if done[one]] + [one.cell for one in failures]
    return (every, failures) if every else None


def plan(config: Any, kinds: Sequence[Cell]) -> list[Cell]:
    """All cells, seed by seed: a run that is cut short has some of everything.

    Raises:
      UserError: one cannot begin.
    """
    check(kinds)
    return [
        replace(kind, seed=config.seed + number)
        for number in range(config.seeds)
        for kind in kinds
    ]


def check(cells: Sequence[Cell]) -> None:
    """Refuses cells that cannot begin; call it before anything is written.

    Raises:
      UserError: a game or method is unknown, settings do not fit, a count is
        impossible, or two cells have the same folder.
    """
    seen: set[str] = set()
    for cell in cells:
        if cell.method not in LEARNERS:
            raise unknown("--methods", "method", cell.method, LEARNERS)
        least(cell, iterations=1, keep=0, seed=0)
        if cell.slug in seen:
            raise UserError(f"Cell(): every cell must be there once; got {cell.slug}")
        seen.add(cell.slug)
        LEARNERS[cell.method].start(load(cell.game), cell.settings, cell.seed)


def train(
    cells: Sequence[Cell], folder: Path, jobs: int = 1, silent: bool = True
) -> list[Failure]:
    """Trains what is not finished; a cell that fails does not stop the others.

    Args:
      cells: in the order in which they begin.
      folder: of the run; held by this process.
      jobs: processes, of one thread each; with 1 the work is done in this one.
      silent: no progress on stderr.

    Returns:
      The faults, in the order of the cells; each is in its ``failed.json`` too.
    """
    todo = {cell.title: cell for cell in cells if not finished(cell, folder)}
    pieces = [
        Piece(
            name=title,
            what=(cell, folder),
            do=attempt,
            kind=f"{cell.game} {cell.method}",
            effort=cell.iterations,
            made=RowsMade(cell.room(folder) / "metrics.jsonl"),
        )
        for title, cell in todo.items()
    ]

    def settle(outcome: Outcome) -> None:
        _record(todo[outcome.name], outcome, folder)

    run = Parallel(jobs=jobs, quiet=silent)
    faults = carry_out(pieces, folder, run, settle=settle)
    return [Failure(todo[fault.name], fault) for fault in faults]


def attempt(asked: Sequence[tuple[Cell, Path]]) -> list[Outcome]:
    """Trains cells here; faults are outcomes and raise nothing."""
    return [
        outcome
        for cell, folder in asked
        for outcome in work.attempt(
            [cell.title], partial(_learn, cell, cell.room(folder))
        )
    ]


def _learn(cell: Cell, room: Path) -> None:
    torch.set_num_threads(1)
    _claim(cell, room)
    game, learner = load(cell.game), LEARNERS[cell.method]
    known = newest(cell, room)
    if known is None:
        now = learner.start(game, cell.settings, cell.seed)
    else:
        now = learner.load(known.place)
        check_kept(cell, room, now.iteration)
    # Rows after the checkpoint are made again.
    before = None if known is None else known.rows
    (room / "failed.json").unlink(missing_ok=True)  # it speaks of the rows before
    metrics = Metrics(room / "metrics.jsonl", before, durable=False)
    written, saved = -1 if known is None else now.iteration, time.monotonic()

    def keep(which: Any, folder: Path) -> None:
        metrics.flush()  # a checkpoint never knows more than the rows
        save(cell, which, folder / f"{which.iteration:06d}", metrics.seal)

    def checkpoint(which: Any) -> None:
        keep(which, room / "checkpoint")
        checkpoints.forget_older(room / "checkpoint")

    while now.iteration < cell.iterations:
        try:
            now, row = learner.step(game, cell.settings, now)
        except Diverged:
            if learner.pure:
                checkpoint(now)
            raise
        metrics.add(row)
        if cell.keep and now.iteration % cell.keep == 0:
            keep(now, room / "kept")
        last = now.iteration == cell.iterations - 1  # a way back from the end
        if last or time.monotonic() - saved > PAUSE:
            checkpoint(now)
            saved = time.monotonic()
    if written < now.iteration:
        checkpoint(now)
    done = {"iterations": now.iteration, "rows": metrics.seal}
    files.write_sealed(room / "done.json", done, {"cell": cell.identity})


def _claim(cell: Cell, room: Path) -> None:
    """Makes the cell's folder, or refuses one in which something else was trained."""
    room.mkdir(parents=True, exist_ok=True)
    files.tidy(room)
    if not named(cell, room):
        files.write_json(room / "cell.json", cell.fields)


def _record(cell: Cell, outcome: Outcome, folder: Path) -> None:
    room = cell.room(folder)
    if outcome.fault is None:
        return
    room.mkdir(parents=True, exist_ok=True)
    made = all_rows(cell, room)  # those after the last checkpoint too
    facts = {
        "fault": outcome.fault,
        "user": outcome.user,
        "trace": outcome.trace,
        "last_good": last_good(cell, folder),
        "iterations": len(made.lines),
        "rows": made.seal,
    }
    files.write_sealed(room / "failed.json", facts, {"cell": cell.identity})


def complaint(failures: Sequence[Failure], folder: Path) -> Exception | None:
    """What a page raises after failures, learning that diverged among them."""
    if not failures:
        return None
    good = last_good(failures[0].cell, folder)
    hint = "; there is no checkpoint"
    if good is not None:
        hint = "; the last good one is iteration {iteration}, '{checkpoint}'"
        hint = hint.format(**good)
    return work.complaint([failure.outcome for failure in failures], hint, "cells")
