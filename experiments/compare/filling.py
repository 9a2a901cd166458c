"""Plays the missing cells of a comparison and reads those that are there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.compare.cells import Cell, do
from experiments.compare.results import COLUMNS, SHAPE, SKIPPED, Result
from experiments.lab import work
from experiments.lab.folder import value_of
from experiments.lab.options import Output
from experiments.lab.watch import carry_out
from experiments.lab.work import Outcome, Piece
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.executor import Pool
from psro.executor_specs import parse


def fill(
    cells: Sequence[Cell], folder: Path, run: Output, executor: str
) -> tuple[list[Result], list[Outcome]]:
    """Plays what is missing; returns what is there, in order, and the faults.

    Args:
      cells: all that are asked for.
      folder: of the run, owned by this process.
      run: how many processes share the work, and whether progress is shown.
      executor: spec of a cluster that does it instead, or "inprocess".

    Raises:
      UserError: a result is damaged, or was made from other settings.
    """
    (folder / "cells").mkdir(exist_ok=True)
    applying = {one.name: one for one in cells if not one.objection}
    places = {name: folder / "cells" / f"{name}.json" for name in applying}
    # What is there is refused, if at all, before anything is made.
    ready = {n: read(applying[n], p) for n, p in places.items() if p.exists()}
    # What did not apply may now: a package was missing, or memory.
    ready = {n: one for n, one in ready.items() if one.outcome != SKIPPED}
    older = [n for n, one in ready.items() if one.code != applying[n].code]
    if older:
        run.say(
            f"{len(older)} runs are made again: the code of their solvers has changed"
        )
    ready = {n: one for n, one in ready.items() if n not in older}
    missing = [name for name in places if name not in ready]
    faults = _carry_out([applying[name] for name in missing], places, run, executor)
    made = {n: read(applying[n], places[n]) for n in missing if places[n].exists()}
    every = ready | made
    results = [
        cell.skipped if cell.objection else every.get(cell.name) for cell in cells
    ]
    return [one for one in results if one is not None], faults


def played(cells: Sequence[Cell], folder: Path) -> list[Result]:
    """The results that are there, in order, after an interruption."""
    places = [
        (cell, folder / "cells" / f"{cell.name}.json")
        for cell in cells
        if not cell.objection
    ]
    return [read(cell, place) for cell, place in places if place.exists()]


def _carry_out(
    cells: Sequence[Cell], places: Mapping[str, Path], run: Output, executor: str
) -> list[Outcome]:
    """Plays cells; each result is written as it comes."""
    by_name = {cell.name: cell for cell in cells}

    def settle(outcome: Outcome) -> None:
        if outcome.made is not None:
            cell, place = by_name[outcome.name], places[outcome.name]
            value = files.nan_as_none(asdict(outcome.made))
            files.write_sealed(place, value, {"cell": cell.identity})

    pieces = [Piece(name=cell.name, what=cell, do=do, kind=cell.kind) for cell in cells]
    folder = next((place.parents[1] for place in places.values()), None)
    if folder is None or not pieces:
        return []
    with parse(executor, on_loss=work.say_lost) as workers:
        pool = workers if isinstance(workers, Pool) else None
        return carry_out(pieces, folder, run, settle=settle, executor=pool)


def read(cell: Cell, place: Path) -> Result:
    """The stored result of a cell.

    Raises:
      UserError: it is damaged, or was made from other settings.
    """
    try:
        stored: Any = files.read_sealed(place, {"cell": cell.identity})
        _check(place, stored)
    except UserError as error:
        raise UserError(
            f"{error} (remove the file and resume: it is then made again)"
        ) from None
    return value_of(Result, stored, place)


def _check(place: Path, stored: Any) -> None:
    files.check_shape(f"'{place}'", stored, SHAPE)
    curves = stored["curves"]
    if curves:  # there are none of what does not apply
        files.check_shape(f"'{place}'", curves, COLUMNS)
    if len({*map(len, curves.values())}) > 1:
        raise UserError(f"'{place}' must hold curves of one length; it does not")
