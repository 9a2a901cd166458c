"""Who may write to a run folder: one process, which ends in good order."""

import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import FrameType

from metaspiel import files
from metaspiel.nfg.errors import UserError

LOCK = ".lock"
CONFIG = "config.json"


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
        process, holds a link that would lead writing elsewhere, or another run changed
        its configuration since ours was read from it.
    """
    with ExitStack() as stack:
        try:
            folder = _fresh(name) if out is None else out
            _check_empty(folder, resume)
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(folder))
        except OSError as error:
            raise UserError(
                f"--out: '{out or 'runs'}' must be writable; {error}"
            ) from None
        stack.enter_context(stoppable())
        files.tidy(folder)
        _check_empty(folder, resume)  # another run may just have ended
        _check_unchanged(folder)
        yield folder


# The folder and the bytes of config.json that this process's configuration is from.
_READ: ContextVar[tuple[Path, bytes] | None] = ContextVar("_READ", default=None)


@contextmanager
def read_from(folder: Path | None) -> Iterator[None]:
    """In the block ``claim`` gives the folder only with the configuration it has now.

    A configuration is read before its folder is owned; a run that ends in between may
    have widened it, and must not lose that.
    """
    place = None if folder is None else folder / CONFIG
    known = None if place is None or not place.is_file() else place.read_bytes()
    token = _READ.set(None if folder is None or known is None else (folder, known))
    try:
        yield
    finally:
        _READ.reset(token)


def _check_unchanged(folder: Path) -> None:
    read = _READ.get()
    if read is None or read[0] != folder:
        return
    place = folder / CONFIG
    if not place.is_file() or place.read_bytes() != read[1]:
        raise UserError(
            f"--resume: '{place}' must be as it was when this run began; another run "
            "has changed it since (resume again)"
        )


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

    The folder itself is locked, so nothing inside that goes away gives it to a second
    owner. The file ``.lock`` only says who the first is.

    Raises:
      UserError: another process is writing to it, or this system cannot lock folders.
    """
    try:
        import fcntl
    except ImportError:
        raise UserError(
            f"--out: '{folder}' must be on a system with POSIX locks, which keep a "
            "second run out of it; this one has none"
        ) from None
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--out: '{folder}' must have one run at a time; another process is "
                f"writing to it: {_owner_of(folder) or 'one that has just begun'}"
            ) from None
        _sign(folder, f"{os.getpid()}: {command()}\n")
        try:
            yield
        finally:
            _sign(folder, "")
    finally:
        os.close(handle)


def _sign(folder: Path, text: str) -> None:
    """Writes who owns the folder, where that is possible: on a full disk nobody is."""
    with suppress(OSError):
        files.write_text(folder / LOCK, text)


def _owner_of(folder: Path) -> str:
    place = folder / LOCK
    if place.is_symlink() or not place.is_file():
        return ""
    return " ".join(place.read_bytes()[:2000].decode("utf-8", "replace").split())


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


@cache
def end_with_parent() -> None:
    """Ends this worker process as soon as the one that started it has died.

    A worker that outlived its parent would write beside a resumed run. What the system
    says of parents is asked, whatever started the worker.
    """
    parent = multiprocessing.parent_process()
    first = os.getppid() if parent is None else parent.pid

    def follow() -> None:
        while os.getppid() == first:
            time.sleep(0.05)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
