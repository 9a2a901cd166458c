"""An exact evaluator that fills no table: the tree answers for the meta-game.

A table of K policies a player has ``N K^N`` cells. What is kept in its place are the
policies, and the range of payoffs, by which solvers measure their tolerances. The range
is that of all profiles while there are at most ``MOST`` of them, as of a table; later
ones, which could only widen it, are not looked at.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.zero_sum import Pools
from psro.parts import Population, Reaches, State, Table

MOST = 2**16
"""Profiles of a population whose payoffs are looked at for their range."""


@dataclass(frozen=True, eq=False)
class ImplicitEvaluator:
    """Exact payoffs by the tree, without the tensor; for exact responses."""

    form: SequenceForm
    ensemble: ClassVar[int] = 1

    def pools(self, population: Population) -> Pools:
        """The policies in the tree, for what asks what their mixtures guarantee."""
        return Pools(self.form, tuple(population.stacked()))

    def fill(
        self, population: Population, table: Table | Reaches, rng: Generator
    ) -> Reaches:
        """What stands for a table of the population; all of its payoffs are known."""
        if isinstance(table, Table):  # of no policies: the loop's beginning
            none = np.full(self.form.players, np.inf)
            nobody = (0,) * self.form.players
            table = Reaches(
                uids=population.uids,
                form=self.form,
                low=none,
                high=-none,
                looked=nobody,
                notes={},
            )
        table, sizes = replace(table, form=self.form), population.sizes
        if prod(sizes) > MOST:
            if prod(table.looked):
                return table
            few = int(MOST ** (1 / len(sizes)))  # of the oldest policies
            sizes = tuple(min(size, few) for size in sizes)
        if sizes == table.looked:
            return table
        pairs = zip(population.stacked(), sizes, strict=True)
        plans = [own[:size] for own, size in pairs]
        low, high = self.form.extremes(table.looked, plans)
        return replace(
            table,
            low=np.minimum(low, table.low),
            high=np.maximum(high, table.high),
            looked=sizes,
        )


def with_tree(state: State | None, form: SequenceForm | None) -> State | None:
    """A state as it was before a checkpoint, which holds no tree, was read."""
    if state is None or not isinstance(state.table, Reaches):
        return state
    return replace(state, table=replace(state.table, form=form))
