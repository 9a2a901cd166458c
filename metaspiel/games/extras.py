"""Support for games of optional packages: missing extras and pooled simulators."""

import importlib
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from metaspiel.nfg.errors import UserError


def need(where: str, extra: str, *modules: str) -> None:
    """Says which extra of this package to install when a module is missing.

    Args:
      where: what asks, at the beginning of the error.
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
    """Stateful simulators that one batch of episodes holds, pooled for later batches.

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
    """Simulators made by ``make`` that no batch holds."""
    return []


def seed_of(uniform: float) -> int:
    """A simulator's seed from an episode's uniform number; fits a signed 32-bit int."""
    return int(uniform * 2**31)
