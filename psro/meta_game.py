"""The meta-game of a population: its solution, responses to that, and their gains."""

import time
from dataclasses import replace

from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import AnyGame, MetaSolution, MetaSolver, Progress
from meta_solvers.solving import solve
from psro.parts import Population, Reaches, Response, State, Table, TargetConcept
from psro.setup import Setup, Stage
from psro.targets import gap_of, targets

Answers = tuple[tuple[Response, ...] | None, Float64[ndarray, " N"] | None]


def settle(
    setup: Setup,
    progress: Progress,
    population: Population,
    *,
    table: Table | Reaches,
    novel: int,
    cpu: dict[str, float],
    before: State | None = None,
) -> State:
    """Evaluates and solves a population, with all gaps that need no training.

    Args:
      setup: the parts.
      progress: progress of the loop with this population.
      population: the pools.
      table: payoffs that are known already.
      novel: policies that the last step added.
      cpu: CPU seconds before this; they are added to.
      before: the state of which solvers start; None for a cold start.
    """
    iteration, begin = progress.iteration, time.process_time()
    rng = setup.rng(iteration, Stage.EVALUATE)
    table = setup.evaluator.fill(population, table.grow(population), rng)
    game = table.game(population, setup.repeats)
    progress = replace(progress, pools=setup.pools(population))
    cpu["evaluate"] += time.process_time() - begin

    def solved(
        solver: MetaSolver, stage: Stage, last: MetaSolution | None
    ) -> MetaSolution:
        return solve(
            solver,
            game,
            setup.rng(iteration, stage),
            throw=False,
            prune=setup.prune,
            progress=replace(progress, warm={} if last is None else last.warm),
        ).require()

    begin = time.process_time()
    start = before if setup.warm else None
    last = None if start is None else start.train
    train = final = solved(setup.solver, Stage.SOLVE, last)
    if setup.evaluation is not None:
        last = None if start is None else start.evaluation
        final = solved(setup.evaluation, Stage.SOLVE_EVALUATION, last)
    cpu["solve"] += time.process_time() - begin

    state = State(
        iteration=iteration,
        population=population,
        table=table,
        train=train,
        evaluation=final,
        gaps=dict.fromkeys((setup.concept, *setup.measured)),
        novel=novel,
        cpu=cpu,
        past=progress.past,
    )
    return _measured(setup, state, game)


def _measured(setup: Setup, state: State, game: AnyGame) -> State:
    """The state with the responses and gaps that the oracle knows without training."""
    begin = time.process_time()
    rng = setup.rng(state.iteration, Stage.RESPOND)

    def measure(solution: MetaSolution, concept: TargetConcept) -> Answers:
        asked = targets(game, solution.joint, concept)
        answers = setup.oracle.measure(state.population, asked, rng)
        if answers is None:
            return None, None
        return tuple(answers), gap_of(game.players, answers)

    responses, gap = measure(state.train, setup.concept)
    gaps = state.gaps | {setup.concept: gap}
    for concept in dict.fromkeys(setup.measured):
        if concept != setup.concept:
            _, gaps[concept] = measure(state.train, concept)
    if state.evaluation is not state.train:
        _, gap = measure(state.evaluation, setup.concept)
    return replace(
        state,
        responses=responses,
        gaps=gaps,
        evaluation_gaps=gap,
        cpu=_with_responding(state.cpu, begin),
    )


def respond(setup: Setup, state: State) -> State:
    """The state with responses to its meta-strategy, and so with its gap.

    It is the state itself where the oracle could measure them without training.
    """
    if state.responses is not None:
        return state
    with setup.own_code():
        return _respond(setup, state)


def _respond(setup: Setup, state: State) -> State:
    begin = time.process_time()
    game = state.table.game(state.population, setup.repeats)
    asked = targets(game, state.train.joint, setup.concept)
    rng = setup.rng(state.iteration, Stage.RESPOND)
    responses = tuple(setup.oracle.respond(state.population, asked, rng))
    gap = gap_of(game.players, responses)
    alone = state.evaluation is state.train
    return replace(
        state,
        responses=responses,
        gaps=state.gaps | {setup.concept: gap},
        evaluation_gaps=gap if alone else state.evaluation_gaps,
        cpu=_with_responding(state.cpu, begin),
    )


def _with_responding(cpu: dict[str, float], begin: float) -> dict[str, float]:
    """CPU seconds by phase, with those of responding since ``begin`` added."""
    return cpu | {"respond": cpu["respond"] + time.process_time() - begin}
