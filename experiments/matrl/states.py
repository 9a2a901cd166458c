"""The states of training runs on disk: what they belong to, and whether they are sound.

A state is a folder that is sealed with its cell, its iteration, and the rows before it.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.lab import checkpoints, metrics
from experiments.lab.work import Outcome
from matrl.learners import LEARNERS
from metaspiel import files
from metaspiel.nfg.errors import UserError

Row = Mapping[str, Any]
"""Metrics of an iteration."""
ROW: Mapping[str, Any] = {
    "iteration": int,
    "env_steps": int,
    "returns": float,
    "returns_own": list[float],
    "length": float,
    "seconds": dict[str, float],
}
"""What every row has, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training run.

    Attributes:
      label: what it is, without the seed; cells differ in label or seed.
      game: as ``metaspiel.games.worlds.load`` reads it.
      method: one of ``matrl.learners.LEARNERS``.
      settings: of the method, of its own class.
      seed: of everything random.
      iterations: to make.
      keep: a state is kept every so many iterations; 0 for none.
    """

    label: str
    game: str
    method: str
    settings: Any
    seed: int
    iterations: int
    keep: int = 0

    @property
    def title(self) -> str:
        """What it is called for people."""
        return f"{self.label}, seed {self.seed}"

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', self.label).strip('-')}-s{self.seed}"

    def room(self, folder: Path) -> Path:
        """The cell's own folder inside the run's folder."""
        return folder / "cells" / self.slug

    @property
    def fields(self) -> Mapping[str, Any]:
        """What decides its results, as JSON holds it; iterations only end it."""
        fields = {k: v for k, v in asdict(self).items() if k != "iterations"}
        plain: Mapping[str, Any] = files.spelled(fields)
        return plain

    @property
    def identity(self) -> str:
        """A hash of its fields, which its states and rows are bound to."""
        return files.digest(self.fields)


def save(cell: Cell, state: Any, place: Path, seal: str) -> None:
    """Writes a state as a folder that says what it belongs to."""
    facts = {"cell": cell.identity, "iteration": state.iteration, "rows": seal}
    with files.new_folder(place) as aside:
        LEARNERS[cell.method].save(state, aside)
        files.seal_folder(aside, facts)


def _facts(cell: Cell, place: Path) -> Mapping[str, Any]:
    """What a state was sealed with; refused where it is not this cell's.

    Raises:
      UserError: it is damaged, or belongs to another cell or iteration.
    """
    facts: Mapping[str, Any] = files.sealed_folder(place)
    files.check_shape(f"'{place}'", facts, {"iteration": int, "rows": str})
    if (facts.get("cell"), facts.get("iteration")) != (cell.identity, int(place.name)):
        raise UserError(f"'{place}' must be a state of this cell; it is another one's")
    return facts


@dataclass(frozen=True)
class Newest:
    """A state to go on from: its folder, and the rows before it."""

    place: Path
    rows: metrics.Rows


def newest(cell: Cell, room: Path) -> Newest | None:
    """The state to go on from and its rows, which are there and sound; None at first.

    Raises:
      UserError: one is damaged; the sentence says how to go on.
    """
    place = room / "checkpoint"
    if place.is_dir() and (place / "state.json").exists():
        raise UserError(
            f"'{place}' must be of this format; an earlier metaspiel wrote it, whose "
            f"runs this one cannot continue (remove '{room}' to train the cell again)"
        )
    places = files.numbered(place)
    if not places:
        return None

    def read(one: Path) -> Newest:
        facts = _facts(cell, one)
        path = room / "metrics.jsonl"
        return Newest(
            one, metrics.read(path, facts["iteration"], facts["rows"], like=ROW)
        )

    again = f"remove '{room}' and resume: the cell is then trained again"
    return checkpoints.sound(places, read, again=again)


def check_kept(cell: Cell, room: Path, made: int) -> None:
    """Refuses a cell of ``made`` iterations that lost, or damaged, a state it kept.

    Raises:
      UserError: it has; the sentence says how to go on.
    """
    for number in range(cell.keep, made + 1, cell.keep) if cell.keep else ():
        try:
            _facts(cell, room / "kept" / f"{number:06d}")
        except UserError as error:
            raise UserError(
                f"{error} (remove '{room}' and resume: the cell is then trained again)"
            ) from None


def named(cell: Cell, room: Path) -> bool:
    """Whether ``cell.json`` says that the folder is this cell's.

    Raises:
      UserError: it is another one's, or damaged.
    """
    place = room / "cell.json"
    if not place.exists():
        return False
    before = files.read_json(place)
    if before != files.restored(cell.fields):
        raise UserError(
            f"'{room}' must hold the cell that is asked for; it holds one of {before}"
        )
    return True


def last_good(cell: Cell, folder: Path) -> Mapping[str, Any] | None:
    """Folder and iteration of the cell's newest state; None where there is none."""
    for place in reversed(files.numbered(cell.room(folder) / "checkpoint")):
        with suppress(UserError):
            iteration = _facts(cell, place)["iteration"]
            return {"checkpoint": str(place), "iteration": iteration}
    return None


def _end(cell: Cell, room: Path, name: str) -> Mapping[str, Any] | None:
    """What ``done.json`` or ``failed.json`` says of the rows; None where it is not.

    Raises:
      UserError: it is damaged, or another cell's.
    """
    if not (room / name).is_file():
        return None
    end: Mapping[str, Any] = files.read_sealed(room / name, {"cell": cell.identity})
    files.check_shape(f"'{room / name}'", end, {"iterations": int, "rows": str})
    return end


def finished(cell: Cell, folder: Path) -> bool:
    """Whether all its iterations are made, and its states and rows are sound."""
    room = cell.room(folder)
    try:
        done = _end(cell, room, "done.json")
        if done is None or done["iterations"] < cell.iterations:
            return False
        last = newest(cell, room) if named(cell, room) else None
        check_kept(cell, room, cell.iterations)
    except UserError:
        return False  # training it will say why
    return last is not None and done == {
        "iterations": int(last.place.name),
        "rows": last.rows.seal,
    }


def failed(cell: Cell, folder: Path) -> Outcome | None:
    """How the last training of a cell failed; None where none did.

    Raises:
      UserError: what says so is damaged, or another cell's.
    """
    facts = _end(cell, cell.room(folder), "failed.json")
    if facts is None:
        return None
    told = {name: facts[name] for name in ("fault", "user", "trace")}
    return Outcome(name=cell.title, **told)


def all_rows(cell: Cell, room: Path) -> metrics.Rows:
    """All rows of a cell that has just failed; none where they are not sound."""
    try:
        newest(cell, room)
        return metrics.read(room / "metrics.jsonl", None, like=ROW)
    except UserError:
        return metrics.Rows()


def rows(cell: Cell, folder: Path) -> list[Row]:
    """Metrics of the iterations made so far; those of a cell that failed too.

    Rows are as ``done.json`` or ``failed.json`` remembers them, or else the newest
    state.

    Raises:
      UserError: the rows, or what remembers them, are damaged.
    """
    room = cell.room(folder)
    end = _end(cell, room, "done.json")
    if end is None or end["iterations"] < cell.iterations:
        end = _end(cell, room, "failed.json")
    if end is None:
        last = newest(cell, room)
        return [] if last is None else list(last.rows.rows[: cell.iterations])
    path = room / "metrics.jsonl"
    made = metrics.read(path, end["iterations"], end["rows"], more=True, like=ROW)
    return list(made.rows[: cell.iterations])


def completed(cells: Sequence[Cell], folder: Path, label: str) -> dict[int, list[Row]]:
    """Metrics of the finished cells of a label, by seed."""
    own = [cell for cell in cells if cell.label == label]
    return {one.seed: rows(one, folder) for one in own if finished(one, folder)}


def cpu_seconds(rows: Sequence[Row]) -> float:
    """CPU seconds of the phases of all iterations together."""
    return float(sum(sum(row["seconds"].values()) for row in rows))


def kept(cell: Cell, folder: Path) -> dict[int, Path]:
    """Folders of the states that were kept, by iteration."""
    places = files.numbered(cell.room(folder) / "kept")
    return {int(place.name): place for place in places}


def state(cell: Cell, place: Path) -> Any:
    """A state that was kept.

    Raises:
      UserError: it is damaged, or belongs to another cell or iteration.
    """
    _facts(cell, place)
    return LEARNERS[cell.method].load(place)
