"""The grid of NeuPL runs: filled, resumed, judged and reported."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments.lab import grid, verdict, work
from experiments.lab.folder import claim, clock, plain, record
from experiments.lab.page import Answer
from experiments.lab.report import Opening, publish
from experiments.lab.trust import require_cce
from experiments.neupl_grid.cells import Result, measured
from experiments.neupl_grid.config import GAMES, VARIANTS, Case, Config
from experiments.neupl_grid.figures import pictures
from experiments.neupl_grid.results import Line, claims, tables

Runs = Mapping[tuple[str, str], Mapping[int, Result]]


def run(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end.

    Raises:
      UserError: the meta-solver is not one for CCE.
    """
    require_cce(config.solver)
    cells = {
        f"{game}-{variant}-{seed}": partial(
            measured,
            _case(config, game),
            VARIANTS[variant],
            solver=config.solver,
            seed=seed,
        )
        for game in config.games
        for seed in range(config.seed, config.seed + config.seeds)
        for variant in config.variants
    }
    with claim(config.run, "neupl_grid") as folder:
        record(folder, config)
        write = partial(_written, folder, config)
        (summary, text), faults = grid.reported(cells, folder, config, write)
    fault = work.complaint(faults, what="runs")
    return Answer(summary=summary, text=f"{text}\n-> {folder}", fault=fault)


def _written(
    folder: Path, config: Config, made: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Writes the report of the runs that are there; returns summary and text."""
    results = {name: Result(**one) for name, one in made.items()}
    lines = [
        Line.of(game, variant, _of(results, game, variant))
        for game in config.games
        for variant in config.variants
    ]
    judged = claims(lines)
    summary = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "runs": [line.record for line in lines],
        "claims": [one.record for one in judged],
        "wall_seconds": clock(folder),
    }
    text = publish(
        folder,
        summary,
        title="NeuPL-JPSRO beside JPSRO",
        opening=_opening(config, judged),
        tables=[verdict.table(judged), *tables(lines)] if judged else tables(lines),
        figures=pictures(lines),
    )
    return summary, text


def _case(config: Config, game: str) -> Case:
    case = GAMES[game]
    if config.iterations is None:
        return case
    return replace(case, iterations=config.iterations)


def _of(results: Mapping[str, Result], game: str, variant: str) -> dict[int, Result]:
    """The finished runs of a variant on a game, by seed."""
    begin = f"{game}-{variant}-"
    return {
        int(name.removeprefix(begin)): one
        for name, one in results.items()
        if name.startswith(begin) and name.removeprefix(begin).isdigit()
    }


def _opening(config: Config, judged: Sequence[verdict.Claim]) -> Opening:
    counted = verdict.counted(judged) if judged else "none is tested here"
    return Opening(
        ran=[
            f"NeuPL-JPSRO(CCE) and JPSRO(CCE) on {len(config.games)} games, seeds "
            f"{config.seed} to {config.seed + config.seeds - 1}, meta-solver "
            f"{config.solver}, exact best responses with random tie-breaks, uniform "
            "first policies.",
        ],
        result=[f"Claims: {counted}."],
        sure=[
            "Gaps are exact full-game CCE gaps of what is played, summed over players; "
            "intervals are Student's 95 %, over seeds. Neural runs play what the "
            "network plays, not what its teachers would.",
            "Forgetting is the mean divergence (nats) from what they were when they "
            "were new of the codes that are as old as half the run or older, moved the "
            "largest change of a probability since then, drift the largest change of "
            "an old profile's payoff in an iteration. Diversity is the mean "
            "Jensen-Shannon divergence (nats) of a player's policies. Worst error is "
            "of what a distillation was asked to learn and keep: without the "
            "regulariser that is no earlier policy.",
        ],
    )
