"""Fills the cells of a grid; each result is bound to its own cell alone."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from experiments.lab.options import Output
from experiments.lab.watch import RowsMade, carry_out
from experiments.lab.work import Outcome, Piece, attempt
from experiments.mra.cells import Cell, room_of
from metaspiel import files
from metaspiel.nfg.errors import UserError


def fill(
    cells: Sequence[Cell], folder: Path, run: Output
) -> tuple[dict[str, Any], list[Outcome]]:
    """Makes the missing cells; returns the results that are there, and the faults.

    Raises:
      UserError: a result is damaged, or was made from other settings.
    """
    (folder / "cells").mkdir(exist_ok=True)
    # What is there is refused, if at all, before anything is made.
    ready, places = finished(cells, folder), _places(cells, folder)
    missing = [one for one in cells if one.name not in ready]
    pieces = [
        Piece(
            name=one.name,
            what=(one, folder),
            do=_do,
            needs=tuple(name for name in one.needs if name not in ready),
            kind=one.kind,
            effort=one.effort,
            made=RowsMade(room_of(folder, one.name) / "metrics.jsonl"),
        )
        for one in missing
    ]
    faults = carry_out(pieces, folder, run)
    made = {
        one.name: _read(one, places) for one in missing if places[one.name].exists()
    }
    every = ready | made
    return {name: every[name] for name in places if name in every}, faults


def finished(cells: Sequence[Cell], folder: Path) -> dict[str, Any]:
    """The results that a folder has.

    Raises:
      UserError: a result is damaged, or was made from other settings.
    """
    places = _places(cells, folder)
    return {one.name: _read(one, places) for one in cells if places[one.name].exists()}


def _places(cells: Sequence[Cell], folder: Path) -> dict[str, Path]:
    return {one.name: folder / "cells" / f"{one.name}.json" for one in cells}


def _read(cell: Cell, places: Mapping[str, Path]) -> Any:
    place = places[cell.name]
    try:
        return files.read_sealed(place, {"cell": cell.identity})
    except UserError as error:
        raise UserError(
            f"{error} (remove the file and resume: it is then made again)"
        ) from None


def _do(asked: Sequence[tuple[Cell, Path]]) -> list[Outcome]:
    """Makes cells in a worker process."""
    return [
        one
        for cell, folder in asked
        for one in attempt([cell.name], partial(_make, cell, folder))
    ]


def _make(cell: Cell, folder: Path) -> None:
    torch.set_num_threads(1)
    room = room_of(folder, cell.name)
    states = room / "checkpoint"
    if room.is_dir() and not files.numbered(states):
        files.remove_folder(room)  # its result was removed: the cell is made again
    made = files.nan_as_none(cell.make(folder))
    bound = {"cell": cell.identity}
    files.write_sealed(folder / "cells" / f"{cell.name}.json", made, bound)
    if states.is_dir():
        files.remove_folder(states)
