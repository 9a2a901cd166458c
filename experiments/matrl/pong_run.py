"""Trains and reports agents that play Pong: cells, summary, tables, plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts, report, verdict
from experiments.lab.page import Answer
from experiments.lab.report import Table, publish
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
    return perform(config, "matrl_pong", kinds, write=write)


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
        lead=[
            f"{config.game}: {config.iterations} iterations, {summary.env_steps:,} "
            f"steps, {config.seeds} seeds, {config.games} games a pair.",
            "A score is half the difference of both agents' returns in a game. "
            "Intervals and p-values of duels resample and divide the runs of both "
            "methods; those against scripts are over runs.",
        ],
        tables=_tables(summary),
        figures=[
            charts.figure(
                _matrix_figure(config, summary),
                "Cross-play of checkpoints",
                "Mean score over seeds and both sides, ± standard error over seeds "
                "(over games with one seed).",
                folder / "plots" / "matrix.png",
            ),
            charts.figure(
                _script_figure(config, scores),
                "Against opponents that do not learn",
                "Mean over runs and sides; thin lines are runs.",
                folder / "plots" / "scripts.png",
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
                "p": lambda one: f"{one.p:.3g}",
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


def _matrix_figure(config: Config, summary: Summary) -> Figure:
    """The score matrix with standard errors."""
    matrix, batch = summary.matrix, config.learner.ppo.batch
    score, error = np.array(matrix.score), np.array(matrix.error)
    ages = [f"{number * batch / 1000:.3g}" for number in summary.checkpoints]
    drawn = Figure(figsize=(7.4, 6.0), layout="constrained")
    axes = drawn.subplots()
    most = max(float(np.abs(score).max()), 1e-9)
    shown = axes.imshow(score, cmap="RdBu", vmin=-most, vmax=most, origin="lower")
    for i, j in np.ndindex(*score.shape):
        colour = "white" if abs(score[i, j]) > 0.6 * most else "black"
        label = f"{score[i, j]:+.2f}\n±{error[i, j]:.2f}"
        axes.text(j, i, label, ha="center", va="center", fontsize=6.5, color=colour)
    axes.set_xticks(range(len(ages)), ages, fontsize=8)
    axes.set_yticks(range(len(ages)), ages, fontsize=8)
    axes.set_xlabel(f"{matrix.second}: thousands of steps trained")
    axes.set_ylabel(f"{matrix.first}: thousands of steps trained")
    bar = drawn.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label(f"score of {matrix.first}")
    return drawn


def _script_figure(config: Config, scores: Scores) -> Figure:
    """Score against opponents that do not learn, over training."""
    drawn, panels = charts.panels(
        [f"against {TITLES[name]}" for name in scores.opponents],
        "thousands of steps trained",
        "score",
        sharey=True,
    )
    ages = [number * config.learner.ppo.batch / 1000 for number in scores.checkpoints]
    for number, axes in enumerate(panels):
        for method in config.methods:
            own = scores.script[scores.of(method), :, number, :, 0].mean(2)
            charts.learning(axes, ages, own, color=COLOURS[method], label=method)
        axes.axhline(0, color="0.5", linewidth=0.8)
    charts.legend(drawn, panels[0], columns=6)
    return drawn
