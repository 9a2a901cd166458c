"""Pages of the reference: one a room, with every name in the room's `__all__`.

And one of the command, with what each of its pages does.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments import contents

# The door is last: it describes nothing of its own, but says where its names live.
ROOMS = (
    "metaspiel.nfg",
    "metaspiel.files",
    "metaspiel.games",
    "metaspiel.learn",
    "meta_solvers.exact",
    "meta_solvers.nes",
    "meta_solvers",
    "psro.neupl",
    "psro",
    "matrl",
    "mra.baselines",
    "mra",
    "offline",
    "experiments.lab",
    "metaspiel",
)


def write(folder: Path) -> None:
    """Writes the pages of all rooms; a page that is the same is left alone."""
    folder.mkdir(exist_ok=True)
    described: dict[int, str] = {}
    pages = {f"{room}.rst": _page(room, described) for room in ROOMS}
    pages["command.md"] = _command()
    for name, text in pages.items():
        page = folder / name
        if not page.is_file() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def _command() -> str:
    """What each page of the command does, by its own documentation."""
    lines = [
        "# Pages of the command",
        "",
        "`metaspiel PAGE --help` explains all flags.",
    ]
    for name in contents.pages():
        lines += ["", f"## {name}", "", *_documentation(contents.module(name))]
    return "\n".join([*lines, ""])


def _documentation(module: ModuleType | None) -> list[str]:
    """The docstring of a module, with its examples as commands."""
    text = inspect.getdoc(module) or ""
    shown = []
    for line in text.splitlines():
        example = line.removeprefix("Example: ")
        shown.append(line if example == line else f"    {example}")
    return shown


def _page(room: str, described: dict[int, str]) -> str:
    """The page of a room: its docstring, then its names in their order.

    Args:
      room: full name of the package.
      described: where an object was described already; grows.
    """
    names = [n for n in import_module(room).__all__ if not n.startswith("__")]
    head = f"{room}\n{'=' * len(room)}\n\n.. automodule:: {room}\n"
    entries = [
        _entry(f"{room}.{name}", _value(room, name), described) for name in names
    ]
    return "\n".join([head, *entries])


def _value(room: str, name: str) -> Any:
    """What a room offers by this name; some offer whole modules."""
    try:
        value = getattr(import_module(room), name)
    except AttributeError:
        return import_module(f"{room}.{name}")
    inner = getattr(value, name, value) if inspect.ismodule(value) else value
    return inner if callable(inner) else value


def _entry(name: str, value: Any, described: dict[int, str]) -> str:
    """What Sphinx is asked about one name, given in full."""
    kind = _kind(value)
    if kind != "data":
        before = described.setdefault(id(value), name)
        if before != name:
            return f"``{name.rpartition('.')[2]}``\n   is :py:obj:`{before}`.\n"
    if kind == "data":
        return f".. py:data:: {name}\n\n   {_shown(value)}\n"
    members = "   :members:\n" if kind != "function" else ""
    return f".. auto{kind}:: {name}\n{members}"


def _kind(value: Any) -> str:
    if isinstance(value, ModuleType):
        return "module"
    if inspect.isclass(value):
        return "class"
    return "function" if inspect.isfunction(value) else "data"


def _shown(value: Any) -> str:
    """A constant in a line: the names in a table, or its value."""
    if isinstance(value, Mapping):
        return f"A table of {', '.join(f'``{key}``' for key in value)}."
    return f"``{' '.join(repr(value).split())}``"
