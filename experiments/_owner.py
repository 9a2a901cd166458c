"""Who may write to a run folder: one process, which ends in good order."""

import fcntl
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from metaspiel import files
from metaspiel.nfg.errors import UserError

LOCK = ".lock"


def command() -> str:
    """The command line of this process, as one would type it."""
    name, script = module("__main__"), Path(sys.argv[0]).name
    start = ["python", "-m", name] if name != "__main__" else [script]
    return shlex.join([*start, *sys.argv[1:]])


def module(name: str) -> str:
    """What to write after ``python -m`` to run this module."""
    spec = getattr(sys.modules[name], "__spec__", None)
    return (spec.name if spec is not None else name).removesuffix(".__main__")


@contextmanager
def claim(out: Path | None, name: str, resume: bool) -> Iterator[Path]:
    """The folder a run may write to, which is its own until the block ends.

    Without ``out`` a fresh folder under ``runs/``. A folder that holds anything is
    never written to, unless it is resumed. SIGTERM ends the block like Ctrl-C.

    Raises:
      UserError: the folder holds something, cannot be written to, belongs to another
        process, or holds a link that would lead writing elsewhere.
    """
    with ExitStack() as stack:
        try:
            folder = _fresh(name) if out is None else out
            _check_empty(folder, resume)
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
        except OSError as error:
            raise UserError(f"--out: '{out}' must be writable; {error}") from None
        stack.enter_context(stoppable())
        files.tidy(folder)
        _check_empty(folder, resume)  # another run may just have ended
        yield folder


def _fresh(name: str) -> Path:
    number = 1
    while True:
        folder = Path("runs") / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        return folder


def _check_empty(folder: Path, resume: bool) -> None:
    """Refuses a folder that holds more than what a run without results leaves."""
    if resume or not (folder.exists() or folder.is_symlink()):
        return
    if folder.is_dir():
        names = (inside.name for inside in folder.iterdir())
        if all(n == LOCK or n.startswith(files.ASIDE) for n in names):
            return
    raise UserError(
        f"--out: '{folder}' must be new or empty; it holds something (continue a "
        "run with --resume, or choose another folder)"
    )


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
