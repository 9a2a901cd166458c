"""Trains and reports agents that play Pong: cells, summary, tables, plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab import charts, report, verdict
from experiments.lab.marks import (
    Axis,
    Chart,
    Heat,
    Panel,
    Picture,
    Rule,
    Series,
)
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, publish
from experiments.matrl.cells import Failure, complaint, perform
from experiments.matrl.colours import COLOURS
from experiments.matrl.pong_config import Config, check_game
from experiments.matrl.pong_matches import Scores, played
from experiments.matrl.pong_results import TITLES, Summary, summarise
from experiments.matrl.states import Cell
from matrl.crossplay import Choice


def kinds(config: Config) -> list[Cell]:
    """The cells of every method, with the first seed.

    Raises:
      UserError: the game cannot be played.
    """
    check_game(config.game)
    return [
        Cell(
            label=method,
            game=config.game,
            method=method,
            settings=config.learner,
            seed=config.seed,
            iterations=config.iterations,
            keep=config.iterations // config.checkpoints,
        )
        for method in config.methods
    ]


def run(config: Config) -> Answer:
    """Trains and plays what is missing, judges and reports."""
    return perform(config, "matrl_pong", kinds, write=write, parts=False)


def write(
    folder: Path, config: Config, cells: Sequence[Cell], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Plays what is missing and writes all that the page reports.

    Raises:
      UserError: a run or a match failed.
    """
    if (fault := complaint(failures, folder)) is not None:
        raise fault
    scores = played(config, cells, folder)
    scores.save(folder / "scores.npz")
    summary = summarise(config, scores, cells, folder=folder)
    record = summary.record
    publish(
        folder,
        record,
        title=f"MATRL and independent learners in {config.game}",
        opening=Opening(
            ran=[
                f"{config.game}: {config.iterations} iterations, "
                f"{summary.env_steps:,} steps, {config.seeds} seeds, {config.games} "
                "games a pair.",
            ],
            result=[f"Claims: {verdict.counted(summary.claims)}."],
            sure=[
                "A score is half the difference of both agents' returns in a game. "
                "Intervals and p-values of duels resample and divide the runs of both "
                "methods; those against scripts are over runs. Verdicts of MATRL's "
                "duels are after Holm's correction over these.",
            ],
        ),
        tables=_tables(summary),
        figures=[
            Picture(
                name="matrix",
                title="Cross-play of checkpoints",
                caption="Mean score over seeds and both sides, ± standard error over "
                "seeds (over games with one seed).",
                chart=_matrix(config, summary),
            ),
            Picture(
                name="scripts",
                title="Against opponents that do not learn",
                caption="Mean over runs and sides; thin lines are runs.",
                chart=_against_scripts(config, scores),
            ),
        ],
    )
    return record


def _tables(summary: Summary) -> list[Table]:
    """The matrix at a glance, duels, scripts, the choice of a method, and claims."""
    first, second = summary.matrix.first, summary.matrix.second
    return [
        Table.of(
            f"Score of {first} against {second}, checkpoints against checkpoints",
            {
                "all pairs": lambda one: f"{one.mean:+.3f}",
                "the same age": lambda one: f"{one.same_age:+.3f}",
                "ahead by two standard errors": lambda one: report.percent(
                    one.ahead, 0
                ),
                "behind": lambda one: report.percent(one.behind, 0),
            },
            [summary.matrix],
        ),
        Table.of(
            "Final agents against final agents",
            {
                "final agents": lambda one: f"{one.first} against {one.second}",
                "score": lambda one: report.estimate(
                    one.score, one.low, one.high, digits=2
                ),
                "won": lambda one: report.percent(one.won),
                "drawn": lambda one: report.percent(one.drawn),
                "p, not corrected": lambda one: f"{one.p:.3g}",
                "reverse p": lambda one: f"{one.p_reverse:.3g}",
            },
            summary.duels,
        ),
        _scripts(summary),
        _choice(summary.choice),
        verdict.table(summary.claims),
    ]


def _scripts(summary: Summary) -> Table:
    heads, rows = ["final agents"], []
    for name in summary.scripts[summary.matrix.first]:
        heads += [f"score against {name}", "won"]
    for method, own in summary.scripts.items():
        shown = [(one.shown(2), report.percent(one.won, 0)) for one in own.values()]
        cpu = report.number(summary.cpu_seconds[method], 0)
        rows.append([method, *(cell for pair in shown for cell in pair), cpu])
    title = "Against opponents that do not learn"
    return Table(title, [*heads, "CPU s a run"], rows)


def _choice(choice: Choice) -> Table:
    lines = zip(
        choice.methods, choice.payoff, choice.nash_lp, choice.alpharank, strict=True
    )
    return Table(
        "The choice of a method as a game",
        ["mean score against", *choice.methods, "equilibrium", "alpha-rank"],
        [
            [method, *(f"{v:+.2f}" for v in payoff), f"{nash:.2f}", f"{rank:.2f}"]
            for method, payoff, nash, rank in lines
        ],
    )


def _matrix(config: Config, summary: Summary) -> Chart:
    """The score matrix with standard errors."""
    matrix, batch = summary.matrix, config.learner.ppo.batch
    score, error = np.array(matrix.score), np.array(matrix.error)
    ages = [f"{number * batch / 1000:.15g}" for number in summary.checkpoints]
    texts = [
        [f"{v:+.2f}\n±{e:.2f}" for v, e in zip(row, errors, strict=True)]
        for row, errors in zip(score, error, strict=True)
    ]
    heat = Heat(
        values=score.tolist(),
        rows=ages,
        columns=ages,
        label=f"score of {matrix.first}",
        texts=texts,
    )
    across = Axis(label=f"{matrix.second}: thousands of steps trained")
    up = Axis(label=f"{matrix.first}: thousands of steps trained")
    return Chart(panels=[Panel(x=across, y=up, heat=heat)], height=420)


def _against_scripts(config: Config, scores: Scores) -> Chart:
    """Score against opponents that do not learn, over training."""
    ages = [number * config.learner.ppo.batch / 1000 for number in scores.checkpoints]
    panels = []
    for number, name in enumerate(scores.opponents):
        series: list[Series] = []
        for method in config.methods:
            own = scores.script[scores.of(method), :, number, :, 0].mean(2)
            series += charts.learning(method, ages, own, colour=COLOURS[method])
        across, up = Axis(label="thousands of steps trained"), Axis(label="score")
        zero, title = Rule(name="", y=0.0, dash="solid"), f"against {TITLES[name]}"
        panels.append(Panel(title=title, x=across, y=up, series=series, rules=[zero]))
    return Chart(panels=panels, same="y")
