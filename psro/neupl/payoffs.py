"""Payoffs of a neural population estimated from codes, where that is accurate enough.

A network reads the codes of a profile and says what each player gets. It learns of a
part of the cells, which are played, and is judged on others of them that it has not
seen. An equilibrium of payoffs that err by eta at most has a gap inside the population
of at most its own gap and 2 eta (Liu et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from metaspiel.learn.gradients import gradients
from metaspiel.learn.mlp import MLP
from metaspiel.learn.update import Adam
from psro.neupl.settings import PayoffNetwork
from psro.parts import Population, Table
from psro.setup import Evaluator

_FEWEST = 10  # played cells; from fewer nothing is estimated


def fitted(
    settings: PayoffNetwork,
    x: Float64[ndarray, "C D"],
    y: Float64[ndarray, "C O"],
    *,
    asked: Float64[ndarray, "Q D"],
    seed: int,
) -> Float64[ndarray, "Q O"]:
    """What a network says of some rows after it has learned of others.

    Args:
      settings: the network, and how it learns.
      x: rows that it learns of.
      y: what it is to say there, squared errors being its loss.
      asked: the rows in question.
      seed: of its first weights and of the order of batches.
    """
    generator = torch.Generator().manual_seed(seed)
    middle, unit = y.mean(axis=0), y.std() or 1.0
    network = MLP(x.shape[1], settings.width, y.shape[1])
    weights = network.initial(generator)
    rows = torch.from_numpy(x).float()
    wanted = torch.from_numpy((y - middle) / unit).float()
    gradient = gradients(network, weights)
    adam = Adam(len(weights), settings.rate, weights.device)
    for step in range(settings.steps):
        pick = torch.randperm(len(rows), generator=generator)[: settings.batch]

        def slope(said: Tensor, pick: Tensor = pick) -> Tensor:
            return 2 * (said - wanted[pick]) / len(pick)

        adam.rate = settings.rate * (1 - step / settings.steps)
        adam.step(weights, gradient(rows[pick], slope))
    with torch.no_grad():
        said = network.scores(weights, torch.from_numpy(asked).float())
    made: ndarray = said.double().numpy() * unit + middle
    return made


@dataclass(frozen=True, eq=False)
class EstimatedEvaluator:
    """An evaluator that plays a part of the cells and may estimate the others.

    What came of it is in the table's ``notes``: ``payoff_eta`` and ``payoff_error``,
    the largest and the mean error of a held-out payoff, ``payoff_range``, the range of
    the played payoffs, ``payoff_played``, the share of the cells that were played in
    the end, and ``payoff_estimated``, whether the others are estimates. eta is what was
    seen on held-out cells: others may err more, and played payoffs are noisy too.

    Attributes:
      inner: evaluator that plays cells, of populations of codes.
      settings: the network.
    """

    inner: Evaluator
    settings: PayoffNetwork

    @property
    def ensemble(self) -> int:
        """The number of members of the ensemble, E."""
        return self.inner.ensemble

    def fill(self, population: Population, table: Table, rng: Generator) -> Table:
        """``table`` with no cell missing; estimates err by eta, their ``errors``."""
        wanted = _cells(table.missing, population.shared)
        count = int(np.ceil(self.settings.share * len(wanted)))
        if self.settings.share == 1 or count < _FEWEST:
            return self.inner.fill(population, table, rng)
        order = rng.permutation(len(wanted))
        rest = _marked(wanted[order[count:]], table.missing, population.shared)
        some = self.inner.fill(population, _masked(table, rest, 0.0), rng)
        held_out = wanted[order[: max(1, round(self.settings.held * count))]]
        held = _marked(held_out, table.missing, population.shared)
        guess = self._guess(population, some, known=~(rest | held), rng=rng)
        apart = np.abs(guess - some.values)[..., held]
        played = some.values[..., ~rest]
        eta, width = float(apart.max()), float(np.ptp(played))
        believed = eta <= self.settings.within * width
        notes = {
            "payoff_eta": eta,
            "payoff_error": float(apart.mean()),
            "payoff_range": width,
            "payoff_played": count / len(wanted) if believed else 1.0,
            "payoff_estimated": believed,
        }
        if not believed:
            filled = self.inner.fill(population, _masked(some, rest, np.nan), rng)
            return replace(filled, notes=notes)
        if population.shared:
            guess = _symmetric(guess)
        return replace(
            some,
            values=np.where(rest, guess, some.values),
            errors=np.where(rest, eta, some.errors),
            notes=notes,
        )

    def _guess(
        self,
        population: Population,
        table: Table,
        *,
        known: Bool[ndarray, "*K"],
        rng: Generator,
    ) -> Float64[ndarray, "E N *K"]:
        """What the network says of all cells, after it learned of the known ones."""
        grids = np.indices(known.shape).reshape(known.ndim, -1)
        codes = [
            own[at].astype(np.float64)
            for own, at in zip(population.stacked(), grids, strict=True)
        ]
        every = np.concatenate(codes, axis=1)
        lead = table.values.shape[:2]
        paid = table.values.reshape(lead[0] * lead[1], -1).T
        rows = known.reshape(-1)
        said = fitted(
            self.settings,
            every[rows],
            paid[rows],
            asked=every,
            seed=int(rng.integers(2**63)),
        )
        return said.T.reshape(*lead, *known.shape)


def _cells(missing: Bool[ndarray, "*K"], shared: bool) -> Int64[ndarray, "C N"]:
    """The cells to be filled; of a shared pool one of each set of permutations."""
    cells = np.argwhere(missing)
    return np.unique(np.sort(cells, axis=1), axis=0) if shared else cells


def _marked(
    cells: Int64[ndarray, "C N"], missing: Bool[ndarray, "*K"], shared: bool
) -> Bool[ndarray, "*K"]:
    """Where cells are, and in a shared pool their permutations."""
    marks = np.zeros_like(missing)
    for order in _orders(cells.shape[1]) if shared else [range(cells.shape[1])]:
        marks[tuple(cells[:, list(order)].T)] = True
    return marks & missing


def _masked(table: Table, where: Bool[ndarray, "*K"], value: float) -> Table:
    """The table with a number in some cells; NaN makes them missing."""
    return replace(table, values=np.where(where, value, table.values))


def _symmetric(values: Float64[ndarray, "E N *K"]) -> Float64[ndarray, "E N *K"]:
    """The mean over exchanges of the players, who draw from one pool."""
    players = values.shape[1]
    every = _orders(players)
    total = np.zeros_like(values)
    for order in every:
        axes = (0, 1, *(2 + player for player in order))
        total += values[:, list(order)].transpose(axes)
    return total / len(every)


def _orders(players: int) -> Sequence[tuple[int, ...]]:
    return list(permutations(range(players)))
