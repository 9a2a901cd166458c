"""How a run ends: its exit code, and one sentence for what went wrong."""

import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any

from experiments.lab import interrupts
from experiments.lab.escaping import one_line
from meta_solvers.values import SolverFailed
from metaspiel.nfg.errors import UserError

DONE, FAULT, REFUSED, NOT_OK, INTERRUPTED = 0, 1, 2, 3, interrupts.CODE


class NotOK(Exception):
    """There is an answer, and it is not OK; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What a page leaves of a run that is cut short.

    Attributes:
      folder: the page writes to a run folder.
      resumes: ``--resume`` goes on with it.
    """

    folder: bool = False
    resumes: bool = False

    @property
    def said(self) -> str:
        """What is left, and how to go on with it."""
        begun = interrupts.begun()
        if begun is None:
            return "nothing was begun" if self.folder else "there is no answer"
        on = self.going_on or f" in {shlex.quote(str(begun))}"
        return f"what is finished is kept{on}"

    @property
    def going_on(self) -> str:
        """How to go on with a run that has begun; empty where one cannot."""
        begun = interrupts.begun()
        if begun is None or not self.resumes:
            return ""
        return f"; --out {shlex.quote(str(begun))} --resume goes on"


def guarded(action: Callable[[], None], keeping: Keeping | None = None) -> int:
    """Runs an action and returns its exit code.

    0: done. 1: a fault of ours, with its traceback, or a lost worker. 2: the user asked
    for something impossible. 3: there is an answer and it is not OK, such as one
    without a solution. 130: interrupted; a second Ctrl-C ends the process.

    Args:
      action: what may fail.
      keeping: what it leaves when it is interrupted; nothing by default.
    """
    ending = _Ending(keeping or Keeping())
    hears = interrupts.Interrupts(ending.last_words, begins=ending.keeping.folder)
    with hears.heard(), _own_output(), _patient():
        return ending.of(action)


class _Ending:
    """How one action ends."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self._said_all = False

    def last_words(self) -> str:
        """What is still to be said where the process ends at once."""
        return "" if self._said_all else one_line(f"interrupted: {self.keeping.said}")

    def of(self, action: Callable[[], None]) -> int:
        """The exit code of an action."""
        try:
            action()
            sys.stdout.flush()
        except (SolverFailed, NotOK) as error:
            return _said(NOT_OK, f"error: {error}")
        except UserError as error:
            return _said(REFUSED, f"error: {error}")
        except RuntimeError as error:
            from psro.executor import WorkerLost

            if not isinstance(error, WorkerLost):
                raise
            return _said(FAULT, f"error: {error}{self.keeping.going_on}")
        except OSError as error:
            return _said(REFUSED, f"error: a file must be usable; {_named(error)}")
        except MemoryError as error:
            return _said(REFUSED, f"error: the arrays must fit in memory; {error}")
        except KeyboardInterrupt:
            return self._interrupted()
        except ImportError as error:
            # What a module in C says that was interrupted while it was loading.
            if not any(isinstance(one, KeyboardInterrupt) for one in _behind(error)):
                raise
            return self._interrupted()
        return DONE

    def _interrupted(self) -> int:
        code = _said(INTERRUPTED, f"interrupted: {self.keeping.said}")
        self._said_all = True
        return code


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that led to one."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _said(code: int, text: str) -> int:
    print(one_line(text), file=sys.stderr)
    return code


def _named(error: OSError) -> str:
    """An error of the system with the file that it is about."""
    said = error.strerror or str(error)
    if error.filename is not None:
        return f"of '{error.filename}' the system says: {said}"
    return f"{said}, which names no file: a temporary one, a pipe or a socket"


@contextmanager
def _patient() -> Iterator[None]:
    """Context in which a reader of our output may leave: what follows is dropped.

    ``metaspiel psro | head`` would end a run half way otherwise.
    """
    out, err = _Patient(sys.stdout, "output"), _Patient(sys.stderr, "errors")
    with redirect_stdout(out), redirect_stderr(err):
        yield
        with suppress(OSError):  # it was said already
            out.flush()


@contextmanager
def _own_output() -> Iterator[None]:
    """Context in which what libraries print past Python goes to the errors.

    HiGHS prints a banner that would stand before the JSON of a page.
    """
    out = sys.stdout
    try:
        ours = (out.fileno(), sys.stderr.fileno()) == (1, 2)
    except (AttributeError, OSError, ValueError):  # closed, or no files at all
        ours = False
    if not ours:
        yield
        return
    out.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        stream = _stream(kept, like=out)
        with suppress(OSError), stream, redirect_stdout(stream):  # it was said already
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _stream(handle: int, like: Any) -> io.TextIOWrapper:
    """Text to an open descriptor, written as another stream writes."""
    return io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(handle, "w", closefd=False)),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=like.line_buffering,
    )


class _Patient:
    """A stream that drops what nobody reads any more, and spells out what it cannot.

    Args:
      stream: where the text goes; None goes nowhere.
      name: which of the standard streams it is.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name
        if getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors="backslashreplace")

    @contextmanager
    def kept(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except OSError as error:
            name = f"the standard {self._name}"
            raise OSError(error.errno, error.strerror, name) from None

    def write(self, text: str) -> int:
        with self.kept():
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self.kept():
            if self._stream is not None:
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
