"""What a trial of PSRO goes on from: its checkpoints and rows, held against the run."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab import checkpoints as _states
from experiments.lab import metrics as _metrics
from experiments.lab.folder import binding
from experiments.lab.metrics import Metrics
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.psro.arena import Arena
    from experiments.psro.config import Config
    from psro.parts import State


def belongs(config: "Config", arena: "Arena") -> dict[str, str]:
    """What every checkpoint of a trial is bound to: its fields and its game."""
    return {"config": binding(config), "game": arena.fingerprint}


@dataclass(frozen=True, eq=False, kw_only=True)
class Begun:
    """A trial and what it goes on from.

    Attributes:
      config: of the trial, whose seed it is.
      folder: of the trial.
      bound: what its checkpoints belong to.
      place: of the checkpoint that it goes on from; None at its start.
      state: in that checkpoint.
      rows: that go with it.
    """

    config: "Config"
    folder: Path
    bound: dict[str, str]
    place: Path | None = None
    state: "State | None" = None
    rows: _metrics.Rows = field(default_factory=_metrics.Rows)


def begun(config: "Config", folder: Path, arena: "Arena") -> Begun:
    """A trial as its folder has it, held against the run; nothing is written.

    Raises:
      UserError: its checkpoint or rows are damaged, or belong to another run.
    """
    from psro import checkpoint

    start = Begun(config=config, folder=folder, bound=belongs(config, arena))
    places = checkpoint.complete(folder / "checkpoint")
    if not places:
        _metrics.read(folder / "metrics.jsonl", 0)
        return start
    read = partial(_read, start)
    return _states.sound(places, read, _states.RUN, config.run.resume_from)


def _read(start: Begun, place: Path) -> Begun:
    """The trial from one checkpoint and its rows on."""
    from psro import checkpoint

    state, known = checkpoint.read(place)
    seal, seal_before = known.pop("rows", ""), known.pop("rows_before", "")
    if known != start.bound:
        same = known.get("config") == start.bound["config"]
        what = "game" if same else "configuration"
        raise UserError(
            f"--resume: checkpoint '{place}' must belong to this run's {what}; it is "
            "of another one"
        )
    path, count = start.folder / "metrics.jsonl", state.iteration + 1
    try:
        rows = _metrics.read(path, count, seal)
    except UserError:
        if state.responses is not None:
            raise
        # Its row may be written anew, with the gap that was measured later; a kill
        # can leave that row with the checkpoint before it.
        rows = _metrics.read(path, count - 1, seal_before, more=True)
    return replace(start, place=place, state=state, rows=rows)


def opened(trial: Begun) -> Metrics:
    """The rows that a trial adds to.

    Rows and checkpoints after what it goes on from, which a kill can leave, go away.
    """
    trial.folder.mkdir(parents=True, exist_ok=True)
    metrics = Metrics(trial.folder / "metrics.jsonl", trial.rows)
    if trial.place is not None:
        _states.forget_later(trial.place)
    return metrics


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
    now = {"config": binding(config), "game": game["fingerprint"]}
    if {name: known.get(name) for name in now} != now:
        raise UserError(
            f"checkpoint '{places[-1]}' must belong to this run's configuration; it is "
            "of another one"
        )
    seal = known.get("rows", "")
    path = folder / "metrics.jsonl"
    return list(_metrics.read(path, state.iteration + 1, seal).rows)
