"""Tables, figures and report of the MuJoCo page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.lab import charts, report
from experiments.matrl import comparisons as claim
from experiments.matrl.control_numbers import WINDOW, Curves, returns, smooth
from metaspiel import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.matrl.control_config import Config

COLOURS = {
    "il": "tab:blue",
    "il-matched": "tab:cyan",
    "il-la": "tab:green",
    "matrl": "tab:red",
    "matrl-wo-br": "tab:orange",
    "random-rho": "tab:purple",
}
_ENOUGH = 5  # seeds from which on a bootstrap interval is drawn
_HEAD = ("task", "method", "seeds", "random", "first ten", "last ten", "best ten")
_MORE = ("mean ρ", "pure", "CPU s a cell")
_CLAIMS = ("claim", "paper", "here", "verdict")


def cells(row: Mapping[str, Any]) -> list[str]:
    """A row of the table as text."""
    parts = [claim.show(row[name]) for name in ("first", "last", "best")]
    rho, pure = row.get("rho"), row.get("pure")
    return [
        row["task"],
        row["method"],
        str(len(row["seeds"])),
        f"{row['random']:.1f}",
        *parts,
        "-" if rho is None else f"{rho:.3f}",
        "-" if pure is None else f"{100 * pure:.0f} %",
        "-" if row["cpu_seconds"] is None else f"{row['cpu_seconds']:.0f}",
    ]


def text(summary: Mapping[str, Any]) -> str:
    """The tables of results and claims in Markdown."""
    steps, seeds = summary["env_steps"], summary["seeds"]
    table = report.markdown((*_HEAD, *_MORE), list(map(cells, summary["table"])))
    claims = [[row[name] for name in _CLAIMS] for row in summary["claims"]]
    return (
        f"Team returns, means over {seeds} seeds with bootstrap 95 % intervals; "
        f"{summary['iterations']} iterations, {steps:,} steps. {_note(seeds)}\n\n"
        f"{table}\n{report.markdown(_CLAIMS, claims)}"
    )


def _note(seeds: int) -> str:
    if seeds >= _ENOUGH:
        return ""
    return f"{seeds} seeds are few: such intervals are too narrow."


def curve_figure(
    config: "Config", curves: Curves, random: Mapping[str, Any]
) -> "Figure":
    """Returns over steps, one panel a task."""
    from matplotlib.figure import Figure

    tasks = config.tasks
    drawn = Figure(figsize=(max(5.0, 3.7 * len(tasks)), 3.6), layout="constrained")
    panels = np.atleast_1d(drawn.subplots(1, len(tasks)))
    for axes, task in zip(panels, tasks, strict=True):
        axes.axhline(
            random[task]["mean"], color="0.4", linestyle=":", label="random actions"
        )
        for method in config.methods:
            rows = curves[task, method]
            if rows:
                _draw(axes, method, returns(rows), config)
        axes.set_title(f"{task}", fontsize=10)
        axes.set_xlabel("thousands of steps")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("team return")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=7, fontsize=8)
    return drawn


def _draw(axes: Any, method: str, values: Any, config: "Config") -> None:
    from experiments.lab import statistics

    own = smooth(values)
    x = np.arange(1, own.shape[1] + 1) * config.batch / 1000
    colour = COLOURS[method]
    axes.plot(x, own.mean(0), color=colour, linewidth=1.8, label=method)
    if len(own) < _ENOUGH:
        for one in own if len(own) > 1 else ():
            axes.plot(x, one, color=colour, linewidth=0.7, alpha=0.5)
        return
    spans = [
        statistics.interval(column.tolist(), config.seed, draws=2000)
        for column in own.T
    ]
    low = [np.nan if span.low is None else span.low for span in spans]
    high = [np.nan if span.high is None else span.high for span in spans]
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def save_curves(path: Path, curves: Curves) -> None:
    """Returns [seeds, iterations] and seeds of every task and method, as ``.npz``."""
    arrays: dict[str, Any] = {}
    for (task, method), rows in curves.items():
        if rows:
            arrays[f"{task}/{method}/returns"] = returns(rows)
            arrays[f"{task}/{method}/seeds"] = np.array(list(rows))
    files.write_arrays(path, arrays)


def write(
    folder: Path, config: "Config", curves: Curves, summary: dict[str, Any]
) -> None:
    """Writes ``report.html`` and the plots."""
    versions = ", ".join(f"{k} {v}" for k, v in summary["versions"].items())
    lead = [
        f"{config.iterations} iterations of {config.batch} steps "
        f"({summary['env_steps']:,} in all), {config.seeds} seeds; {versions}. Returns "
        "are those of the whole team in the first episode of every robot; the paper "
        "gives curves without numbers, of an older version of the robots.",
        "A difference holds when a one-sided permutation test over seeds has p of at "
        "most .05, and is reversed when the opposite test has.",
    ]
    rows = [[row[name] for name in _CLAIMS] for row in summary["claims"]]
    band = (
        "a band is the bootstrap 95 % interval of the mean"
        if config.seeds >= _ENOUGH
        else "thin lines are seeds"
    )
    report.render(
        folder / "report.html",
        "MATRL on robots moved by several agents",
        lead,
        [
            report.Table(
                "Team returns", (*_HEAD, *_MORE), list(map(cells, summary["table"]))
            ),
            report.Table("Claims", _CLAIMS, rows),
        ],
        [
            charts.figure(
                curve_figure(config, curves, summary["random"]),
                "Learning curves",
                f"Mean over seeds of the last {WINDOW} iterations' return; {band}.",
                folder / "plots" / "curves.png",
            )
        ],
    )
