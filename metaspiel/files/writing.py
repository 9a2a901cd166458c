"""Writing files and folders so that each is whole or absent."""

import os
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metaspiel.nfg.errors import UserError

ASIDE = ".writing-"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, and few links
_ALONE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file, whole or not at all; a link at its place is replaced.

    Raises:
      OSError: it cannot be written; the error names the file.
    """
    aside = _aside(path)
    with _naming(path):
        try:
            _written(aside, _ALONE, data)
            os.replace(aside, path)
        except BaseException:
            with suppress(OSError):  # the first error says more; ``tidy`` removes it
                aside.unlink()
            raise
        _flush_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Writes text as UTF-8, whole or not at all; lone surrogates are spelled out."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def append_text(path: Path, text: str, durable: bool = True) -> None:
    """Adds text to the end of a file, which must be no link.

    Args:
      path: path of the file; made where it is missing.
      text: text to add.
      durable: wait until it is on the disk.

    Raises:
      OSError: it cannot be written; the error names the file.
    """
    way = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK
    with _naming(path):
        _written(path, way, text.encode(), durable)


def flush(path: Path) -> None:
    """Waits until a file is on the disk."""
    with _naming(path):
        handle = os.open(path, os.O_RDONLY | _NO_LINK)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """Context with a temporary folder that is renamed to ``place`` at its end.

    What was at its place goes away then. An error leaves it there as it was; a kill
    between the two renames leaves nothing there, but never a part.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside(place)
    with _naming(place):
        aside.mkdir()
    try:
        yield aside
        with _naming(place):
            _flush_folder(aside)
            old = _exchanged(aside, place)
            _flush_folder(place.parent)
            if old is not None:
                _deleted(old)
    except BaseException:
        with suppress(OSError):  # the first error says more; ``tidy`` removes it
            shutil.rmtree(aside)
        raise


def _exchanged(aside: Path, place: Path) -> Path | None:
    """Renames ``aside`` to ``place``; returns where the old content is now, or None."""
    old = None
    if place.is_symlink() or place.exists():
        old = _aside(place)
        os.rename(place, old)
    try:
        os.rename(aside, place)
    except BaseException:
        if old is not None:
            os.rename(old, place)
        raise
    return old


def remove_folder(place: Path) -> None:
    """Removes a folder atomically: a killed process leaves all of it, or nothing.

    Raises:
      OSError: it cannot be removed; the error names it.
    """
    old = _aside(place)
    with _naming(place):
        os.rename(place, old)
        _flush_folder(place.parent)
        _deleted(old)


def _deleted(old: Path) -> None:
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink()


def _aside(path: Path) -> Path:
    """A name beside ``path`` that nobody can guess."""
    return path.with_name(ASIDE + secrets.token_hex(8))


def numbered(folder: Path) -> list[Path]:
    """Subfolders whose names are numbers, in numerical order."""
    if not folder.is_dir():
        return []
    inside = (p for p in folder.iterdir() if p.name.isascii() and p.name.isdigit())
    return sorted((p for p in inside if p.is_dir()), key=lambda p: int(p.name))


def tidy(folder: Path, others: Collection[str] = ()) -> None:
    """Removes what killed writers left in a folder that this process owns.

    Args:
      folder: the folder.
      others: folders in it to which nothing of ours is written; they must be folders of
        their own, and what is in them is left alone.

    Raises:
      UserError: something inside is a link or no ordinary file, so that writing to it
        would write elsewhere.
    """
    for here, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(here) / name
            kind = path.lstat().st_mode
            if name.startswith(ASIDE) and not stat.S_ISDIR(kind):
                path.unlink()
            elif name.startswith(ASIDE):
                shutil.rmtree(path)
            elif not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
                what = "a link" if stat.S_ISLNK(kind) else "no ordinary file"
                raise UserError(
                    f"'{path}' must be a file or folder of its own, which can be "
                    f"written to; it is {what}"
                )
        left = {*others} if Path(here) == folder else set()
        folders[:] = [f for f in folders if not f.startswith(ASIDE) and f not in left]


def _written(path: Path, way: int, data: bytes, durable: bool = True) -> None:
    handle = os.open(path, way, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Context whose operating system errors name the file that was to be written."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _flush_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows opens no folders
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
