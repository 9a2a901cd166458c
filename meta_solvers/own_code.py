"""Code that users bring: which modules, what they hold now, what goes wrong in them.

A solver of a user's own may raise anything, at import as well as in the middle of a
run. Whoever calls it says so in one sentence, with the file and the line.
"""

import dataclasses
import functools
import hashlib
import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metaspiel.nfg.errors import UserCodeFailed, UserError, shown

_ROOMS = ("meta_solvers", "metaspiel", "psro", "offline", "matrl", "mra", "experiments")
_SHARED = ("numpy", "scipy", "torch", "cvxpy", *sys.stdlib_module_names)
_PLAIN = (UserError, KeyboardInterrupt, MemoryError)


def modules_of(value: Any) -> list[str]:
    """Modules outside of this package that a solver, or a part of it, comes from."""
    return [module for module in dict.fromkeys(_modules(value)) if not _ours(module)]


def _ours(module: str) -> bool:
    return module.partition(".")[0] in (*_ROOMS, *_SHARED)


def _modules(value: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__module__
        for field in dataclasses.fields(value):
            yield from _modules(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _modules(one)
    elif isinstance(value, functools.partial):
        yield from _modules(value.func)
    elif callable(value):
        yield str(getattr(value, "__module__", None) or "builtins")


def digest(modules: Collection[str]) -> str:
    """A hash of the source files of modules; empty where none has one.

    What these import in turn is not read.
    """
    files = {}
    for module in sorted(set(modules)):
        place = source(module)
        if place is not None:
            files[module] = hashlib.sha256(place.read_bytes()).hexdigest()
    if not files:
        return ""
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


def source(module: str) -> Path | None:
    """The file that a module is written in; None where there is none to be read."""
    try:
        found = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        return None
    return Path(found.origin)


@contextmanager
def sentences(
    where: str,
    modules: Collection[str],
    *,
    passing: tuple[type[Exception], ...] = (),
    always: bool = False,
) -> Iterator[None]:
    """Context in which what code of a user's own raises becomes one sentence.

    Args:
      where: whose code it is, for the sentence.
      modules: the code; where all of it is ours, what is raised passes as it is.
      passing: exceptions that pass as they are, beside those that are sentences.
      always: also where no line of that code is in the traceback, as while it loads.
        Else such a fault is ours, and passes as it is.

    Raises:
      UserCodeFailed: anything was raised but what is a sentence already. ``sys.exit``
        counts: a part must not end the process.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, (*_PLAIN, *passing)) or all(map(_ours, modules)):
            raise
        own = _own_lines(error, modules)
        if not (own or always):
            raise
        raise UserCodeFailed(f"{where}: {_said(error, own)}") from error


@contextmanager
def of_parts(*parts: object) -> Iterator[None]:
    """Context in which what oracles or evaluators of a user's own raise is a sentence.

    Whose they are is looked up only when something is raised: a loop enters often.

    Args:
      parts: of which some may be a user's own.
    """
    try:
        yield
    except (Exception, SystemExit):
        modules = [*modules_of(parts), *(type(part).__module__ for part in parts)]
        with sentences("an oracle or evaluator of your own", modules):
            raise


def _own_lines(
    error: BaseException, modules: Collection[str]
) -> list[traceback.FrameSummary]:
    """The lines of own code in a traceback."""
    own = [module for module in modules if not _ours(module)]
    places = {str(place) for place in map(source, own) if place is not None}
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if frame.filename in places]


def _said(error: BaseException, own: Sequence[traceback.FrameSummary]) -> str:
    """An error with the file and line of own code that it came from."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        at = f"{Path(error.filename).name}, line {error.lineno}"
        return f"SyntaxError: {shown(error.msg, 200)} ({at})"
    at = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SystemExit):
        return f"it ended the process with sys.exit({error.code!r}){at}"
    text = shown(str(error) or "no message", 200)
    return f"{type(error).__name__}: {text}{at}"
