"""Who may write to a run folder: one process, which ends in good order."""

import fcntl
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from metaspiel.nfg.errors import UserError

LOCK = ".lock"


def command() -> str:
    """The command line of this process, as one would type it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    start = ["python", "-m", spec.name] if spec is not None else [sys.argv[0]]
    return shlex.join([*start, *sys.argv[1:]])


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to the folder; a killed one lets go.

    The file ``.lock`` says who holds it.

    Raises:
      UserError: another process is writing to it.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = " ".join(os.read(handle, 2000).decode("utf-8", "replace").split())
            raise UserError(
                f"--out: '{folder}' must have one run at a time; another process is "
                f"writing to it: {owner or 'one that has just begun'}"
            ) from None
        with suppress(OSError):  # on a full disk nobody is named
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}: {command()}\n".encode(), 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(handle, 0)
    finally:
        os.close(handle)


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C would: workers are stopped, results kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread only
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent() -> None:
    """Ends this worker process as soon as the one that started it has died."""
    import multiprocessing

    parent, number = multiprocessing.parent_process(), os.getppid()

    def follow() -> None:
        if parent is not None:
            parent.join()
        while os.getppid() == number and parent is None:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
