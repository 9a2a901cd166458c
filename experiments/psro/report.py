"""Plots and report of one trial of PSRO."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab.charts import FLOOR, WIDTH, curve, figure
from experiments.lab.page import shown
from experiments.lab.report import Picture, Table, render


def write_report(
    folder: Path,
    summary: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    payoffs: ndarray,
) -> None:
    """``plots/*.png`` and ``report.html`` of one trial."""
    figures = _figures(folder / "plots", summary, rows, payoffs)
    concept = summary["concept"].upper()
    keys = [k for k in summary if k not in ("cpu_seconds_per_stage", "folder")]
    facts = [[key, summary[key]] for key in keys]
    stages = [[k, v] for k, v in summary["cpu_seconds_per_stage"].items()]
    last = rows[-1]
    lead = [
        f"After {last['iteration']} iterations the full-game {concept} gap is "
        f"{shown(last['gap'], '.3g')} (evaluation solver: "
        f"{shown(last['eval_gap'], '.3g')}) and the value "
        f"sum {last['value_sum']:.5g} (evaluation: {last['eval_value_sum']:.5g}); "
        f"{sum(last['unique_policies'])} policies in all. Meta-solver: "
        f"{last['status']}."
    ]
    render(
        folder / "report.html",
        f"PSRO on {summary['game']} with {summary['solver']}",
        lead,
        [
            Table("Result", ["", "value"], facts),
            Table("CPU seconds", ["stage", "seconds"], stages),
        ],
        figures,
    )


def _figures(
    plots: Path,
    summary: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    payoffs: ndarray,
) -> list[Picture]:
    x = [row["iteration"] for row in rows]
    gaps = {
        f"{summary['solver']} (responded to)": _measured(rows, "gap"),
        f"{summary['eval_solver']} (evaluation)": _measured(rows, "eval_gap"),
    }
    values = {
        f"player {p}": (x, [row["values"][p] for row in rows])
        for p in range(len(rows[0]["values"]))
    }
    values["sum (welfare)"] = (x, [row["value_sum"] for row in rows])
    values["sum, evaluation"] = (x, [row["eval_value_sum"] for row in rows])
    concept = summary["concept"].upper()
    return [
        figure(
            curve(gaps, f"full-game {concept} gap", log=True),
            "Gap",
            "Sum over players of what a best response over all policies of the game "
            f"gains against the meta-strategy; 0 is an exact {concept}. Gaps below "
            f"{FLOOR:g} are drawn there; gaps that were not measured are left out.",
            plots / "gap.png",
        ),
        figure(
            curve(values, "expected payoff", log=False),
            "Value and welfare",
            "Expected payoff of each player, and their sum.",
            plots / "value.png",
        ),
        figure(
            _strategies(rows),
            "Meta-strategy over iterations",
            "Probability of each policy (row) in each iteration (column).",
            plots / "strategy.png",
        ),
        figure(
            _heat_maps(payoffs),
            "Payoffs of the final meta-game",
            "With three players or more, averaged over the policies of the others.",
            plots / "payoffs.png",
        ),
        figure(
            _timings(rows),
            "CPU time",
            "Seconds so far: best responses and gaps, payoff table, meta-solvers.",
            plots / "time.png",
        ),
    ]


def _measured(
    rows: Sequence[dict[str, Any]], key: str
) -> tuple[list[float], list[float]]:
    """Iterations where a number was measured, and the numbers."""
    pairs = [(row["iteration"], row[key]) for row in rows if row[key] is not None]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _strategies(rows: Sequence[dict[str, Any]]) -> Figure:
    players = len(rows[0]["marginals"])
    drawn = Figure(figsize=(WIDTH, 2.4 * players))
    for player, axes in enumerate(np.atleast_1d(drawn.subplots(players, 1))):
        height = max(len(row["marginals"][player]) for row in rows)
        image = np.zeros((height, len(rows)))
        for column, row in enumerate(rows):
            own = row["marginals"][player]
            image[: len(own), column] = own
        shown = axes.imshow(
            image, aspect="auto", origin="lower", vmin=0, vmax=1, cmap="viridis"
        )
        axes.set_ylabel(f"player {player}: policy")
        drawn.colorbar(shown, ax=axes)
    axes.set_xlabel("iteration")
    drawn.tight_layout()
    return drawn


def _heat_maps(payoffs: ndarray) -> Figure:
    players = len(payoffs)
    drawn = Figure(figsize=(WIDTH, 3.0 if players < 3 else 2.6))
    for player, axes in enumerate(np.atleast_1d(drawn.subplots(1, players))):
        other = (player + 1) % players
        rest = tuple(q for q in range(players) if q not in (player, other))
        image = payoffs[player].mean(axis=rest)
        if players > 1 and other < player:
            image = image.T
        shown = axes.imshow(np.atleast_2d(image), aspect="auto", cmap="coolwarm")
        axes.set_title(f"payoff of player {player}", fontsize=9)
        axes.set_ylabel(f"policy of player {player}", fontsize=8)
        if players > 1:
            axes.set_xlabel(f"policy of player {other}", fontsize=8)
        drawn.colorbar(shown, ax=axes)
    drawn.tight_layout()
    return drawn


def _timings(rows: Sequence[dict[str, Any]]) -> Figure:
    drawn = Figure(figsize=(WIDTH, 3.0))
    axes = drawn.subplots()
    x = [row["iteration"] for row in rows]
    stages = list(rows[0]["cpu_seconds"])
    axes.stackplot(
        x, [[row["cpu_seconds"][s] for row in rows] for s in stages], labels=stages
    )
    axes.set_xlabel("iteration")
    axes.set_ylabel("CPU seconds")
    axes.legend(fontsize=8, loc="upper left")
    return drawn
