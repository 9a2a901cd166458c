"""The states of training runs on disk: what they belong to, and whether they are sound.

A state is a folder that is sealed with its cell, its iteration, and the rows before it.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments import _metrics
from experiments.matrl.learners import LEARNERS
from metaspiel import files
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training run.

    Attributes:
      label: what it is, without the seed; cells differ in label or seed.
      game: as ``metaspiel.games.worlds.load`` reads it.
      method: one of ``experiments.matrl.learners.LEARNERS``.
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
    def slug(self) -> str:
        """The name of its folder."""
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', self.label).strip('-')}-s{self.seed}"

    def room(self, folder: Path) -> Path:
        """The cell's own folder inside the run's folder."""
        return folder / "cells" / self.slug

    @property
    def fields(self) -> dict[str, Any]:
        """What decides its results, as JSON holds it; iterations only end it."""
        fields = asdict(self) | {"settings": asdict(self.settings)}
        del fields["iterations"]
        plain: dict[str, Any] = files.spelled(fields)
        return plain

    @property
    def identity(self) -> str:
        """A hash of its fields, which its states and rows are bound to."""
        return files.digest(self.fields)


def save(cell: Cell, state: Any, place: Path, seal: str) -> None:
    """Writes a state as a folder that says what it belongs to."""
    facts = {"cell": cell.identity, "iteration": state.iteration, "rows": seal}
    with files.new_folder(place) as aside:
        LEARNERS[cell.method]().save(state, aside)
        files.seal_folder(aside, facts)


def _facts(cell: Cell, place: Path) -> dict[str, Any]:
    """What a state was sealed with; refused where it is not this cell's.

    Raises:
      UserError: it is damaged, or belongs to another cell or iteration.
    """
    facts = files.sealed_folder(place)
    named = {"cell": cell.identity, "iteration": int(place.name)}
    if {name: facts.get(name) for name in named} != named:
        raise UserError(f"'{place}' must be a state of this cell; it is another one's")
    return facts


def newest(cell: Cell, room: Path) -> tuple[Path | None, str | None]:
    """The state to go on from and the seal of its rows, which are there and sound.

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
        return None, None
    try:
        facts = _facts(cell, places[-1])
    except UserError as error:
        try:
            if len(places) < 2:
                raise UserError("there is none before it") from None
            _facts(cell, places[-2])
        except UserError:
            way = f"remove '{room}' and resume: the cell is then trained again"
        else:
            way = (
                f"the one before is sound: remove '{places[-1]}' and resume, and it "
                "goes on from there"
            )
        raise UserError(f"{error} ({way})") from None
    try:
        _metrics.read(room / "metrics.jsonl", facts["iteration"], facts["rows"])
    except UserError as error:
        raise UserError(
            f"{error} (remove '{room}' and resume: the cell is then trained again)"
        ) from None
    return places[-1], facts["rows"]


def check_kept(cell: Cell, room: Path, made: int) -> None:
    """Refuses a cell that has lost a state that it kept, or has a damaged one.

    Args:
      cell: which.
      room: its folder.
      made: iterations that it has made.

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
    if _as_now(before) != files.restored(cell.fields):
        raise UserError(
            f"'{room}' must hold the cell that is asked for; it holds one of {before}"
        )
    return True


def _as_now(value: Any) -> Any:
    """A cell as it was once written, with "inf" for an infinity, as it is now."""
    if isinstance(value, dict):
        return {key: _as_now(inner) for key, inner in value.items()}
    return float(value) if value in ("inf", "-inf") else value


def last_good(cell: Cell, folder: Path) -> dict[str, Any] | None:
    """Folder and iteration of the cell's newest state; None where there is none."""
    for place in reversed(files.numbered(cell.room(folder) / "checkpoint")):
        try:
            facts = _facts(cell, place)
        except UserError:
            continue
        return {"checkpoint": str(place), "iteration": facts["iteration"]}
    return None


def finished(cell: Cell, folder: Path) -> bool:
    """Whether all its iterations are made, and its states and rows are sound."""
    room = cell.room(folder)
    if not (room / "done.json").is_file():
        return False
    try:
        if not named(cell, room):
            return False
        done = files.read_sealed(room / "done.json", {"cell": cell.identity})
        place, seal = newest(cell, room)
        check_kept(cell, room, cell.iterations)
    except UserError:
        return False  # training it will say why
    known = place is not None and (int(place.name), seal) == tuple(done.values())
    return known and int(done["iterations"]) >= cell.iterations


def rows(cell: Cell, folder: Path) -> list[dict[str, Any]]:
    """Metrics of the iterations made so far; those of a cell that failed too.

    Raises:
      UserError: the file is damaged.
    """
    place = cell.room(folder) / "metrics.jsonl"
    if not place.is_file():
        return []
    try:
        lines = place.read_bytes().decode().split("\n")[:-1]
        return [files.parse_json(line) for line in lines[: cell.iterations]]
    except ValueError:
        raise UserError(f"'{place}' must hold one JSON row a line") from None


def kept(cell: Cell, folder: Path) -> dict[int, Path]:
    """Folders of the states that were kept, by iteration; the learner's ``load``."""
    places = files.numbered(cell.room(folder) / "kept")
    return {int(place.name): place for place in places}


def state(cell: Cell, place: Path) -> Any:
    """A state that was kept.

    Raises:
      UserError: it is damaged, or belongs to another cell or iteration.
    """
    _facts(cell, place)
    return LEARNERS[cell.method]().load(place)
