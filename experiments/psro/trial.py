"""One trial of PSRO: iterations, checkpoints and what it amounts to."""

from dataclasses import replace

import numpy as np

from experiments.lab.folder import write_result
from experiments.lab.metrics import Rows
from experiments.psro.checkpoint import Begun
from experiments.psro.config import Config
from experiments.psro.distilling import distilled, learned_by
from experiments.psro.reference import game_values
from experiments.psro.summary import Summary, gap_name, gap_value, rounded, shown
from experiments.psro_parts.arena import assembled
from experiments.psro_parts.config import EXACT
from experiments.psro_parts.judging import Judge
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.arena import Arena
from psro.executor import Executor
from psro.implicit import with_tree
from psro.metrics import Row
from psro.parts import State, Table, TargetConcept
from psro.stopping import Stop, until
from psro.stored_joints import written


def play(trial: Begun, arena: Arena, executor: Executor) -> None:
    """A trial from its start or its checkpoint to its end."""
    trial = replace(trial, state=with_tree(trial.state, arena.form))
    config = trial.config
    setup = assembled(config, arena, executor)
    known = [Row.read(one) for one in trial.rows.rows]
    judge = Judge(
        arena,
        setup.concept,
        known=known,
        population=config.population_exploitability,
    )
    metrics = trial.open(judge.row)
    last: tuple[State, str | None] | None = None
    error = None
    try:
        states = until(_stop(config), setup, trial.state, final_gap=config.final_gap)
        for reached, reason in states:
            made = judge.row(reached)
            last = reached, reason
            if reached is not trial.state:
                trial.keep(reached, made, metrics)
            _say(config, made)
    except (SolverFailed, UserError) as failure:
        if last is None:  # there is nothing to report
            raise
        error = f"iteration {last[0].iteration + 1}: {failure}"
    assert last is not None  # ``until`` gives at least the state that it begins with
    state, reason = last
    _close(
        replace(trial, state=state, rows=Rows(tuple(metrics.rows))),
        arena,
        setup.concept,
        stopped=error or reason,
        failed=error is not None,
    )


def close_early(trial: Begun, arena: Arena, concept: TargetConcept) -> None:
    """Summary and report of a trial at its checkpoint, be that its end or not."""
    assert trial.state is not None
    reason = _stop(trial.config).reason(trial.state, concept, 0.0)
    if trial.config.final_gap and trial.state.responses is None:
        reason = None  # its gap was still to be measured
    _close(
        trial,
        arena,
        concept,
        stopped=reason or "interrupted",
        interrupted=reason is None,
    )


def _stop(config: Config) -> Stop:
    return Stop(
        iterations=config.iterations,
        gap=config.stop_gap,
        gap_name=gap_name(config.gap_is),
        no_novel=config.stop_no_novel,
        seconds=config.max_seconds,
    )


def _close(
    trial: Begun,
    arena: Arena,
    concept: TargetConcept,
    *,
    stopped: str | None,
    failed: bool = False,
    interrupted: bool = False,
) -> None:
    """Writes arrays, report and summary of a trial at its state, which has its row."""
    from experiments.psro.report import write_report

    config, state = trial.config, trial.state
    assert state is not None
    rows = [Row.read(one) for one in trial.rows.rows]
    summary = Summary(
        game=arena.name,
        solver=config.solver,
        eval_solver=config.eval_solver or config.solver,
        concept=concept,
        seed=config.seed,
        selection=config.selection,
        last=rows[-1],
        stopped=stopped,
        failed=failed,
        interrupted=interrupted,
        cpu_seconds_of=_whose(config),
        gap_is=config.gap_is,
        facts={**arena.facts, **distilled(rows)},
        game_values=game_values(arena),
    )
    _save_arrays(trial, state)
    table = state.table
    payoffs = table.values[0] if isinstance(table, Table) else None
    write_report(trial.folder, summary, rows, payoffs)
    write_result(trial.folder / "summary.json", summary.flat, config)


def _say(config: Config, row: Row) -> None:
    """A line of progress; trials of one run share the terminal."""
    label = "" if config.trials == 1 else f"seed {config.seed}  "
    gap = gap_value(config.gap_is, row.gap, row.gap_error)
    final = rounded(row.eval_value_sum, ".4g")
    if config.gap_is == EXACT:
        final = f"{shown(row.eval_gap, '.3g')}/{final}"
    exact = "" if row.exact_gap is None else f"exact gap {row.exact_gap:<8.3g} "
    if row.exact_eval_gap is not None:
        final = f"{row.exact_eval_gap:.3g}/{final}"
    config.run.say(
        f"{label}{row.iteration:4d}  {gap_name(config.gap_is)} {gap:<9} {exact}"
        f"value sum {rounded(row.value_sum, '.4g'):<9} "
        f"eval {final}  "
        f"policies {'x'.join(map(str, row.unique_policies))}  "
        f"meta-solver {row.status}{learned_by(row)}"
    )


def _whose(config: Config) -> str:
    """What CPU seconds were counted."""
    if config.executor != "inprocess":
        return "this process only, workers not counted"
    if config.side_by_side > 1:
        return (
            "this process while the trial worked or waited for answers, in which all "
            f"{config.trials} trials learned side by side"
        )
    return "this trial"


def _save_arrays(trial: Begun, state: State) -> None:
    """``meta_game.npz``: payoffs, joints and the uid of every axis.

    Without the tensor there are no payoffs, and of joints weights and strategies.
    """
    arrays = {f"uids_{p}": np.array(u) for p, u in enumerate(state.population.uids)}
    if isinstance(state.table, Table):
        arrays["payoffs"] = state.table.values[0]
    arrays |= written("", state.train.joint) | written("eval_", state.evaluation.joint)
    files.write_arrays(trial.folder / "meta_game.npz", arrays)
