"""Cells of the grid: each makes one result, bound to what decides it, and no more.

A training also leaves its agents in a folder of its own, from which it goes on if it
was killed; adaptations and cross play read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from experiments.mra.agents import both_of, read
from experiments.mra.course import learn
from experiments.mra.courses import (
    TESTING,
    adaptation,
    elsewhere,
    plain,
    training,
    untrained,
)
from experiments.mra.references import references
from experiments.mra.task_config import Task, games_of, world_of
from experiments.mra.training import tested
from metaspiel import files
from mra.deviation import measure_gain
from mra.measuring import measure
from mra.nets import GUESSERS
from mra.settings import DEVIATING


def slug(world: str, sizes: Sequence[str], method: str, seed: int) -> str:
    """The name of a cell: ``resource-6+9+12-mra-0``."""
    letters = "".join(c if c.isalnum() else "_" for c in world).strip("_")
    return f"{letters}-{'+'.join(sizes).replace(',', 'x')}-{method}-{seed}"


@runtime_checkable
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
        """The name of its file."""
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
        """The number of measurements."""
        return 1.0 + -(-self.task.sweeps // self.task.measure_every)

    def make(self, folder: Path) -> dict[str, Any]:
        """Learning curves, and scores of the best and the last agents."""
        room = room_of(folder, self.name)
        rows = learn(training(self.task), room, again=_again(room))
        others = elsewhere(self.task, self.unseen)
        both = both_of(room, self.task.games)
        made = tested(self.task, both, others, self.tests)
        return {"rows": rows, "episodes": self.task.total, **made}


def chosen(folder: Path, source: Trained) -> Path:
    """The agents of a training that go on: the best; where roles differ, the last.

    Roles that play against each other earn what the others let them: their mean reward
    does not say which agents are good.
    """
    several = len(world_of(source.task.world).role_names) > 1
    return room_of(folder, source.name) / f"{'last' if several else 'best'}.safetensors"


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
        """The name of its file."""
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
        """The training that it reads."""
        return () if self.source is None else (self.source.name,)

    @property
    def kind(self) -> str:
        """World, size and method."""
        return f"adapt {self.task.world} {self.task.sizes[0]} {self.task.method}"

    @property
    def effort(self) -> float:
        """The number of measurements."""
        return 1.0 + -(-self.task.sweeps // self.task.measure_every)

    def make(self, folder: Path) -> dict[str, Any]:
        """Learning curves; the first row is the score without learning."""
        room, agents = room_of(folder, self.name), None
        if self.source is not None:
            agents = read(chosen(folder, self.source))
        rows = learn(adaptation(self.task, agents), room, again=_again(room))
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
        """The name of its file."""
        return f"cross-{slug(self.world, (self.size,), '+'.join(self.arms), self.seed)}"

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        tasks = [one.task.identity for one in self.arms.values()]
        return files.digest([self.world, self.size, tasks, self.tests, self.seed])

    @property
    def needs(self) -> tuple[str, ...]:
        """The two trainings."""
        return tuple(one.name for one in self.arms.values())

    def make(self, folder: Path) -> dict[str, Any]:
        """Scores by who plays the first role, and who the second."""
        (game,) = games_of(self.world, (self.size,))
        known = {
            arm: read(chosen(folder, one)).state.weights
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
                    if part not in GUESSERS
                }
                seed = TESTING + self.seed
                score = measure(game, how, mixed, count=self.tests, seed=seed)
                scores[first][second] = plain(score)
        return {"scores": scores}


@dataclass(frozen=True, kw_only=True)
class Gained:
    """What one agent gains that learns against trained ones.

    Attributes:
      source: the training.
      rounds: batches of episodes of the agent that learns.
      restarts: how often it begins anew; the best one counts.
    """

    source: Trained
    rounds: int
    restarts: int
    kind: str = "gain"
    effort: float = 1.0

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"gain-{self.source.name}"

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        source = self.source.identity
        how = asdict(DEVIATING)
        return files.digest([source, how, self.rounds, self.restarts])

    @property
    def needs(self) -> tuple[str, ...]:
        """The training that it reads."""
        return (self.source.name,)

    def make(self, folder: Path) -> dict[str, Any]:
        """Gains against untrained agents, the best and the last ones."""
        task, room = self.source.task, room_of(folder, self.source.name)
        (game,) = task.games
        every = both_of(room, task.games)
        return {
            name: asdict(
                measure_gain(
                    game,
                    agents.how,
                    agents.state.weights,
                    DEVIATING,
                    rounds=self.rounds,
                    restarts=self.restarts,
                    seed=TESTING + task.seed,
                    count=self.source.tests,
                )
            )
            for name, agents in {"untrained": untrained(task), **every}.items()
        }


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
        """The name of its file."""
        return slug(self.world, (self.size,), "reference", 0)

    @property
    def identity(self) -> str:
        """A hash of all that decides it."""
        return files.digest([self.world, self.size, self.tests])

    def make(self, folder: Path) -> dict[str, Any]:
        """Scores by policy."""
        games = games_of(self.world, (self.size,))
        return {"scores": references(games, count=self.tests, seed=TESTING)}


def room_of(folder: Path, name: str) -> Path:
    """The folder of a cell's curves and agents."""
    return folder / "runs" / name


def _again(room: Path) -> str:
    return f"remove '{room}' and resume: the cell is then made again"
