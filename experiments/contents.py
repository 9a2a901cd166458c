"""The table of contents: which pages there are, and how one is run by its name.

A page is a module with a ``Config`` and a function ``page``. They are listed without
being imported, so that a mistyped name costs nothing.
"""

import ast
import sys
from collections.abc import Sequence
from functools import cache, reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from typing import Annotated, Any

import metaspiel
from experiments import _run
from metaspiel.nfg.errors import unknown

_COMPLETION = "--tyro-print-completion"


def pages() -> dict[str, str]:
    """Name of each page and the first line of its documentation."""
    paths = sorted(Path(__file__).parent.glob("*.py"))
    trees = {path.stem: _tree(path) for path in paths if _is_page(path)}
    return {
        name: (ast.get_docstring(tree) or "").split("\n")[0]
        for name, tree in trees.items()
    }


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    names = {getattr(node, "name", None) for node in _tree(path).body}
    return {"Config", "page"} <= names


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def main(program: str, words: Sequence[str] | None = None) -> int:
    """Runs the page that the first word names; without one, lists them all.

    Args:
      program: how the user called it, for help and error messages.
      words: the command line; by default that of this process.

    Returns:
      The exit code of the page; 2 if there is no such page.
    """
    words = list(sys.argv[1:] if words is None else words)
    if words and _is_page(Path(__file__).with_name(f"{words[0]}.py")):
        module = import_module(f"experiments.{words[0]}")
        return _run.main(module.page, module.Config, words[1:], f"{program} {words[0]}")
    return _run.guarded(lambda: _about(program, words))


def _about(program: str, words: list[str]) -> None:
    """Answers a command line that names no page."""
    if not words or words[0] in ("-h", "--help"):
        print(_listing(program))
    elif words[0] == "--version":
        print(metaspiel.__version__)
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
