"""The command ``metaspiel``: lists the pages, or runs one of them by its name."""

import os
import sys
from pathlib import Path


def main(program: str = "metaspiel") -> int:
    """Runs ``metaspiel PAGE ...`` and returns its exit code."""
    try:
        _search_our_folder_first()
        from experiments.lab.interrupts import loading

        with loading():
            from experiments import contents
        return contents.main(program)
    except KeyboardInterrupt:  # while it was still loading
        sys.stderr.write("interrupted: nothing was begun\n")
        return 130


def _search_our_folder_first() -> None:
    """Imports this project's packages before others of the same name.

    Objectives such as ``cvx:objective=my_module:my_function`` lie in the folder where
    the command is called. There, or anywhere on the path, something may have the name
    of a package here.
    """
    here, ours = os.getcwd(), str(Path(__file__).parents[1])
    others = [path for path in sys.path if path not in ("", here, ours)]
    sys.path[:] = [ours, *others, here]
