"""The PSRO/JPSRO loop. Variants are parts of ``Setup``, never branches in here."""

import time
from collections.abc import Iterator

from numpy import ndarray

from meta_solvers.base import MetaSolution, solve
from psro.parts import STAGES, Population, Setup, State, Table, TargetConcept
from psro.selection import select, updated
from psro.targets import Measured, targets


def start(setup: Setup) -> State:
    """The state before the first iteration."""
    population = setup.oracle.initial(setup.rng(0, 6))
    table = Table.empty(len(population.pools), setup.evaluator.ensemble)
    return _settle(setup, 0, population, table, 0, dict.fromkeys(STAGES, 0.0))


def step(setup: Setup, state: State) -> State:
    """One iteration: choose, grow, evaluate, solve, respond."""
    rng = setup.rng(state.iteration, 0)
    players = updated(setup.update, state.iteration, len(state.population.pools), rng)
    chosen = select(setup.selection, state.population, state.responses, players, rng)
    cpu, begin = dict(state.cpu), time.process_time()
    rng = setup.rng(state.iteration, 1)
    population = setup.oracle.grow(state.population, chosen, rng)
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
        rng = setup.rng(iteration, 5)
        final = solve(setup.evaluation, game, rng, throw=False, prune=setup.prune)
    cpu["solve"] += time.process_time() - begin

    begin = time.process_time()
    rng = setup.rng(iteration, 4)

    def respond(solution: MetaSolution, concept: TargetConcept) -> Measured:
        asked = targets(game, solution.require().joint, concept)
        answers = setup.oracle.respond(population, asked, rng)
        return Measured.of(game.players, answers)

    answer = respond(train, setup.concept)
    gaps: dict[str, ndarray] = {setup.concept: answer.gap}
    for concept in setup.measured:
        if concept not in gaps:
            gaps[concept] = respond(train, concept).gap
    final_gap = answer.gap
    if final is not train:
        final_gap = respond(final, setup.concept).gap
    cpu["respond"] += time.process_time() - begin
    return State(
        iteration,
        population,
        table,
        train,
        final,
        answer.responses,
        gaps,
        final_gap,
        novel,
        cpu,
    )
