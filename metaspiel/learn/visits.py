"""States at which policies decide, collected from sampled episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.evaluate import Matches, moves, prepared
from metaspiel.learn.random import generators
from metaspiel.nfg.errors import UserError, at_least

_KEEPING = 3  # which states are kept, beside the numbers of the episodes


@dataclass(frozen=True, eq=False)
class Tour:
    """Episodes to be played for the states that one player's policies decide at.

    Attributes:
      matches: the episodes; each of its profiles says who plays in each of them.
      player: whose decisions are collected.
      limit: states that are kept, at most; where more are visited, a uniform sample
        without replacement of all of them.
    """

    matches: Matches
    player: int
    limit: int = 65_536

    def __post_init__(self) -> None:
        at_least(self, limit=1)
        players = self.matches.simulator.players
        if not 0 <= self.player < players:
            raise UserError(
                f"Tour(): player must be one of 0 to {players - 1}; got {self.player}"
            )


@dataclass(frozen=True, eq=False)
class Visits:
    """R states that one player decided at, in random order.

    The first r of them are a uniform sample of what was visited as well.

    Attributes:
      inputs: what the player saw.
      legal: what it might do.
      policy: number of its policy, in its own pool.
      visited: how many states the sample is of.
    """

    inputs: Float32[ndarray, "R D"]
    legal: Bool[ndarray, "R A"]
    policy: Int64[ndarray, " R"]
    visited: int


def visit(tours: Sequence[Tour]) -> list[Visits]:
    """Makes each tour in turn; every one is a large batch already."""
    with torch.no_grad():
        return [_visit(tour) for tour in tours]


def _visit(tour: Tour) -> Visits:
    match, player = tour.matches, tour.player
    sim = match.simulator
    bank, profiles, uniforms = prepared(match)
    kept = _Reservoir(tour.limit, (*match.seed, _KEEPING))
    kept.add(
        torch.zeros(0, sim.inputs, device=bank.device),
        torch.zeros(0, sim.actions, dtype=torch.bool, device=bank.device),
        profiles[:0, 0, player],
    )
    for part in profiles.split(match.at_once):
        numbers = part[:, :, player].reshape(-1) - bank.first[player]
        for position, _, live, _ in moves(sim, bank, part, uniforms):
            rows = (live & (position.mover == player))[0].nonzero()[:, 0]
            kept.add(position.inputs[0, rows], position.legal[0, rows], numbers[rows])
    inputs, legal, policy = (column.cpu().numpy() for column in kept.columns)
    return Visits(inputs, legal, policy, kept.visited)


class _Reservoir:
    """A uniform sample without replacement of all rows that it is given.

    Each row draws a number, and those with the smallest are kept.

    Attributes:
      visited: rows that it was given.
    """

    def __init__(self, limit: int, seed: Sequence[int]) -> None:
        self.limit, self.visited = limit, 0
        self._numbers = generators(seed, 1)[0]
        self._chunks: list[list[Tensor]] = []
        self._held, self._below = 0, torch.inf

    def add(self, *columns: Tensor) -> None:
        """Takes rows, each given column by column."""
        count = len(columns[0])
        drawn = torch.rand(count, generator=self._numbers, dtype=torch.float64)
        keys = drawn.to(columns[0].device)
        rows = (keys < self._below).nonzero()[:, 0]
        self._chunks.append([part[rows] for part in (keys, *columns)])
        self.visited += count
        self._held += len(rows)
        if self._held > 2 * self.limit:  # so that a row is moved few times
            smallest = self._smallest()
            self._chunks, self._held = [smallest], self.limit
            self._below = float(smallest[0][-1])

    def _smallest(self) -> list[Tensor]:
        parts = [torch.cat(part) for part in zip(*self._chunks, strict=True)]
        order = parts[0].argsort(stable=True)[: self.limit]
        return [part[order] for part in parts]

    @property
    def columns(self) -> list[Tensor]:
        """The rows that are kept, column by column, in random order."""
        return self._smallest()[1:]
