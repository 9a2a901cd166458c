"""A run on Bargaining: what is missing is done, and all of it reported."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from experiments.bargaining import plan, report, steps
from experiments.bargaining.checks import check
from experiments.bargaining.config import Config
from experiments.bargaining.notes import Facts
from experiments.bargaining.results import Fidelity, Judged
from experiments.bargaining.store import Finished, Store
from experiments.bargaining.units import Unit, missing, units
from experiments.lab import interrupts, work
from experiments.lab.folder import begun, claim, clock, commits, record, widened
from experiments.lab.page import Answer
from experiments.lab.process import environment
from experiments.lab.report import estimate
from experiments.lab.watch import carry_out
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.executor import Executor
from psro.executor_specs import parse


def run(config: Config) -> Answer:
    """Does what is asked for and is missing; the report's summary."""
    check(config)
    chosen = units(config)
    if config.plan:
        folder = config.run.out if config.run.resume else None
        known = plan.plan(config, chosen, folder)
        return Answer(summary=known.record, text="\n".join(known.lines))
    if config.report and not config.run.resume:
        raise UserError("--report goes with --out FOLDER --resume")
    faults: list[work.Outcome] = []
    where = "inprocess" if config.report else config.executor
    with (
        parse(where) as executor,  # refused before anything is written
        claim(config.run, "bargaining") as folder,
    ):
        wide = widened(folder, config, lists=config.lists, most=("trials", "grid"))
        whole = Store(wide, folder)
        if not config.report:
            record(folder, whole.config)
            with interrupts.reported(
                lambda: [*whole.rows(Judged), *whole.rows(Fidelity)],
                lambda _: _reported(whole),
            ):
                faults = _work(config, chosen, whole, executor)
        summary = _reported(whole)
    fault = work.complaint(faults, f" (more in '{folder / 'failed'}')", "units")
    return Answer(summary=summary, text=f"{_told(summary)}-> {folder}", fault=fault)


def _told(summary: Mapping[str, Any]) -> str:
    """Lines for people: the regret of every cell, and counts of verdicts."""
    lines = []
    for one in summary["regret"]:
        which = f"{one['approach']} with {one['exploration']}"
        data = f"{one['behaviour']} {one['trajectories']}"
        mean = estimate(one["mean"], one["low"], one["high"], digits=2)
        lines.append(
            f"regret (lower bound) of {which}, evaluated with {one['evaluation']}, on "
            f"{data}: {mean}, trials {one['n']}"
        )
    verdicts = [one["verdict"] for one in summary["claims"]]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
    if counts:
        lines.append(f"claims of the paper: {counts}")
    return "".join(f"{line}\n" for line in lines)


def _work(
    config: Config, chosen: list[Unit], whole: Store, executor: Executor
) -> list[work.Outcome]:
    """Does the units that are missing; their faults are recorded."""
    store = Store(config, whole.folder)
    todo = missing(chosen, store.folder, config)
    for unit in chosen:
        if unit not in todo and unit.done(store.folder, config):
            store.check(unit)
    alone = config.run.jobs == 1
    do = partial(steps.do, executor=executor) if alone else steps.here
    pieces, planned = steps.pieces(todo, store, do), None
    if todo and not config.run.silent:
        known = plan.plan(config, chosen, store.folder)
        print("\n".join(known.lines), file=sys.stderr)
        planned = known.seconds
        pieces = [
            replace(piece, effort=known.cost[unit])
            for piece, unit in zip(pieces, todo, strict=True)
        ]
    return carry_out(
        pieces,
        store.folder,
        config.run,
        settle=whole.finish,
        stack=config.stack,
        planned=planned,
    )


def _reported(store: Store) -> dict[str, Any]:
    """Writes the report of all rows in the folder; returns its summary."""
    folder, config = store.folder, store.config
    chosen = units(config)
    left = missing(chosen, folder, config)
    done = [unit for unit in chosen if unit not in set(left)]
    env = begun(folder) or environment()
    several = commits(env)
    facts = Facts(
        config=config,
        command=env["command"],
        units=len(chosen),
        missing=tuple(unit.name for unit in left),
        cpu_seconds=sum(row.cpu_seconds for row in store.rows(Finished)),
        wall_seconds=clock(folder),
        unknown=sum(not store.recorded(unit.name).is_file() for unit in done),
        commits=tuple(several) if len(several) > 1 else (),
    )
    judged, fidelity = store.rows(Judged), store.rows(Fidelity)
    summary = report.write(folder, judged, fidelity, facts)
    summary |= {"folder": str(folder), "missing": [*facts.missing]}
    files.write_json(folder / "summary.json", summary)
    return summary
