"""Executor of worker processes on one machine, each with one thread."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from psro.executor import (
    ONE_THREAD,
    A,
    Fault,
    Loss,
    Pool,
    Progress,
    R,
    Work,
    WorkerLost,
    attempt,
    leave_interrupts,
)

_SPAWN = multiprocessing.get_context("spawn")
_STARTING = threading.Lock()  # the environment is changed while a process starts


class Processes(Pool):
    """Answers requests in several processes on this machine.

    A pool that breaks as a whole when one process dies would lose every request under
    way. Here each worker has a pipe of its own, so a death costs one request.

    Args:
      jobs: number of processes; the cores this process may use if None.
      retries: how often a request is sent again after its worker was lost.
      progress: called as ``progress(done, total)`` after each answer of a batch.
      on_loss: called at each loss; it is recorded in ``losses`` in any case.

    Raises:
      UserError: ``jobs`` < 1 or ``retries`` < 0.
    """

    def __init__(
        self,
        jobs: int | None = None,
        retries: int = 2,
        progress: Progress | None = None,
        on_loss: Callable[[Loss], None] | None = None,
    ) -> None:
        if jobs is None:
            jobs = len(os.sched_getaffinity(0))
        super().__init__(jobs, retries, progress, on_loss)
        self._workers = [_Worker() for _ in range(self.jobs)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def _ask(self, work: Work[R, A], request: R) -> A | Fault:
        worker = self._idle.get()  # as many workers as threads: there is one
        try:
            answer: A | Fault = worker.ask((work, request))
            return answer
        finally:
            self._idle.put(worker)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.stop()


class _Worker:
    """One worker process, started at its first request and again after a death."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while a process starts or is killed
        self._stopped = False
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection | None = None

    def ask(self, message: tuple[Any, Any]) -> Any:
        """Sends a message to the process; its reply, or ``WorkerLost`` if it dies."""
        process, line = self._started()
        try:
            line.send(message)
            return line.recv()
        except (EOFError, OSError):
            process.join()
            line.close()
            with self._lock:
                self._process = None
            raise WorkerLost(
                f"process {process.pid} ended with {_ending(process.exitcode)}"
            ) from None

    def stop(self) -> None:
        """Kills the process for good."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.kill()
            process.join()

    def _started(self) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        with self._lock:
            if self._stopped:
                raise WorkerLost("the executor is closed")
            if self._process is None or self._line is None:
                self._line, theirs = _SPAWN.Pipe()
                self._process = _SPAWN.Process(
                    target=_serve, args=(theirs,), daemon=True
                )
                _start(self._process)
                theirs.close()  # so that its death is the end of the line
            return self._process, self._line


def _start(process: multiprocessing.process.BaseProcess) -> None:
    """Starts a process whose numerical libraries use one thread.

    It is deaf to Ctrl-C from its first instruction: a terminal sends that to all
    processes of a command, and ours are stopped by the one that started them.
    """
    with _STARTING:
        # Where it is not running yet, this lets Ctrl-C through again in this thread.
        resource_tracker.ensure_running()
        leave_interrupts()
        before = {key: os.environ.get(key) for key in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            process.start()
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


def _serve(line: Connection) -> None:
    """The main loop of a worker, which answers requests until the line closes."""
    while True:
        try:
            line.send(attempt(*line.recv()))
        except (EOFError, ConnectionError):  # whoever asked is gone
            return
        except Exception as error:  # noqa: BLE001  a message that cannot travel
            line.send(Fault.of(error))


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"signal {-exitcode} ({signal.Signals(-exitcode).name})"
    return f"exit code {exitcode}"
