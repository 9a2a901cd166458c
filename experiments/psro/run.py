"""All trials of a PSRO run: one after the other, side by side, or in processes."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record, slug, write_result
from experiments.lab.options import least
from experiments.lab.process import end_with_parent
from experiments.psro import arena as _arena
from experiments.psro import checkpoint as _trial_state
from experiments.psro import trial as _trial
from experiments.psro.checkpoint import Begun
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments.psro.arena import Arena
    from psro.executor import Executor, Loss
    from psro.setup import Setup


from experiments.psro.config import Config


def run(config: Config) -> dict[str, Any]:
    """Runs all trials; returns the summary that is also written."""
    check(config)
    arena = _arena.build(config)
    with _executor(config) as executor:
        return _run_all(config, arena, executor)


def _run_all(config: Config, arena: "Arena", executor: "Executor") -> dict[str, Any]:
    setup = parts(config, arena, executor)
    name = f"psro-{slug(arena.name)}-{slug(config.solver)}"
    with claim(config.run, name) as folder:
        return _all_trials(config, folder, arena, executor, setup)


def _all_trials(
    config: Config, folder: Path, arena: "Arena", executor: "Executor", setup: "Setup"
) -> dict[str, Any]:
    """All trials in a folder that this process owns."""
    _check_game(arena, folder)
    # Every trial is sound before the configuration is replaced.
    trials = [_begun(config, folder, arena, number=i) for i in range(config.trials)]
    record(folder, config)
    files.write_sealed(folder / "game.json", _game(arena))
    if config.run.jobs > 1 and config.trials > 1:
        summaries = _shared_out(trials, config.run.jobs)
    elif _trial.side_by_side(config):
        summaries = _stacked(arena, trials, executor)
    else:
        summaries = [
            _trial.trial(one, arena, replace(setup, seed=one.config.seed))
            for one in trials
        ]
    summary = summaries[0] if config.trials == 1 else _trial.together(config, summaries)
    summary["folder"] = str(folder)
    if config.trials > 1:
        write_result(folder / "summary.json", summary, config)
    return summary


def _begun(config: Config, folder: Path, arena: "Arena", *, number: int) -> Begun:
    """The trial of a number, as its folder has it."""
    place = folder if config.trials == 1 else folder / f"trial_{number}"
    trial = _trial_state.begun(replace(config, seed=config.seed + number), place, arena)
    if trial.state is not None and trial.state.iteration > config.iterations:
        raise UserError(
            f"--iterations must be at least the {trial.state.iteration} that '{place}' "
            f"has done; got {config.iterations}"
        )
    return trial


def _stacked(
    arena: "Arena", trials: list[Begun], executor: "Executor"
) -> list[dict[str, Any]]:
    """All trials side by side; what they ask for is answered together."""
    from psro.together import together

    def job(trial: Begun) -> "Callable[[Executor], dict[str, Any]]":
        return lambda seat: _trial.trial(trial, arena, parts(trial.config, arena, seat))

    return together([job(trial) for trial in trials], executor)


def _shared_out(trials: list[Begun], jobs: int) -> list[dict[str, Any]]:
    """All trials in processes of their own, so many at once."""
    from psro.workers import Processes

    asked = [(silenced(trial.config), trial.folder) for trial in trials]
    with Processes(min(jobs, len(trials)), on_loss=_say_lost) as executor:
        return executor.answer(_work, asked)


def silenced(config: Config) -> Config:
    """The configuration of a trial that shows no progress."""
    return replace(config, run=replace(config.run, quiet=True))


def _work(asked: "Sequence[tuple[Config, Path]]") -> list[dict[str, Any]]:
    """Does trials one after the other; what a worker process is asked."""
    from meta_solvers.base import SolverFailed

    end_with_parent()
    try:
        return [_rebuilt(config, folder) for config, folder in asked]
    except (OSError, SolverFailed) as error:  # a full disk, say: no fault of ours
        raise UserError(str(error)) from error


def _rebuilt(config: Config, folder: Path) -> dict[str, Any]:
    """A trial whose game and state are read where it is run."""
    arena = _arena.build(config)
    trial = _trial_state.begun(config, folder, arena)
    with _executor(config) as executor:
        return _trial.trial(trial, arena, parts(config, arena, executor))


_LEARNED = (
    "decisions", "episodes", "all_instances", "final_gap", "executor", "device",
)  # fmt: skip
_EXACT = ("tie_break", "memory_gb", "initial", "payoffs", "gaps", "symmetric")


def _check_oracle(config: Config) -> None:
    """A field that the chosen oracle does not read must not be given."""
    strange = _LEARNED if config.oracle == "exact" else _EXACT
    usual = Config()
    for name in strange:
        if getattr(config, name) != getattr(usual, name):
            flag = name.replace("_", "-")
            raise UserError(
                f"--{flag}: it must go with another --oracle; '{config.oracle}' does "
                "not use it"
            )
    if config.run.jobs > 1 and config.executor != "inprocess":
        raise UserError("--jobs: an executor shares out the work itself; drop one")


def _executor(config: Config) -> "Executor":
    """Where learning runs; what is lost with a worker is said, not hidden."""
    from psro.executor import parse

    return parse(config.executor, None, _say_lost)


def _say_lost(loss: "Loss") -> None:
    print(f"lost with its worker, sent again: {loss['what']}", file=sys.stderr)


def _game(arena: "Arena") -> dict[str, str]:
    """What ``game.json`` says of the game that a run plays."""
    return {"name": arena.name, "fingerprint": arena.fingerprint}


def _check_game(arena: "Arena", folder: Path) -> None:
    """Refuses another game than the one that a run was begun with."""
    place = folder / "game.json"
    if place.exists() and files.read_sealed(place) != _game(arena):
        raise UserError(
            f"--resume: the game must be the one that '{folder}' was begun with, "
            "payoffs included; it has changed"
        )


def check(config: Config) -> None:
    """What no other part checks, before anything is built."""
    least(config, iterations=0, trials=1, seed=0, decisions=2, episodes=2, horizon=1)
    _check_oracle(config)
    if config.payoffs is not None and config.players is not None:
        raise UserError("--players goes with --game; a file has its own players")
    for name in ("stop_gap", "max_seconds"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < float("inf"):
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} must be a number >= 0; got {value}")
    if not 0 <= config.prune < 1:
        raise UserError(f"--prune must be in [0, 1); got {config.prune}")
    if not config.memory_gb > 0:
        raise UserError(f"--memory-gb must be positive; got {config.memory_gb}")


def parts(config: Config, arena: "Arena", executor: "Executor") -> "Setup":
    """The loop's parts from the configuration."""
    from meta_solvers import get
    from psro.parts import CONCEPTS
    from psro.setup import Setup

    solver = get(config.solver)
    evaluation = get(config.eval_solver) if config.eval_solver else None
    for chosen in (solver, evaluation):
        if chosen is not None:
            _arena.check_solver(chosen, arena.probe, config.horizon)
    concept = config.concept
    if concept == "auto":
        concept = "cce" if solver.concept == "none" else solver.concept
    oracle, evaluator = arena.parts(config.seed, executor)
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=solver,
        concept=concept,
        seed=config.seed,
        evaluation=evaluation,
        selection=config.selection,
        update=config.update,
        repeats=config.repeats,
        prune=config.prune,
        measured=CONCEPTS if config.gaps == "all" else (),
        horizon=config.horizon,
    )
