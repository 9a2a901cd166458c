"""Public names of a room that are loaded when they are first asked for."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def public(room: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names load lazily (PEP 562).

    Where each name lives stands once, in what the room imports ``if TYPE_CHECKING``.

    Args:
      room: full name of the package.
    """
    home = _homes(str(sys.modules[room].__file__))

    def attribute(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module '{room}' has no attribute '{name}'")
        return getattr(import_module(home[name]), name)

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[room]), *home})

    return attribute, listing


def _homes(path: str) -> dict[str, str]:
    """The module of each name that a file imports for type checkers only."""
    return {
        alias.name: str(line.module)
        for block in ast.parse(Path(path).read_text("utf-8")).body
        if isinstance(block, ast.If)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
