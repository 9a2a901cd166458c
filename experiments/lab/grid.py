"""A grid of cells whose results are one JSON file each: filled, resumed, read back."""

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
    """Makes the cells that are missing, in processes where the run has several.

    Args:
      cells: what makes the result of each, by name: module-level functions or
        ``partial`` ones, so that another process can be given them.
      folder: of the run, owned by this process; cells are files in ``cells/``.
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
    ready = {n: c.place for n, c in every.items() if c.place.exists()}
    results = {name: read_result(place, config) for name, place in ready.items()}
    missing = [
        Piece(name=n, what=c, do=_fill) for n, c in every.items() if n not in ready
    ]
    faults = carry_out(missing, folder, config.run)
    lost = {fault.name for fault in faults}
    for name, cell in every.items():
        if name not in ready and name not in lost:
            results[name] = read_result(cell.place, config)
    return {name: results[name] for name in every if name in results}, faults


def _fill(cells: Sequence[_Cell]) -> list[Outcome]:
    """Makes cells; what a worker process is asked."""
    return [
        one for cell in cells for one in attempt([cell.name], partial(_Cell.fill, cell))
    ]
