"""An executor on a Ray cluster, local or of many machines."""

import copy
import os
import socket
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from metaspiel.nfg.errors import UserError
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
)

# Read by Ray when it is imported or started; the user's own settings go first.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # sends nothing to anybody
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # Ray prints deaths to stdout; we record them
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the coming default, without a warning
}


class Ray(Pool):
    """Answers requests as Ray tasks, one CPU and one thread each.

    The nodes need this package and the module of the work installed. Processors of
    different kinds may round differently; on like machines all bits are the same.

    Args:
      address: cluster to join, "auto" (one on this machine) or "host:port". None uses
        the cluster this process is connected to, or else starts a local one.
      jobs: tasks under way at once, and the size of a cluster that is started; the
        cluster's CPUs if None.
      retries: how often a request is sent again after its worker was lost.
      progress: called as ``progress(done, total)`` after each answer of a batch.
      on_loss: called at each loss; it is recorded in ``losses`` in any case.

    Raises:
      UserError: Ray is not installed, the cluster cannot be joined or has no CPU,
        ``jobs`` < 1 or ``retries`` < 0.
    """

    def __init__(
        self,
        address: str | None = None,
        jobs: int | None = None,
        retries: int = 2,
        progress: Progress | None = None,
        on_loss: Callable[[Loss], None] | None = None,
    ) -> None:
        if jobs is not None and jobs < 1:  # before a cluster starts
            raise UserError(f"Ray(): jobs must be at least 1; got {jobs}")
        if retries < 0:
            raise UserError(f"Ray(): retries must be at least 0; got {retries}")
        self._ray = _imported()
        self._ours = _connect(self._ray, address, jobs)
        if jobs is None:
            jobs = int(self._ray.cluster_resources().get("CPU", 0))
        try:
            super().__init__(jobs, retries, progress, on_loss)
        except UserError:  # a cluster without a CPU
            if self._ours:
                self._ray.shutdown()
            raise
        self._task = self._ray.remote(
            num_cpus=1, max_retries=0, runtime_env={"env_vars": ONE_THREAD}
        )(_attempt)
        errors = self._ray.exceptions
        self._lost = (
            errors.WorkerCrashedError,
            errors.OutOfMemoryError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.TaskCancelledError,
        )
        self._sent: set[Any] = set()
        self._sending = threading.Lock()

    def _ask(self, work: Work[R, A], request: R) -> A | Fault:
        with self._sending:
            if self._closed.is_set():
                raise WorkerLost("the executor is closed")
            sent = self._task.remote(work, request)
            self._sent.add(sent)
        try:
            answer: A | Fault = self._ray.get(sent)
        except self._lost as error:
            raise WorkerLost(f"Ray says: {_first_line(error)}") from None
        except self._ray.exceptions.RayTaskError as error:
            # The request could not be read there, or the answer not sent.
            return Fault(False, str(error).strip().splitlines()[-1], str(error))
        finally:
            with self._sending:
                self._sent.discard(sent)
        return copy.deepcopy(answer)

    def _stop(self) -> None:
        with self._sending:
            for sent in self._sent:
                self._ray.cancel(sent, force=True)

    def close(self) -> None:
        super().close()
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()


def _attempt(work: Work[R, A], request: R) -> A | Fault:
    """``attempt`` on writable copies of the arrays, as Ray hands out read-only ones."""
    return attempt(work, copy.deepcopy(request))


def _first_line(error: Exception) -> str:
    """The first line of Ray's error message, or its type where there is none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _imported() -> ModuleType:
    for key, value in _QUIET.items():
        os.environ.setdefault(key, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            "Ray(): the package 'ray' must be installed; "
            "try 'pip install metaspiel[ray]'"
        ) from None
    return ray


def _connect(ray: Any, address: str | None, jobs: int | None) -> bool:
    """Connects to Ray if need be; whether this call made the connection."""
    if ray.is_initialized():
        if address is None:
            return False
        raise UserError(
            "Ray(): an address must be given only before this process joins a cluster; "
            f"got '{address}' and it has joined one already"
        )
    where = address or "local"
    try:
        if where not in ("auto", "local"):
            _knock(where)  # Ray itself would try for minutes
        ray.init(
            address=where,
            num_cpus=jobs if address is None else None,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level="error",
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"Ray(): '{where}' must be a cluster that answers; got "
            f"{_first_line(error)} (joining a cluster with token authentication takes "
            "RAY_AUTH_MODE=token in the environment)"
        ) from error
    return True


def _knock(address: str) -> None:
    """Raises ``OSError`` or ``ValueError`` unless the address accepts connections."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        raise ValueError("no 'host:port'")
    socket.create_connection((host, int(port)), timeout=10).close()
