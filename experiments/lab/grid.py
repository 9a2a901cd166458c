"""A grid of cells with one JSON result each: filled, resumed and read back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from experiments.lab import interrupts
from experiments.lab.folder import read_result, write_result
from experiments.lab.watch import carry_out
from experiments.lab.work import Outcome, Piece, attempt

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Cell:
    name: str
    place: Path
    config: Any
    make: Callable[[], Any]

    def fill(self) -> None:
        write_result(self.place, _plain(self.make()), self.config)


def _plain(result: Any) -> Any:
    """A result with its dataclasses as JSON has them."""
    if isinstance(result, list):
        return [_plain(one) for one in result]
    if is_dataclass(result) and not isinstance(result, type):
        return asdict(result)
    return result


def fill(
    cells: Mapping[str, Callable[[], Any]],
    folder: Path,
    config: Any,
    room: str = "cells",
) -> tuple[dict[str, Any], list[Outcome]]:
    """Fills the missing cells, in processes where the run has several.

    Args:
      cells: what makes the result of each, by name: module-level functions or
        ``partial`` ones, so that another process can be given them. Dataclasses that
        they give are written, and come back, as dictionaries.
      folder: of the run, owned by this process.
      config: of the page; a cell belongs to it, and is refused in another run.
      room: the folder in it where the cells are files.

    Returns:
      The results that are there, in the order of the cells, and the faults.

    Raises:
      UserError: a file is damaged, or another run's.
    """
    place = folder / room
    place.mkdir(exist_ok=True)
    # What is there is refused, if at all, before anything is made.
    ready = finished(cells, folder, config, room)
    missing = {
        name: _Cell(name, place / f"{name}.json", config, make)
        for name, make in cells.items()
        if name not in ready
    }
    pieces = [
        Piece(name=name, what=cell, do=_fill, kind=_kind(name))
        for name, cell in missing.items()
    ]
    faults = carry_out(pieces, folder, config.run)
    results = ready | finished(missing, folder, config, room)
    return {name: results[name] for name in cells if name in results}, faults


def reported(
    cells: Mapping[str, Callable[[], Any]],
    folder: Path,
    config: Any,
    write: Callable[[dict[str, Any]], T],
) -> tuple[T, list[Outcome]]:
    """Fills the missing cells and writes the report, of a part where interrupted.

    Args:
      cells: as ``fill`` takes them.
      folder: of the run.
      config: of the page.
      write: writes the report of results by name.

    Returns:
      What it returns, and the faults.

    Raises:
      UserError: a file is damaged, or another run's.
    """
    with interrupts.reported(partial(finished, cells, folder, config), write):
        made, faults = fill(cells, folder, config)
    return write(made), faults


def finished(
    cells: Iterable[str], folder: Path, config: Any, room: str = "cells"
) -> dict[str, Any]:
    """The results that are there, in the order of the cells.

    Raises:
      UserError: a file is damaged, or another run's.
    """
    places = {name: folder / room / f"{name}.json" for name in cells}
    return {n: read_result(p, config) for n, p in places.items() if p.exists()}


def _kind(name: str) -> str:
    """Cells that differ by the number at the end, such as the seed, take as long."""
    return name.rstrip("0123456789")


def _fill(cells: Sequence[_Cell]) -> list[Outcome]:
    """Fills a batch of cells in a worker process."""
    return [one for cell in cells for one in attempt([cell.name], cell.fill)]
