"""What a trial of PSRO goes on from: its checkpoints and rows, held against the run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from experiments.lab import checkpoints, metrics
from experiments.lab.folder import binding
from experiments.lab.metrics import Metrics, Rows
from experiments.psro.config import Config
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro import checkpoint
from psro.metrics import Row
from psro.parts import State


@dataclass(frozen=True, eq=False, kw_only=True)
class Begun:
    """A trial and what it goes on from.

    Attributes:
      config: of the trial, whose seed it is.
      folder: of the trial.
      bound: what its checkpoints belong to: its fields and its game.
      place: of the checkpoint that it goes on from; None at its start.
      state: in that checkpoint.
      rows: that go with it.
    """

    config: Config
    folder: Path
    bound: Mapping[str, str]
    place: Path | None = None
    state: State | None = None
    rows: Rows = field(default_factory=Rows)

    @property
    def metrics(self) -> Path:
        """The file of its rows."""
        return self.folder / "metrics.jsonl"

    @property
    def written(self) -> list[Row]:
        """All rows that the trial has written."""
        return [Row.read(one) for one in metrics.read(self.metrics, None).rows]

    def open(self, row: Callable[[State], Row]) -> Metrics:
        """The rows that the trial adds to.

        Rows and checkpoints after what it goes on from, which a kill can leave, go. A
        row that a kill left half amended is written again, as ``row`` makes it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        opened = Metrics(self.metrics, self.rows)
        if self.place is not None:
            checkpoints.forget_later(self.place)
        if self.state is not None and len(opened.rows) == self.state.iteration:
            opened.add(row(self.state).flat)
        return opened

    def keep(self, state: State, last: Row, opened: Metrics) -> None:
        """Row first, then checkpoint: a kill between the two costs one row again.

        A run that goes on measures what was its last gap; the row is then written anew.
        """
        if len(opened.rows) > state.iteration:
            opened.amend(last.flat)
        else:
            opened.add(last.flat)
        seals = {"rows": opened.seal, "rows_before": opened.seal_before}
        checkpoint.save(state, self.folder / "checkpoint", {**self.bound, **seals})


def begun(config: Config, folder: Path, fingerprint: str) -> Begun:
    """A trial as its folder has it, held against the run; nothing is written.

    Raises:
      UserError: its checkpoint or rows are damaged, or belong to another run, or it has
        done more iterations than are asked for.
    """
    bound = {"config": binding(config), "game": fingerprint}
    trial = Begun(config=config, folder=folder, bound=bound)
    places = checkpoint.complete(folder / "checkpoint")
    if not places:
        metrics.read(trial.metrics, 0)
        return trial
    way = config.run.resume_from
    trial = checkpoints.sound(places, partial(_read, trial), start=way)
    if trial.state is not None and trial.state.iteration > config.iterations:
        raise UserError(
            f"--iterations must be at least the {trial.state.iteration} that "
            f"'{folder}' has done; got {config.iterations}"
        )
    return trial


def _read(trial: Begun, place: Path) -> Begun:
    """The trial from one checkpoint and its rows on."""
    state, known = checkpoint.read(place)
    seal, seal_before = known.pop("rows", ""), known.pop("rows_before", "")
    if known != trial.bound:
        same = known.get("config") == trial.bound["config"]
        what = "game" if same else "configuration"
        raise UserError(
            f"--resume: checkpoint '{place}' must belong to this run's {what}; it is "
            "of another one"
        )
    count = state.iteration + 1
    try:
        rows = metrics.read(trial.metrics, count, seal, like=Row.shape())
    except UserError:
        if state.responses is not None:
            raise
        # Its row may be written anew, with the gap that was measured later; a kill
        # can leave that row with the checkpoint before it.
        rows = metrics.read(
            trial.metrics, count - 1, seal_before, more=True, like=Row.shape()
        )
    return replace(trial, place=place, state=state, rows=rows)


def latest(config: Config, folder: Path) -> Begun:
    """A trial of one run, held against its last checkpoint; nothing is written.

    Args:
      config: of the trial.
      folder: of the trial; that of the run, or one in it, holds ``game.json``.

    Raises:
      UserError: the checkpoint or the rows are damaged, or belong to another run.
    """
    places = checkpoint.complete(folder / "checkpoint")
    if not places:
        raise UserError(f"'{folder}' must hold the checkpoint of its run; it does not")
    place = (folder if config.trials == 1 else folder.parent) / "game.json"
    game = files.read_sealed(place)
    files.check_shape(f"'{place}'", game, {"fingerprint": str})
    bound = {"config": binding(config), "game": game["fingerprint"]}
    return _read(Begun(config=config, folder=folder, bound=bound), places[-1])


def finished(config: Config, folder: Path) -> list[Row]:
    """The rows of a finished run of one trial, held against its last checkpoint.

    Raises:
      UserError: as ``latest``.
    """
    return [Row.read(one) for one in latest(config, folder).rows.rows]
