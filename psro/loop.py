"""The PSRO/JPSRO loop. Variants are parts of ``Setup``, never branches in here."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from meta_solvers.base import MetaSolution, MetaSolver, solve
from psro.parts import (
    STAGES,
    Evaluator,
    Oracle,
    Population,
    Response,
    State,
    Table,
    Target_Concept,
)
from psro.selection import Selection, Update, select, updated
from psro.targets import gaps, targets


@dataclass(frozen=True)
class Setup:
    """The parts of a run: everything that may vary.

    Attributes:
      oracle: answers targets.
      evaluator: fills the payoff table.
      solver: the meta-solver that is responded to.
      concept: what is targeted: "ne" (PSRO), "cce" or "ce" (JPSRO).
      seed: all randomness derives from (seed, iteration, stage).
      evaluation: a second meta-solver, measured but not responded to.
      selection: which responses join the population.
      update: which players' responses may.
      repeats: policies found again count again in the meta-game.
      prune: joint probabilities below this become 0 before they are responded to.
      measured: concepts whose full-game gap is measured in every iteration.
    """

    oracle: Oracle
    evaluator: Evaluator
    solver: MetaSolver
    concept: Target_Concept
    seed: int = 0
    evaluation: MetaSolver | None = None
    selection: Selection = "largest_gap"
    update: Update = "all"
    repeats: bool = True
    prune: float = 1e-8
    measured: tuple[Target_Concept, ...] = ()

    def rng(self, iteration: int, stage: Literal[0, 1, 2, 3, 4]) -> Any:
        """The generator of one stage of one iteration."""
        return np.random.default_rng([self.seed, iteration, stage])


def start(setup: Setup) -> State:
    """The state before the first iteration."""
    population = setup.oracle.initial(setup.rng(0, 0))
    table = Table.empty(len(population.pools), setup.evaluator.ensemble)
    return _settle(setup, 0, population, table, 0, dict.fromkeys(STAGES, 0.0))


def step(setup: Setup, state: State) -> State:
    """One iteration: choose, grow, evaluate, solve, respond."""
    rng = setup.rng(state.iteration, 0)
    players = updated(setup.update, state.iteration, len(state.population.pools), rng)
    chosen = select(setup.selection, state.population, state.responses, players, rng)
    begin = time.process_time()
    population = setup.oracle.grow(
        state.population, chosen, setup.rng(state.iteration, 1)
    )
    cpu = dict(state.cpu)
    cpu["respond"] += time.process_time() - begin
    novel = population.next_uid - state.population.next_uid
    after = state.iteration + 1
    return _settle(setup, after, population, state.table, novel, cpu)


def run(setup: Setup, state: State, iterations: int) -> Iterator[State]:
    """Yields the states after ``state`` until ``iterations`` steps are done."""
    while state.iteration < iterations:
        state = step(setup, state)
        yield state


def _settle(
    setup: Setup,
    iteration: int,
    population: Population,
    table: Table,
    novel: int,
    cpu: dict[str, float],
) -> State:
    """Evaluates and solves a population, and asks what would beat the answer."""
    begin = time.process_time()
    rng = setup.rng(iteration, 2)
    table = setup.evaluator.fill(population, table.grow(population), rng)
    game = table.game(population, setup.repeats)
    cpu["evaluate"] += time.process_time() - begin

    begin = time.process_time()
    rng = setup.rng(iteration, 3)
    train = solve(setup.solver, game, rng, throw=False, prune=setup.prune)
    final = train
    if setup.evaluation is not None:
        final = solve(setup.evaluation, game, rng, throw=False, prune=setup.prune)
    cpu["solve"] += time.process_time() - begin

    begin = time.process_time()
    rng = setup.rng(iteration, 4)

    def respond(solution: MetaSolution, concept: Target_Concept) -> list[Response]:
        asked = targets(game, solution.require().joint, concept)
        return setup.oracle.respond(population, asked, rng)

    def gap(responses: list[Response]) -> np.ndarray:
        return gaps(game.players, [(r.player, r.gain) for r in responses])

    responses = respond(train, setup.concept)
    measured = {setup.concept: gap(responses)}
    for concept in setup.measured:
        if concept not in measured:
            measured[concept] = gap(respond(train, concept))
    final_gap = measured[setup.concept]
    if final is not train:
        final_gap = gap(respond(final, setup.concept))
    cpu["respond"] += time.process_time() - begin
    return State(
        iteration,
        population,
        table,
        train,
        final,
        tuple(responses),
        measured,
        final_gap,
        novel,
        cpu,
    )
