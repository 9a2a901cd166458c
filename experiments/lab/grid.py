"""A grid of cells with one JSON result each: filled, resumed and read back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.lab.folder import read_result, write_result
from experiments.lab.watch import carry_out
from experiments.lab.work import Outcome, Piece, attempt


@dataclass(frozen=True, eq=False)
class _Cell:
    name: str
    place: Path
    config: Any
    make: Callable[[], Any]

    def fill(self) -> None:
        write_result(self.place, self.make(), self.config)


def fill(
    cells: Mapping[str, Callable[[], Any]], folder: Path, config: Any
) -> tuple[dict[str, Any], list[Outcome]]:
    """Fills the missing cells, in processes where the run has several.

    Args:
      cells: what makes the result of each, by name: module-level functions or
        ``partial`` ones, so that another process can be given them.
      folder: folder of the run, owned by this process; cells are files in ``cells/``.
      config: of the page; a cell belongs to it, and is refused in another run.

    Returns:
      The results that are there, in the order of the cells, and the faults.

    Raises:
      UserError: a file is damaged, or another run's.
    """
    room = folder / "cells"
    room.mkdir(exist_ok=True)
    every = {
        name: _Cell(name, room / f"{name}.json", config, make)
        for name, make in cells.items()
    }
    missing = [cell for cell in every.values() if not cell.place.exists()]
    for cell in every.values():
        if cell not in missing:
            read_result(cell.place, config)  # refused before anything is made
    pieces = [Piece(name=cell.name, what=cell, do=_fill) for cell in missing]
    faults = carry_out(pieces, folder, config.run)
    there = {name: cell.place for name, cell in every.items() if cell.place.exists()}
    return {name: read_result(place, config) for name, place in there.items()}, faults


def _fill(cells: Sequence[_Cell]) -> list[Outcome]:
    """Fills a batch of cells in a worker process."""
    return [one for cell in cells for one in attempt([cell.name], cell.fill)]
