"""The numbered state that a resumed run continues from, and advice if it is damaged.

A run keeps its two newest states. A state is sound where it can be read, belongs to the
run, and the rows before it are there; what reads it says so.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from experiments.lab.options import From
from metaspiel import files
from metaspiel.nfg.errors import UserError

KEPT = 2  # states of a run
S = TypeVar("S")
_BACK = "the one before is sound, and --resume-from previous goes on from it"
_ANEW = "no sound one is before it, so a new run must begin in another folder"


def sound(
    places: Sequence[Path],
    read: Callable[[Path], S],
    *,
    again: str = "",
    start: From = "last",
) -> S:
    """The newest state, or, where it is damaged and ``start`` says so, the one before.

    Args:
      places: folders of the states, oldest first; at least one.
      read: reads a state and holds it, and its rows, against the run.
      again: advice how to begin anew; empty for the state of a whole run.
      start: "previous" goes back, but only from a state that is lost.

    Raises:
      UserError: the state, and with "previous" the one before too, is not sound.
    """
    try:
        return read(places[-1])
    except UserError as error:
        try:
            if len(places) < 2:
                raise UserError("there is none before it") from None
            before = read(places[-2])
        except UserError:
            raise UserError(f"{error} ({again or _ANEW})") from None
        if start == "previous":
            return before
        removed = f"remove '{places[-1]}' and resume, and it goes on from there"
        back = f"the one before is sound: {removed}" if again else _BACK
        raise UserError(f"{error} ({back})") from None


def forget_older(folder: Path) -> None:
    """Removes all but the newest states that a run keeps."""
    for old in files.numbered(folder)[:-KEPT]:
        files.remove_folder(old)


def forget_later(place: Path) -> None:
    """Removes the states later than the one that a run continues from."""
    for later in files.numbered(place.parent):
        if int(later.name) > int(place.name):
            files.remove_folder(later)
