"""Pieces of work in a run folder, and the scheduler that does them.

A piece reads what the pieces that it needs have written, and writes results of its own
to a place of its own. Its bits depend on its own fields: not on what runs beside it, on
the number of processes, or on how often the run was killed and resumed. Whoever makes
the pieces leaves out those whose results are there; that is all there is to a resume.
"""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.lab.ending import NotOK
from experiments.lab.process import end_with_parent
from meta_solvers.values import SolverFailed
from metaspiel.nfg.errors import UserError
from psro.executor import Loss, Pool, WorkerLost, WorkFailed


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of a piece of work.

    Attributes:
      name: name of the piece.
      fault: why it failed, in one sentence; None where all is well.
      user: the fault is the user's to mend.
      unsolved: it is that a solver has no answer.
      trace: where the fault arose.
      seconds: seconds of CPU that it took since it was last begun.
      clock: the same by the clock, which is more where others share the cores.
      lacks: a piece that it needs and that failed; then it was not begun.
      lost: its worker process died, again and again.
      made: its result, where whoever is told of the outcome is to keep it: a worker on
        another machine has no run folder.
    """

    name: str
    fault: str | None = None
    user: bool = False
    unsolved: bool = False
    trace: str = ""
    seconds: float = 0.0
    clock: float = 0.0
    lacks: str | None = None
    lost: bool = False
    made: Any = None


Do = Callable[[Sequence[Any]], list[Outcome]]
Report = Callable[[Outcome], None]
"""Is given every outcome, in the main thread."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Piece:
    """A piece of work.

    Attributes:
      name: what it is called, once in a run.
      what: says all about it; ``do`` is given it, in this process or in another one.
      do: a module-level function, or a ``partial`` of one, that does pieces in lockstep
        (mostly one) and answers for each; ``attempt`` makes an answer of an exception.
      needs: names of the pieces whose results it reads.
      stack: pieces of one name here may be done in lockstep; empty for alone.
      kind: pieces of one kind take about as long for the same effort.
      effort: how much work it is: iterations, or planned seconds.
      made: how much of the effort is on disk by now, where that can be looked up.
    """

    name: str
    what: Any
    do: Do
    needs: tuple[str, ...] = ()
    stack: str = ""
    kind: str = ""
    effort: float = 1.0
    made: Callable[[], float] | None = None


def attempt(names: Sequence[str], action: Callable[[], None]) -> list[Outcome]:
    """Does the work of some pieces; a fault becomes an outcome and raises nothing.

    Args:
      names: names of the pieces that the action does.
      action: the work. A ``UserError``, a solver without an answer and what the disk
        refuses are the user's to mend.
    """
    begun, outcome = (time.process_time(), time.monotonic()), Outcome(name="")
    try:
        action()
    except Exception as error:  # noqa: BLE001  one piece's fault is not the others'
        user = isinstance(error, UserError | SolverFailed | NotOK | OSError)
        outcome = Outcome(
            name="",
            fault=str(error) if user else f"{type(error).__name__}: {error}",
            user=user,
            unsolved=isinstance(error, SolverFailed | NotOK),
            trace="".join(traceback.format_exception(error)),
        )
    several = max(1, len(names))
    seconds = (time.process_time() - begun[0]) / several
    clock = (time.monotonic() - begun[1]) / several
    return [replace(outcome, name=n, seconds=seconds, clock=clock) for n in names]


def check(pieces: Sequence[Piece]) -> None:
    """Raises a ``UserError`` unless the pieces have distinct names.

    Raises:
      UserError: two have one name.
    """
    before: set[str] = set()
    for piece in pieces:
        if piece.name in before:
            raise UserError(f"every piece must be there once; got {piece.name} twice")
        before.add(piece.name)


def run(
    pieces: Sequence[Piece],
    report: Report,
    *,
    jobs: int = 1,
    stack: int = 1,
    executor: Pool | None = None,
) -> list[Outcome]:
    """Does pieces of work as soon as those that they need are done.

    A piece that fails takes those that need it with it, and no others. What a piece
    needs and is not among the pieces is there already.

    Args:
      pieces: each after those it needs.
      report: told of every outcome as it comes.
      jobs: worker processes, of one thread each; with 1 the work is done in this one.
      stack: how many pieces of one stack are done in lockstep.
      executor: workers that do the work instead, such as a cluster; not closed here.

    Returns:
      The faults, in the order of the pieces.

    Raises:
      UserError: two pieces have one name.
    """
    from psro.workers import Processes

    check(pieces)
    batches = _batches(pieces, stack)
    if executor is not None:
        return _elsewhere(batches, report, executor)
    jobs = min(jobs, len(batches))
    if jobs < 2:
        return _Schedule(batches, report).run(_here, None)
    own = Processes(jobs, on_loss=say_lost)
    with own:
        return _elsewhere(batches, report, own)


def _elsewhere(
    batches: list[list[Piece]], report: Report, executor: Pool
) -> list[Outcome]:
    """Does batches in the workers of an executor."""

    def ask(batch: Sequence[Piece]) -> list[Outcome]:
        request = (batch[0].do, [piece.what for piece in batch])
        try:
            return executor.answer(_answered, [request])[0]
        except (WorkerLost, WorkFailed) as error:
            ended = Outcome(
                name="",
                fault=str(error),
                trace="\n".join(getattr(error, "__notes__", [])),
                lost=isinstance(error, WorkerLost),
            )
            return [replace(ended, name=piece.name) for piece in batch]

    threads = ThreadPoolExecutor(executor.jobs)  # they only wait for the workers
    try:
        return _Schedule(batches, report).run(ask, threads, executor.jobs)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def say_lost(loss: Loss) -> None:
    """Says that a worker died, and that its request goes to another."""
    print(f"lost with its worker, sent again: {loss['what']}", file=sys.stderr)


def _here(batch: Sequence[Piece]) -> list[Outcome]:
    return batch[0].do([piece.what for piece in batch])


def _answered(requests: Sequence[tuple[Do, Sequence[Any]]]) -> list[list[Outcome]]:
    """Does batches of pieces in a worker process."""
    end_with_parent()
    return [do(what) for do, what in requests]


def _batches(pieces: Sequence[Piece], stack: int) -> list[list[Piece]]:
    """Batches of pieces for lockstep; a batch waits for what its last piece needs."""
    batches: list[list[Piece]] = []
    newest: dict[str, list[Piece]] = {}
    for piece in pieces:
        batch = newest.get(piece.stack, [])
        if not (piece.stack and 0 < len(batch) < stack):
            batch = []
            batches.append(batch)
        batch.append(piece)
        newest[piece.stack] = batch
    place = {piece.name: number for number, piece in enumerate(pieces)}
    return sorted(batches, key=lambda batch: place[batch[-1].name])


@dataclass
class _Schedule:
    """The schedule: batches left, and outcomes of the lost."""

    left: list[list[Piece]]
    report: Report
    lost: dict[str, Outcome] = field(default_factory=dict)

    def run(
        self,
        do: Callable[[Sequence[Piece]], list[Outcome]],
        threads: ThreadPoolExecutor | None,
        parallel: int = 1,
    ) -> list[Outcome]:
        order = [piece.name for batch in self.left for piece in batch]
        self.open = set(order)
        running: dict[Future[list[Outcome]], Sequence[Piece]] = {}
        while self.left or running:
            for batch in self._ready(parallel - len(running)):
                if threads is None:
                    self._settle(do(batch))
                else:
                    running[threads.submit(do, batch)] = batch
            if self.left and not running and not self._can_go_on():
                name = self.left[0][0].name
                raise RuntimeError(f"run(): nothing can begin; {name} is left")
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                del running[future]
                self._settle(future.result())
        return [self.lost[name] for name in order if name in self.lost]

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.open.discard(outcome.name)
            if outcome.fault is not None:
                self.lost[outcome.name] = outcome
            self.report(outcome)

    def _can_go_on(self) -> bool:
        return any(not self._waits(batch) for batch in self.left)

    def _waits(self, batch: Sequence[Piece]) -> bool:
        return any(name in self.open for piece in batch for name in piece.needs)

    def _ready(self, room: int) -> Iterator[Sequence[Piece]]:
        """Batches that can start, at most ``room``; settles those that never can."""
        for batch in list(self.left):
            if room < 1:
                return
            for piece in batch:
                gone = next((n for n in piece.needs if n in self.lost), None)
                if gone is not None:
                    fault = f"needs {gone}"
                    outcome = replace(
                        self.lost[gone], name=piece.name, fault=fault, lacks=gone
                    )
                    self._settle([outcome])
            batch[:] = [piece for piece in batch if piece.name not in self.lost]
            if not batch:
                self.left.remove(batch)
            elif not self._waits(batch):
                self.left.remove(batch)
                room -= 1
                yield batch


def complaint(
    faults: Sequence[Outcome], hint: str = "", what: str = "pieces"
) -> Exception | None:
    """The exception that a page raises after faults, or None where there are none.

    Args:
      faults: what ``run`` returned.
      hint: what the user should know besides, after the sentence.
      what: what the pieces are called.
    """
    if not faults:
        return None
    first = next((fault for fault in faults if fault.lacks is None), faults[0])
    text = f"{first.name}: {first.fault}{hint}"
    if len(faults) > 1:
        text = f"{len(faults)} {what} failed, the others are kept; the first is {text}"
    if all(fault.user for fault in faults):
        unsolved = all(fault.unsolved for fault in faults)
        return NotOK(text) if unsolved else UserError(text)
    own = [fault for fault in faults if fault.lacks is None]
    gone = all(fault.lost for fault in own)
    return WorkerLost(text) if gone else RuntimeError(text)
