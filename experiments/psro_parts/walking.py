"""Shows how far the walk of a game tree is, and about how long it will take."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from experiments.lab.options import Printing
from experiments.lab.watch import spell

if TYPE_CHECKING:
    from metaspiel.games.walk import Progress

_FIRST, _EVERY = 2.0, 10.0  # seconds until the first line, and between lines


@contextmanager
def walking(game: str, run: Printing) -> Iterator["Progress"]:
    """Progress of a walk: live on a terminal, else a line now and then.

    Args:
      game: what is walked.
      run: whether progress is shown.
    """
    from rich.console import Console
    from rich.text import Text

    live = sys.stdout.isatty()
    console = Console(quiet=run.silent or not live)
    text = f"walking the tree of {game}"
    begun = time.monotonic()
    due = begun + (0 if live else _FIRST)
    with console.status(Text(text)) as status:

        def progress(seen: int, of: float) -> None:
            nonlocal due
            now = time.monotonic()
            if now < due:
                return
            due = now + (0 if live else _EVERY)
            left = spell((now - begun) / seen * (of - seen))
            line = f"{text}: {seen:,} of about {of:,.0f} states, about {left} left"
            status.update(Text(line))
            if not live:
                run.say(line)

        yield progress
