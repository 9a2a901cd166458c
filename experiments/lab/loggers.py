"""TensorBoard and Weights & Biases beside ``metrics.jsonl``, for those who ask.

A run only ever writes its rows. A thread of the process that owns the run folder reads
what was added to each ``metrics.jsonl`` in it and hands it on, so that no page knows
of loggers, worker processes have none, and no result depends on them. A run that goes
on hands on all its rows again, so that what a kill kept from a logger is not lost.
"""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol, runtime_checkable

from experiments.lab.options import Logged, LoggerName, Output
from metaspiel import files
from metaspiel.nfg.errors import UserError, first_line

ROWS = "metrics.jsonl"
THEIRS = ("wandb",)
"""Folders of a run that a logger fills as it likes, with links too."""
_STEPS = ("iteration", "step", "sweep")  # what rows count, whatever the page
_LONGEST = 8  # numbers of a list that are handed on, such as one a player
_EXTRAS: Mapping[LoggerName, str] = {"tensorboard": "tb", "wandb": "wandb"}
_EVERY = 1.0  # seconds


@runtime_checkable
class Logger(Protocol):
    """Protocol of what takes rows."""

    def log(self, part: str, step: int, numbers: Mapping[str, float]) -> None:
        """Takes the numbers of a row of a part of the run ("" for the whole of it)."""

    def close(self) -> None:
        """Writes what is held back."""


class _TensorBoard:
    """Event files below ``tensorboard/``, a folder for each part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"
        self._writers: dict[str, Any] = {}

    def log(self, part: str, step: int, numbers: Mapping[str, float]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        if part not in self._writers:  # what an earlier process logged is replaced
            place = str(self._folder / part)
            self._writers[part] = SummaryWriter(place, purge_step=0)
        for name, number in numbers.items():
            self._writers[part].add_scalar(name, number, step)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


class _WandB:
    """A run of Weights & Biases, as its own environment variables say, or offline."""

    def __init__(self, folder: Path) -> None:
        import wandb

        settings = wandb.Settings(symlink=False, silent=True)
        try:
            self._run = wandb.init(
                dir=folder, name=folder.name, group=folder.name, settings=settings
            )
        except (wandb.errors.Error, OSError) as error:
            raise UserError(
                "--log wandb: Weights & Biases must be ready (log in, or "
                f"WANDB_MODE=offline); it says: {first_line(error)}"
            ) from None
        self._known: set[str] = set()

    def log(self, part: str, step: int, numbers: Mapping[str, float]) -> None:
        lead = f"{part}/" if part else ""
        if part not in self._known:
            self._known.add(part)
            self._run.define_metric(f"{lead}*", step_metric=f"{lead}row")
        self._run.log({f"{lead}row": step, **{lead + n: v for n, v in numbers.items()}})

    def close(self) -> None:
        self._run.finish()


_KINDS: Mapping[LoggerName, Any] = {"tensorboard": _TensorBoard, "wandb": _WandB}


@contextmanager
def logging(run: Output, folder: Path) -> Iterator[None]:
    """Context in which rows that a run adds go to the loggers it asked for.

    Raises:
      UserError: a logger is not installed, or not ready.
    """
    asked = run.log if isinstance(run, Logged) else ()
    if not asked:
        yield
        return
    with ExitStack() as stack:
        loggers: list[Logger] = []
        for name in asked:
            loggers.append(_KINDS[name](folder))
            stack.callback(loggers[-1].close)
        follower = Follower(folder, loggers)
        over = Event()
        thread = Thread(target=follower.follow, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            follower.look()


def check(run: Output) -> None:
    """Refuses a logger that is not installed, before anything is written.

    Raises:
      UserError: one is not.
    """
    for name in run.log if isinstance(run, Logged) else ():
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"--log: {name} must be installed; try 'pip install "
                f"metaspiel[{_EXTRAS[name]}]'"
            )


class Follower:
    """Hands on the rows of a run folder, each once, and again where it was amended.

    Args:
      folder: of the run.
      loggers: who takes them.
    """

    def __init__(self, folder: Path, loggers: Sequence[Logger]) -> None:
        self._folder, self._loggers = folder, loggers
        self._lines: dict[Path, list[bytes]] = {}

    def follow(self, over: Event) -> None:
        """Looks now and then, until it is over."""
        while not over.wait(_EVERY):
            self.look()

    def look(self) -> None:
        """Hands on what is new."""
        for path in sorted(self._folder.rglob(ROWS)):
            try:
                lines = path.read_bytes().split(b"\n")[:-1]
            except OSError:  # it is being exchanged
                continue
            known = self._lines.get(path, [])
            part = path.parent.relative_to(self._folder).as_posix().strip(".")
            for number, line in enumerate(lines):
                if known[number : number + 1] != [line]:
                    self._hand_on(part, number, line)
            self._lines[path] = lines

    def _hand_on(self, part: str, number: int, line: bytes) -> None:
        try:
            row = files.parse_json(line.decode())
        except ValueError:  # damaged: the page says so
            return
        if not isinstance(row, dict):
            return
        counted = (row[name] for name in _STEPS if isinstance(row.get(name), int))
        step = next(counted, number)
        numbers = dict(scalars(row))
        for logger in self._loggers:
            logger.log(part, step, numbers)


def scalars(row: Mapping[str, Any], lead: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a row by name; of short lists and of mappings with their place."""
    for name, value in row.items():
        if isinstance(value, bool | int | float):
            yield lead + name, float(value)
        elif isinstance(value, Mapping):
            yield from scalars(value, f"{lead}{name}/")
        elif isinstance(value, list) and len(value) <= _LONGEST:
            flat = {str(k): v for k, v in enumerate(value) if not isinstance(v, list)}
            yield from scalars(flat, f"{lead}{name}/")
