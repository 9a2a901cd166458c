"""PSRO and JPSRO with any meta-solver: exact on tabular games, learned elsewhere.

Example: python -m experiments.psro --game kuhn_poker --players 3 --solver mgcce
         python -m experiments.psro --game bargaining --oracle ddqn --solver rd

Writes a run folder: config, environment, one row of metrics an iteration, a checkpoint
that a killed run resumes from bit for bit, the meta-game, plots and report.html.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from experiments import _arena, _owner, _run, _states, _trial, _trial_state
from experiments._trial_state import Begun
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from experiments._arena import Arena
    from psro.executor import Executor, Loss
    from psro.setup import Setup


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a PSRO run."""

    may_change: ClassVar[tuple[str, ...]] = (
        "iterations", "stop_gap", "stop_no_novel", "max_seconds", "memory_gb",
        "final_gap",
    )  # fmt: skip

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "kuhn_poker(players=3)". With --oracle ddqn
    "bargaining" is the generalised game, OpenSpiel's own is "openspiel/bargaining"."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    payoffs: Path | None = None
    """A normal-form game instead (.npy, .npz, .csv or Gambit .nfg)."""
    oracle: Literal["exact", "ddqn"] = "exact"
    """Exact best responses, or learned ones (Double DQN) with sampled payoffs; then
    gaps are lower bounds, measured where a response is learned: for what is responded
    to, under the run's concept, in all iterations but the last."""
    decisions: int = 20_000
    """Learned oracle: decisions a response; the published budget is 200000 (1 min)."""
    episodes: int = 1000
    """Learned oracle: episodes of each payoff."""
    all_instances: bool = False
    """Learned oracle: play every instance once instead of random episodes, where chance
    acts at the root only (openspiel/bargaining): exact payoffs of greedy policies."""
    final_gap: bool = False
    """Learned oracle: learn responses to the last meta-strategy too, for its gap."""
    executor: str = "inprocess"
    """Learned oracle: inprocess (trials are stacked), processes:jobs=2, ray or
    ray:address=..."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Learned oracle: where networks are trained and played."""
    solver: str = "mgcce"
    """Meta-solver that is responded to: a name or spec, as r3d:threshold=0.5."""
    eval_solver: str | None = None
    """Meta-solver only measured, under the run's concept (default: the same). A learned
    oracle knows its values, but no full-game gap of it: that would take responses of
    its own."""
    concept: Literal["auto", "ne", "cce", "ce"] = "auto"
    """What is responded to; auto follows the solver (cce for heuristics)."""
    iterations: int = 20
    """Iterations in all; a resumed run may ask for more."""
    horizon: int | None = None
    """How many iterations a meta-solver with a schedule reckons with; the run itself
    ends at --iterations."""
    seed: int = 0
    """Seed of the first trial; trial i uses seed + i."""
    trials: int = 1
    """Independent trials, each in its own folder."""
    jobs: int = 1
    """Processes that share the trials (one thread each)."""
    initial: Literal["uniform", "random_deterministic"] = "uniform"
    """Policies before the first iteration."""
    selection: Literal["largest_gap", "all", "all_novel", "random", "random_novel"] = (
        "largest_gap"
    )
    """Which best responses join a population."""
    tie_break: Literal["random", "first", "uniform"] = "random"
    """Which of several best actions a response takes; it changes results."""
    update: Literal["all", "cycle", "random"] = "all"
    """Whose populations grow in an iteration (gaps are measured for all)."""
    symmetric: bool = False
    """Exact oracle: one shared population; the game is checked to be symmetric. A
    learned oracle shares one wherever its game is known to be symmetric."""
    repeats: bool = True
    """A policy that is found again counts again in the meta-game."""
    prune: float = 1e-8
    """Joint probabilities below this become 0 (recorded)."""
    gaps: Literal["concept", "all"] = "concept"
    """Exact oracle: measure the full-game gap of the concept only, or of NE, CCE and
    CE."""
    stop_gap: float | None = None
    """Stop when the full-game gap is measured and at or below this."""
    stop_no_novel: bool = False
    """Stop when an iteration found no novel policy."""
    max_seconds: float | None = None
    """Stop after this much wall time (the one rule that depends on the machine)."""
    memory_gb: float = 4.0
    """Refuse games whose tree makes the process grow by more than this."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Continue the run in --out."""
    resume_from: _states.From = "last"
    """State that --resume takes: the newest, or, where that is lost, the one before."""
    config: Path | None = None
    """YAML file with defaults for these fields."""
    json: bool = False
    """Print the summary as one JSON object and nothing else on stdout."""
    quiet: bool = False
    """Print no progress."""


def run(config: Config) -> dict[str, Any]:
    """Runs all trials; returns the summary that is also written."""
    check(config)
    arena = _arena.build(config)
    with _executor(config) as executor:
        return _run_all(config, arena, executor)


def _run_all(config: Config, arena: "Arena", executor: "Executor") -> dict[str, Any]:
    setup = parts(config, arena, executor)
    name = f"psro-{_trial.slug(arena.name)}-{_trial.slug(config.solver)}"
    with _run.claim(config.out, name, config.resume) as folder:
        return _all_trials(config, folder, arena, executor, setup)


def _all_trials(
    config: Config, folder: Path, arena: "Arena", executor: "Executor", setup: "Setup"
) -> dict[str, Any]:
    """All trials in a folder that this process owns."""
    _check_game(arena, folder)
    # Every trial is sound before the configuration is replaced.
    trials = [_begun(config, folder, arena, number=i) for i in range(config.trials)]
    _run.record(folder, config)
    files.write_sealed(folder / "game.json", _game(arena))
    if config.jobs > 1 and config.trials > 1:
        summaries = _shared_out(trials, config.jobs)
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
        _run.write_result(folder / "summary.json", summary, config)
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

    asked = [(replace(trial.config, quiet=True), trial.folder) for trial in trials]
    with Processes(min(jobs, len(trials)), on_loss=_say_lost) as executor:
        return executor.answer(_work, asked)


def _work(asked: "Sequence[tuple[Config, Path]]") -> list[dict[str, Any]]:
    """Does trials one after the other; what a worker process is asked."""
    from meta_solvers.base import SolverFailed

    _owner.end_with_parent()
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
    if config.jobs > 1 and config.executor != "inprocess":
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
    for name, low in (("iterations", 0), ("trials", 1), ("jobs", 1), ("seed", 0)):
        if getattr(config, name) < low:
            raise UserError(
                f"--{name} must be at least {low}; got {getattr(config, name)}"
            )
    for name in ("decisions", "episodes"):
        if getattr(config, name) < 2:
            raise UserError(f"--{name} must be at least 2; got {getattr(config, name)}")
    _check_oracle(config)
    _states.check_start(config.resume_from, config.resume)
    if config.payoffs is not None and config.players is not None:
        raise UserError("--players goes with --game; a file has its own players")
    for name in ("stop_gap", "max_seconds"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < float("inf"):
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} must be a number >= 0; got {value}")
    if config.horizon is not None and config.horizon < 1:
        raise UserError(f"--horizon must be at least 1; got {config.horizon}")
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


def page(config: Config) -> None:
    """Runs and says where the results are."""
    summary = run(config)
    if config.json:
        print(json.dumps(_run.spelled(summary)))
    elif not (config.quiet or summary["failed"]):
        welfare = _trial.rounded(summary["value_sum"])
        print(
            f"gap {_run.shown(summary['gap'], '.6g')}  value sum {welfare:.6g}  "
            f"cpu {summary['cpu_seconds']:.2f} s  -> {summary['folder']}"
        )

    if summary["failed"]:
        raise UserError(
            f"the run ended early, and what it had is in '{summary['folder']}': "
            f"{summary['stopped']}"
        )


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
