"""Options that pages share, as a group in every configuration.

A configuration holds one under ``run``; its flags have no prefix (``--out``), those of
any other group have one (``--ppo.batch``). What a run computes never depends on them.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from experiments.lab.escaping import printable
from metaspiel.nfg.errors import UserError, unknown

Group = TypeVar("Group")
Flat = Annotated[Group, tyro.conf.arg(name="")]
From = Literal["last", "previous"]
LoggerName = Literal["tensorboard", "wandb"]


@dataclass(frozen=True, kw_only=True)
class Printing:
    """Options of all pages: defaults and printing."""

    config: Path | None = None
    """YAML file with defaults for the fields of this page."""
    json: bool = False
    """Print the summary as one JSON object and nothing else on stdout."""
    quiet: bool = False
    """Print no progress: the answer alone."""
    trust: bool = False
    """Let what --config or --resume reads name code to import or a cluster to join."""

    def __post_init__(self) -> None:
        """Raises a ``UserError`` in subclasses whose fields are impossible."""

    @property
    def silent(self) -> bool:
        """Whether no progress is printed."""
        return self.quiet or self.json

    def say(self, text: str) -> None:
        """Prints a line of progress, unless the user wants none."""
        if not self.silent:
            print(printable(text), flush=True)

    def note(self, text: str) -> None:
        """Prints a line beside the answer, on stderr, unless the user wants none."""
        if not self.silent:
            print(printable(text), file=sys.stderr, flush=True)


@dataclass(frozen=True, kw_only=True)
class Output(Printing):
    """Options of a page with a run folder."""

    out: Path | None = None
    """Run folder (default: a new one under runs/)."""

    @property
    def resumes(self) -> bool:
        """Whether the run continues what its folder holds."""
        return False

    @property
    def processes(self) -> int:
        """The number of processes that share the work."""
        return 1


@dataclass(frozen=True, kw_only=True)
class Resumable(Output):
    """Options of a page that a killed run can resume."""

    resume: bool = False
    """Continue the run in --out: what is finished is kept."""

    @property
    def resumes(self) -> bool:
        """Whether the run continues what its folder holds."""
        return self.resume


@dataclass(frozen=True, kw_only=True)
class Parallel(Resumable):
    """Options of a page whose work is shared by processes."""

    jobs: int = 1
    """Processes that share the work (one thread each); results do not depend on it."""

    @property
    def processes(self) -> int:
        """The number of processes that share the work."""
        return self.jobs

    def __post_init__(self) -> None:
        super().__post_init__()
        least(self, jobs=1)


@dataclass(frozen=True, kw_only=True)
class Stateful(Resumable):
    """Options of a page whose run keeps its two newest states."""

    resume_from: From = "last"
    """State that --resume takes: the newest, or, where that is lost, the one before."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume_from != "last" and not self.resume:
            raise UserError("--resume-from goes with --out FOLDER --resume")


@dataclass(frozen=True, kw_only=True)
class Logged(Output):
    """Options of a page that writes rows of metrics."""

    log: tuple[LoggerName, ...] = ()
    """Beside metrics.jsonl: tensorboard, wandb or both (extras tb and wandb); what is
    logged lies in the run folder."""


@dataclass(frozen=True, kw_only=True)
class LoggedStateful(Logged, Stateful):
    """Options of a page that writes rows and keeps its two newest states."""


@dataclass(frozen=True, kw_only=True)
class LoggedParallel(Logged, Parallel):
    """Options of a page whose processes share trainings, each with its rows."""


def flag(name: str) -> str:
    """The flag of a configuration's field: ``ppo.target_kl`` is --ppo.target-kl."""
    return f"--{name.replace('_', '-')}"


_TOO_LARGE = 2**62


def least(config: Any, **lows: float) -> None:
    """Raises a ``UserError`` for fields below their bounds; None is left alone.

    Raises:
      UserError: a field is below, not a number, or a whole number that files of a run
        (64 bits, and more is counted from it) cannot hold.
    """
    for name, low in lows.items():
        value = getattr(config, name)
        if value is not None and not value >= low:
            raise UserError(f"{flag(name)} must be at least {low}; got {value}")
        if isinstance(value, int) and value >= _TOO_LARGE:
            raise UserError(f"{flag(name)} must be below 2^62; got {value}")


def shape(text: str) -> tuple[int, ...]:
    """``"4x4x4"`` as ``(4, 4, 4)``."""
    parts = text.split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UserError(
            f"--sizes: a size must be action counts like 4x4 or 3x3x3; got '{text}'"
        )
    return tuple(int(part) for part in parts)


def each_once(config: Any, **known: Collection[str] | None) -> None:
    """Refuses lists that are empty, or name something twice or what is unknown.

    Args:
      config: has a field for each list, in the plural: ``methods``.
      known: what may be in it; None for anything.

    Raises:
      UserError: a list is impossible.
    """
    for name, allowed in known.items():
        given = getattr(config, name)
        if not given or len(set(given)) < len(given):
            raise UserError(f"{flag(name)} must be named, each once; got {list(given)}")
        for one in given:
            if allowed is not None and one not in allowed:
                raise unknown(flag(name), name.removesuffix("s"), one, allowed)
