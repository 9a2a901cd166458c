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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments import _owner, _run, _states, _workers
from experiments._cells_learners import LEARNERS
from experiments._cells_states import (
    Cell,
    all_rows,
    check_kept,
    finished,
    kept,
    last_good,
    named,
    newest,
    rows,
    save,
    state,
)
from experiments._cells_watch import Watch
from metaspiel import files
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import Diverged
from metaspiel.nfg.errors import UserError, unknown
from psro.executor import Executor, Fault

__all__ = [
    "Cell",
    "Outcome",
    "attempt",
    "check",
    "complain",
    "finished",
    "kept",
    "last_good",
    "rows",
    "state",
    "train",
]

PAUSE = 30.0  # seconds between checkpoints; results do not depend on it


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
      cell: which.
      fault: one sentence; None where all is well.
      user: the fault is the user's to mend.
      trace: where it arose.
    """

    cell: Cell
    fault: str | None = None
    user: bool = False
    trace: str = ""


def check(cells: Sequence[Cell]) -> None:
    """Refuses cells that cannot begin; call it before anything is written.

    Raises:
      UserError: a game or method is unknown, settings do not fit, a count is
        impossible, or two cells have the same folder.
    """
    seen: set[str] = set()
    begun: set[tuple[Any, ...]] = set()
    for cell in cells:
        if cell.method not in LEARNERS:
            raise unknown("--methods", "method", cell.method, LEARNERS)
        if cell.iterations < 1 or cell.keep < 0 or cell.seed < 0:
            raise UserError(
                "Cell(): iterations must be at least 1, keep and seed at least 0; got "
                f"{cell.iterations}, {cell.keep} and {cell.seed}"
            )
        if cell.slug in seen:
            raise UserError(f"Cell(): every cell must be there once; got {cell.slug}")
        seen.add(cell.slug)
        kind = cell.game, cell.method, cell.settings
        if kind not in begun:
            begun.add(kind)
            LEARNERS[cell.method]().start(load(cell.game), cell.settings, cell.seed)


def train(
    cells: Sequence[Cell], folder: Path, jobs: int = 1, silent: bool = True
) -> list[Outcome]:
    """Trains what is not finished; a cell that fails does not stop the others.

    Args:
      cells: in the order in which they begin.
      folder: of the run; held by this process.
      jobs: processes, of one thread each; with 1 the work is done in this one.
      silent: no progress on stderr.

    Returns:
      The faults, in the order of the cells; each is in its ``failed.json`` too.
    """
    from psro.workers import Processes

    todo = [cell for cell in cells if not finished(cell, folder)]
    outcomes: dict[Cell, Outcome] = {}
    with _owner.stoppable(), Watch(todo, folder, jobs, silent) as watch:

        def settle(outcome: Outcome) -> None:
            _record(outcome, folder)
            outcomes[outcome.cell] = outcome
            watch.tell(outcome.cell, outcome.fault)

        if jobs == 1 or len(todo) < 2:
            for cell in todo:
                settle(attempt(cell, folder))
        else:
            with Processes(min(jobs, len(todo))) as executor:
                for outcome in _spread(todo, folder, executor):
                    settle(outcome)
    return [outcomes[cell] for cell in todo if outcomes[cell].fault is not None]


def _spread(
    todo: Sequence[Cell], folder: Path, executor: Executor
) -> Iterable[Outcome]:
    """Outcomes as they come from worker processes."""

    def ask(cell: Cell) -> Outcome:
        answer = _workers.ask(executor, _work, (cell, folder))
        return _failed(cell, answer) if isinstance(answer, Fault) else answer

    threads = ThreadPoolExecutor(len(todo))  # they only wait
    try:
        for future in as_completed([threads.submit(ask, cell) for cell in todo]):
            yield future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _work(asked: Sequence[tuple[Cell, Path]]) -> list[Outcome]:
    _owner.end_with_parent()
    return [attempt(cell, folder) for cell, folder in asked]


def attempt(cell: Cell, folder: Path) -> Outcome:
    """Trains one cell here; faults are told, not raised."""
    try:
        _learn(cell, cell.room(folder))
    except Exception as error:  # noqa: BLE001  one cell's fault is not the others'
        return _failed(cell, _workers.fault(error))
    return Outcome(cell)


def _failed(cell: Cell, why: Fault) -> Outcome:
    return Outcome(cell, why.message, why.user, why.trace)


def _learn(cell: Cell, room: Path) -> None:
    torch.set_num_threads(1)
    _claim(cell, room)
    game, learner = load(cell.game), LEARNERS[cell.method]()
    kept_before = newest(cell, room)
    if kept_before is not None:
        now = learner.load(kept_before.place)
        check_kept(cell, room, now.iteration)
    else:
        now = learner.start(game, cell.settings, cell.seed)
    # Rows after the checkpoint are made again.
    before = None if kept_before is None else kept_before.rows
    metrics = _run.Metrics(room / "metrics.jsonl", before, durable=False)
    written, saved = now.iteration if kept_before is not None else -1, time.monotonic()

    def keep(which: Any, folder: Path) -> None:
        metrics.flush()  # a checkpoint never knows more than the rows
        save(cell, which, folder / f"{which.iteration:06d}", metrics.seal)

    def checkpoint(which: Any) -> None:
        keep(which, room / "checkpoint")
        _states.forget_older(room / "checkpoint")

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
        _run.write_json(room / "cell.json", cell.fields)


def _record(outcome: Outcome, folder: Path) -> None:
    room = outcome.cell.room(folder)
    place = room / "failed.json"
    if outcome.fault is None:
        place.unlink(missing_ok=True)
        return
    room.mkdir(parents=True, exist_ok=True)
    facts = {k: getattr(outcome, k) for k in ("fault", "user", "trace")}
    facts["last_good"] = last_good(outcome.cell, folder)
    made = all_rows(
        outcome.cell, room
    )  # those after the last checkpoint belong to the fault
    facts |= {"iterations": len(made.lines), "rows": made.seal}
    files.write_sealed(place, facts, {"cell": outcome.cell.identity})


def complain(faults: Sequence[Outcome], folder: Path) -> None:
    """Ends a page after faults: with 2 if all are the user's, else with 1.

    Raises:
      UserError: all faults are the user's, learning that diverged among them.
      RuntimeError: one is not.
    """
    if not faults:
        return
    first = faults[0]
    good = last_good(first.cell, folder)
    text = f"{first.cell.label}, seed {first.cell.seed}: {first.fault}; "
    if good is None:
        text += "there is no checkpoint"
    else:
        text += f"the last good one is iteration {good['iteration']}, "
        text += f"'{good['checkpoint']}'"
    if len(faults) > 1:
        text = f"{len(faults)} cells failed, the others are kept; the first is {text}"
    if all(fault.user for fault in faults):
        raise UserError(text)
    raise RuntimeError(text)
