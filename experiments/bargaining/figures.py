"""Figures 2, 3 and 5 of the COffeE paper (Nguyen & Wellman 2026), from our rows."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.bargaining.results import (
    Data,
    Judged,
    Row,
    data,
    data_name,
    datasets,
    finite,
    line_name,
    lines,
    preferred,
    setting,
    setting_name,
    solver_name,
    tuned_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 7.5
_MEASURES = {
    "regret": "regret",
    "uncertainty": "uncertainty",
    "utility_error": "utility error",
}
Points = dict[str, dict[int, list[float]]]
"""Named curves: regrets of the trials at each iteration."""


def draw(judged: Judged, fidelity: Sequence[Row]) -> list[tuple[str, str, str, Any]]:
    """File name, title, caption and drawing of each figure that the rows allow."""
    return [
        *_fidelity(judged, fidelity),
        *_solvers(judged, fidelity),
        *_approaches(judged),
        *_settings(judged),
    ]


def points(judged: Judged, fidelity: Sequence[Row]) -> list[Row]:
    """Fidelity rows with a finite pair, each with the final regret of its run or None.

    The regret is that under R2D as evaluation solver where it was judged.
    """
    chosen = preferred(judged.final)
    final = {_run(r): r["regret"] for r in judged.final if r["evaluation"] == chosen}
    return [
        {**row, "regret": final.get(_run(row))}
        for row in fidelity
        if finite(row.get("uncertainty")) and finite(row.get("utility_error"))
    ]


def _run(row: Row) -> tuple[Any, ...]:
    return row["approach"], row["exploration"], data(row), setting(row), row["trial"]


def _figure(panels: int, height: float) -> "tuple[Figure, list[Axes]]":
    """Panels two a row."""
    from matplotlib.figure import Figure

    columns = min(panels, 2)
    rows = -(-panels // columns)
    drawn = Figure(figsize=(_WIDTH, height * rows), layout="constrained")
    axes = list(np.atleast_1d(drawn.subplots(rows, columns)).ravel())
    for extra in axes[panels:]:
        extra.remove()
    for one in axes[:panels]:
        one.grid(alpha=0.3)
    return drawn, axes[:panels]


def _colours(number: int) -> list[Any]:
    import matplotlib

    if number <= 10:
        return list(matplotlib.colormaps["tab10"].colors[:number])  # type: ignore[attr-defined]
    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, number)))


def _legend(drawn: "Figure", axes: "Iterable[Axes]") -> None:
    """One legend of all panels, below them."""
    named: dict[str, Any] = {}
    for one in axes:
        handles, labels = one.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    drawn.legend(
        list(named.values()),
        list(named),
        loc="outside lower center",
        ncols=min(4, len(named)),
        fontsize=8,
    )


def _fidelity(
    judged: Judged, fidelity: Sequence[Row]
) -> list[tuple[str, str, str, Any]]:
    rows = points(judged, fidelity)
    if not rows:
        return []
    drawn, (left, right) = _figure(2, 3.8)
    known = [row for row in rows if row["regret"] is not None]
    plain = [row for row in rows if row["regret"] is None]
    left.scatter(*_plane(plain), s=18, color="0.7")
    if known:
        shown = left.scatter(*_plane(known), s=18, c=[row["regret"] for row in known])
        drawn.colorbar(shown, ax=left, label="regret")
    kinds = sorted({tuned_name(row) for row in rows})
    for kind, colour in zip(kinds, _colours(len(kinds)), strict=True):
        own = [row for row in rows if tuned_name(row) == kind]
        right.scatter(*_plane(own), s=18, color=colour, label=kind)
    for axes, title in ((left, "a"), (right, "b")):
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_xlabel("mean uncertainty")
    left.set_ylabel("utility error")
    _legend(drawn, [right])
    caption = (
        f"One point a run ({len(rows)} runs on {len(datasets(rows))} data sets), "
        f"coloured by (a) regret under {solver_name(preferred(judged.final))} as final "
        f"solver ({len(plain)} runs without one are grey) and (b) λ and α."
    )
    title = "Figure 2 (a, b): uncertainty and utility error"
    return [("figure_2ab", title, caption, drawn)]


def _plane(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [r["uncertainty"] for r in rows], [r["utility_error"] for r in rows]


def _solvers(
    judged: Judged, fidelity: Sequence[Row]
) -> list[tuple[str, str, str, Any]]:
    """Means under both exploration solvers, side by side."""
    chosen = preferred(judged.final)
    kept = [row for row in judged.final if row["evaluation"] == chosen]
    sources = {"regret": kept, "uncertainty": fidelity, "utility_error": fidelity}
    pairs: dict[str, dict[str, dict[str, float]]] = {}
    for measure, rows in sources.items():
        values: dict[str, dict[str, list[float]]] = {}
        for row in rows:
            if row["exploration"] in ("r2d", "rd") and finite(row.get(measure)):
                label = f"{tuned_name(row)} ({data_name(data(row))})"
                both = values.setdefault(label, {})
                both.setdefault(row["exploration"], []).append(row[measure])
        pairs[measure] = {
            label: {name: float(np.mean(v)) for name, v in both.items()}
            for label, both in values.items()
            if len(both) == 2
        }
    panels = [measure for measure, by_label in pairs.items() if by_label]
    if not panels:
        return []
    labels = sorted({label for by_label in pairs.values() for label in by_label})
    from matplotlib.figure import Figure

    size = (_WIDTH, 1.4 + 0.25 * len(labels))
    drawn = Figure(figsize=size, layout="constrained")
    all_axes = np.atleast_1d(drawn.subplots(1, len(panels), sharey=True))
    for axes, measure in zip(all_axes, panels, strict=True):
        _pairs(axes, pairs[measure], labels)
        axes.set_xlabel(_MEASURES[measure])
    _legend(drawn, all_axes)
    caption = (
        "Means over trials; a line joins the same approach on the same data explored "
        f"with R2D and with RD. Regret under {solver_name(chosen)} as final solver."
    )
    title = "Figure 2 (c): effect of exploring with R2D"
    return [("figure_2c", title, caption, drawn)]


def _pairs(
    axes: "Axes", means: dict[str, dict[str, float]], labels: Sequence[str]
) -> None:
    rows = {label: number for number, label in enumerate(labels)}
    for label, both in means.items():
        axes.plot([both["rd"], both["r2d"]], [rows[label]] * 2, color="0.7", zorder=1)
    for name, marker in (("rd", "o"), ("r2d", "s")):
        axes.scatter(
            [both[name] for both in means.values()],
            [rows[label] for label in means],
            marker=marker,
            s=20,
            label=f"explored with {solver_name(name)}",
        )
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.grid(alpha=0.3, axis="x")


def _approaches(judged: Judged) -> list[tuple[str, str, str, Any]]:
    """Figure 3: approaches at their main settings, a panel a data set."""
    main = [r for r in judged.curves if setting(r) == judged.settings.get(_line(r))]
    order = [line_name(one) for one in lines(main)]
    panels = _panels(main, lambda r: data_name(data(r)), lambda r: line_name(_line(r)))
    return _curves(
        panels, order, "figure_3", "Figure 3: regret over iterations", _sizes(main)
    )


def _line(row: Row) -> tuple[str, str]:
    return row["approach"], row["exploration"]


def _settings(judged: Judged) -> list[tuple[str, str, str, Any]]:
    """Figure 5: settings of COffeE, a panel a data set and exploration solver."""
    rows = [row for row in judged.curves if row["approach"] == "coffee"]
    panels = _panels(
        rows,
        lambda r: f"{data_name(data(r))}, explored with {solver_name(_line(r)[1])}",
        lambda r: setting_name("coffee", setting(r)),
    )
    panels = {name: curves for name, curves in panels.items() if len(curves) > 1}
    order = [setting_name("coffee", s) for s in sorted({setting(r) for r in rows})]
    return _curves(
        panels, order, "figure_5", "Figure 5: regret of COffeE by λ and α", _sizes(rows)
    )


def _sizes(rows: Sequence[Row]) -> str:
    sizes = sorted({row["k"] for row in rows})
    if len(sizes) < 2:
        return f"k = {sizes[0]}." if sizes else ""
    return f"k is one of {sizes}: points with different k are not comparable."


def _panels(rows: Sequence[Row], panel: Any, name: Any) -> dict[str, Points]:
    """Curves by panel; one value a trial and iteration, that with the largest k."""
    chosen = preferred(rows)
    newest: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda r: r["k"]):
        if row["evaluation"] == chosen:
            key = (panel(row), name(row), row["iteration"], row["trial"], row["seed"])
            newest[key] = row
    curves_of: dict[str, Points] = {one: {} for one in map(panel, _by_data(rows))}
    for (where, which, iteration, *_), row in sorted(
        newest.items(), key=lambda item: item[0]
    ):
        curve = curves_of[where].setdefault(which, {})
        curve.setdefault(iteration, []).append(row["regret"])
    return {
        where: long
        for where, curves in curves_of.items()
        if (long := {n: c for n, c in curves.items() if len(c) > 1})
    }


def _by_data(rows: Sequence[Row]) -> list[Row]:
    order: list[Data] = datasets(rows)
    return sorted(rows, key=lambda r: (order.index(data(r)), r["exploration"]))


def _curves(
    panels: dict[str, Points], order: Sequence[str], file: str, title: str, sizes: str
) -> list[tuple[str, str, str, Any]]:
    """Mean and a band of one standard deviation over trials."""
    if not panels:
        return []
    drawn, all_axes = _figure(len(panels), 3.2)
    colours = dict(zip(order, _colours(len(order)), strict=True))
    for axes, (where, curves) in zip(all_axes, panels.items(), strict=True):
        for name in (one for one in order if one in curves):
            points_of = sorted(curves[name].items())
            x = [at for at, _ in points_of]
            mean = np.array([np.mean(values) for _, values in points_of])
            axes.plot(x, mean, marker="o", ms=3, color=colours[name], label=name)
            # One trial has no standard deviation, and then the band no width.
            wide = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for _, v in points_of]
            axes.fill_between(
                x, mean - wide, mean + wide, color=colours[name], alpha=0.15, lw=0
            )
        axes.set_title(where, fontsize=9)
        axes.set_xlabel("iteration")
        axes.set_ylabel("regret")
    _legend(drawn, all_axes)
    counts = {len(v) for c in panels.values() for p in c.values() for v in p.values()}
    trials = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(counts.pop())
    caption = (
        f"Mean over trials ({trials} a point); bands are one standard deviation, none "
        f"for a single trial. Judged only at the marked iterations. {sizes}"
    )
    return [(file, title, caption, drawn)]
