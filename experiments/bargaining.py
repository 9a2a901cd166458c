"""COffeE-PSRO, OEF and OEF-BC on the Bargaining game: one trial, or the regret tables.

Example: python -m experiments.bargaining
Example: python -m experiments.bargaining --grid --size reduced --jobs 2 --out runs/grid

Without --grid, one trial of COffeE with R2D on 1000 uniform trajectories, whose last
profile is judged in the true game. With it, approaches x exploration x evaluation
solvers x data sets x trials. --plan says first how long that takes here, and stops.

--size fills in what is not given: "paper" has the published settings (40 iterations,
200,000 decisions a response: hours a trial), "reduced" 10 iterations and 30,000
decisions (minutes a trial; regrets are not comparable with published ones), "tiny" only
tries the machinery out.

Writes a run folder: every unit of work has a file or folder of its own (data sets,
models, checkpoints, judged/*.json, fidelity/*.json), and a report. A killed run goes on
with --out FOLDER --resume; a resumed run may ask for more trials, data sets or solvers,
or for a part of them; the folder remembers all that was ever asked for.
"""

import json
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from experiments import _grid, _owner, _run
from experiments._grid import ApproachName, BehaviourName
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.lab.work import Outcome

_ALL_SIZES: dict[str, Any] = {
    "behaviour_iterations": 20,
    "model_steps": 10_000,
    "clone_steps": 10_000,
    "episodes": 1000,
    "screen": 2000,
    "fresh": 20_000,
    "fidelity_episodes": 1000,
}
SIZES: dict[str, dict[str, Any]] = {
    "paper": {**_ALL_SIZES, "iterations": 40, "decisions": 200_000},
    "reduced": {**_ALL_SIZES, "iterations": 10, "decisions": 30_000},
    "tiny": {
        "iterations": 2,
        "decisions": 1000,
        "behaviour_iterations": 2,
        "model_steps": 300,
        "clone_steps": 300,
        "episodes": 100,
        "screen": 100,
        "fresh": 500,
        "fidelity_episodes": 100,
    },
}
_ONE: dict[str, Any] = {
    "approaches": ("coffee",),
    "explorations": ("r2d",),
    "behaviours": ("uniform",),
    "trajectories": (1000,),
    "trials": 1,
}
_GRID: dict[str, Any] = {
    "approaches": get_args(ApproachName),
    "explorations": ("r2d", "rd"),
    "behaviours": ("uniform", "psro"),
}
_TABLES: dict[str, dict[str, Any]] = {
    "paper": {**_GRID, "trajectories": (500, 1000, 2000), "trials": 10},
    "reduced": {**_GRID, "trajectories": (1000,), "trials": 5},
    "tiny": {**_GRID, "trajectories": (200,), "trials": 2},
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    may_change: ClassVar[tuple[str, ...]] = (
        "grid", "approaches", "explorations", "evaluations", "behaviours",
        "trajectories", "trials", "penalties", "coverages", "weights", "curve",
        "stack", "executor", "plan", "report",
    )  # fmt: skip

    grid: bool = False
    """All approaches, solvers and data sets (those not named) instead of one trial."""
    plan: bool = False
    """Print the units and how long they take here; do nothing."""
    report: bool = False
    """Write the report of what is finished in --out again (with --resume); no more."""
    size: Literal["paper", "reduced", "tiny"] = "reduced"
    """What fills in iterations, decisions and other sizes that are not given."""
    approaches: tuple[ApproachName, ...] = ()
    """coffee, oef, oef-bc (default: coffee; with --grid all)."""
    explorations: tuple[str, ...] = ()
    """Solvers responded to: r2d, rd or any spec (default: r2d; with --grid both)."""
    evaluations: tuple[str, ...] = ("rd", "r2d")
    """Solvers whose profiles are judged, from the same runs."""
    behaviours: tuple[BehaviourName, ...] = ()
    """Who played the data: uniform, psro (5 online runs), file (--data)."""
    trajectories: tuple[int, ...] = ()
    """Sizes of the data sets (default: 1000; --grid --size paper: 500 1000 2000)."""
    data: Path | None = None
    """Folder of a data set of yours (offline.data), in place of behaviours."""
    trials: int | None = None
    """Independent trials (default: 1; with --grid 10, 5 or 2 by size)."""
    seed: int = 0
    """Seed of everything random, together with the trial and the unit's name."""
    penalties: tuple[float, ...] = (2.0,)
    """lambda of COffeE (Eq. 3), in units of payoff; several are a sweep."""
    coverages: tuple[float, ...] = (0.1,)
    """alpha_0 of COffeE (Eq. 4); several are a sweep."""
    anneal: int = 10
    """Responses until coverage is 0."""
    weights: tuple[float, ...] = (0.4,)
    """w of OEF-BC, share of imitated decisions; several are a sweep."""
    k: int = 1
    """Last profiles that are responded to in the true game; regret grows with it."""
    curve: tuple[int, ...] = ()
    """Earlier iterations to judge as well (k = 1), for regret over iterations."""
    iterations: int | None = None
    """Iterations of PSRO in the model."""
    decisions: int | None = None
    """Decisions that the learner trains on for a response; also in the true game."""
    minimum: int | None = None
    """Transitions before learning begins (default: a quarter of the decisions)."""
    capacity: int | None = None
    """Transitions that the replay holds (default: a quarter of the decisions, as
    published)."""
    games: int = 64
    """Games played side by side by a learner; 1 is the published schedule, and slow."""
    behaviour_iterations: int | None = None
    """Iterations of the online PSRO runs (RD, true game) whose mixture plays the data
    "psro"."""
    shared_behaviour: bool = False
    """All trials share the same five online runs; trajectories are still each
    trial's."""
    model_steps: int | None = None
    """Training steps of the dynamics model, and again of its reward networks."""
    clone_steps: int | None = None
    """Training steps of the behaviour clone of OEF-BC."""
    episodes: int | None = None
    """Episodes played for each entry of an empirical game."""
    screen: int | None = None
    """True episodes on which the best deviation is chosen."""
    fresh: int | None = None
    """True episodes on which it is measured."""
    fidelity_episodes: int | None = None
    """True episodes of each pure profile, for the model's errors."""
    discount: float = 0.99
    """Discount of a deal's payoffs for each round."""
    discount_exponent: Literal["offers", "offers_before"] = "offers"
    """Rounds that discount: offers made at the deal, or before the accepted one."""
    dataset_mirror: Literal["counted", "none"] = "counted"
    """Each episode is stored twice, players exchanged, and both count (the authors)."""
    members: int = 4
    """Members of the ensemble of dynamics models."""
    norm: Literal["scalar", "dimension"] = "scalar"
    """One mean and deviation for all entries of a vector (the authors), or each."""
    members_share_batches: bool = True
    """Members differ in first weights only (the authors), or are bootstrapped."""
    history: Literal["predicted", "actual"] = "predicted"
    """Offers in an information state: predicted (the authors) or those made."""
    uncertainty: Literal["deviation", "pairwise"] = "deviation"
    """u: largest distance from the mean (the authors), or between two members."""
    round_state: bool = False
    """Round the states that the model predicts."""
    reward_scale_bug: bool = False
    """The error of the authors' code: predicted payoffs about 2.67 times too large."""
    stack: int = 1
    """Trials whose responses are learned as one batch; results stay the same."""
    jobs: int = 1
    """Processes that work on units (one thread each)."""
    executor: str = "inprocess"
    """Where a unit's requests run: inprocess, processes:jobs=4, ray, ray:address=..."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device that torch learns on."""
    out: Path | None = None
    """Run folder (default: a new one under runs/)."""
    resume: bool = False
    """Continue the run in --out: finished units are kept."""
    config: Path | None = None
    """YAML file with defaults for these fields."""
    json: bool = False
    """Print the summary as one JSON object and nothing else on stdout."""
    quiet: bool = False
    """Print no plan and no progress."""


def resolved(config: Config) -> Config:
    """The configuration with a value for everything that was not given."""
    usual = _TABLES[config.size] if config.grid else _ONE
    values = {**SIZES[config.size], **usual}
    if config.data is not None:
        from offline.data import load

        given: dict[str, Any] = {"behaviours": ("file",)}
        given["trajectories"] = (load(config.data).trajectories,)
        for name, only in given.items():
            if getattr(config, name) not in ((), only):
                raise UserError(
                    f"--data: its data set is the only one, so --{name} must be "
                    f"{only} or not given (a resumed run keeps its data); got "
                    f"{getattr(config, name)}"
                )
        values |= given
    missing = {
        name: value
        for name, value in values.items()
        if getattr(config, name) in (None, ())
    }
    config = replace(config, **missing)
    quarter = max(1, (config.decisions or 0) // 4)
    minimum = quarter if config.minimum is None else config.minimum
    capacity = max(quarter, minimum) if config.capacity is None else config.capacity
    return replace(config, minimum=minimum, capacity=capacity)


def run(config: Config) -> dict[str, Any]:
    """Runs what is missing; returns the report's summary."""
    from experiments import _folder, _plan
    from experiments._allowed import check
    from experiments.lab import work

    if config.report and not config.resume:
        raise UserError("--report goes with --out FOLDER --resume")
    config = resolved(config)
    check(config)
    chosen = _grid.units(config)
    if config.plan:
        place = config.out if config.resume else None
        print("\n".join(_plan.plan(config, chosen, place).lines))
        return {}
    if config.report:
        assert config.out is not None
        with _run.claim(config.out, "bargaining", resume=True) as folder:
            return _reported(_folder.widened(folder, config), folder)
    folder, faults, summary = _work(config, chosen)
    work.complain(faults, f" (more in '{folder / 'failed'}')", "units")
    return summary


def _work(
    config: Config, chosen: list[_grid.Unit]
) -> tuple[Path, "list[Outcome]", dict[str, Any]]:
    """Does what is missing and reports; the faults are recorded."""
    from experiments import _folder, _parts, _plan, _units
    from experiments.lab import watch, work
    from psro.executor import parse

    with (
        _owner.stoppable(),
        parse(config.executor) as executor,  # refused before it writes
        _run.claim(config.out, "bargaining", config.resume) as folder,
    ):
        whole = _folder.widened(folder, config)
        _folder.record(folder, whole)
        todo = [unit for unit in chosen if not unit.done(folder, config)]
        for unit in chosen:
            if unit not in todo:
                _parts.check_sound(unit, _grid.Job((unit,), config, folder))
        do = _units.here if config.jobs > 1 else partial(_units.do, executor=executor)
        pieces = _grid.pieces(todo, do, config, folder)
        silent, planned = config.quiet or config.json or not todo, None
        if not silent:
            plan = _plan.plan(config, chosen, folder)
            print("\n".join(plan.lines), file=sys.stderr)
            pieces = [
                replace(piece, effort=plan.cost[unit])
                for piece, unit in zip(pieces, todo, strict=True)
            ]
            planned = plan.seconds
        begun = time.monotonic()
        try:
            with watch.Watch(
                pieces, jobs=config.jobs, silent=silent, planned=planned
            ) as show:

                def report(outcome: "Outcome") -> None:
                    _units.finish(outcome, folder, whole)
                    show.tell(outcome)

                faults = work.run(pieces, report, jobs=config.jobs, stack=config.stack)
        finally:
            _folder.clock(folder, time.monotonic() - begun)
        return folder, faults, _reported(whole, folder)


def _reported(config: Config, folder: Path) -> dict[str, Any]:
    """Writes the report of all rows in the folder; returns its summary.

    Args:
      config: with all that the folder was ever asked for.
      folder: of the run.
    """
    from experiments import _bargaining_report, _folder, _units

    chosen = _grid.units(config)
    done = {unit for unit in chosen if unit.done(folder, config)}
    env = _folder.environment(folder) or _run.environment()
    unknown = sum(not _units.recorded(unit.name, folder).is_file() for unit in done)
    facts = {
        "config": {k: _run.plain(v) for k, v in vars(config).items()},
        "env": env,
        "units": len(chosen),
        "missing": [unit.name for unit in chosen if unit not in done],
        "cpu_seconds": sum(
            row["cpu_seconds"] for row in _folder.rows(folder, "units", config)
        ),
        "wall_seconds": _folder.clock(folder),
    }
    if unknown:
        facts["units_without_cpu_seconds"] = unknown
    if len(commits := _folder.commits(env)) > 1:
        facts["commits"] = commits
    judged, true = (
        _folder.rows(folder, room, config) for room in ("judged", "fidelity")
    )
    summary = _bargaining_report.write(folder, judged, true, facts)
    summary |= {"folder": str(folder), "missing": facts["missing"]}
    _run.write_json(folder / "summary.json", summary)
    return summary


def page(config: Config) -> None:
    """Runs and says where the results are."""
    summary = run(config)
    if config.json and summary:
        print(json.dumps(_run.spelled(summary)))
    elif summary and not config.quiet:
        print(f"-> {summary['folder']}")


if __name__ == "__main__":
    sys.exit(_run.main(page, Config))
