"""Tables, figures and report of the Pong page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.lab import charts, report
from experiments.matrl import comparisons as claim
from experiments.matrl.control_report import COLOURS
from experiments.matrl.pong_matches import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.matrl.pong_config import Config

_DUELS = ("final agents", "score", "won", "drawn", "p", "reverse p")
_CLAIMS = ("claim", "paper", "here", "verdict")
_TITLES = {"random": "random play", "tracker": "the tracker (a script)"}


def text(summary: Mapping[str, Any]) -> str:
    """All tables in Markdown."""
    head, rows = _scripts(summary)
    claims = [[row[name] for name in _CLAIMS] for row in summary["claims"]]
    parts = [
        _lead(summary),
        report.markdown(_DUELS, list(map(_duel, summary["duels"]))),
        report.markdown(head, rows),
        report.markdown(*_choice(summary)),
        report.markdown(_CLAIMS, claims),
    ]
    return "\n".join([f"{parts[0]}\n", *parts[1:]])


def _lead(summary: Mapping[str, Any]) -> str:
    matrix = summary["matrix"]
    ahead, behind = 100 * matrix["ahead"], 100 * matrix["behind"]
    return (
        f"{summary['game']}: {summary['iterations']} iterations, "
        f"{summary['env_steps']:,} steps, {summary['seeds']} seeds, "
        f"{summary['games']} games a pair. Mean score of {matrix['first']} against "
        f"{matrix['second']} over all pairs of checkpoints {matrix['mean']:+.3f}, at "
        f"the same age {matrix['same_age']:+.3f}; ahead by two standard errors in "
        f"{ahead:.0f} % of the pairs, behind in {behind:.0f} %."
    )


def _duel(row: Mapping[str, Any]) -> list[str]:
    score = {"mean": row["score"], "low": row["low"], "high": row["high"]}
    return [
        f"{row['first']} against {row['second']}",
        claim.show(score, 2),
        f"{100 * row['won']:.1f} %",
        f"{100 * row['drawn']:.1f} %",
        f"{row['p']:.3g}",
        f"{row['p_reverse']:.3g}",
    ]


def _scripts(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    names = [name for name in ("random", "tracker") if name in summary["scripts"][0]]
    head = ["final agents"]
    for name in names:
        head += [f"score against {name}", "won"]
    rows = []
    for row in summary["scripts"]:
        cells = [row["method"]]
        for name in names:
            cells += [claim.show(row[name], 2), f"{100 * row[name]['won']:.0f} %"]
        rows.append([*cells, f"{summary['cpu_seconds'][row['method']]:.0f}"])
    return [*head, "CPU s a run"], rows


def _choice(summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    choice = summary["choice"]
    methods = choice["methods"]
    head = ["mean score against", *methods, "equilibrium", "alpha-rank"]
    rows = [
        [
            method,
            *(f"{value:+.2f}" for value in choice["payoff"][i]),
            f"{choice['nash_lp'][i]:.2f}",
            f"{choice['alpharank'][i]:.2f}",
        ]
        for i, method in enumerate(methods)
    ]
    return head, rows


def matrix_figure(summary: Mapping[str, Any]) -> "Figure":
    """The score matrix with standard errors."""
    from matplotlib.figure import Figure

    matrix = summary["matrix"]
    score, error = np.array(matrix["score"]), np.array(matrix["error"])
    ages = [_age(summary, number) for number in summary["checkpoints"]]
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
    axes.set_xlabel(f"{matrix['second']}: thousands of steps trained")
    axes.set_ylabel(f"{matrix['first']}: thousands of steps trained")
    bar = drawn.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label(f"score of {matrix['first']}")
    return drawn


def _age(summary: Mapping[str, Any], iteration: int) -> str:
    steps = summary["env_steps"] * iteration / summary["iterations"]
    return f"{steps / 1000:.3g}"


def script_figure(config: "Config", scores: Scores) -> "Figure":
    """Score against opponents that do not learn, over training."""
    from matplotlib.figure import Figure

    count = len(scores.opponents)
    drawn = Figure(figsize=(3.8 * max(count, 1.3), 3.5), layout="constrained")
    panels = np.atleast_1d(drawn.subplots(1, count, sharey=True))
    x = np.array(scores.checkpoints) * config.batch / 1000
    for axes, (number, name) in zip(panels, enumerate(scores.opponents), strict=True):
        for method in config.methods:
            runs = [r for r, (who, _) in enumerate(scores.runs) if who == method]
            own = scores.script[runs, :, number, :, 0].mean(2)
            colour = COLOURS[method]
            axes.plot(x, own.mean(0), color=colour, label=method, linewidth=1.8)
            for one in own if len(own) > 1 else ():
                axes.plot(x, one, color=colour, linewidth=0.6, alpha=0.45)
        axes.axhline(0, color="0.5", linewidth=0.8)
        axes.set_title(f"against {_TITLES[name]}", fontsize=10)
        axes.set_xlabel("thousands of steps trained")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("score")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
    return drawn


def write(
    folder: Path, config: "Config", summary: Mapping[str, Any], scores: Scores
) -> None:
    """Writes ``report.html`` and the plots."""
    lead = [
        _lead(summary),
        "A score is half the difference of both agents' returns in a game. Intervals "
        "and p-values of duels resample and divide the runs of both methods; those "
        "against scripts are over runs.",
    ]
    claims = [[row[name] for name in _CLAIMS] for row in summary["claims"]]
    plots = folder / "plots"
    report.render(
        folder / "report.html",
        f"MATRL and independent learners in {config.game}",
        lead,
        [
            _table("Final agents against final agents", _DUELS, summary["duels"]),
            report.Table("Against opponents that do not learn", *_scripts(summary)),
            report.Table("The choice of a method as a game", *_choice(summary)),
            report.Table("Claims", _CLAIMS, claims),
        ],
        [
            charts.figure(
                matrix_figure(summary),
                "Cross-play of checkpoints",
                "Mean score over seeds and both sides, ± standard error over seeds "
                "(over games with one seed).",
                plots / "matrix.png",
            ),
            charts.figure(
                script_figure(config, scores),
                "Against opponents that do not learn",
                "Mean over runs and sides; thin lines are runs.",
                plots / "scripts.png",
            ),
        ],
    )


def _table(
    caption: str, head: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> report.Table:
    return report.Table(caption, head, list(map(_duel, rows)))
