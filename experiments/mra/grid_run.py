"""The grid: its cells, filled, judged and reported."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.lab import interrupts, verdict, work
from experiments.lab.folder import (
    CONFIG,
    claim,
    clock,
    plain,
    record,
    stored,
    widened,
)
from experiments.lab.page import Answer
from experiments.lab.report import publish
from experiments.mra.cells import (
    Adapted,
    Cell,
    Crossed,
    Gained,
    Reference,
    Trained,
)
from experiments.mra.claims import UNCORRECTED
from experiments.mra.filling import fill, finished
from experiments.mra.grid_config import ARMS, OUTPUTS, Config
from experiments.mra.grid_outputs import claims, opening, pictures, tables
from experiments.mra.grid_results import Results
from experiments.mra.scales_config import Panel, Target
from metaspiel.nfg.errors import UserError


def run(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end.

    Raises:
      UserError: a run cannot begin.
    """
    if config.plan:
        return _planned(config)
    for one in cells_of(config).values():
        if isinstance(one, Trained | Adapted):
            _ = one.task.games
    with claim(config.run, "mra_grid") as folder:
        asked, config = config, _with_earlier(folder, config)
        record(folder, config)
        cells, earlier = list(cells_of(config).values()), _kept(asked, config)
        write = partial(_written, folder, config, earlier)
        with interrupts.reported(partial(finished, cells, folder), write):
            made, faults = fill(cells, folder, config.run)
        summary, text = write(made)
    fault = work.complaint(faults, what="cells")
    said = "\n".join([text, *earlier, f"-> {folder}"])
    return Answer(summary=summary, text=said, fault=fault)


def _written(
    folder: Path, config: Config, earlier: Sequence[str], made: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Writes the report of the cells that are there; returns summary and text."""
    results = Results(config=config, made=made)
    judged = [c for one in config.outputs for c in claims(results, one)]
    shown = [t for one in config.outputs for t in tables(results, one)]
    summary = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "cells": made,
        "claims": [one.record for one in judged],
        "wall_seconds": clock(folder),
    }
    claimed = verdict.table(judged, f"Claims. {UNCORRECTED}")
    text = publish(
        folder,
        summary,
        title="MRA: agents that carry over to other population sizes",
        opening=opening(config, judged, earlier),
        tables=[claimed, *shown] if judged else shown,
        figures=[p for one in config.outputs for p in pictures(results, one)],
    )
    return summary, text


def _planned(config: Config) -> Answer:
    """What the folder has of what is asked for, and what remains.

    Raises:
      UserError: the folder holds a run, and this is not to continue it.
    """
    from experiments.mra.plan import planned

    folder, ready, asked = config.run.out, {}, config
    if folder is not None and (folder / CONFIG).is_file():
        if not config.run.resume:
            raise UserError(
                f"--plan: '{folder}' holds a run; --resume must be given too, to plan "
                "what remains of it"
            )
        config = _with_earlier(folder, config)
        ready = finished(list(cells_of(config).values()), folder)
    answer = planned(config, list(cells_of(config).values()), ready)
    return replace(answer, text="\n".join([answer.text, *_kept(asked, config)]))


def _kept(asked: Config, config: Config) -> list[str]:
    """A sentence where a folder has more than what is asked for now."""
    before, now = _words(asked), _words(config)
    more = [f"{n} {' '.join(now[n])}" for n in now if {*now[n]} != {*before[n]}]
    if not more:
        return []
    return [
        "What the folder was asked for before is kept and shown beside what is asked "
        f"for now: {'; '.join(more)}."
    ]


def _words(config: Config) -> dict[str, Sequence[str]]:
    """Outputs, arms and seeds in words."""
    return {
        "outputs": config.outputs,
        "arms": config.arms or ("all that take part",),
        "seeds": [str(seed) for seed in config.every_seed],
    }


def _with_earlier(folder: Path, config: Config) -> Config:
    """The configuration with all that the folder was asked for before."""
    if not (folder / CONFIG).is_file():
        return config
    if not (config.arms and stored(folder)["arms"]):  # nothing named is all of them
        config = replace(config, arms=())
        return widened(folder, config, lists=("outputs",), most=("seeds",))
    return widened(folder, config, lists=("outputs", "arms"), most=("seeds",))


def cells_of(config: Config) -> dict[str, Cell]:
    """All cells by name, seed by seed: a grid cut short has some of everything."""
    made: dict[str, Cell] = {}
    for seed in config.every_seed:
        for output in config.outputs:
            for cell in _of(config, output, seed):
                made[cell.name] = cell
    return made


def trained(config: Config, panel: Panel, arm: str, seed: int) -> list[Trained]:
    """The trainings of an arm in a panel."""
    scale = config.scale
    world = panel.world.partition("(")[0]
    return [
        Trained(
            task=task,
            tests=scale.tests,
            unseen=() if ARMS[arm].alone else scale.unseen[world],
        )
        for task in config.tasks(panel, arm, seed)
    ]


def _of(config: Config, output: str, seed: int) -> list[Cell]:
    made: list[Cell] = []
    for name, panel in config.panels(output).items():
        sizes = dict.fromkeys([*panel.seen, *_more(config, output, panel)])
        made += [_reference(config, panel.world, size) for size in sizes]
        for arm in config.compared(output):
            made += trained(config, panel, arm, seed)
            if name == "gain":
                rounds, restarts = config.scale.deviations
                made += [
                    Gained(source=one, rounds=rounds, restarts=restarts)
                    for one in trained(config, panel, arm, seed)
                ]
        if name == "tab1" and {"mra", "single"} <= {*config.compared(output)}:
            made.append(crossed(config, panel, seed))
    if OUTPUTS[output].adapted:
        for name in OUTPUTS[output].panels:
            target = config.scale.targets[f"{output}{name}"]
            made.append(_reference(config, target.world, target.size))
            for arm, scratch in config.adapted(output):
                made += adapted(config, target, arm, seed=seed, scratch=scratch)
    return made


def _more(config: Config, output: str, panel: Panel) -> tuple[str, ...]:
    return config.scale.unseen[panel.world] if output in ("main", "fig5") else ()


def _reference(config: Config, world: str, size: str) -> Reference:
    return Reference(world=world, size=size, tests=4 * config.scale.tests)


def crossed(config: Config, panel: Panel, seed: int) -> Crossed:
    """Cross play of single-game agents and mra, in the size that is shown."""
    arms = {a: trained(config, panel, a, seed)[0] for a in ("single", "mra")}
    (size,) = panel.seen
    tests = config.scale.tests
    return Crossed(world=panel.world, size=size, arms=arms, tests=tests, seed=seed)


def adapted(
    config: Config, target: Target, arm: str, *, seed: int, scratch: bool
) -> list[Cell]:
    """An adaptation, after the training that it goes on from."""
    scale = config.scale
    before = [] if scratch else trained(config, target.source, arm, seed)
    (task,) = config.tasks(Panel(world=target.world, sizes=(target.size,)), arm, seed)
    rounds = config.rounds or scale.rounds
    task = replace(task, sweeps=rounds, measure_every=max(1, rounds // scale.looks))
    source = before[0] if before else None
    return [*before, Adapted(task=task, arm=arm, source=source)]
