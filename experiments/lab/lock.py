"""The lock of a run folder: one process at a time writes to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from experiments.lab.process import command
from metaspiel import files
from metaspiel.nfg.errors import UserError

LOCK = ".lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Context in which no other process writes to the folder; a killed one lets go.

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
    """Writes the owner's name to the lock, unless the disk is full."""
    with suppress(OSError):
        files.write_text(folder / LOCK, text)


def _owner_of(folder: Path) -> str:
    place = folder / LOCK
    if place.is_symlink() or not place.is_file():
        return ""
    return " ".join(place.read_bytes()[:2000].decode("utf-8", "replace").split())
