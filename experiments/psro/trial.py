"""One trial of PSRO: progress, metrics, checkpoints, summary, report."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import write_result
from experiments.lab.metrics import Metrics
from experiments.lab.page import shown
from experiments.psro.checkpoint import Begun, opened
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.psro.arena import Arena
    from experiments.psro.config import Config
    from psro.parts import State
    from psro.setup import Setup


def trial(begun: Begun, arena: "Arena", setup: "Setup") -> dict[str, Any]:
    """One trial from its start or its checkpoint to its end."""
    from experiments.psro.report import write_report
    from psro.loop import start, step
    from psro.metrics import row

    config, folder, kept = begun.config, begun.folder, begun.state
    metrics = opened(begun)
    if kept is not None and len(metrics.rows) == kept.iteration:
        metrics.add(row(kept, setup.concept))  # the row that a kill left half amended
    state = start(setup) if kept is None else kept
    begin = time.monotonic()
    state, stopped = _answered(config, setup, state, begin)
    if state is not kept:
        _keep(state, setup, metrics=metrics, begun=begun)
    failed = False
    with Progress(config, arena, setup) as show:
        show(state, row(state, setup.concept))
        while stopped is None:
            try:
                state, stopped = _answered(config, setup, step(setup, state), begin)
            except (SolverFailed, UserError) as error:
                stopped, failed = f"iteration {state.iteration + 1}: {error}", True
                break
            show(state, _keep(state, setup, metrics=metrics, begun=begun))
    summary = summarise(config, arena, setup, state, stopped)
    summary["failed"] = failed
    _save_arrays(folder, state)
    write_result(folder / "summary.json", summary, config)
    write_report(folder, summary, metrics.rows, state.table.values[0])
    return summary


def _answered(
    config: "Config", setup: "Setup", state: "State", begin: float
) -> "tuple[State, str | None]":
    """A state that is whole, and why the run is over, if it is.

    A state that the run goes on from gets its responses here, so that its row has its
    gap. For the last one an oracle that must train does so with --final-gap only.
    """
    from psro.loop import respond

    stopped = _reason(config, setup, state, begin)
    if state.responses is None and (stopped is None or config.final_gap):
        state = respond(setup, state)
        stopped = _reason(config, setup, state, begin)
    return state, stopped


def _keep(
    state: "State", setup: "Setup", metrics: Metrics, begun: Begun
) -> dict[str, Any]:
    """Row first, then checkpoint: a kill between the two costs one row again.

    A run that goes on measures what was its last gap; the row is then written anew.
    """
    from psro import checkpoint
    from psro.metrics import row

    made = row(state, setup.concept)
    if len(metrics.rows) > state.iteration:
        metrics.amend(made)
    else:
        metrics.add(made)
    seals = {"rows": metrics.seal, "rows_before": metrics.seal_before}
    checkpoint.save(state, begun.folder / "checkpoint", begun.bound | seals)
    return made


def _reason(
    config: "Config", setup: "Setup", state: "State", begin: float
) -> str | None:
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


def summarise(
    config: "Config",
    arena: "Arena",
    setup: "Setup",
    state: "State",
    stopped: str | None,
) -> dict[str, Any]:
    """What a run amounts to, in plain values."""
    from psro.metrics import row

    last = row(state, setup.concept)
    keys = (
        "gap", "gap_per_player", "values", "value_sum", "eval_gap", "eval_values",
        "eval_value_sum", "policies", "unique_policies", "support", "status",
        "eval_status", "meta_gap", "gap_error",
    )  # fmt: skip
    return {
        "game": arena.name,
        "solver": config.solver,
        "eval_solver": config.eval_solver or config.solver,
        "concept": setup.concept,
        "seed": config.seed,
        "iterations": state.iteration,
        "stopped": stopped,
        **{key: last[key] for key in keys},
        "cpu_seconds": sum(state.cpu.values()),
        "cpu_seconds_per_stage": dict(state.cpu),
        "cpu_seconds_of": _whose(config),
        "selection": config.selection,
        **arena.facts,
    }


def _whose(config: "Config") -> str:
    """What CPU seconds were counted."""
    if config.executor != "inprocess":
        return "this process only, workers not counted"
    if side_by_side(config):
        return f"all {config.trials} trials, which learned side by side"
    return "this trial"


def side_by_side(config: "Config") -> bool:
    """Whether the trials of a run share this process and learn in one stack."""
    return config.oracle != "exact" and config.trials > 1 and config.run.jobs == 1


def together(config: "Config", summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and standard errors over trials; None where a trial has no number."""
    import numpy as np

    means: dict[str, Any] = {"trials": summaries}
    for key in ("game", "solver", "eval_solver", "concept"):
        means[key] = summaries[0][key]
    for key in ("gap", "value_sum", "eval_gap", "eval_value_sum", "cpu_seconds"):
        listed = [s[key] for s in summaries]
        if None in listed:
            means[key] = means[f"{key}_standard_error"] = None
            continue
        values = np.array(listed)
        means[key] = float(values.mean())
        means[f"{key}_standard_error"] = float(
            values.std(ddof=1) / np.sqrt(len(values))
        )
    means["failed"] = any(s["failed"] for s in summaries)
    means["stopped"] = [s["stopped"] for s in summaries]
    means["seeds"] = [s["seed"] for s in summaries]
    return means


def _save_arrays(folder: Path, state: "State") -> None:
    """``meta_game.npz``: payoffs, joints and the uid of every axis."""
    import numpy as np

    uids = {f"uids_{p}": np.array(u) for p, u in enumerate(state.population.uids)}
    arrays = {
        "payoffs": state.table.values[0],
        "joint": state.train.joint,
        "eval_joint": state.evaluation.joint,
    }
    files.write_arrays(folder / "meta_game.npz", arrays | uids)


class Progress:
    """A live line an iteration, on a terminal; a plain line each elsewhere."""

    def __init__(self, config: "Config", arena: "Arena", setup: "Setup") -> None:
        self.silent = config.run.silent
        self.title = f"{arena.name} | {config.solver} | {setup.concept}"
        self.total = config.iterations
        self.split = arena.split
        # Trials that run side by side share the terminal: each line names its own.
        self.alone = not side_by_side(config)
        self.label = "" if self.alone else f"seed {config.seed}  "

    def __enter__(self) -> Callable[["State", dict[str, Any]], None]:
        if self.silent:
            return lambda state, row: None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console()
        console.print(self.title, style="bold", highlight=False)
        if any(self.split):
            console.print(
                f"imperfect recall: {sum(self.split)} information states were split by "
                "their owner's past actions",
                highlight=False,
            )
        self.live = Progress(
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not (console.is_terminal and self.alone),
        )
        self.live.start()
        task = self.live.add_task("", total=self.total)

        def show(state: "State", row: dict[str, Any]) -> None:
            self.live.update(task, completed=state.iteration)
            console.print(
                f"{self.label}{row['iteration']:4d}  "
                f"gap {shown(row['gap'], '.3g'):<9} "
                f"value sum {rounded(row['value_sum']):<9.4g} "
                f"eval {shown(row['eval_gap'], '.3g')}/"
                f"{rounded(row['eval_value_sum']):.4g}  "
                f"policies {'x'.join(map(str, row['unique_policies']))}  "
                f"{row['status']}",
                highlight=False,
                soft_wrap=True,
            )

        return show

    def __exit__(self, *_: object) -> None:
        if not self.silent:
            self.live.stop()


def rounded(value: float) -> float:
    """Without rounding noise around zero, for people."""
    return round(value, 12) + 0.0
