"""The studies: filled, resumed, judged and reported."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from experiments.lab import grid, verdict, work
from experiments.lab.folder import claim, clock, plain, record
from experiments.lab.page import Answer
from experiments.lab.report import Opening, publish
from experiments.lab.trust import require_cce
from experiments.neupl_learned import cheetah, flag, kuhn, transfer
from experiments.neupl_learned.config import VARIANTS, Config
from experiments.neupl_learned.course import ppo
from experiments.neupl_learned.figures import pictures
from experiments.neupl_learned.results import claims, tables
from experiments.neupl_learned.study import Study
from metaspiel.games.named import named_simulator

Cells = dict[str, Callable[[], Any]]


def run(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end.

    Raises:
      UserError: there is no such meta-solver; or no MuJoCo, or no GPU, where it is
        needed.
    """
    require_cce(config.solver)
    cells: Cells = {}
    for study in config.studies:
        for size in config.sizes(study).values():
            if study == "cheetah":  # refused at once where MuJoCo is not here
                named_simulator(size.game)
            if not config.run.resume:  # what is finished may come from elsewhere
                ppo(size).check_here("--scale")
        cells |= _CELLS[study](config, study)
    with claim(config.run, "neupl_learned") as folder:
        record(folder, config)
        write = partial(_written, folder, config)
        (summary, text), faults = grid.reported(cells, folder, config, write)
    fault = work.complaint(faults, what="runs")
    return Answer(summary=summary, text=f"{text}\n-> {folder}", fault=fault)


def _written(
    folder: Path, config: Config, made: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """Writes the report of the runs that are there; returns summary and text."""
    studies = [Study.of(config, study, made) for study in config.studies]
    judged = [one for study in studies for one in claims(study)]
    shown = [table for study in studies for table in tables(study)]
    summary = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "cells": made,
        "claims": [one.record for one in judged],
        "wall_seconds": clock(folder),
    }
    text = publish(
        folder,
        summary,
        title="NeuPL-JPSRO with learned teachers",
        opening=_opening(config, judged),
        tables=[verdict.table(judged), *shown] if judged else shown,
        figures=pictures(studies),
    )
    return summary, text


def _kuhn(config: Config, study: str) -> Cells:
    sizes = config.sizes(study)
    return {
        f"{study}-{game}-{variant}-{seed}": partial(
            kuhn.measured, size, VARIANTS[variant], solver=config.solver, seed=seed
        )
        for game, size in sizes.items()
        for seed in range(config.seed, config.seed + size.seeds)
        for variant in config.variants
        if game in VARIANTS[variant].games
    }


def _one_a_seed(
    measured: Callable[..., Any],
) -> Callable[[Config, str], Cells]:
    """Cells of a study whose runs of one game and seed belong together."""

    def cells(config: Config, study: str) -> Cells:
        sizes = config.sizes(study)
        return {
            f"{study}-{game}-{seed}": partial(
                measured, size, solver=config.solver, seed=seed
            )
            for game, size in sizes.items()
            for seed in range(config.seed, config.seed + size.seeds)
        }

    return cells


_CELLS: Mapping[str, Callable[[Config, str], Cells]] = {
    "learned_kuhn": _kuhn,
    "transfer": _one_a_seed(transfer.measured),
    "flag": _one_a_seed(flag.measured),
    "openspiel_flag": _one_a_seed(flag.measured),
    "cheetah": _one_a_seed(cheetah.measured),
}


def _opening(config: Config, judged: list[verdict.Claim]) -> Opening:
    counted = verdict.counted(judged) if judged else "none is tested here"
    return Opening(
        ran=[
            f"NeuPL-JPSRO(CCE): seeds from {config.seed} on, meta-solver "
            f"{config.solver}, responses by PPO, payoffs of sampled episodes that all "
            "profiles share. Sizes stand above each table.",
        ],
        result=[f"Claims: {counted}."],
        sure=["Intervals are Student's 95 %, over seeds."],
    )
