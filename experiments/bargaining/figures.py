"""Figures 2, 3 and 5 of the COffeE paper (Nguyen & Wellman 2026), from our rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np

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
from experiments.lab.marks import COLOURS, GREY, Axis, Chart, Panel, Picture, Series

Points = dict[str, dict[int, list[float]]]
"""Named curves: regrets of the trials at each iteration."""


def draw(results: Results) -> list[Picture]:
    """Each figure that the rows allow."""
    return [
        *_fidelity(results),
        *_explorations(results),
        *_approaches(results),
        *_settings(results),
    ]


def _fidelity(results: Results) -> list[Picture]:
    """Figure 2 (a, b): runs by uncertainty and utility error."""
    points, chosen = results.points, preferred(results.final)
    if not points:
        return []
    regret = {
        _run(row): row.regret for row in results.final if row.evaluation == chosen
    }
    known = [row for row in points if _run(row) in regret]
    plain = [row for row in points if _run(row) not in regret]
    dots: dict[str, Any] = {"mark": "points", "opacity": 0.8}
    left = [Series(name="without a regret", colour=GREY, **_plane(plain), **dots)]
    for low, high, name in _thirds([regret[_run(row)] for row in known]):
        own = [row for row in known if low <= regret[_run(row)] <= high]
        said = [f"regret {regret[_run(row)]:.4g}" for row in own]
        left.append(Series(name=name, **_plane(own), notes=said, **dots))
    right = []
    for kind in sorted({row.tuned for row in points}):
        own = [row for row in points if row.tuned == kind]
        right.append(Series(name=kind, **_plane(own), **dots))
    x, y = Axis(label="mean uncertainty"), Axis(label="utility error")
    panels = [
        Panel(title=title, x=x, y=y, series=[one for one in series if len(one.x)])
        for title, series in (("a", left), ("b", right))
    ]
    sets = len({row.data for row in points})
    caption = (
        f"One point a run ({len(points)} runs on {sets} data sets), coloured by (a) "
        f"regret under {solver_name(chosen)} as final solver ({len(plain)} runs "
        "without one are grey) and (b) λ and α."
    )
    title = "Figure 2 (a, b): uncertainty and utility error"
    chart = Chart(panels=panels, columns=2)
    return [Picture(name="figure_2ab", title=title, caption=caption, chart=chart)]


def _thirds(regrets: Sequence[float]) -> list[tuple[float, float, str]]:
    """Bounds of the lower, middle and upper third of regrets, and their names."""
    if not regrets:
        return []
    ends = np.quantile(regrets, [0, 1 / 3, 2 / 3, 1])
    return [
        (float(low), float(high), f"regret {low:.3g} to {high:.3g}")
        for low, high in pairwise(ends)
        if high > low or len(regrets) == 1
    ]


def _run(row: Run) -> tuple[object, ...]:
    return row.line, row.data, row.setting, row.trial


def _plane(rows: Sequence[Fidelity]) -> dict[str, Any]:
    x, y = [row.uncertainty for row in rows], [row.utility_error for row in rows]
    return {"x": x, "y": y}


def _explorations(results: Results) -> list[Picture]:
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
    chart = _joined(shown)
    return [Picture(name="figure_2c", title=title, caption=caption, chart=chart)]


def _joined(measured: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Chart:
    """A panel a measure, a row an approach and data set: both solvers, joined."""
    panels = []
    for name, values in measured.items():
        labels = list(values)
        series = []
        for solver, symbol in (("rd", "circle"), ("r2d", "square")):
            series.append(
                Series(
                    name=f"explored with {solver_name(solver)}",
                    x=[both[solver] for both in values.values()],
                    y=labels,
                    left=[min(both.values()) for both in values.values()],
                    right=[max(both.values()) for both in values.values()],
                    mark="points",
                    spread="bars",
                    width=0.8,
                    symbol=symbol,
                )
            )
        across = Axis(label=name)
        panels.append(Panel(x=across, y=Axis(scale="names"), series=series))
    rows = max(len(values) for values in measured.values())
    return Chart(panels=panels, columns=2, height=60 + 22 * rows)


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


def _approaches(results: Results) -> list[Picture]:
    """Figure 3: approaches at their main settings, a panel a data set."""
    main = [r for r in results.curves if r.setting == results.settings.get(r.line)]
    curves = _panels(main, lambda r: r.data.name, lambda r: r.line.name)
    order = [line.name for line in lines(main)]
    title = "Figure 3: regret over iterations"
    return _curves(curves, order, main, name="figure_3", title=title)


def _settings(results: Results) -> list[Picture]:
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
    return _curves(curves, order, rows, name="figure_5", title=title)


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
    *,
    name: str,
    title: str,
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
    chart = _banded(curves, order)
    return [Picture(name=name, title=title, caption=caption, chart=chart)]


def _banded(curves: Mapping[str, Points], order: Sequence[str]) -> Chart:
    """Means of trials with a band, of no width for one trial; a panel each."""
    panels = []
    colours = dict(zip(order, cycle(COLOURS), strict=False))
    for title, named in curves.items():
        series = []
        for name in (known for known in order if known in named):
            trials = dict(sorted(named[name].items()))
            mean = np.array([np.mean(values) for values in trials.values()])
            wide = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in trials.values()]
            series.append(
                Series(
                    name=name,
                    x=[*trials],
                    y=mean.tolist(),
                    low=(mean - wide).tolist(),
                    high=(mean + wide).tolist(),
                    colour=colours[name],
                    dots=True,
                )
            )
        x, y = Axis(label="iteration"), Axis(label="regret")
        panels.append(Panel(title=title, x=x, y=y, series=series))
    return Chart(panels=panels, columns=2)
