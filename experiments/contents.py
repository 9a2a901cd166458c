"""The table of contents: which pages there are, and how one is run by its name.

A page is a module with a ``Config`` and a function ``page``. They are listed without
being imported, so that a mistyped name costs nothing.
"""

import ast
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache, reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from experiments.lab import page as lab
from experiments.lab.ending import guarded
from experiments.lab.interrupts import loading
from metaspiel.nfg.errors import unknown
from metaspiel.version import __version__

_COMPLETION = "--tyro-print-completion"


def pages() -> dict[str, str]:
    """Name of each page and the first line of its documentation."""
    return {
        name: (ast.get_docstring(_tree(path)) or "").split("\n")[0]
        for name, path in sorted(_files().items())
        if _is_page(path)
    }


def _files() -> dict[str, Path]:
    """Files by the name that a page in them has; that of its wing goes before its own.

    The page ``grid`` of the wing ``matrl`` is ``matrl_grid``.
    """
    home = Path(__file__).parent
    files = {path.stem: path for path in home.glob("*.py")}
    for path in home.glob("*/*.py"):
        own = "" if path.stem == "__main__" else f"_{path.stem}"
        files[f"{path.parent.name}{own}"] = path
    return files


def _is_page(path: Path) -> bool:
    """Whether a file has a ``Config`` and defines a function ``page``."""
    names: set[str] = set()
    for node in _tree(path).body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
        names.add(getattr(node, "name", ""))
    functions = {n.name for n in _tree(path).body if isinstance(n, ast.FunctionDef)}
    return "page" in functions and "Config" in names


@cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError):  # someone is writing it
        return ast.parse("")


def module(name: str) -> ModuleType | None:
    """The page of this name; None if there is none."""
    place = _files().get(name)
    if place is None or not _is_page(place):
        return None
    parts = place.relative_to(Path(__file__).parents[1]).with_suffix("").parts
    return import_module(".".join(parts))


def named(words: Sequence[str]) -> tuple[str, list[str]]:
    """The words that name a page, as typed, and those that follow.

    Two words name a page together: ``matrl grid`` is ``matrl_grid``. They do so too
    where the first is a wing, and the second was meant to be a page of it.
    """
    first, *rest = words
    if rest and not rest[0].startswith("-"):
        of_wing = [name for name in pages() if name.startswith(f"{first}_")]
        if f"{first}_{rest[0]}" in of_wing or (of_wing and first not in pages()):
            return f"{first} {rest[0]}", rest[1:]
    return first, rest


def main(program: str, words: Sequence[str] | None = None) -> int:
    """Runs the page that the first words name; without one, lists them all.

    Args:
      program: how the user called it, for help and error messages.
      words: the command line; by default that of this process.

    Returns:
      The exit code of the page; 2 if there is no such page.
    """
    words = list(sys.argv[1:] if words is None else words)
    name, rest = named(words) if words else ("", [])
    with loading():
        page = module(name.replace(" ", "_"))
    if page is not None:
        return lab.main(page.page, page.Config, rest, f"{program} {name}")
    return guarded(lambda: _about(program, words))


def _about(program: str, words: list[str]) -> None:
    """Answers a command line that names no page."""
    if not words or words[0] in ("-h", "--help"):
        print(_listing(program))
    elif words[0] == "--version":
        print(__version__)
    elif words[0] == _COMPLETION:
        _print_completion(program, words)
    elif of_wing := _of_wing(words):
        print(_listing(program, of_wing))
    else:
        name, _ = named(words)
        raise unknown(program, "page", name.replace(" ", "_"), pages())


def _of_wing(words: list[str]) -> dict[str, str]:
    """The pages of the wing that is named alone, or with a call for help."""
    wing, *rest = words
    if rest not in ([], ["-h"], ["--help"]):
        return {}
    return {n: line for n, line in pages().items() if n.startswith(f"{wing}_")}


def _listing(program: str, known: Mapping[str, str] | None = None) -> str:
    known = known or pages()
    wide = max(map(len, known))
    return "\n".join(
        [
            f"usage: {program} PAGE [--help | FLAGS]   (matrl_grid may be written "
            "matrl grid)",
            "",
            *(f"  {name:{wide}}  {line}" for name, line in known.items()),
            "",
            f"{program} PAGE --help explains every flag of a page; "
            f"{program} --version prints the version; {program} {_COMPLETION} "
            "bash|zsh|tcsh prints the completions of a shell.",
        ]
    )


def _print_completion(program: str, words: list[str]) -> None:
    """Prints the shell completion of all pages at once."""
    import tyro

    kinds: list[Any] = []
    for name, line in pages().items():
        config = getattr(module(name), "Config", None)
        part = tyro.conf.subcommand(name=name, description=line, prefix_name=False)
        kinds.append(Annotated[config, part])
    every: Any = reduce(or_, kinds)
    script = io.StringIO()
    try:
        with redirect_stdout(script):
            tyro.cli(every, prog=program, args=words)
    finally:
        # A shell takes every line of a description for one more candidate.
        for line in script.getvalue().splitlines():
            known = line.startswith("COMPLETION_SPEC = ")
            print(line.replace("\\n", " ") if known else line)
