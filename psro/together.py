"""Trials that run side by side, with their requests answered in batches."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any, TypeVar

from psro.executor import A, Executor, Loss, R, Work

T = TypeVar("T")


class _State(Enum):
    READY = "wants to go on"
    RUNNING = "computes; at most one does"
    ASKING = "waits for its requests to be answered in a batch"
    AWAY = "waits for its requests to be answered by workers"
    ENDED = "has returned or failed"


class _Stopped(BaseException):
    """Ends a trial; a ``BaseException``, which ``except Exception`` does not catch."""


class _Seat(Executor):
    """The executor that a trial is given: it passes requests to the common batch.

    ``state`` and ``stopped`` are guarded by the condition that all seats share; the
    rest changes hands with the state.
    """

    def __init__(self, executor: Executor, change: threading.Condition) -> None:
        self._executor = executor
        self._change = change
        self.state = _State.READY
        self.stopped = False
        self.work: Work[Any, Any] | None = None
        self.requests: list[Any] = []
        self.reply: list[Any] | Exception = []

    @property
    def losses(self) -> list[Loss]:  # type: ignore[override]
        """Requests lost by the executor that all trials share."""
        return self._executor.losses

    def run(self, trial: Callable[[Executor], T]) -> T:
        """Runs a trial to its end in a thread of its own."""
        try:
            self._await_turn()
            return trial(self)
        finally:
            self._enter(_State.ENDED)

    def answer(self, work: Work[R, A], requests: Sequence[R]) -> list[A]:
        if not requests:
            return []
        if self._executor.parallel:
            self._enter(_State.AWAY)
            try:
                return self._executor.answer(work, requests)
            finally:
                self._enter(_State.READY)
                self._await_turn()
        self.work, self.requests = work, list(requests)
        self._enter(_State.ASKING)
        self._await_turn()
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def _enter(self, state: _State) -> None:
        with self._change:
            self.state = state
            self._change.notify_all()

    def _await_turn(self) -> None:
        with self._change:
            self._change.wait_for(lambda: self.stopped or self.state is _State.RUNNING)
            if self.stopped:
                raise _Stopped


def together(trials: Sequence[Callable[[Executor], T]], executor: Executor) -> list[T]:
    """Runs trials side by side; one executor answers their requests in batches.

    Each trial is an ordinary function; the executor it is called with is the one its
    oracle and evaluator must ask. One trial computes at a time. With an executor of
    this process the trials go in lockstep: once all that have not ended wait for an
    answer, the requests to the same work form one batch, in the order of the trials.
    The work of the first trial goes first; the others wait for it to catch up. With
    workers each trial waits for its own answers alone. No trial's results depend on the
    others.

    Args:
      trials: called as ``trial(executor)``, in threads; they share nothing.
      executor: answers everything; it is not closed here.

    Returns:
      What the trials return, in order.

    Raises:
      Exception: what the first trial that failed raised, once all have ended.
      KeyboardInterrupt: once the trials have stopped, where they next ask.
    """
    change = threading.Condition()
    seats = [_Seat(executor, change) for _ in trials]
    threads = ThreadPoolExecutor(max(1, len(seats)), "trial")
    futures = [
        threads.submit(contextvars.copy_context().run, seat.run, trial)
        for seat, trial in zip(seats, trials, strict=True)
    ]
    try:
        while group := _asking(seats, change):
            _answer(executor, group)
            with change:
                for seat in group:
                    seat.state = _State.READY
    finally:
        with change:
            for seat in seats:
                seat.stopped = True
            change.notify_all()
            # After an interrupt: who waits for workers ends when those are stopped.
            gone = (_State.ENDED, _State.AWAY)
            change.wait_for(lambda: all(seat.state in gone for seat in seats))
        threads.shutdown(wait=all(seat.state is _State.ENDED for seat in seats))
    errors = [(i, error) for i, f in enumerate(futures) if (error := f.exception())]
    for i, error in errors[1:]:
        errors[0][1].add_note(f"trial {i} failed too: {error!r}")
    return [future.result() for future in futures]


def _asking(seats: list[_Seat], change: threading.Condition) -> list[_Seat]:
    """Runs all trials until they wait; returns those that form the next batch."""
    with change:
        while True:
            ready = next((s for s in seats if s.state is _State.READY), None)
            if ready is not None:
                ready.state = _State.RUNNING
                change.notify_all()
                change.wait_for(
                    lambda: all(s.state is not _State.RUNNING for s in seats)
                )
            elif any(s.state is _State.AWAY for s in seats):
                change.wait()
            else:
                break
        asking = [s for s in seats if s.state is _State.ASKING]
        return [s for s in asking if s.work == asking[0].work]


def _answer(executor: Executor, group: list[_Seat]) -> None:
    """Answers a batch; if that fails, trial by trial, so that only some trials fail."""
    work = group[0].work
    assert work is not None
    try:
        answers = executor.answer(work, [r for seat in group for r in seat.requests])
    except Exception as error:  # noqa: BLE001  raised in the trial it belongs to
        if len(group) > 1:
            for seat in group:
                _answer(executor, [seat])
        else:
            group[0].reply = error
        return
    for seat in group:
        count = len(seat.requests)
        seat.reply, answers = answers[:count], answers[count:]
