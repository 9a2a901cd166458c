"""Public names of a room that are loaded when they are first asked for."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def public(
    room: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names load lazily (PEP 562).

    Args:
      room: full name of the package.
      homes: which module defines which names; a module of the room is written with a
        dot in front, as in a relative import.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def attribute(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module '{room}' has no attribute '{name}'")
        return getattr(import_module(home[name], room), name)

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[room]), *home})

    return attribute, listing
