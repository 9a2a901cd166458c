"""What a trial of PSRO goes on from: its checkpoints and rows, held against the run."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import _metrics, _run
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments._arena import Arena
    from experiments.psro import Config
    from psro.parts import State


def belongs(config: "Config", arena: "Arena") -> dict[str, str]:
    """What every checkpoint of a trial is bound to: its fields and its game."""
    return {"config": _run.binding(config), "game": arena.fingerprint}


def opened(
    config: "Config", folder: Path, bound: dict[str, str]
) -> "tuple[State | None, _run.Metrics]":
    """The checkpoint that a trial goes on from, if any, and the rows that go with it.

    Rows and checkpoints after it, which a kill can leave, go away.
    """
    from psro import checkpoint

    folder.mkdir(parents=True, exist_ok=True)
    place, state, known = sound(config, folder, bound)
    metrics = _run.Metrics(folder / "metrics.jsonl", *known, more=state is not None)
    for later in checkpoint.complete(folder / "checkpoint"):
        if place is not None and later.name > place.name:
            shutil.rmtree(later)
    return state, metrics


def sound(
    config: "Config", folder: Path, bound: dict[str, str]
) -> "tuple[Path | None, State | None, tuple[int, str | None]]":
    """The checkpoint to go on from, read and held against the run; nothing is written.

    Returns:
      Its folder, its state, and the number of its rows and their seal; None where
      there is none.

    Raises:
      UserError: it or its rows are damaged, or belong to another run.
    """
    from psro import checkpoint

    places = checkpoint.complete(folder / "checkpoint")
    back = config.resume_from == "previous"
    if back and len(places) < 2:
        raise UserError(
            f"--resume-from: 'previous' must find two checkpoints in '{folder}'; got "
            f"{len(places)}"
        )
    if not places:
        _metrics.read(folder / "metrics.jsonl", 0)
        return None, None, (0, None)
    place = places[-2 if back else -1]
    try:
        state, known = checkpoint.read(place)
    except UserError as error:
        raise UserError(f"{error}; {_way_back(places, back)}") from None
    seals = known.pop("rows", ""), known.pop("rows_before", "")
    if known != bound:
        what = "game" if known.get("config") == bound["config"] else "configuration"
        raise UserError(
            f"--resume: checkpoint '{place}' must belong to this run's {what}; it is "
            "of another one"
        )
    path, count = folder / "metrics.jsonl", state.iteration + 1
    try:
        _metrics.read(path, count, seals[0])
    except UserError:
        if state.responses is not None:
            raise
        # Its row may be written anew, with the gap that was measured later; a kill
        # can leave that row with the checkpoint before it.
        _metrics.read(path, count - 1, seals[1], more=True)
        return place, state, (count - 1, seals[1])
    return place, state, (count, seals[0])


def rows(config: "Config", folder: Path) -> list[dict[str, Any]]:
    """The rows of a finished trial, held against its last checkpoint.

    Raises:
      UserError: they or the checkpoint are damaged, or belong to another run.
    """
    from psro import checkpoint

    places = checkpoint.complete(folder / "checkpoint")
    if not places:
        raise UserError(f"'{folder}' must hold the checkpoint of its run; it does not")
    state, known = checkpoint.read(places[-1])
    game = files.read_sealed(folder / "game.json")
    now = {"config": _run.binding(config), "game": game["fingerprint"]}
    if {name: known.get(name) for name in now} != now:
        raise UserError(
            f"checkpoint '{places[-1]}' must belong to this run's configuration; it is "
            "of another one"
        )
    seal = known.get("rows", "")
    return _metrics.read(folder / "metrics.jsonl", state.iteration + 1, seal)[0]


def _way_back(places: list[Path], back: bool) -> str:
    """What a user can do who has lost a checkpoint."""
    from psro import checkpoint

    try:
        if back or len(places) < 2:
            raise UserError("there is none before it")
        checkpoint.load(places[-2])
    except UserError:
        return "no sound one is before it, so a new run must begin in another folder"
    return (
        f"the one before, '{places[-2].name}', is sound, and --resume-from previous "
        "goes on from it"
    )
