"""Ctrl-C: the first ends a page in order, the next one ends the process at once.

It loads nothing but the standard library: it watches while everything else loads.
"""

import atexit
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

CODE = 130  # 128 and the number of SIGINT, as shells have it
BEGUN_NOTHING = "interrupted: nothing was begun"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SOON = 0.05  # seconds until an interrupt that was dropped is sent again
_SHOW_CURSOR = "\x1b[?25h"  # a bar of progress hides it
Handler = Callable[[int, FrameType | None], None]
T = TypeVar("T")

# What hears signals in this page, and the file that a run of it begins with.
_HANDLER: ContextVar[Handler | None] = ContextVar("_HANDLER", default=None)
_BEGINS: ContextVar[Path | None] = ContextVar("_BEGINS", default=None)
_REPORTING: ContextVar[bool] = ContextVar("_REPORTING", default=False)


class Interrupts:
    """The interrupts of one page.

    Args:
      last_words: makes the line that is said where the process ends at once; nothing
        is said where it is empty.
      begins: the page begins a run folder. Until that is there the first one ends the
        process too: a module in C that is interrupted as it loads may raise anything.
    """

    def __init__(self, last_words: Callable[[], str], *, begins: bool) -> None:
        self._last_words, self._begins = last_words, begins
        self._heard: list[int] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal: ``KeyboardInterrupt``, or the end."""
        if self._heard or (self._begins and begun() is None):
            _leave(self._last_words())
        self._heard.append(number)
        raise KeyboardInterrupt

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Context in which Ctrl-C is handled here, unless it is ignored.

        After Ctrl-C it stays so until the process has ended, which still waits for its
        threads and workers.
        """
        begins = _BEGINS.set(None)
        if not _is_default():
            try:
                yield
            finally:
                _BEGINS.reset(begins)
            return
        signal.signal(signal.SIGINT, self)
        token, hook = _HANDLER.set(self), sys.unraisablehook
        sys.unraisablehook = partial(self._dropped, hook)
        try:
            yield
        finally:
            sys.unraisablehook = hook
            _HANDLER.reset(token)
            _BEGINS.reset(begins)
            if signal.SIGINT in self._heard:
                # Python's last steps would give it back to the system: another code.
                atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
            else:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _dropped(self, otherwise: Callable[[Any], object], what: Any) -> None:
        """Hears of an exception that was dropped; sends a signal again that it was.

        A destructor, or a module in C that calls back, cannot pass it on.
        """
        if not (self._heard and issubclass(what.exc_type, KeyboardInterrupt)):
            otherwise(what)
            return
        main, number = threading.main_thread().ident, self._heard.pop()
        again = threading.Timer(_SOON, signal.pthread_kill, (main, number))
        again.daemon = True
        again.start()


@contextmanager
def loading() -> Iterator[None]:
    """Context of imports, in which Ctrl-C ends the process with one line."""

    def leave(number: int, frame: FrameType | None) -> None:
        _leave(BEGUN_NOTHING)

    if not _is_default():
        yield
        return
    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stoppable() -> Iterator[None]:
    """Context that ends on SIGTERM as on Ctrl-C: workers stop, results are kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread only
        return
    before = signal.signal(signal.SIGTERM, _HANDLER.get() or stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def begins_with(place: Path) -> None:
    """Notes that this page's run has begun once a file is in its folder."""
    _BEGINS.set(place)


def begun() -> Path | None:
    """The folder of this page's run; None while nothing was begun."""
    place = _BEGINS.get()
    return None if place is None or not place.is_file() else place.parent


@contextmanager
def reported(
    there: Callable[[], T | None], write: Callable[[T], object]
) -> Iterator[None]:
    """Context of a page's work; where it is interrupted, what is finished is reported.

    Why that could not be is one line: the page ends as an interrupted one does.

    Args:
      there: reads the results that are finished.
      write: writes the report of these, if there are any.
    """
    try:
        yield
    except KeyboardInterrupt:
        try:
            if results := there():
                with reporting():
                    write(results)
        except (OSError, ValueError) as error:  # a full disk, a damaged file
            print(f"no report: {error}", file=sys.stderr, flush=True)
        raise


def cut_short() -> bool:
    """Whether the report that is being written is that of an interrupted run."""
    return _REPORTING.get()


@contextmanager
def reporting() -> Iterator[None]:
    """Context in which an interrupted page writes its report, as it says at once.

    The next signal is left to the system, which ends the process there and then (a
    shell calls that 130 too): what draws the charts hears nothing for seconds.
    """
    folder = begun()
    where = "" if folder is None else f" to {folder}"
    print(
        f"interrupted: writing a report of what is finished{where} (again to leave it)",
        file=sys.stderr,
        flush=True,
    )
    before = {}
    if _HANDLER.get() is not None:
        before = {one: signal.signal(one, signal.SIG_DFL) for one in _SIGNALS}
    token = _REPORTING.set(True)
    try:
        yield
    finally:
        _REPORTING.reset(token)
        for one, handler in before.items():
            signal.signal(one, handler)


def _is_default() -> bool:
    """Whether this is the thread of signals, and Ctrl-C does what it does in Python."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _leave(text: str) -> NoReturn:
    """Ends this process and its workers now, with one line or none."""
    try:
        if "multiprocessing" in sys.modules:
            for worker in sys.modules["multiprocessing"].active_children():
                worker.kill()
        show = _SHOW_CURSOR if os.isatty(2) else ""
        line = f"{text}\n" if text else ""
        # Past the streams: this may have interrupted a line that they are writing.
        errors = io.FileIO(2, "w", closefd=False)
        errors.write(f"{show}{line}".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(CODE)
