"""Figures 2, 3 and 5 of the COffeE paper (Nguyen & Wellman 2026), from our rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.bargaining.results import (
    Fidelity,
    Judged,
    Results,
    Run,
    finite,
    lines,
    of_data,
    preferred,
    setting_name,
    solver_name,
)
from experiments.lab.charts import band, figure, legend, panels
from experiments.lab.report import Picture

Points = dict[str, dict[int, list[float]]]
"""Named curves: regrets of the trials at each iteration."""


def draw(results: Results, folder: Path) -> list[Picture]:
    """Each figure that the rows allow, also as PNG in the folder."""
    return [
        *_fidelity(results, folder / "figure_2ab.png"),
        *_explorations(results, folder / "figure_2c.png"),
        *_approaches(results, folder / "figure_3.png"),
        *_settings(results, folder / "figure_5.png"),
    ]


def _fidelity(results: Results, png: Path) -> list[Picture]:
    """Figure 2 (a, b): runs by uncertainty and utility error."""
    points, chosen = results.points, preferred(results.final)
    if not points:
        return []
    regret = {
        _run(row): row.regret for row in results.final if row.evaluation == chosen
    }
    drawn, (left, right) = panels(["a", "b"], "mean uncertainty", "utility error")
    known = [row for row in points if _run(row) in regret]
    plain = [row for row in points if _run(row) not in regret]
    left.scatter(*_plane(plain), s=18, color="0.7")
    if known:
        shown = left.scatter(*_plane(known), s=18, c=[regret[_run(r)] for r in known])
        drawn.colorbar(shown, ax=left, label="regret")
    kinds = sorted({row.tuned for row in points})
    for kind, colour in _colours(kinds).items():
        own = [row for row in points if row.tuned == kind]
        right.scatter(*_plane(own), s=18, color=colour, label=kind)
    legend(drawn, right, columns=4)
    sets = len({row.data for row in points})
    caption = (
        f"One point a run ({len(points)} runs on {sets} data sets), coloured by (a) "
        f"regret under {solver_name(chosen)} as final solver ({len(plain)} runs "
        "without one are grey) and (b) λ and α."
    )
    title = "Figure 2 (a, b): uncertainty and utility error"
    return [figure(drawn, title, caption, png)]


def _colours(names: Sequence[str]) -> dict[str, object]:
    """Colours that can be told apart; of a scale where there are more than ten."""
    scale = matplotlib.colormaps["viridis"](np.linspace(0, 0.95, len(names)))
    few = [f"C{number}" for number in range(len(names))]
    return dict(zip(names, few if len(names) <= 10 else scale, strict=True))


def _run(row: Run) -> tuple[object, ...]:
    return row.line, row.data, row.setting, row.trial


def _plane(rows: Sequence[Fidelity]) -> tuple[list[float], list[float]]:
    return [row.uncertainty for row in rows], [row.utility_error for row in rows]


def _explorations(results: Results, png: Path) -> list[Picture]:
    """Figure 2 (c): means under both exploration solvers, side by side."""
    chosen = preferred(results.final)
    kept = [row for row in results.final if row.evaluation == chosen]
    fidelity = results.fidelity
    measured = {
        "regret": _by_exploration((row, row.regret) for row in kept),
        "uncertainty": _by_exploration((row, row.uncertainty) for row in fidelity),
        "utility error": _by_exploration((row, row.utility_error) for row in fidelity),
    }
    shown = {name: means for name, means in measured.items() if means}
    if not shown:
        return []
    caption = (
        "Means over trials; a line joins the same approach on the same data explored "
        f"with R2D and with RD. Regret under {solver_name(chosen)} as final solver."
    )
    title = "Figure 2 (c): effect of exploring with R2D"
    return [figure(_joined(shown), title, caption, png)]


def _joined(measured: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """A panel a measure, a row an approach and data set: both solvers, joined."""
    rows = sorted({label for values in measured.values() for label in values})
    drawn, every = panels(
        [""] * len(measured), "", "", height=1.4 + 0.25 * len(rows), sharey=True
    )
    for axes, (name, values) in zip(every, measured.items(), strict=True):
        at = [rows.index(label) for label in values]
        ends = {
            solver: [both[solver] for both in values.values()]
            for solver in ("rd", "r2d")
        }
        axes.hlines(at, ends["rd"], ends["r2d"], color="0.7", zorder=1)
        for (solver, ends_of), marker in zip(ends.items(), "os", strict=True):
            label = f"explored with {solver_name(solver)}"
            axes.scatter(ends_of, at, marker=marker, s=20, label=label)
        axes.set_yticks(range(len(rows)), rows, fontsize=7)
        axes.set_xlabel(name)
    legend(drawn, every[0])
    return drawn


def _by_exploration(
    values: Iterable[tuple[Run, float]],
) -> dict[str, dict[str, float]]:
    """Means with R2D and with RD of what was measured with both."""
    trials: dict[str, dict[str, list[float]]] = {}
    for row, value in values:
        if row.exploration in ("r2d", "rd") and finite(value):
            both = trials.setdefault(f"{row.tuned} ({row.data.name})", {})
            both.setdefault(row.exploration, []).append(value)
    return {
        label: {solver: float(np.mean(some)) for solver, some in both.items()}
        for label, both in trials.items()
        if len(both) == 2
    }


def _approaches(results: Results, png: Path) -> list[Picture]:
    """Figure 3: approaches at their main settings, a panel a data set."""
    main = [r for r in results.curves if r.setting == results.settings.get(r.line)]
    curves = _panels(main, lambda r: r.data.name, lambda r: r.line.name)
    order = [line.name for line in lines(main)]
    title = "Figure 3: regret over iterations"
    return _curves(curves, order, main, title, png)


def _settings(results: Results, png: Path) -> list[Picture]:
    """Figure 5: settings of COffeE, a panel a data set and exploration solver."""
    rows = [row for row in results.curves if row.approach == "coffee"]
    curves = _panels(
        rows,
        lambda r: f"{r.data.name}, explored with {solver_name(r.exploration)}",
        lambda r: setting_name("coffee", r.setting),
    )
    curves = {name: some for name, some in curves.items() if len(some) > 1}
    order = [setting_name("coffee", s) for s in sorted({r.setting for r in rows})]
    title = "Figure 5: regret of COffeE by λ and α"
    return _curves(curves, order, rows, title, png)


def _panels(
    rows: Sequence[Judged],
    panel: Callable[[Judged], str],
    name: Callable[[Judged], str],
) -> dict[str, Points]:
    """Curves by panel; one value a trial and iteration, that with the largest k."""
    chosen = preferred(rows)
    newest: dict[tuple[str, str, int, int, int], Judged] = {}
    for row in sorted(rows, key=lambda r: r.k):
        if row.evaluation == chosen:
            newest[panel(row), name(row), row.iteration, row.trial, row.seed] = row
    by_data = [
        sorted(own, key=lambda r: r.exploration) for own in of_data(rows).values()
    ]
    curves: dict[str, Points] = {panel(row): {} for own in by_data for row in own}
    for (where, which, iteration, *_), row in sorted(
        newest.items(), key=lambda item: item[0]
    ):
        curve = curves[where].setdefault(which, {})
        curve.setdefault(iteration, []).append(row.regret)
    longer = {
        where: {which: curve for which, curve in own.items() if len(curve) > 1}
        for where, own in curves.items()
    }
    return {where: own for where, own in longer.items() if own}


def _curves(
    curves: dict[str, Points],
    order: Sequence[str],
    rows: Sequence[Judged],
    title: str,
    png: Path,
) -> list[Picture]:
    """Mean and a band of one standard deviation over trials, a panel each."""
    if not curves:
        return []
    depths = sorted({row.k for row in rows})
    depth = f"k = {depths[0]}."
    if len(depths) > 1:
        depth = f"k is one of {depths}: points with different k are not comparable."
    counts = {
        len(trials)
        for own in curves.values()
        for curve in own.values()
        for trials in curve.values()
    }
    low, high = min(counts), max(counts)
    trials = f"{low} to {high}" if low < high else f"{low}"
    caption = (
        f"Mean over trials ({trials} a point); bands are one standard deviation, none "
        "for a single trial. Judged only at the marked iterations. "
        f"{depth}"
    )
    return [figure(_banded(curves, order), title, caption, png)]


def _banded(curves: Mapping[str, Points], order: Sequence[str]) -> Figure:
    """Means of trials with a band, of no width for one trial; a panel each."""
    drawn, every = panels([*curves], "iteration", "regret", most=2, height=3.2)
    colours = _colours(order)
    for axes, named in zip(every, curves.values(), strict=True):
        for name in (known for known in order if known in named):
            trials = dict(sorted(named[name].items()))
            mean = np.array([np.mean(values) for values in trials.values()])
            wide = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in trials.values()]
            band(
                axes,
                [*trials],
                mean.tolist(),
                low=(mean - wide).tolist(),
                high=(mean + wide).tolist(),
                marker="o",
                ms=3,
                color=colours[name],
                label=name,
            )
    legend(drawn, *every, columns=4)
    return drawn
