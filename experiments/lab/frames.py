"""Rows with a number a column, and data frames of pandas, which is an extra."""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from metaspiel.nfg.errors import UserError


def pandas() -> ModuleType:
    """The package pandas, loaded where a frame is asked for.

    Raises:
      UserError: it is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise UserError(
            "frame(): pandas must be installed; try 'pip install metaspiel[frames]'"
        ) from None
    made: ModuleType = pandas
    return made


def columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with a column for each part of what is nested, a number each.

    A list of an entry a player is ``values_0``, ``values_1``; a mapping ``gaps.cce``. A
    list of lists has a column a player, ``marginals.0``, and in it a list.
    """
    return dict(_columns(row, ""))


def _columns(row: Mapping[str, Any], lead: str) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _columns(value, f"{lead}{name}.")
        elif isinstance(value, list):
            mark = "." if any(isinstance(one, list) for one in value) else "_"
            yield from ((f"{lead}{name}{mark}{k}", one) for k, one in enumerate(value))
        else:
            yield lead + name, value
