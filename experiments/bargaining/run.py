"""A run on Bargaining: what is missing is done, and all of it reported."""

import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.bargaining import units as _grid
from experiments.lab.folder import begun, claim, clock, commits, plain, record
from experiments.lab.process import environment, stoppable
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from experiments.lab.work import Outcome

from experiments.bargaining.config import Config, resolved


def run(config: Config) -> dict[str, Any]:
    """Runs what is missing; returns the report's summary."""
    from experiments.bargaining import folder as _folder
    from experiments.bargaining import plan as _plan
    from experiments.bargaining.checks import check
    from experiments.lab import work

    if config.report and not config.run.resume:
        raise UserError("--report goes with --out FOLDER --resume")
    config = resolved(config)
    check(config)
    chosen = _grid.units(config)
    if config.plan:
        place = config.run.out if config.run.resume else None
        print("\n".join(_plan.plan(config, chosen, place).lines))
        return {}
    if config.report:
        assert config.run.out is not None
        with claim(config.run, "bargaining") as folder:
            return _reported(_folder.widened(folder, config), folder)
    folder, faults, summary = _work(config, chosen)
    fault = work.complaint(faults, f" (more in '{folder / 'failed'}')", "units")
    if fault is not None:
        raise fault
    return summary


def _work(
    config: Config, chosen: list[_grid.Unit]
) -> tuple[Path, "list[Outcome]", dict[str, Any]]:
    """Does what is missing and reports; the faults are recorded."""
    from experiments.bargaining import builders as _parts
    from experiments.bargaining import folder as _folder
    from experiments.bargaining import plan as _plan
    from experiments.bargaining import steps as _units
    from experiments.lab import watch, work
    from psro.executor import parse

    with (
        stoppable(),
        parse(config.executor) as executor,  # refused before it writes
        claim(config.run, "bargaining") as folder,
    ):
        whole = _folder.widened(folder, config)
        record(folder, whole)
        todo = [unit for unit in chosen if not unit.done(folder, config)]
        for unit in chosen:
            if unit not in todo:
                _parts.check_sound(unit, _grid.Job((unit,), config, folder))
        do = (
            _units.here
            if config.run.jobs > 1
            else partial(_units.do, executor=executor)
        )
        pieces = _grid.pieces(todo, do, config, folder)
        silent, planned = config.run.silent or not todo, None
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
                pieces, jobs=config.run.jobs, silent=silent, planned=planned
            ) as show:

                def report(outcome: "Outcome") -> None:
                    _units.finish(outcome, folder, whole)
                    show.tell(outcome)

                faults = work.run(
                    pieces, report, jobs=config.run.jobs, stack=config.stack
                )
        finally:
            clock(folder, time.monotonic() - begun)
        return folder, faults, _reported(whole, folder)


def _reported(config: Config, folder: Path) -> dict[str, Any]:
    """Writes the report of all rows in the folder; returns its summary.

    Args:
      config: with all that the folder was ever asked for.
      folder: of the run.
    """
    from experiments.bargaining import folder as _folder
    from experiments.bargaining import report as _bargaining_report
    from experiments.bargaining import steps as _units

    chosen = _grid.units(config)
    done = {unit for unit in chosen if unit.done(folder, config)}
    env = begun(folder) or environment()
    unknown = sum(not _units.recorded(unit.name, folder).is_file() for unit in done)
    facts = {
        "config": plain(asdict(config)),
        "env": env,
        "units": len(chosen),
        "missing": [unit.name for unit in chosen if unit not in done],
        "cpu_seconds": sum(
            row["cpu_seconds"] for row in _folder.rows(folder, "units", config)
        ),
        "wall_seconds": clock(folder),
    }
    if unknown:
        facts["units_without_cpu_seconds"] = unknown
    if len(several := commits(env)) > 1:
        facts["commits"] = several
    judged, true = (
        _folder.rows(folder, room, config) for room in ("judged", "fidelity")
    )
    summary = _bargaining_report.write(folder, judged, true, facts)
    summary |= {"folder": str(folder), "missing": facts["missing"]}
    files.write_json(folder / "summary.json", summary)
    return summary
