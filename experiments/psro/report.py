"""Plots and report of one trial of PSRO."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab.charts import FLOOR, WIDTH, curve, figure
from experiments.lab.report import Picture, Table, render
from experiments.psro.summary import (
    Summary,
    gap_name,
    gap_value,
    outcome,
    rounded,
    shown,
)
from experiments.psro_parts.config import EXACT
from psro.metrics import Row


def write_report(
    folder: Path, summary: Summary, rows: Sequence[Row], payoffs: ndarray
) -> None:
    """``plots/*.png`` and ``report.html`` of one trial."""
    last, facts = summary.last, summary.flat
    del facts["cpu_seconds_per_stage"]
    caveats = facts.pop("caveats")
    learned = summary.gap_is != EXACT
    gap = gap_value(summary.gap_is, last.gap, last.gap_error)
    lead = (
        f"After {last.iteration} iterations on {facts['played']} the "
        f"{gap_name(summary.gap_is, summary.concept)} is {gap}"
        f"{_exactly(summary)} and the value sum "
        f"{last.value_sum:.5g} (evaluation: {last.eval_value_sum:.5g}); "
        f"{sum(last.unique_policies)} policies in all. Meta-solver: {last.status}."
    )
    if learned:
        lead += f" {_meaning(summary.gap_is, summary.concept)}"
    render(
        folder / "report.html",
        f"PSRO on {summary.game} with {summary.solver}",
        [lead, *caveats],
        [
            Table("Result", ["", "value"], list(facts.items())),
            Table("CPU seconds", ["stage", "seconds"], list(last.cpu_seconds.items())),
        ],
        _figures(folder / "plots", summary, rows, payoffs),
    )


def _exactly(summary: Summary) -> str:
    """What is exact of the gaps, for the lead; nothing of a run without a referee."""
    last = summary.last
    if summary.gap_is == EXACT:
        return f" (evaluation solver: {shown(last.eval_gap, '.3g')})"
    if last.exact_gap is None:
        return ""
    return (
        f", the exact one {last.exact_gap:.3g} (evaluation solver: "
        f"{shown(last.exact_eval_gap, '.3g')})"
    )


def _gaps(summary: Summary, rows: Sequence[Row]) -> dict[str, Any]:
    """Lines of all gaps of a trial that were measured."""
    final = f"{summary.eval_solver} (evaluation)"
    gaps = {f"{summary.solver} (responded to)": _line(rows, lambda row: row.gap)}
    if summary.gap_is == EXACT:
        gaps[final] = _line(rows, lambda row: row.eval_gap)
    elif summary.last.exact_gap is not None:
        gaps[f"{summary.solver}, exact"] = _line(rows, lambda row: row.exact_gap)
        gaps[f"{final}, exact"] = _line(rows, lambda row: row.exact_eval_gap)
    return gaps


def _figures(
    plots: Path, summary: Summary, rows: Sequence[Row], payoffs: ndarray
) -> list[Picture]:
    gaps = _gaps(summary, rows)
    values = {
        f"player {p}": _line(rows, lambda row, p=p: row.values[p])
        for p in range(len(rows[0].values))
    }
    values["sum (welfare)"] = _line(rows, lambda row: row.value_sum)
    values["sum, evaluation"] = _line(rows, lambda row: row.eval_value_sum)
    seconds = {
        stage: _line(rows, lambda row, stage=stage: row.cpu_seconds[stage])
        for stage in rows[0].cpu_seconds
    }
    seconds["all"] = _line(rows, lambda row: sum(row.cpu_seconds.values()))
    charts = {
        "gap": (
            curve(
                gaps,
                gap_name(summary.gap_is, summary.concept),
                log=summary.gap_is == EXACT,
                errors=_errors(gaps, summary, rows),
            ),
            "Gap",
            f"{_meaning(summary.gap_is, summary.concept)}"
            f"{_refereed(summary.last.exact_gap)} "
            "Gaps that were not measured are left out.",
        ),
        "value": (
            curve(values, "expected payoff", log=False),
            "Value and welfare",
            "Expected payoff of each player, and their sum.",
        ),
        "strategy": (
            _strategies(rows),
            "Meta-strategy over iterations",
            "Probability of each policy (row) in each iteration (column).",
        ),
        "payoffs": (
            _heat_maps(payoffs),
            "Payoffs of the final meta-game",
            "With three players or more, averaged over the policies of the others.",
        ),
        "time": (
            curve(seconds, "CPU seconds", log=False),
            "CPU time",
            "Seconds so far: best responses and gaps, payoff table, meta-solvers, and "
            "a referee where there is one.",
        ),
    }
    return [
        figure(drawn, title, caption, plots / f"{name}.png")
        for name, (drawn, title, caption) in charts.items()
    ]


def _meaning(kind: str, concept: str) -> str:
    """What a gap is, in words."""
    if kind == EXACT:
        return (
            "Sum over players of what a best response over all policies of the game "
            f"gains against the meta-strategy; 0 is an exact {concept.upper()}."
            f" Gaps below {FLOOR:g} are drawn there."
        )
    return (
        "The gap is the sum over players of what learned responses gained against the "
        "meta-strategy in sampled episodes, +- at most its standard error. It "
        "estimates a lower bound, which noise pushes up, and 0 says that nothing was "
        "learned to gain, not that nothing can be gained."
    )


def _refereed(exact_gap: float | None) -> str:
    """What lines of a referee are, in words; nothing without one."""
    if exact_gap is None:
        return ""
    return (
        " Lines called exact are a referee's: what exact best responses over all "
        "policies of the game gain."
    )


def _errors(
    gaps: Mapping[str, Any], summary: Summary, rows: Sequence[Row]
) -> dict[str, list[float]] | None:
    """Standard errors of the gap that is responded to, where it is learned."""
    if summary.gap_is == EXACT:
        return None
    measured = [row.gap_error or 0.0 for row in rows if row.gap is not None]
    return {next(iter(gaps)): measured}


def write_whole(
    folder: Path, summary: Mapping[str, Any], rows: Mapping[int, Sequence[Row]]
) -> None:
    """``plots/gaps.png`` and ``report.html`` of all trials together.

    Args:
      folder: of the run.
      summary: of all trials, with their means.
      rows: of each trial, by its seed.
    """
    kind, concept = summary["gap_is"], summary["concept"]
    columns = {
        "seed": lambda one: one["seed"],
        "iterations": lambda one: one["iterations"],
        gap_name(kind, concept): lambda one: gap_value(
            kind, one["gap"], one["gap_error"]
        ),
        **_exact_column(summary),
        "value sum": lambda one: rounded(one["value_sum"], ".5g"),
        "policies": lambda one: one["unique_policies"],
        "meta-solver": lambda one: one["status"],
        "stopped": lambda one: one["stopped"],
    }
    lines = {
        f"seed {seed}": _line(own, lambda row: row.gap) for seed, own in rows.items()
    }
    if summary["exact_gap"] is not None:
        lines |= {
            f"seed {seed}, exact": _line(own, lambda row: row.exact_gap)
            for seed, own in rows.items()
        }
    drawn = curve(lines, gap_name(kind, concept), log=kind == EXACT)
    caption = (
        f"{_meaning(kind, concept)}{_refereed(summary['exact_gap'])} A line a trial; "
        "gaps that were not measured are left out."
    )
    render(
        folder / "report.html",
        f"PSRO on {summary['game']} with {summary['solver']}: {len(rows)} trials",
        [outcome(summary), *summary["caveats"]],
        [Table.of("Trials", columns, summary["trials"])],
        [figure(drawn, "Gap of every trial", caption, folder / "plots" / "gaps.png")],
    )


def _exact_column(summary: Mapping[str, Any]) -> Mapping[str, Callable[[Any], Any]]:
    """A column of exact gaps beside learned ones, where there was a referee."""
    if summary["exact_gap"] is None:
        return {}
    return {"exact gap": lambda one: shown(one["exact_gap"], ".3g")}


def _line(
    rows: Sequence[Row], read: Callable[..., float | None]
) -> tuple[list[float], list[float]]:
    """Iterations where a number was measured, and the numbers."""
    pairs = [(float(row.iteration), read(row)) for row in rows]
    measured = [(x, y) for x, y in pairs if y is not None]
    return [x for x, _ in measured], [y for _, y in measured]


def _strategies(rows: Sequence[Row]) -> Figure:
    players = len(rows[0].marginals)
    drawn = Figure(figsize=(WIDTH, 2.4 * players))
    for player, axes in enumerate(np.atleast_1d(drawn.subplots(players, 1))):
        own = [row.marginals[player] for row in rows]
        image = np.zeros((max(map(len, own)), len(rows)))
        for column, marginal in enumerate(own):
            image[: len(marginal), column] = marginal
        _image(drawn, axes, image, origin="lower", vmin=0, vmax=1, cmap="viridis")
        axes.set_ylabel(f"player {player}: policy")
    axes.set_xlabel("iteration")
    drawn.tight_layout()
    return drawn


def _image(drawn: Figure, axes: Any, image: ndarray, **style: Any) -> None:
    """An array as colours, with what they stand for beside it."""
    drawn.colorbar(axes.imshow(image, aspect="auto", **style), ax=axes)


def _heat_maps(payoffs: ndarray) -> Figure:
    players = len(payoffs)
    drawn = Figure(figsize=(WIDTH, 3.0 if players < 3 else 2.6))
    for player, axes in enumerate(np.atleast_1d(drawn.subplots(1, players))):
        other = (player + 1) % players
        rest = tuple(q for q in range(players) if q not in (player, other))
        image = payoffs[player].mean(axis=rest)
        if players > 1 and other < player:
            image = image.T
        _image(drawn, axes, np.atleast_2d(image), cmap="coolwarm")
        axes.set_title(f"payoff of player {player}", fontsize=9)
        axes.set_ylabel(f"policy of player {player}", fontsize=8)
        if players > 1:
            axes.set_xlabel(f"policy of player {other}", fontsize=8)
    drawn.tight_layout()
    return drawn
