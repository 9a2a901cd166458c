"""One trial of PSRO: progress, metrics, checkpoints, summary, report."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import _metrics, _run
from meta_solvers.base import SolverFailed
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments._arena import Arena
    from experiments.psro import Config
    from psro.parts import Setup, State


def trial(
    config: "Config", folder: Path, arena: "Arena", setup: "Setup"
) -> dict[str, Any]:
    """One trial from its start or its last checkpoint to its end."""
    from experiments._report import write_report
    from psro.loop import start, step
    from psro.metrics import row

    bound = belongs(config, arena)
    state, metrics = opened(config, folder, bound)
    if state is None:
        state = start(setup)
        _keep(state, setup, metrics, folder, bound)
    begin = time.monotonic()
    stopped, failed = _reason(config, setup, state, begin), False
    with Progress(config, arena, setup) as show:
        show(state, row(state, setup.concept))
        while stopped is None:
            try:
                state = step(setup, state)
            except (SolverFailed, UserError) as error:
                stopped, failed = f"iteration {state.iteration + 1}: {error}", True
                break
            show(state, _keep(state, setup, metrics, folder, bound))
            stopped = _reason(config, setup, state, begin)
    summary = summarise(config, arena, setup, state, stopped)
    summary["failed"] = failed
    _save_arrays(folder, state)
    _run.write_result(folder / "summary.json", summary, config)
    write_report(folder, summary, metrics.rows, state.table.values[0])
    return summary


def belongs(config: "Config", arena: "Arena") -> dict[str, str]:
    """What every checkpoint of a trial is bound to: its fields and its game."""
    return {"config": _run.binding(config), "game": arena.fingerprint}


def opened(
    config: "Config", folder: Path, bound: dict[str, str]
) -> "tuple[State | None, _run.Metrics]":
    """The checkpoint that a trial goes on from, if any, and the rows that go with it.

    Rows and checkpoints after it, which a kill can leave, go away.
    """
    from psro import checkpoint

    folder.mkdir(parents=True, exist_ok=True)
    place, state, seal = sound(config, folder, bound)
    keep = 0 if state is None else state.iteration + 1
    metrics = _run.Metrics(folder / "metrics.jsonl", keep, seal)
    for later in checkpoint.found(folder / "checkpoint"):
        if place is not None and later.name > place.name:
            shutil.rmtree(later)
    return state, metrics


def sound(
    config: "Config", folder: Path, bound: dict[str, str]
) -> "tuple[Path | None, State | None, str | None]":
    """The checkpoint to go on from, read and held against the run; nothing is written.

    Returns:
      Its folder, its state, and the seal of its rows; None where there is none.

    Raises:
      UserError: it or its rows are damaged, or belong to another run.
    """
    from psro import checkpoint

    places = checkpoint.found(folder / "checkpoint")
    back = config.resume_from == "previous"
    if back and len(places) < 2:
        raise UserError(
            f"--resume-from: 'previous' must find two checkpoints in '{folder}'; got "
            f"{len(places)}"
        )
    if not places:
        _metrics.read(folder / "metrics.jsonl", 0)
        return None, None, None
    place = places[-2 if back else -1]
    try:
        state, known = checkpoint.read(place)
    except UserError as error:
        raise UserError(f"{error}; {_way_back(places, back)}") from None
    seal = known.pop("rows", "")
    if known != bound:
        what = "game" if known.get("config") == bound["config"] else "configuration"
        raise UserError(
            f"--resume: checkpoint '{place}' must belong to this run's {what}; it is "
            "of another one"
        )
    _metrics.read(folder / "metrics.jsonl", state.iteration + 1, seal)
    return place, state, seal


def rows(config: "Config", folder: Path) -> list[dict[str, Any]]:
    """The rows of a finished trial, held against its last checkpoint.

    Raises:
      UserError: they or the checkpoint are damaged, or belong to another run.
    """
    from psro import checkpoint

    places = checkpoint.found(folder / "checkpoint")
    if not places:
        raise UserError(f"'{folder}' must hold the checkpoint of its run; it does not")
    state, known = checkpoint.read(places[-1])
    if known.get("config") != _run.binding(config):
        raise UserError(
            f"checkpoint '{places[-1]}' must belong to this run's configuration; it is "
            "of another one"
        )
    seal = known.get("rows", "")
    return _metrics.read(folder / "metrics.jsonl", state.iteration + 1, seal)[0]


def _way_back(places: list[Path], back: bool) -> str:
    """What a user can do who has lost a checkpoint."""
    from psro import checkpoint

    try:
        if back or len(places) < 2:
            raise UserError("there is none before it")
        checkpoint.load(places[-2])
    except UserError:
        return "no sound one is before it, so a new run must begin in another folder"
    return (
        f"the one before, '{places[-2].name}', is sound, and --resume-from previous "
        "goes on from it"
    )


def _keep(
    state: "State",
    setup: "Setup",
    metrics: _run.Metrics,
    folder: Path,
    bound: dict[str, str],
) -> dict[str, Any]:
    """Row first, then checkpoint: a kill between the two costs one row again."""
    from psro import checkpoint
    from psro.metrics import row

    made = row(state, setup.concept)
    metrics.add(made)
    checkpoint.save(state, folder / "checkpoint", bound | {"rows": metrics.seal})
    return made


def _reason(
    config: "Config", setup: "Setup", state: "State", begin: float
) -> str | None:
    """Why the run is over, if it is."""
    gap = float(state.gaps[setup.concept].sum())
    if config.stop_gap is not None and gap <= config.stop_gap:
        return f"gap {gap:.3g} is at most {config.stop_gap:g}"
    find = state.population.find
    known = (find(r.player, r.policy) is not None for r in state.responses)
    if config.stop_no_novel and all(known):
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
    return config.oracle != "exact" and config.trials > 1 and config.jobs == 1


def together(config: "Config", summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and standard errors over trials."""
    import numpy as np

    found: dict[str, Any] = {"trials": summaries}
    for key in ("game", "solver", "eval_solver", "concept"):
        found[key] = summaries[0][key]
    for key in ("gap", "value_sum", "eval_gap", "eval_value_sum", "cpu_seconds"):
        values = np.array([s[key] for s in summaries])
        found[key] = float(values.mean())
        found[f"{key}_standard_error"] = float(
            values.std(ddof=1) / np.sqrt(len(values))
        )
    found["failed"] = any(s["failed"] for s in summaries)
    found["stopped"] = [s["stopped"] for s in summaries]
    found["seeds"] = [s["seed"] for s in summaries]
    return found


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
        self.silent = config.quiet or config.json
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
                f"{self.label}{row['iteration']:4d}  gap {row['gap']:<9.3g} "
                f"value sum {rounded(row['value_sum']):<9.4g} "
                f"eval {row['eval_gap']:.3g}/{rounded(row['eval_value_sum']):.4g}  "
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


def slug(text: str) -> str:
    """A name for a folder."""
    return "".join(c if c.isalnum() else "_" for c in text).strip("_")[:60]
