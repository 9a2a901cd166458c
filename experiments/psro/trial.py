"""One trial of PSRO: iterations, checkpoints and what it amounts to."""

import time

import numpy as np

from experiments.lab.folder import write_result
from experiments.lab.page import rounded, shown
from experiments.psro.arena import assembled
from experiments.psro.checkpoint import Begun
from experiments.psro.config import Config
from experiments.psro.summary import Summary
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.arena import Arena
from psro.executor import Executor
from psro.loop import respond, start, step
from psro.metrics import Row, row
from psro.parts import State
from psro.setup import Setup


def play(trial: Begun, arena: Arena, executor: Executor) -> None:
    """A trial from its start or its checkpoint to its end."""
    from experiments.psro.report import write_report

    config, kept, begin = trial.config, trial.state, time.monotonic()
    setup = assembled(config, arena, executor)
    metrics = trial.open(setup.concept)
    state = start(setup) if kept is None else kept
    state, stopped = _answered(config, setup, state, begin)
    last, failed = row(state, setup.concept), False
    if state is not kept:
        trial.keep(state, last, metrics)
    _say(config, last)
    while stopped is None:
        try:
            state, stopped = _answered(config, setup, step(setup, state), begin)
        except (SolverFailed, UserError) as error:
            stopped, failed = f"iteration {state.iteration + 1}: {error}", True
            break
        last = row(state, setup.concept)
        trial.keep(state, last, metrics)
        _say(config, last)
    summary = Summary(
        game=arena.name,
        solver=config.solver,
        eval_solver=config.eval_solver or config.solver,
        concept=setup.concept,
        seed=config.seed,
        selection=config.selection,
        last=last,
        stopped=stopped,
        failed=failed,
        cpu_seconds_of=_whose(config),
        facts=arena.facts,
    )
    uids = {f"uids_{p}": np.array(u) for p, u in enumerate(state.population.uids)}
    payoffs, joint = state.table.values[0], state.train.joint
    arrays = {"payoffs": payoffs, "joint": joint, "eval_joint": state.evaluation.joint}
    files.write_arrays(trial.folder / "meta_game.npz", arrays | uids)
    write_result(trial.folder / "summary.json", summary.flat, config)
    write_report(trial.folder, summary, list(map(Row.read, metrics.rows)), payoffs)


def _answered(
    config: Config, setup: Setup, state: State, begin: float
) -> tuple[State, str | None]:
    """A state that is whole, and why the run is over, if it is.

    A state that the run goes on from gets its responses here, so that its row has its
    gap. For the last one an oracle that must train does so with --final-gap only.
    """
    stopped = _reason(config, setup, state, begin)
    if state.responses is None and (stopped is None or config.final_gap):
        state = respond(setup, state)
        stopped = _reason(config, setup, state, begin)
    return state, stopped


def _reason(config: Config, setup: Setup, state: State, begin: float) -> str | None:
    """Why the run is over, if it is, as far as the state knows its gap."""
    gap = state.gap(setup.concept)
    if config.stop_gap is not None and gap is not None and gap <= config.stop_gap:
        return f"gap {gap:.3g} is at most {config.stop_gap:g}"
    if config.stop_no_novel and state.responses is not None:
        find = state.population.find
        if all(find(r.player, r.policy) is not None for r in state.responses):
            return "no novel policy"
    if state.iteration >= config.iterations:
        return f"{config.iterations} iterations"
    if config.max_seconds is not None and time.monotonic() - begin > config.max_seconds:
        return f"{config.max_seconds:g} seconds"
    return None


def _say(config: Config, row: Row) -> None:
    """A line of progress; trials of one run share the terminal."""
    label = "" if config.trials == 1 else f"seed {config.seed}  "
    config.run.say(
        f"{label}{row.iteration:4d}  gap {shown(row.gap, '.3g'):<9} "
        f"value sum {rounded(row.value_sum, '.4g'):<9} "
        f"eval {shown(row.eval_gap, '.3g')}/{rounded(row.eval_value_sum, '.4g')}  "
        f"policies {'x'.join(map(str, row.unique_policies))}  {row.status}"
    )


def _whose(config: Config) -> str:
    """What CPU seconds were counted."""
    if config.executor != "inprocess":
        return "this process only, workers not counted"
    if config.side_by_side > 1:
        return f"all {config.trials} trials, which learned side by side"
    return "this trial"
