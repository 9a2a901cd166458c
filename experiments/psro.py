"""PSRO and JPSRO with any meta-solver, exact on OpenSpiel's tabular games.

Example: python -m experiments.psro --game kuhn_poker --players 3 --solver mgcce

Writes a run folder: config, environment, one row of metrics an iteration, a checkpoint
that a killed run resumes from bit for bit, the meta-game, plots and report.html.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments import _run
from nfg.errors import UserError

if TYPE_CHECKING:
    from games.sequence import SequenceForm
    from meta_solvers import Game
    from psro.parts import Setup, State


@dataclass(frozen=True)
class Config:
    """Fields of a PSRO run."""

    game: str = "kuhn_poker"
    """OpenSpiel game, parameters included: "kuhn_poker(players=3)"."""
    players: int | None = None
    """Number of players, where the game has that parameter."""
    payoffs: Path | None = None
    """A normal-form game instead (.npy, .npz, .csv or Gambit .nfg)."""
    solver: str = "mgcce"
    """Meta-solver that is responded to: a name or spec, as r3d:threshold=0.5."""
    eval_solver: str | None = None
    """Meta-solver that is only measured (default: the same)."""
    concept: Literal["auto", "ne", "cce", "ce"] = "auto"
    """What is responded to; auto follows the solver (cce for heuristics)."""
    iterations: int = 20
    """Iterations in all; a resumed run may ask for more."""
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
    """One shared population; the game is checked to be symmetric."""
    repeats: bool = True
    """A policy that is found again counts again in the meta-game."""
    prune: float = 1e-8
    """Joint probabilities below this become 0 (recorded)."""
    gaps: Literal["concept", "all"] = "concept"
    """Measure the full-game gap of the concept only, or of NE, CCE and CE."""
    stop_gap: float | None = None
    """Stop when the full-game gap is at or below this."""
    stop_no_novel: bool = False
    """Stop when an iteration found no novel policy."""
    max_seconds: float | None = None
    """Stop after this much wall time (the one rule that depends on the machine)."""
    memory_gb: float = 4.0
    """Refuse games whose terminals need more than this."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Continue the run in --out."""
    config: Path | None = None
    """YAML file with defaults for these fields."""
    json: bool = False
    """Print the summary as one JSON object and nothing else on stdout."""
    quiet: bool = False
    """No progress."""


def run(config: Config) -> dict[str, Any]:
    """Runs all trials; returns the summary that is also written."""
    check(config)
    form = build(config)
    setup = parts(config, form)
    name = f"psro-{slug(form.name)}-{slug(config.solver)}"
    folder = _run.claim(config.out, name, config.resume)
    trials = [
        (replace(config, seed=config.seed + i), _trial_folder(folder, config, i))
        for i in range(config.trials)
    ]
    if config.resume:  # damage is found before anything is written
        for _, place in trials:
            _opened(place)
    _run.record(folder, config)
    if config.jobs > 1 and config.trials > 1:
        from joblib import Parallel, delayed

        quiet = [(replace(c, quiet=True), f) for c, f in trials]
        summaries = Parallel(n_jobs=config.jobs)(delayed(_rebuilt)(*t) for t in quiet)
    else:
        summaries = [trial(c, f, form, replace(setup, seed=c.seed)) for c, f in trials]
    summary = summaries[0] if config.trials == 1 else _together(config, summaries)
    summary["folder"] = str(folder)
    if config.trials > 1:
        _run.write_json(folder / "summary.json", _run.clean(summary))
    return summary


def _trial_folder(folder: Path, config: Config, number: int) -> Path:
    return folder if config.trials == 1 else folder / f"trial_{number}"


def _rebuilt(config: Config, folder: Path) -> dict[str, Any]:
    """A trial in a process of its own."""
    form = build(config)
    return trial(config, folder, form, parts(config, form))


def check(config: Config) -> None:
    """What no other part checks, before anything is built."""
    for name, low in (("iterations", 0), ("trials", 1), ("jobs", 1), ("seed", 0)):
        if getattr(config, name) < low:
            raise UserError(
                f"--{name} must be at least {low}; got {getattr(config, name)}"
            )
    if not 0 <= config.prune < 1:
        raise UserError(f"--prune must be in [0, 1); got {config.prune}")
    if not config.memory_gb > 0:
        raise UserError(f"--memory-gb must be positive; got {config.memory_gb}")


def build(config: Config) -> "SequenceForm":
    """The game as arrays."""
    if config.payoffs is not None:
        from experiments._files import load_game
        from games.sequence import from_normal_form

        return from_normal_form(load_game(config.payoffs), config.payoffs.name)
    from games.openspiel import sequence_form

    if config.quiet or config.json or not sys.stdout.isatty():
        return sequence_form(config.game, config.players, config.memory_gb)
    from rich.console import Console

    with Console().status(f"walking the tree of {config.game}") as status:

        def show(seen: int) -> None:
            status.update(f"walking the tree of {config.game}: {seen} states")

        return sequence_form(config.game, config.players, config.memory_gb, show)


def parts(config: Config, form: "SequenceForm") -> "Setup":
    """The loop's parts from the configuration."""
    from meta_solvers import get
    from meta_solvers.base import check as capable
    from psro.exact import ExactEvaluator, ExactOracle
    from psro.parts import CONCEPTS, Setup

    solver = get(config.solver)
    evaluation = get(config.eval_solver) if config.eval_solver else None
    probe = _probe(form)
    for chosen in (solver, evaluation):
        if chosen is not None:
            capable(chosen, probe)
    concept = config.concept
    if concept == "auto":
        concept = "cce" if solver.concept == "none" else solver.concept
    return Setup(
        ExactOracle(form, config.tie_break, config.initial, config.symmetric),
        ExactEvaluator(form),
        solver,
        concept,
        config.seed,
        evaluation,
        config.selection,
        config.update,
        config.repeats,
        config.prune,
        CONCEPTS if config.gaps == "all" else (),
    )


def _probe(form: "SequenceForm") -> "Game":
    """A small meta-game, so that a solver that must refuse does so at once."""
    import numpy as np

    from meta_solvers import Game

    rng = np.random.default_rng(0)
    plans = [
        tree.plan(np.stack([tree.uniform(), tree.random_deterministic(rng)]))
        for tree in form.trees
    ]
    return Game(form.tensor(plans))


def trial(
    config: Config, folder: Path, form: "SequenceForm", setup: "Setup"
) -> dict[str, Any]:
    """One trial from its start or its last checkpoint to its end."""
    from experiments._report import write_report
    from psro.loop import start, step
    from psro.metrics import row

    folder.mkdir(parents=True, exist_ok=True)
    state, metrics = _opened(folder)
    if state is None:
        state = start(setup)
        _keep(state, setup, metrics, folder)
    begin = time.monotonic()
    stopped = _reason(config, state, begin)
    with _progress(config, form, setup) as show:
        show(state, row(state, setup.concept))
        while stopped is None:
            state = step(setup, state)
            show(state, _keep(state, setup, metrics, folder))
            stopped = _reason(config, state, begin)
    summary = summarise(config, form, setup, state, stopped)
    _save_arrays(folder, state)
    _run.write_json(folder / "summary.json", _run.clean(summary))
    write_report(folder, summary, metrics.rows, state.table.values[0])
    return summary


def _opened(folder: Path) -> "tuple[State | None, _run.Metrics]":
    """The last checkpoint of a trial, if any, and the rows that go with it."""
    from psro import checkpoint

    places = checkpoint.found(folder / "checkpoint")
    if not places:
        return None, _run.Metrics(folder / "metrics.jsonl")
    state = checkpoint.load(places[-1])
    return state, _run.Metrics(folder / "metrics.jsonl", state.iteration + 1)


def _keep(
    state: "State", setup: "Setup", metrics: _run.Metrics, folder: Path
) -> dict[str, Any]:
    """Row first, then checkpoint: a kill between the two costs one row again."""
    from psro import checkpoint
    from psro.metrics import row

    found = row(state, setup.concept)
    metrics.add(found)
    checkpoint.save(state, folder / "checkpoint")
    return found


def _reason(config: Config, state: "State", begin: float) -> str | None:
    """Why the run is over, if it is."""
    gap = float(next(iter(state.gaps.values())).sum())
    if config.stop_gap is not None and gap <= config.stop_gap:
        return f"gap {gap:.3g} is at most {config.stop_gap:g}"
    if config.stop_no_novel and state.iteration > 0 and state.novel == 0:
        return "no novel policy"
    if state.iteration >= config.iterations:
        return f"{config.iterations} iterations"
    if config.max_seconds is not None and time.monotonic() - begin > config.max_seconds:
        return f"{config.max_seconds:g} seconds"
    return None


def summarise(
    config: Config,
    form: "SequenceForm",
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
        "eval_status", "meta_gap",
    )  # fmt: skip
    return {
        "game": form.name,
        "solver": config.solver,
        "eval_solver": config.eval_solver or config.solver,
        "concept": setup.concept,
        "seed": config.seed,
        "iterations": state.iteration,
        "stopped": stopped,
        **{key: last[key] for key in keys},
        "cpu_seconds": sum(state.cpu.values()),
        "cpu_seconds_per_stage": dict(state.cpu),
        "tie_break": config.tie_break,
        "selection": config.selection,
        "initial": config.initial,
        "infosets": [tree.infosets for tree in form.trees],
        "terminals": int(form.ends.shape[1]),
        "infostates_split": list(form.split),
    }


def _together(config: Config, summaries: list[dict[str, Any]]) -> dict[str, Any]:
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
    found["seeds"] = [s["seed"] for s in summaries]
    return found


def _save_arrays(folder: Path, state: "State") -> None:
    """``meta_game.npz``: payoffs, joints and the uid of every axis."""
    import numpy as np

    aside = folder / ".meta_game.npz"
    arrays = {f"uids_{p}": np.array(u) for p, u in enumerate(state.population.uids)}
    with open(aside, "wb") as file:
        np.savez(
            file,
            payoffs=state.table.values[0],
            joint=state.train.joint,
            eval_joint=state.evaluation.joint,
            **arrays,  # type: ignore[arg-type]
        )
    aside.replace(folder / "meta_game.npz")


class _progress:
    """A live line an iteration, on a terminal; a plain line each elsewhere."""

    def __init__(self, config: Config, form: "SequenceForm", setup: "Setup") -> None:
        self.silent = config.quiet or config.json
        self.title = f"{form.name} | {config.solver} | {setup.concept}"
        self.total = config.iterations
        self.split = form.split

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
            disable=not console.is_terminal,
        )
        self.live.start()
        task = self.live.add_task("", total=self.total)

        def show(state: "State", row: dict[str, Any]) -> None:
            self.live.update(task, completed=state.iteration)
            console.print(
                f"{row['iteration']:4d}  gap {row['gap']:<9.3g} "
                f"value sum {_round(row['value_sum']):<9.4g} "
                f"eval {row['eval_gap']:.3g}/{_round(row['eval_value_sum']):.4g}  "
                f"policies {'x'.join(map(str, row['unique_policies']))}  "
                f"{row['status']}",
                highlight=False,
                soft_wrap=True,
            )

        return show

    def __exit__(self, *_: object) -> None:
        if not self.silent:
            self.live.stop()


def _round(value: float) -> float:
    """Without rounding noise around zero, for people."""
    return round(value, 12) + 0.0


def slug(text: str) -> str:
    """A name for a folder."""
    return "".join(c if c.isalnum() else "_" for c in text).strip("_")[:60]


def page(config: Config) -> None:
    """Runs and says where the results are."""
    summary = run(config)
    if config.json:
        print(json.dumps(_run.clean(summary)))
    elif not config.quiet:
        print(
            f"gap {summary['gap']:.6g}  value sum {_round(summary['value_sum']):.6g}  "
            f"cpu {summary['cpu_seconds']:.2f} s  -> {summary['folder']}"
        )


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
