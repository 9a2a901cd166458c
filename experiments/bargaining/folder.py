"""The run folder of the Bargaining page: what it was asked, and what it has."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.bargaining.builders import bound
from experiments.lab.folder import stored
from metaspiel import files
from metaspiel.nfg.errors import UserError
from offline import validate
from offline.data import Dataset, load

if TYPE_CHECKING:
    from experiments.bargaining.config import Config

LISTS = (
    "approaches", "explorations", "evaluations", "behaviours", "trajectories",
    "penalties", "coverages", "weights", "curve",
)  # fmt: skip


def widened(folder: Path, config: "Config") -> "Config":
    """The configuration with all that the folder's earlier runs were asked for.

    A resumed run may do a part of the grid; the folder remembers the whole of it.
    """
    place = folder / "config.json"
    if not place.is_file():
        return config
    before = stored(folder)
    asked: dict[str, Any] = {
        name: tuple(dict.fromkeys([*(before.get(name) or ()), *getattr(config, name)]))
        for name in LISTS
    }
    asked["trials"] = max(before.get("trials") or 0, config.trials or 0)
    asked["grid"] = bool(before.get("grid")) or config.grid
    return replace(config, **asked)


def check_data(config: "Config", given: Dataset) -> None:
    """Refuses a data set that is not the one a resumed folder has worked with.

    Raises:
      UserError: it is another one.
    """
    if config.run.out is None or not config.run.resume:
        return
    for place in sorted(config.run.out.glob("data/file-*/manifest.json")):
        used = load(place.parent)
        same = all(
            np.array_equal(getattr(used, name), getattr(given, name))
            for name in validate.AXES
        )
        if not same or (used.mirror, used.head) != (given.mirror, given.head):
            raise UserError(
                f"--data: '{config.data}' must be the data set that the run in "
                f"'{config.run.out}' began with; it has changed"
            )


# Fields that the report reads of every row.
_CELL = ("approach", "exploration", "behaviour", "trajectories", "trial")
_KEYS = {
    "judged": (
        *_CELL, "evaluation", "seed", "iteration", "iterations", "penalty", "coverage",
        "weight", "regret", "error", "welfare", "k", "judged", "cpu_seconds",
    ),
    "fidelity": (*_CELL, "penalty", "coverage", "uncertainty", "utility_error"),
    "units": ("cpu_seconds",),
}  # fmt: skip


def rows(folder: Path, room: str, config: "Config") -> list[dict[str, Any]]:
    """Finished rows of a room, in the order of their names.

    Raises:
      UserError: a file is damaged.
    """
    finished = []
    for place in sorted((folder / room).glob("*.json")):
        try:
            name = f"{room}/{place.name.removesuffix('.json')}"
            row = files.read_sealed(place, bound(name, config))
            if not isinstance(row, dict):
                raise UserError(f"'{place}' must hold an object; it does not")
            lost = [name for name in _KEYS[room] if name not in row]
            if lost:
                raise UserError(f"'{place}' must hold '{lost[0]}'; it is missing")
        except UserError as error:
            raise UserError(
                f"{error} (remove the file and resume: it is then made again)"
            ) from None
        finished.append(row)
    return finished
