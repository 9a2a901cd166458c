"""Many training runs in one folder: each a cell with a folder of its own.

    cells/<slug>/cell.json       what is trained
                 metrics.jsonl   one row an iteration
                 checkpoint/     the newest state written, to go on from
                 kept/000020/    states kept for later, where the cell asks for them
                 done.json       all iterations are made
                 failed.json     why they are not: the sentence, the last good state

What a cell learns depends on its fields alone: not on the other cells, on how many are
trained at once, or on how often the run was killed and resumed.
"""

import json
import os
import re
import shutil
import time
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from experiments import _folder, _run
from experiments._cells_learners import LEARNERS
from experiments._cells_watch import Watch
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import Diverged
from metaspiel.nfg.errors import UserError, unknown
from psro.executor import Executor, WorkerLost, WorkFailed

PAUSE = 30.0  # seconds between checkpoints; results do not depend on it


@dataclass(frozen=True)
class Cell:
    """One training run.

    Attributes:
      label: what it is, without the seed; cells differ in label or seed.
      game: as ``metaspiel.games.worlds.load`` reads it.
      method: one of ``experiments._cells_learners.LEARNERS``.
      settings: of the method, of its own class.
      seed: of everything random.
      iterations: to make.
      keep: a state is kept every so many iterations; 0 for none.
    """

    label: str
    game: str
    method: str
    settings: Any
    seed: int
    iterations: int
    keep: int = 0

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', self.label).strip('-')}-s{self.seed}"

    def room(self, folder: Path) -> Path:
        """Its folder."""
        return folder / "cells" / self.slug


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
    found: dict[Cell, Outcome] = {}
    with _folder.stoppable(), Watch(todo, folder, jobs, silent) as watch:

        def settle(outcome: Outcome) -> None:
            _record(outcome, folder)
            found[outcome.cell] = outcome
            watch.tell(outcome.cell, outcome.fault)

        if jobs == 1 or len(todo) < 2:
            for cell in todo:
                settle(attempt(cell, folder))
        else:
            with Processes(min(jobs, len(todo))) as executor:
                for outcome in _spread(todo, folder, executor):
                    settle(outcome)
    return [found[cell] for cell in todo if found[cell].fault is not None]


def _spread(
    todo: Sequence[Cell], folder: Path, executor: Executor
) -> Iterable[Outcome]:
    """Outcomes as they come from worker processes."""

    def ask(cell: Cell) -> Outcome:
        try:
            return executor.answer(_work, [(cell, folder)])[0]
        except (WorkerLost, WorkFailed) as error:
            trace = "\n".join(getattr(error, "__notes__", []))
            return Outcome(cell, str(error), False, trace)

    threads = ThreadPoolExecutor(len(todo))  # they only wait
    try:
        for future in as_completed([threads.submit(ask, cell) for cell in todo]):
            yield future.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _work(asked: Sequence[tuple[Cell, Path]]) -> list[Outcome]:
    _mortal()
    return [attempt(cell, folder) for cell, folder in asked]


@cache
def _mortal() -> None:
    """A worker that outlived its parent would write beside a resumed run; once."""
    _folder.end_with_parent()


def attempt(cell: Cell, folder: Path) -> Outcome:
    """Trains one cell here; faults are told, not raised."""
    try:
        _learn(cell, cell.room(folder))
    except Exception as error:  # noqa: BLE001  one cell's fault is not the others'
        user = isinstance(error, UserError)
        told = str(error) if user else f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        return Outcome(cell, told, user, trace)
    return Outcome(cell)


def _learn(cell: Cell, room: Path) -> None:
    torch.set_num_threads(1)
    _claim(cell, room)
    game, learner = load(cell.game), LEARNERS[cell.method]()
    place, metrics = room / "checkpoint", room / "metrics.jsonl"
    if place.exists():
        state = learner.load(place)
    else:
        state = learner.start(game, cell.settings, cell.seed)
    if not state.iteration:
        metrics.unlink(missing_ok=True)
    _run.Metrics(metrics, state.iteration)  # rows after the checkpoint are made again
    saved = time.monotonic()
    with open(metrics, "a", encoding="utf-8") as log:

        def keep(state: Any) -> None:
            os.fsync(log.fileno())  # a checkpoint never knows more than the rows
            learner.save(state, place)

        while state.iteration < cell.iterations:
            try:
                state, row = learner.step(game, cell.settings, state)
            except Diverged:
                if learner.pure:
                    keep(state)
                raise
            log.write(json.dumps(_run.clean(row)) + "\n")
            log.flush()
            if cell.keep and state.iteration % cell.keep == 0:
                learner.save(state, room / "kept" / f"{state.iteration:06d}")
            if time.monotonic() - saved > PAUSE:
                keep(state)
                saved = time.monotonic()
        keep(state)
    _run.write_json(room / "done.json", {"iterations": cell.iterations})


def _claim(cell: Cell, room: Path) -> None:
    """Makes the cell's folder, or refuses one in which something else was trained."""
    room.mkdir(parents=True, exist_ok=True)
    for left in [
        *room.glob(".*"),
        *room.glob("kept/.*"),
    ]:  # of writers that were killed
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    fields = asdict(cell) | {"settings": asdict(cell.settings)}
    told = {k: v for k, v in _plain(fields).items() if k != "iterations"}
    place = room / "cell.json"
    if not place.exists():
        _run.write_json(place, told)
    elif (before := _run.read_json(place)) != told:
        raise UserError(
            f"'{room}' must hold the cell that is asked for; it holds one of {before}"
        )


def _plain(value: Any) -> Any:
    """As JSON can hold it; an infinite number is a word."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if value in (float("inf"), -float("inf")) else value


def _record(outcome: Outcome, folder: Path) -> None:
    room = outcome.cell.room(folder)
    place = room / "failed.json"
    if outcome.fault is None:
        place.unlink(missing_ok=True)
        return
    room.mkdir(parents=True, exist_ok=True)
    told = {k: getattr(outcome, k) for k in ("fault", "user", "trace")}
    _run.write_json(place, told | {"last_good": last_good(outcome.cell, folder)})


def last_good(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Folder and iteration of the cell's newest state; None where there is none."""
    place = cell.room(folder) / "checkpoint"
    try:
        state = LEARNERS[cell.method]().load(place)
    except UserError:
        return None
    return {"checkpoint": str(place), "iteration": state.iteration}


def finished(cell: Cell, folder: Path) -> bool:
    """Whether all its iterations are made."""
    place = cell.room(folder) / "done.json"
    return place.is_file() and _run.read_json(place)["iterations"] >= cell.iterations


def rows(cell: Cell, folder: Path) -> list[dict[str, Any]]:
    """Metrics of the iterations made so far; those of a cell that failed too.

    Raises:
      UserError: the file is damaged.
    """
    place = cell.room(folder) / "metrics.jsonl"
    if not place.is_file():
        return []
    try:
        lines = place.read_text("utf-8").splitlines()[: cell.iterations]
        return [json.loads(line) for line in lines]
    except ValueError:
        raise UserError(f"'{place}' must hold one JSON row a line") from None


def kept(cell: Cell, folder: Path) -> dict[int, Path]:
    """Folders of the states that were kept, by iteration; the learner's ``load``."""
    places = sorted((cell.room(folder) / "kept").glob("[0-9]*"))
    return {int(place.name): place for place in places}


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
