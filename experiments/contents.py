"""The table of contents: which pages there are, and how one is run by its name.

A page is a module with a ``Config`` and a function ``page``. They are listed without
being imported, so that a mistyped name costs nothing.
"""

import ast
import sys
from collections.abc import Sequence
from functools import reduce
from importlib import import_module, metadata
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from experiments import _run
from metaspiel.nfg.errors import unknown

_COMPLETION = "--tyro-print-completion"


def pages() -> dict[str, str]:
    """Name of each page and the first line of its documentation."""
    lines = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = {getattr(node, "name", None) for node in tree.body}
        if {"Config", "page"} <= names:
            lines[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0]
    return lines


def main(program: str, words: Sequence[str] | None = None) -> int:
    """Runs the page that the first word names; without one, lists them all.

    Args:
      program: how the user called it, for help and error messages.
      words: the command line; by default that of this process.

    Returns:
      The exit code of the page; 2 if there is no such page.
    """
    words = list(sys.argv[1:] if words is None else words)
    if words and words[0] in pages():
        module = import_module(f"experiments.{words[0]}")
        return _run.main(module.page, module.Config, words[1:], f"{program} {words[0]}")
    return _run.guarded(lambda: _about(program, words))


def _about(program: str, words: list[str]) -> None:
    """Answers a command line that names no page."""
    if not words or words[0] in ("-h", "--help"):
        print(_listing(program))
    elif words[0] == "--version":
        print(metadata.version("metaspiel"))
    elif words[0] == _COMPLETION:
        _print_completion(program, words)
    else:
        raise unknown(program, "page", words[0], pages())


def _listing(program: str) -> str:
    known = pages()
    wide = max(map(len, known))
    return "\n".join(
        [
            f"usage: {program} PAGE [--help | FLAGS]",
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
        config = import_module(f"experiments.{name}").Config
        part = tyro.conf.subcommand(name=name, description=line, prefix_name=False)
        kinds.append(Annotated[config, part])
    every: Any = reduce(or_, kinds)
    tyro.cli(every, prog=program, args=words)
