"""Matches between trained agents, each in a file of its own.

What is there is not played again. Random numbers belong to a match by its name,
whatever else is played.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import Tensor

from experiments.lab import work
from experiments.lab.watch import carry_out
from experiments.lab.work import Outcome, Piece
from experiments.matrl.pong_config import Config
from experiments.matrl.states import Cell, kept, state
from matrl.crossplay import Arena, League, opponents, tally
from metaspiel import files
from metaspiel.games.worlds import load
from metaspiel.learn.ppo import students
from metaspiel.learn.random import stream
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Match:
    """What is played in one go.

    "matrix": all checkpoints of both runs, the first as agent 0 and then as agent 1.
    "league": their final agents, the first as agent 0. "script": all checkpoints of the
    first, here the second too, against opponents that do not learn, on either side.
    A pair plays so many games on one side.
    """

    kind: Literal["matrix", "league", "script"]
    first: Cell
    second: Cell
    folder: Path
    games: int
    seed: int

    @property
    def name(self) -> str:
        """The match's name: its kind and the names of the runs."""
        rivals = [self.first.slug, self.second.slug]
        return f"{self.kind}-{'~'.join(dict.fromkeys(rivals))}"

    @property
    def place(self) -> Path:
        """The file of the match's results."""
        return self.folder / "matches" / f"{self.name}.json"

    @property
    def bound(self) -> dict[str, object]:
        """What its file belongs to."""
        rivals = [self.first.identity, self.second.identity]
        return {"match": self.name, "runs": rivals, "of": [self.games, self.seed]}

    def read(self) -> ndarray:
        """Reads the match's results from its file.

        Raises:
          UserError: it is damaged, or that of another match.
        """
        try:
            scores = files.read_sealed(self.place, self.bound)
            try:
                return np.array(scores, dtype=float)
            except (ValueError, TypeError):
                raise UserError(f"'{self.place}' must hold an array") from None
        except UserError as error:
            raise UserError(
                f"{error} (remove the file and resume: it is then played again)"
            ) from None

    def play(self) -> None:
        """Plays the match and writes its file."""
        torch.set_num_threads(1)
        numbers = partial(stream, self.seed, zlib.crc32(self.name.encode()))
        game = load(self.first.game)
        arena = Arena(game, students(game, self.first.settings.ppo), self.games)
        ours, theirs = (
            _actors(cell, self.folder) for cell in (self.first, self.second)
        )
        if self.kind == "matrix":
            results = arena.matrix(ours, theirs, numbers)
        elif self.kind == "script":
            results = arena.scripts(ours, numbers)
        else:
            results = tally(arena.scores(ours[-1], theirs[-1], numbers()))
        files.write_sealed(self.place, results.tolist(), self.bound)


def _actors(cell: Cell, folder: Path) -> list[Float32[Tensor, "2 P"]]:
    """Actors of both agents at every checkpoint."""
    places = kept(cell, folder).values()
    return [state(cell, place).agents.actor.weights for place in places]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """All that was played, with ``FIGURES`` on the last axis.

    Attributes:
      matrix: seeds, side of the first method, its checkpoint, that of the second.
      league: run as agent 0, run as agent 1.
      script: runs, checkpoints, opponents, side.
      methods: of the runs.
      seeds: of the runs.
      checkpoints: iterations at which they were kept.
      opponents: that do not learn.
    """

    matrix: Float64[ndarray, "S 2 C C 4"]
    league: Float64[ndarray, "R R 4"]
    script: Float64[ndarray, "R C O 2 4"]
    methods: list[str]
    seeds: list[int]
    checkpoints: list[int]
    opponents: tuple[str, ...]

    @property
    def final(self) -> League:
        """The final agents against each other over both sides."""
        return League.of(self.league)

    def of(self, method: str) -> list[int]:
        """Numbers of the runs of a method."""
        return [number for number, name in enumerate(self.methods) if name == method]

    def save(self, path: Path) -> None:
        """Writes the arrays as ``.npz``."""
        files.write_arrays(path, {k: np.array(v) for k, v in vars(self).items()})


def played(config: Config, cells: Sequence[Cell], folder: Path) -> Scores:
    """Plays what is missing, in ``jobs`` processes, and reads everything.

    Raises:
      UserError: a match could not be played, or its file is damaged.
    """
    match = partial(Match, folder=folder, games=config.games // 2, seed=config.seed)
    own = {m: [cell for cell in cells if cell.method == m] for m in config.methods}
    rivals = zip(*(own[method] for method in config.methods[:2]), strict=True)
    matrix = [match(kind="matrix", first=a, second=b) for a, b in rivals]
    script = [match(kind="script", first=cell, second=cell) for cell in cells]
    league = [match(kind="league", first=a, second=b) for a in cells for b in cells]
    every = [*matrix, *script, *league]
    pieces = [
        Piece(name=one.name, what=one, do=_play, kind=one.kind)
        for one in every
        if not one.place.is_file()
    ]
    (folder / "matches").mkdir(exist_ok=True)
    faults = carry_out(pieces, folder, config.run)
    if (fault := work.complaint(faults, what="matches")) is not None:
        raise fault
    results = {one: one.read() for one in every}
    size = len(cells)
    return Scores(
        matrix=np.stack([results[one] for one in matrix]),
        league=np.stack([results[one] for one in league]).reshape(size, size, -1),
        script=np.stack([results[one] for one in script]),
        methods=[cell.method for cell in cells],
        seeds=[cell.seed for cell in cells],
        checkpoints=list(kept(cells[0], folder)),
        opponents=opponents(load(config.game)),
    )


def _play(matches: Sequence[Match]) -> list[Outcome]:
    """What a worker process is asked."""
    return [
        outcome
        for match in matches
        for outcome in work.attempt([match.name], match.play)
    ]
