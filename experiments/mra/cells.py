"""Cells of the grid: each makes one result, bound to what decides it, and no more.

A training also leaves its agents in a folder of its own, from which it goes on if it
was killed; adaptations and cross play read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from experiments.lab.options import Output
from experiments.lab.watch import RowsMade, carry_out
from experiments.lab.work import Outcome, Piece, attempt
from experiments.mra.agents import read
from experiments.mra.course import learn
from experiments.mra.courses import (
    TESTING,
    adaptation,
    elsewhere,
    plain,
    training,
)
from experiments.mra.references import references
from experiments.mra.task import Task, games_of
from experiments.mra.training import tested
from metaspiel import files
from metaspiel.nfg.errors import UserError
from mra.measure import measure


def slug(world: str, sizes: Sequence[str], method: str, seed: int) -> str:
    """The name of a cell: ``resource-6+9+12-mra-0``."""
    letters = "".join(c if c.isalnum() else "_" for c in world).strip("_")
    return f"{letters}-{'+'.join(sizes).replace(',', 'x')}-{method}-{seed}"


class Cell(Protocol):
    """A result that is made once.

    Attributes:
      name: of its file.
      identity: a hash of all that decides it.
      needs: names of the cells whose agents it reads.
      kind: cells of one kind take about as long for the same effort.
      effort: measurements, or 1.
    """

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def needs(self) -> tuple[str, ...]: ...
    @property
    def kind(self) -> str: ...
    @property
    def effort(self) -> float: ...

    def make(self, folder: Path) -> dict[str, Any]:
        """The result, as JSON has it."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training, and what its agents score.

    Attributes:
      task: the training.
      tests: episodes of a score.
      unseen: sizes that are scored without learning.
    """

    task: Task
    tests: int
    unseen: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its file."""
        task = self.task
        return slug(task.world, task.sizes, task.method, task.seed)

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        return files.digest([self.task.identity, self.tests, list(self.unseen)])

    @property
    def kind(self) -> str:
        """World and sizes."""
        return f"{self.task.world} {' '.join(self.task.sizes)} {self.task.method}"

    @property
    def effort(self) -> float:
        """Measurements."""
        return 1.0 + -(-self.task.sweeps // self.task.measure_every)

    def make(self, folder: Path) -> dict[str, Any]:
        """Learning curves, and scores of the best and the last agents."""
        room = _room(folder, self.name)
        rows = learn(training(self.task), room, again=_again(room))
        others = elsewhere(self.task, self.unseen)
        made = tested(self.task, room, others, self.tests)
        files.remove_folder(room / "checkpoint")
        return {"rows": rows, "episodes": self.task.total, **made}


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """An adaptation to one size, and what its agents score.

    Attributes:
      task: the game, and how long.
      arm: what adapts, for its name.
      source: the training whose best agents adapt; None learns from scratch.
    """

    task: Task
    arm: str
    source: Trained | None

    @property
    def name(self) -> str:
        """Of its file."""
        task = self.task
        begin = "scratch" if self.source is None else "adapt"
        return f"{begin}-{slug(task.world, task.sizes, self.arm, task.seed)}"

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        source = None if self.source is None else self.source.task.identity
        return files.digest([self.task.identity, source])

    @property
    def needs(self) -> tuple[str, ...]:
        """The training."""
        return () if self.source is None else (self.source.name,)

    @property
    def kind(self) -> str:
        """World, size and method."""
        return f"adapt {self.task.world} {self.task.sizes[0]} {self.task.method}"

    @property
    def effort(self) -> float:
        """Measurements."""
        return 1.0 + -(-self.task.sweeps // self.task.measure_every)

    def make(self, folder: Path) -> dict[str, Any]:
        """Learning curves; the first row is the score without learning."""
        room, agents = _room(folder, self.name), None
        if self.source is not None:
            agents = read(_room(folder, self.source.name) / "best.safetensors")
        rows = learn(adaptation(self.task, agents), room, again=_again(room))
        files.remove_folder(room / "checkpoint")
        return {"rows": rows, "episodes": self.task.total}


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Roles of one training against roles of another, both ways.

    Attributes:
      world: of two roles.
      size: that is played.
      arms: both trainings, by arm.
      tests: episodes of a score.
      seed: of the episodes.
    """

    world: str
    size: str
    arms: Mapping[str, Trained]
    tests: int
    seed: int
    kind: str = "cross play"
    effort: float = 1.0

    @property
    def name(self) -> str:
        """Of its file."""
        return f"cross-{slug(self.world, (self.size,), '+'.join(self.arms), self.seed)}"

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        tasks = [one.task.identity for one in self.arms.values()]
        return files.digest([self.world, self.size, tasks, self.tests, self.seed])

    @property
    def needs(self) -> tuple[str, ...]:
        """Both trainings."""
        return tuple(one.name for one in self.arms.values())

    def make(self, folder: Path) -> dict[str, Any]:
        """Scores by who plays the first role, and who the second."""
        (game,) = games_of(self.world, (self.size,))
        known = {
            arm: read(_room(folder, one.name) / "best.safetensors").state.weights
            for arm, one in self.arms.items()
        }
        how = next(iter(self.arms.values())).task.how
        scores: dict[str, dict[str, Any]] = {}
        for first, mine in known.items():
            scores[first] = {}
            for second, theirs in known.items():
                mixed = {
                    part: torch.stack([mine[part][0], theirs[part][1]])
                    for part in mine
                    if part != "classifier"
                }
                seed = TESTING + self.seed
                score = measure(game, how, mixed, count=self.tests, seed=seed)
                scores[first][second] = plain(score)
        return {"scores": scores}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What policies that learn nothing earn in a game.

    Attributes:
      world: by name.
      size: that is played.
      tests: episodes of a score.
    """

    world: str
    size: str
    tests: int
    needs: tuple[str, ...] = ()
    kind: str = "reference"
    effort: float = 1.0

    @property
    def name(self) -> str:
        """Of its file."""
        return slug(self.world, (self.size,), "reference", 0)

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        return files.digest([self.world, self.size, self.tests])

    def make(self, folder: Path) -> dict[str, Any]:
        """Scores by policy."""
        games = games_of(self.world, (self.size,))
        return {"scores": references(games, count=self.tests, seed=TESTING)}


def _room(folder: Path, name: str) -> Path:
    return folder / "runs" / name


def _again(room: Path) -> str:
    return f"remove '{room}' and resume: the cell is then made again"


def fill(
    cells: Sequence[Cell], folder: Path, run: Output
) -> tuple[dict[str, Any], list[Outcome]]:
    """Makes the missing cells; returns the results that are there, and the faults.

    Raises:
      UserError: a result is damaged, or was made from other settings.
    """
    (folder / "cells").mkdir(exist_ok=True)
    places = {one.name: folder / "cells" / f"{one.name}.json" for one in cells}
    missing = [one for one in cells if not places[one.name].exists()]
    # What is there is refused, if at all, before anything is made.
    ready = {one.name: _read(one, places) for one in cells if one not in missing}
    pieces = [
        Piece(
            name=one.name,
            what=(one, folder),
            do=_do,
            needs=tuple(name for name in one.needs if name not in ready),
            kind=one.kind,
            effort=one.effort,
            made=RowsMade(_room(folder, one.name) / "metrics.jsonl"),
        )
        for one in missing
    ]
    faults = carry_out(pieces, folder, run)
    made = {
        one.name: _read(one, places) for one in missing if places[one.name].exists()
    }
    every = ready | made
    return {name: every[name] for name in places if name in every}, faults


def _read(cell: Cell, places: Mapping[str, Path]) -> Any:
    place = places[cell.name]
    try:
        return files.read_sealed(place, {"cell": cell.identity})
    except UserError as error:
        raise UserError(
            f"{error} (remove the file and resume: it is then made again)"
        ) from None


def _do(asked: Sequence[tuple[Cell, Path]]) -> list[Outcome]:
    """Makes cells in a worker process."""
    return [
        one
        for cell, folder in asked
        for one in attempt([cell.name], partial(_make, cell, folder))
    ]


def _make(cell: Cell, folder: Path) -> None:
    torch.set_num_threads(1)
    made = files.nan_as_none(cell.make(folder))
    bound = {"cell": cell.identity}
    files.write_sealed(folder / "cells" / f"{cell.name}.json", made, bound)
