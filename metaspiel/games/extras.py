"""What games of other packages have in common: the extra, and inner state."""

import importlib
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from metaspiel.nfg.errors import UserError


def need(where: str, extra: str, *modules: str) -> None:
    """Says which extra of this package to install when a module is missing.

    Args:
      where: what asks, as the error begins.
      extra: name of the extra in ``setup.py``.
      modules: what has to be importable.

    Raises:
      UserError: one is not.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(
                f"{where}: pip install 'metaspiel[{extra}]' must have been run; "
                f"got {error}"
            ) from error


class Team:
    """Simulators lent to one batch of episodes; built once, used again afterwards.

    Simulators whose state cannot be copied cheaply play one episode after the other.
    When nobody holds the team any more its members are free for the next one. A
    ``reset`` must leave nothing of earlier episodes behind.

    Attributes:
      members: one for each episode of the batch.

    Args:
      make: builds a simulator; teams with an equal ``make`` share their members.
      size: B.
    """

    def __init__(self, make: Callable[[], Any], size: int) -> None:
        free = _free(make)
        self.members = [free.pop() if free else make() for _ in range(size)]
        weakref.finalize(self, free.extend, self.members).atexit = False


@cache
def _free(make: Callable[[], Any]) -> list[Any]:
    """The members that nobody uses."""
    return []


def seed_of(uniform: float) -> int:
    """A seed from the number an episode starts with; fits 32 bits, sign included."""
    return int(uniform * 2**31)
