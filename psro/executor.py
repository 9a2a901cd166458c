"""Executors answer requests: in this process, in workers, or on a Ray cluster.

Heavy work is a module-level function ``work(requests) -> answers``. It answers in
order, and an answer depends on its own request only, bit for bit, whoever shares the
batch. So it makes no difference to a result where, and in whose company, a request is
answered.
Requests and answers are frozen dataclasses of numbers and numpy arrays.

An oracle or evaluator holds an ``Executor`` and calls ``answer``;
``psro.executor_specs.parse`` makes one from a spec string.
"""

import signal
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import ClassVar, TypedDict, TypeVar

from metaspiel.nfg.errors import UserError

R = TypeVar("R")
A = TypeVar("A")
Work = Callable[[list[R]], list[A]]
Progress = Callable[[int, int], None]

# Libraries read these when they are loaded: a worker computes with one thread.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


class Loss(TypedDict):
    """A request that was lost with its worker.

    Keys:
      what: the request lost, and what became of the worker.
      when: UTC, ISO 8601.
      attempt: 1 for the first time the request was sent.
    """

    what: str
    when: str
    attempt: int


class WorkerLost(RuntimeError):
    """A worker died before it answered; raised once no attempt is left."""


class WorkFailed(RuntimeError):
    """The work raised an exception in a worker; its traceback is a note."""


@dataclass(frozen=True)
class Fault:
    """An exception as text, because not every exception survives a journey.

    Attributes:
      user: whether the exception is a ``UserError``.
      message: the message; the type comes first unless it was a ``UserError``.
      trace: traceback in the worker.
    """

    user: bool
    message: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> "Fault":
        """The text and kind of an exception."""
        user = isinstance(error, UserError)
        message = str(error) if user else f"{type(error).__name__}: {error}"
        return cls(user, message, "".join(traceback.format_exception(error)))

    def error(self) -> UserError | WorkFailed:
        """The exception to raise in this process: a ``UserError`` stays one."""
        error = UserError(self.message) if self.user else WorkFailed(self.message)
        error.add_note(f"in a worker:\n{self.trace}")
        return error


class Executor(ABC):
    """Base class of executors; a context manager that calls ``close`` at its end.

    Attributes:
      parallel: several threads may wait for answers at once, and gain from it.
      losses: requests lost with their worker so far, whether or not a later attempt
        succeeded.
    """

    parallel: ClassVar[bool] = False
    losses: list[Loss]

    @abstractmethod
    def answer(self, work: Work[R, A], requests: Sequence[R]) -> list[A]:
        """One answer for each request, in order.

        Args:
          work: module-level function; see the module for what it promises.
          requests: the requests to answer; may be empty.

        Raises:
          UserError: raised by the work.
          WorkFailed: any other exception of the work, if it ran in a worker; in this
            process the exception itself is raised.
          WorkerLost: a request was lost with its worker too often.
        """

    def close(self) -> None:  # noqa: B027  most have nothing to stop
        """Stops what was started; what is still being answered is dropped."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class InProcess(Executor):
    """Answers all requests as one batch, here and now.

    Args:
      progress: called as ``progress(done, total)`` after each batch.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self.losses: list[Loss] = []
        self._progress = progress

    def answer(self, work: Work[R, A], requests: Sequence[R]) -> list[A]:
        answers = checked(work, requests)
        if self._progress is not None and requests:
            self._progress(len(answers), len(requests))
        return answers


class Pool(Executor):
    """Base class of executors that send each request on its own, from several threads.

    Subclasses say in ``_ask`` how one request is sent and its answer awaited.

    Args:
      jobs: requests under way at once.
      retries: how often a request is sent again after its worker was lost.
      progress: called as ``progress(done, total)`` after each answer of a batch.
      on_loss: called at each loss; it is recorded in ``losses`` in any case.

    Raises:
      UserError: ``jobs`` < 1 or ``retries`` < 0.
    """

    parallel = True

    def __init__(
        self,
        jobs: int,
        retries: int,
        progress: Progress | None,
        on_loss: Callable[[Loss], None] | None,
    ) -> None:
        where = f"{type(self).__name__}()"
        if jobs < 1:
            raise UserError(f"{where}: jobs must be at least 1; got {jobs}")
        if retries < 0:
            raise UserError(f"{where}: retries must be at least 0; got {retries}")
        self.losses: list[Loss] = []
        self.jobs = jobs
        self._retries = retries
        self._progress = progress
        self._on_loss = on_loss
        self._reports = threading.Lock()  # callbacks never overlap
        self._closed = threading.Event()
        self._threads = ThreadPoolExecutor(jobs, initializer=leave_interrupts)

    @abstractmethod
    def _ask(self, work: Work[R, A], request: R) -> A | Fault:
        """Runs ``attempt(work, request)`` elsewhere.

        Raises:
          WorkerLost: the worker died; a new one must be ready for the next call.
        """

    def _stop(self) -> None:
        """Makes every ``_ask`` under way raise soon."""

    def answer(self, work: Work[R, A], requests: Sequence[R]) -> list[A]:
        total = len(requests)
        dropped = threading.Event()
        waiting = []
        try:
            for i, request in enumerate(requests):
                label = f"{work.__name__} {i + 1} of {total}"
                waiting.append(self._begun(work, request, label, dropped))
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                if self._progress is not None:
                    with self._reports:
                        self._progress(done, total)
            return [future.result() for future in waiting]
        finally:
            dropped.set()
            for future in waiting:
                future.cancel()

    def _begun(
        self, work: Work[R, A], request: R, label: str, dropped: threading.Event
    ) -> Future[A]:
        """Sends a request, or lets it wait for its turn."""
        try:
            return self._threads.submit(self._insist, work, request, label, dropped)
        except RuntimeError:
            if self._closed.is_set():
                raise WorkerLost(f"{label}: the executor was closed") from None
            raise

    def close(self) -> None:
        # What is still queued ends in ``_insist``. Cancelled here, it would leave the
        # queue, and whoever waits for it would never be told.
        self._closed.set()
        self._threads.shutdown(wait=False)
        self._stop()
        self._threads.shutdown()

    def _insist(
        self, work: Work[R, A], request: R, label: str, dropped: threading.Event
    ) -> A:
        """Sends a request until it is answered or no attempt is left."""
        attempt = 1
        while True:
            if self._closed.is_set():
                raise WorkerLost(f"{label}: the executor was closed")
            try:
                answer = self._ask(work, request)
            except WorkerLost as error:
                if self._closed.is_set():
                    raise WorkerLost(f"{label}: the executor was closed") from error
                if dropped.is_set():
                    raise
                when = datetime.now(UTC).isoformat(timespec="seconds")
                loss = Loss(what=f"{label}: {error}", when=when, attempt=attempt)
                with self._reports:
                    self.losses.append(loss)
                    if self._on_loss is not None:
                        self._on_loss(loss)
                if attempt > self._retries:
                    raise WorkerLost(
                        f"{label}: lost with its worker {attempt} times, "
                        f"the last time because {error}"
                    ) from error
                attempt += 1
            else:
                if isinstance(answer, Fault):
                    raise answer.error()
                return answer


def leave_interrupts() -> None:
    """Blocks Ctrl-C in this thread and its children; the main thread handles it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def checked(work: Work[R, A], requests: Sequence[R]) -> list[A]:
    """The answers of ``work``, checked to be one for each request."""
    if not requests:
        return []
    answers = work(list(requests))
    if len(answers) != len(requests):
        raise ValueError(
            f"{work.__name__}(): must return one answer for each request; "
            f"got {len(answers)} for {len(requests)}"
        )
    return answers


def attempt(work: Work[R, A], request: R) -> A | Fault:
    """Answers one request in a worker; an exception comes back as a ``Fault``."""
    try:
        return checked(work, [request])[0]
    except Exception as error:  # noqa: BLE001  raised where the answer is awaited
        return Fault.of(error)
