"""The PSRO/JPSRO loop; all variants are parts of ``Setup``."""

import time
from collections.abc import Iterator

from meta_solvers.base import Progress
from psro.meta_game import respond, settle
from psro.parts import TIMED, State, Table
from psro.selection import select, updated
from psro.setup import Setup, Stage

__all__ = ["respond", "run", "start", "step"]


def start(setup: Setup) -> State:
    """The state before the first iteration."""
    with setup.own_code():
        population = setup.oracle.initial(setup.rng(0, Stage.INITIAL))
        table = Table.empty(len(population.pools), setup.evaluator.ensemble)
        progress = Progress(iteration=0, horizon=setup.horizon, gap=None, past=())
        cpu: dict[str, float] = dict.fromkeys(TIMED, 0.0)
        return settle(setup, progress, population, table=table, novel=0, cpu=cpu)


def step(setup: Setup, state: State) -> State:
    """One iteration: respond, choose, grow, evaluate, solve.

    Raises:
      UserCodeFailed: an oracle or evaluator of the user's own failed.
      SolverFailed: a meta-solver did.
    """
    with setup.own_code():
        return _step(setup, state)


def _step(setup: Setup, state: State) -> State:
    state = respond(setup, state)
    assert state.responses is not None  # as ``respond`` promises
    rng = setup.rng(state.iteration, Stage.SELECT)
    players = updated(setup.update, state.iteration, len(state.population.pools), rng)
    cpu, begin = dict(state.cpu), time.process_time()
    chosen = select(
        setup.selection,
        state.population,
        state.responses,
        players,
        rng,
        pools=setup.pools(state.population),
    )
    rng = setup.rng(state.iteration, Stage.GROW)
    population = setup.oracle.grow(state.population, chosen, rng)
    cpu["respond"] += time.process_time() - begin
    progress = Progress(
        iteration=state.iteration + 1,
        horizon=setup.horizon,
        gap=state.gap(setup.concept),
        past=(*state.past, state.train.joint) if setup.uses_past else (),
    )
    novel = population.members - state.population.members
    return settle(
        setup,
        progress,
        population,
        table=state.table,
        novel=novel,
        cpu=cpu,
        before=state,
    )


def run(
    setup: Setup, state: State, iterations: int, final_gap: bool = False
) -> Iterator[State]:
    """Yields the states after ``state`` until ``iterations`` steps are done.

    Each has its responses and its gap, but for the last where the oracle must train:
    its responses would serve for a gap only. ``final_gap`` trains them nevertheless.
    """
    while state.iteration < iterations:
        state = step(setup, state)
        if final_gap or state.iteration < iterations:
            state = respond(setup, state)
        yield state
