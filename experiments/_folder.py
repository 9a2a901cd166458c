"""The run folder of the Bargaining page: who may write to it, and what it was asked."""

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments import _run
from metaspiel.nfg.errors import UserError
from offline import validate
from offline.data import Dataset, load

if TYPE_CHECKING:
    from experiments.bargaining import Config

LISTS = (
    "approaches", "explorations", "evaluations", "behaviours", "trajectories",
    "penalties", "coverages", "weights", "curve",
)  # fmt: skip


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to the folder; a killed one lets go.

    Raises:
      UserError: another process is writing to it.
    """
    with open(folder / ".lock", "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"--out: '{folder}' must have one run at a time; another process is "
                "writing to it"
            ) from None
        yield


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C would: workers are stopped, results kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are for the main thread only
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def widened(folder: Path, config: "Config") -> "Config":
    """The configuration with all that the folder's earlier runs were asked for.

    A resumed run may do a part of the grid; the folder remembers the whole of it.
    """
    place = folder / "config.json"
    if not place.is_file():
        return config
    before = _run.read_json(place)
    asked: dict[str, Any] = {
        name: tuple(dict.fromkeys([*(before.get(name) or ()), *getattr(config, name)]))
        for name in LISTS
    }
    asked["trials"] = max(before.get("trials") or 0, config.trials or 0)
    asked["grid"] = bool(before.get("grid")) or config.grid
    return replace(config, **asked)


def record(folder: Path, config: "Config") -> None:
    """Writes ``config.json`` and ``env.json``.

    The environment is that of the first run, whose command makes the folder again; of
    later runs "resumed" lists command, commit and time.
    """
    fields = {k: _run.plain(v) for k, v in vars(config).items()}
    _run.write_json(folder / "config.json", fields)
    place, now = folder / "env.json", _run.environment()
    if place.is_file():
        first = _run.read_json(place)
        told = {name: now[name] for name in ("command", "commit")}
        told["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        now = {**first, "resumed": [*first.get("resumed", []), told]}
    _run.write_json(place, now)


def commits(env: dict[str, Any]) -> list[str]:
    """Commits whose code worked on the folder, in order."""
    every = [env, *env.get("resumed", [])]
    return list(dict.fromkeys(one.get("commit", "unknown") for one in every))


def check_data(config: "Config", found: Dataset) -> None:
    """Refuses a data set that is not the one a resumed folder has worked with.

    Raises:
      UserError: it is another one.
    """
    if config.out is None or not config.resume:
        return
    for place in sorted(config.out.glob("data/file-*/manifest.json")):
        used = load(place.parent)
        same = all(
            np.array_equal(getattr(used, name), getattr(found, name))
            for name in validate.AXES
        )
        if not same or (used.mirror, used.head) != (found.mirror, found.head):
            raise UserError(
                f"--data: '{config.data}' must be the data set that the run in "
                f"'{config.out}' began with; it has changed"
            )


def clock(folder: Path, seconds: float = 0.0) -> float:
    """Wall seconds of all runs in this folder, with these added."""
    place = folder / "clock.json"
    before = _run.read_json(place)["wall_seconds"] if place.exists() else 0.0
    found: float = round(before + seconds, 3)
    if seconds:
        _run.write_json(place, {"wall_seconds": found})
    return found


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


def rows(folder: Path, room: str) -> list[dict[str, Any]]:
    """Finished rows of a room, in the order of their names.

    Raises:
      UserError: a file is damaged.
    """
    found = []
    for place in sorted((folder / room).glob("*.json")):
        try:
            row = _run.read_json(place)
            if not isinstance(row, dict):
                raise UserError(f"'{place}' must hold an object; it does not")
            lost = [name for name in _KEYS[room] if name not in row]
            if lost:
                raise UserError(f"'{place}' must hold '{lost[0]}'; it is missing")
        except UserError as error:
            raise UserError(
                f"{error} (remove the file and resume: it is then made again)"
            ) from None
        found.append(row)
    return found


def end_with_parent() -> None:
    """Ends this worker process as soon as the one that started it has died."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
