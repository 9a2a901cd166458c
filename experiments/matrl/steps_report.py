"""Numbers, claims and report of the step-size page."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts, report
from experiments.lab.statistics import t_interval
from experiments.matrl import cells as _cells
from metaspiel import files

if TYPE_CHECKING:
    from experiments.matrl.steps_config import Config

Row = dict[str, Any]


def of_run(rows: Sequence[Row], measure: str) -> float:
    """Mean of the measure over the second half of a run's iterations."""
    return float(np.mean([row[measure] for row in rows[len(rows) // 2 :]]))


def points(config: "Config", cells: "Sequence[_cells.Cell]", folder: Path) -> list[Row]:
    """A row for every method at every step size: mean over seeds and its interval."""
    measure = config.measure
    grouped: dict[tuple[float, float, str], list[Row]] = {}
    for cell in cells:
        rows = _cells.rows(cell, folder)
        rate, clip, method = config.sizes[cell.label]
        runs_of = grouped.setdefault((clip, rate, method), [])
        whole = len(rows) == cell.iterations
        value = of_run(rows, measure) if whole else None
        rho = np.array([row["rho"] for row in rows]) if rows else np.zeros((1, 1))
        runs_of.append(
            {
                "seed": cell.seed,
                "value": value,
                "rho": float(rho.mean()),
                "inside": float(((rho > 0) & (rho < 1)).mean()),
                "cpu_seconds": sum(sum(row["seconds"].values()) for row in rows),
            }
        )
    return [_point(*key, runs) for key, runs in grouped.items()]


def _point(clip: float, rate: float, method: str, runs: list[Row]) -> Row:
    values = [run["value"] for run in runs if run["value"] is not None]
    low, high = t_interval(values)
    return {
        "clip": clip,
        "rate": rate,
        "method": method,
        "n": len(values),
        "diverged": len(runs) - len(values),
        "mean": float(np.mean(values)) if values else None,
        "low": low,
        "high": high,
        "rho": float(np.mean([run["rho"] for run in runs])),
        "inside": float(np.mean([run["inside"] for run in runs])),
        "cpu_seconds": float(np.mean([run["cpu_seconds"] for run in runs])),
        "values": {str(run["seed"]): run["value"] for run in runs},
    }


def apart(one: Row, two: Row, lower_is_better: bool) -> str:
    """Whether ``one`` is better, worse or neither: intervals that do not overlap."""
    if None in (one["low"], two["low"]):
        return "undecided"
    sign = 1 if lower_is_better else -1
    ends = [sorted((sign * row["low"], sign * row["high"])) for row in (one, two)]
    if ends[0][1] < ends[1][0]:
        return "better"
    return "worse" if ends[1][1] < ends[0][0] else "undecided"


def claims(rows: list[Row], lower_is_better: bool) -> list[Row]:
    """Where each gated method is better or worse than each other one, by step size."""
    compared = []
    at = {(row["clip"], row["rate"], row["method"]): row for row in rows}
    sizes = sorted({key[:2] for key in at})
    names = list(dict.fromkeys(row["method"] for row in rows))
    for first, second in combinations(names, 2):
        ours, other = (second, first) if second.startswith("matrl") else (first, second)
        if not ours.startswith("matrl"):
            continue
        verdicts = [
            apart(at[(*size, ours)], at[(*size, other)], lower_is_better)
            for size in sizes
        ]
        compared.append(
            {
                "method": ours,
                "against": other,
                "better": [
                    _size(s)
                    for s, v in zip(sizes, verdicts, strict=True)
                    if v == "better"
                ],
                "worse": [
                    _size(s)
                    for s, v in zip(sizes, verdicts, strict=True)
                    if v == "worse"
                ],
                "undecided": verdicts.count("undecided"),
            }
        )
    return compared


def beats_all(rows: list[Row], lower_is_better: bool) -> list[str]:
    """Step sizes at which a gated method is better than every ungated one."""
    sizes = []
    for size in sorted({(row["clip"], row["rate"]) for row in rows}):
        here = [row for row in rows if (row["clip"], row["rate"]) == size]
        rivals = [row for row in here if not row["method"].startswith("matrl")]
        for ours in (row for row in here if row["method"].startswith("matrl")):
            verdicts = [apart(ours, other, lower_is_better) for other in rivals]
            if verdicts and set(verdicts) == {"better"}:
                sizes.append(f"{_size(size)}: {ours['method']}")
    return sizes


def _size(size: tuple[float, float]) -> str:
    return f"clip {size[0]:g}, rate {size[1]:g}"


_COMPARED = ("method", "against", "better at", "worse at", "undecided")
_HEAD = ("clip", "rate", "method", "mean", "95 % interval", "runs", "rho", "rho inside")


def cells_of(row: Row) -> list[str]:
    """A line of the table as text."""
    bounds = "-" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
    lost = f" ({row['diverged']} diverged)" if row["diverged"] else ""
    mean = "-" if row["mean"] is None else f"{row['mean']:.3f}"
    share = f"{100 * row['inside']:.0f} %"
    size = [f"{row['clip']:g}", f"{row['rate']:g}", row["method"]]
    return [*size, mean, bounds, f"{row['n']}{lost}", f"{row['rho']:.2f}", share]


def markdown(summary: Row) -> str:
    """All tables in Markdown."""
    parts = [
        report.markdown(_HEAD, map(cells_of, summary["rows"])),
        report.markdown(_COMPARED, map(_verdict, summary["claims"])),
        f"Better than every method without a meta-game: "
        f"{'; '.join(summary['beats_all']) or 'none'}.\n",
    ]
    return "\n".join(parts)


def _verdict(row: Row) -> list[str]:
    better, worse = ("; ".join(row[key]) or "-" for key in ("better", "worse"))
    return [row["method"], row["against"], better, worse, str(row["undecided"])]


def figure(rows: list[Row], measure: str) -> Figure:
    """The measure against the rate: a panel for each clip, a line for each method."""
    clips = sorted({row["clip"] for row in rows})
    names = list(dict.fromkeys(row["method"] for row in rows))
    size = (3.2 + 2.6 * len(clips), 3.8)
    drawn = Figure(figsize=size, layout="constrained")
    panels = np.atleast_1d(drawn.subplots(1, len(clips), sharey=True))
    for axes, clip in zip(panels, clips, strict=True):
        for number, name in enumerate(names):
            here = [r for r in rows if r["clip"] == clip and r["method"] == name]
            here = sorted(
                (r for r in here if r["mean"] is not None), key=lambda r: r["rate"]
            )
            x = [r["rate"] for r in here]
            (line,) = axes.plot(
                x,
                [r["mean"] for r in here],
                marker="o",
                ms=3,
                color=f"C{number}",
                label=name,
            )
            if here and here[0]["low"] is not None:
                low, high = ([r[k] for r in here] for k in ("low", "high"))
                axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15)
        axes.set_xscale("log")
        axes.set_title(f"clip {clip:g}", fontsize=9)
        axes.set_xlabel("rate of Adam")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(f"{measure}, second half of the run")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside right center", fontsize=8)
    return drawn


def write(
    folder: Path,
    config: "Config",
    cells: "Sequence[_cells.Cell]",
    failures: Sequence[_cells.Failure],
) -> Row:
    """summary.json, table.md, plots and report.html; returns the summary."""
    rows = points(config, cells, folder)
    lower = config.measure == "exploitability"
    summary: Row = {
        "game": config.game,
        "measure": config.measure,
        "rows": rows,
        "claims": claims(rows, lower),
        "beats_all": beats_all(rows, lower),
        "failed": [one.outcome.fault for one in failures],
    }
    files.write_json(folder / "summary.json", summary)
    files.write_text(folder / "table.md", markdown(summary))
    sizes = "; ".join(summary["beats_all"]) or "none"
    report.render(
        folder / "report.html",
        f"Step sizes with sampled learners: {config.game}",
        [
            f"{config.seeds} runs of {config.iterations} iterations of {config.batch} "
            f"steps for every method and step size. The {config.measure} of the "
            "policies that play is averaged over the second half of a run; "
            f"{'lower' if lower else 'higher'} is better. Intervals are Student's, "
            "over seeds; better and worse mean that they do not overlap.",
            f"Better than every method without a meta-game: {sizes}.",
        ],
        [
            report.Table("Every step size", _HEAD, list(map(cells_of, rows))),
            report.Table(
                "Comparisons",
                _COMPARED,
                [_verdict(row) for row in summary["claims"]],
            ),
        ],
        [
            charts.figure(
                figure(rows, config.measure),
                "Step size",
                "Bands are 95 % intervals over seeds.",
                folder / "plots" / "steps.png",
            )
        ],
    )
    return summary
