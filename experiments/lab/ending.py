"""How a run ends: its exit code, and one sentence for what went wrong."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

from experiments.lab.escaping import one_line
from meta_solvers.values import SolverFailed
from metaspiel.nfg.errors import UserError

DONE, FAULT, REFUSED, NOT_OK, INTERRUPTED = 0, 1, 2, 3, 130


class NotOK(Exception):
    """There is an answer, and it is not OK; the message says why."""


def guarded(action: Callable[[], None], resumes: bool = False) -> int:
    """Runs an action and returns its exit code.

    0: done. 1: a fault of ours, with its traceback, or a lost worker. 2: the user asked
    for something impossible. 3: there is an answer and it is not OK, such as one
    without a solution. 130: interrupted.

    Args:
      action: what may fail.
      resumes: whether an interrupted user can be told to go on with ``--resume``.
    """
    with _own_output(), _patient():
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
            return _said(FAULT, f"error: {error}; --out FOLDER --resume goes on")
        except OSError as error:
            return _said(REFUSED, f"error: a file must be usable; {_named(error)}")
        except MemoryError as error:
            return _said(REFUSED, f"error: the arrays must fit in memory; {error}")
        except KeyboardInterrupt:
            return _interrupted(resumes)
        except ImportError as error:
            # What a module in C says that was interrupted while it was loading.
            if not isinstance(error.__cause__ or error.__context__, KeyboardInterrupt):
                raise
            return _interrupted(resumes)
    return DONE


def _interrupted(resumes: bool) -> int:
    more = "; --out FOLDER --resume goes on" if resumes else ""
    return _said(INTERRUPTED, f"interrupted: what is finished is kept{more}")


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
