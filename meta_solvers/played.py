"""Time averages of play, whose correlation is kept."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers import ordered
from meta_solvers.base import AnyGame
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint

# Numbers held by one block of steps: 8 MiB.
BLOCK_NUMBERS = 2**20
_MOST_STEPS = 1024


@runtime_checkable
class Average(Protocol):
    """The time average of what was played so far, with its correlation.

    Attributes:
      block: most steps that are well added at once.
    """

    block: int

    def mean(self) -> Joint:
        """The average of all strategies."""

    def add(self, played: Sequence[ndarray], regrets: ndarray | None) -> None:
        """Counts strategies ``[T, A_p]`` of T more steps.

        ``regrets [S]`` are all so far, over the payoff range; None if not known.
        """

    def gaps(self) -> Float64[ndarray, " N"]:
        """The CCE gap of each player there."""


def average_of(game: AnyGame) -> Average:
    """The average of no play yet, with its cells written out or as rows."""
    return _OfCells(game) if isinstance(game, Game) else _OfRows(game)


class _OfCells:
    """An average whose cells are written out."""

    def __init__(self, game: Game) -> None:
        self.game, self.steps = game, 0
        self.total = np.zeros(game.actions)
        fit = BLOCK_NUMBERS * min(game.actions) // game.profiles
        self.block = max(1, min(_MOST_STEPS, fit))

    def mean(self) -> Joint:
        return self.total / self.steps

    def add(self, played: Sequence[ndarray], regrets: ndarray | None) -> None:
        self.total += _sum_of_products(played)
        self.steps += len(played[0])

    def gaps(self) -> Float64[ndarray, " N"]:
        return measure(self.game, self.mean()).cce


class _OfRows:
    """An average that keeps every step's product, and what actions would gain."""

    def __init__(self, game: ImplicitGame) -> None:
        self.game, self.steps, self.block = game, 0, _MOST_STEPS
        self.rows: list[list[ndarray]] = [[] for _ in game.actions]
        self.gains = [np.zeros(size) for size in game.actions]

    def mean(self) -> Joint:
        weights = np.full(self.steps, 1.0 / self.steps)
        return Products(weights, tuple(np.concatenate(own) for own in self.rows))

    def add(self, played: Sequence[ndarray], regrets: ndarray | None) -> None:
        self.steps += len(played[0])
        for player, own in enumerate(played):
            self.rows[player].append(own)
        if regrets is not None:
            self.gains = ordered.split(regrets, self.game.actions)
            return
        for player, own in enumerate(played):
            worth = self.game.worth(player, played)
            gain = worth.sum(axis=0) - np.sum(worth * own)
            self.gains[player] += gain / self.game.scale[player]

    def gaps(self) -> Float64[ndarray, " N"]:
        most = np.array([own.max() for own in self.gains])
        return self.game.scale * np.maximum(most / self.steps, 0.0)


def _sum_of_products(played: Sequence[ndarray]) -> Float64[ndarray, "*A"]:
    """Sum over time of the outer product of strategies ``[T, A_p]``."""
    joint = played[0].T  # [profile of the players so far, T]
    for strategy in played[1:-1]:
        joint = (joint[:, None] * strategy.T[None]).reshape(-1, len(strategy))
    actions = tuple(strategy.shape[1] for strategy in played)
    if len(played) == 1:
        return joint.sum(axis=1)
    return (joint @ played[-1]).reshape(actions)
