"""The parts of a PSRO run: what may vary, and the protocols that parts keep to."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator

from meta_solvers.base import MetaSolver
from meta_solvers.own_code import of_parts
from metaspiel.games.zero_sum import Pools
from psro.parts import Population, Response, Target, TargetConcept
from psro.selection import Selection, Update


class Stage(IntEnum):
    """Purposes of random generators; their numbers are part of the seed.

    Changing a number changes the results of all runs, so new stages get new numbers.
    """

    SELECT = 0  # whose pools grow, and by which responses
    GROW = 1
    EVALUATE = 2  # the cells of the payoff table
    SOLVE = 3
    RESPOND = 4  # best responses, trained or measured
    SOLVE_EVALUATION = 5  # the second meta-solver, which nobody responds to
    INITIAL = 6  # the population before the first iteration
    EPISODES = 7  # of sampled payoffs: one set a trial, for all iterations


@runtime_checkable
class Oracle(Protocol):
    """Protocol of oracles: targets to responses, and responses to grown populations."""

    def initial(self, rng: Generator) -> Population:
        """The population before the first iteration."""

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """One response for each target, in order; trained as one batch if need be."""

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """The responses that ``respond`` would give, if known without training.

        None, with nothing drawn from ``rng``, where only training could tell. The loop
        takes what is measured for the responses and does not ask for them again.
        """

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """The population with the chosen responses in it."""


@runtime_checkable
class Evaluator(Protocol):
    """Protocol of evaluators, which fill the missing cells of a payoff table."""

    @property
    def ensemble(self) -> int:
        """E, the number of payoff tensors; 1 for a real game."""

    def fill(self, population: Population, table: Any, rng: Generator) -> Any:
        """``table`` with no cell missing; or ``Reaches``, which has none."""


@runtime_checkable
class InTree(Protocol):
    """Protocol of evaluators that know the policies in the tree of their game."""

    def pools(self, population: Population) -> Pools:
        """The policies as realisation plans."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The parts of a PSRO run, with all that may vary.

    Attributes:
      oracle: answers targets.
      evaluator: fills the payoff table.
      solver: the meta-solver that is responded to.
      concept: what is targeted: "ne" (PSRO), "cce" or "ce" (JPSRO).
      seed: all randomness derives from (seed, iteration, stage).
      evaluation: a second meta-solver, measured but not responded to.
      selection: which responses join the population.
      update: players whose responses may join.
      repeats: policies found again count again in the meta-game.
      prune: joint probabilities below this become 0 before they are responded to.
      measured: concepts whose full-game gap is measured in every iteration, where the
        oracle can measure.
      horizon: how many iterations solvers are to reckon with, or None; the loop itself
        does not stop there.
      warm: solvers that can start from their answer to the last, smaller meta-game.
    """

    oracle: Oracle
    evaluator: Evaluator
    solver: MetaSolver
    concept: TargetConcept
    seed: int = 0
    evaluation: MetaSolver | None = None
    selection: Selection = "largest_gap"
    update: Update = "all"
    repeats: bool = True
    prune: float = 1e-8
    measured: tuple[TargetConcept, ...] = ()
    horizon: int | None = None
    warm: bool = True

    @property
    def uses_past(self) -> bool:
        """Whether a meta-solver reads the meta-strategies responded to so far."""
        solvers = (self.solver, self.evaluation)
        return any(s is not None and s.uses_past for s in solvers)

    def pools(self, population: Population) -> Pools | None:
        """The policies in their tree, for what asks for them and can have them."""
        solvers = (self.solver, self.evaluation)
        asks = any(s is not None and s.uses_tree for s in solvers)
        if self.selection == "population_exploitability":
            asks = True
        if asks and isinstance(self.evaluator, InTree):
            return self.evaluator.pools(population)
        return None

    def own_code(self) -> AbstractContextManager[None]:
        """Context in which what own oracles and evaluators raise is one sentence."""
        return of_parts(self.oracle, self.evaluator)

    def rng(self, iteration: int, stage: Stage) -> Generator:
        """The generator of one stage of one iteration."""
        return np.random.default_rng([self.seed, iteration, stage])
