"""Tables, plots and judged claims of the page on 2 x 2 games."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab import charts, report
from experiments.lab.report import Table
from experiments.matrl.matrix_claims import claims
from matrl.matrix_games import NAMED, START

if TYPE_CHECKING:
    from experiments.matrl.matrix_config import Config

__all__ = ["claims", "markdown", "render"]

_SWEPT = ("iga", "la", "random-rho", "matrl", "la-projected")
_DASHED = ("la", "la-beta", "la-projected")  # drawn over MATRL, which is often the same
_TITLES = {"anti_coordination": "anti-coordination"}
_NAMES = {
    "gd": "gradient descent",
    "eg": "extra-gradient",
    "matrl": "MATRL",
    "la": "look-ahead",
    "matrl-wo-br": "MATRL w/o BR",
}


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None else f" [{_number(low)}, {_number(high)}]"


def title(kind: str) -> str:
    """A class as text."""
    return _TITLES.get(kind, kind)


def tables(config: "Config", summary: dict[str, Any]) -> list[Table]:
    """Caption, head and rows of every table."""
    made = [_claims(summary), _main(summary), _paired(summary)]
    if config.sweep:
        made.append(_sweep(summary))
    return [*made, _meta_games(summary), _rotation(summary), _pennies(config, summary)]


def _claims(summary: dict[str, Any]) -> Table:
    head = ["claim", "paper", "here", "verdict"]
    rows = [[row[name] for name in head] for row in summary["claims"]]
    return Table("Claims, judged on the same games", head, rows)


def _main(summary: dict[str, Any]) -> Table:
    head = ["class", "rule", "paper", "authors' script, 200 seeds"]
    head += ["rate % [95 %]", "steps ± sd [95 % of mean]", "stays %", "CPU s"]
    rows = []
    for row in summary["table"]:
        paper, script = row["paper"], row["script"]
        rate = _number(row["rate"]) + _span(row["rate_low"], row["rate_high"])
        steps = f"{_number(row['steps'])} ± {_number(row['steps_sd'], 0)}"
        steps += _span(row["steps_low"], row["steps_high"])
        rows.append(
            [
                title(row["class"]),
                row["label"],
                f"{paper[0]:g} / {paper[1]:g} ± {paper[2]:g}" if paper else "-",
                f"{script[0]:g} / {script[1]:g}" if script else "-",
                rate,
                steps,
                _number(row["stays_rate"]),
                _number(row["cpu_seconds"], 2),
            ]
        )
    return Table("Table 1: per cent converged / steps over those that did", head, rows)


def _paired(summary: dict[str, Any]) -> Table:
    head = ["class", "MATRL less", "steps, never = all [95 %]", "sooner", "later"]
    head += ["only MATRL", "only the other", "p", "p (Holm)"]
    labels = {row["key"]: row["label"] for row in summary["table"]}
    rows = [
        [
            title(row["class"]),
            labels[row["other"]],
            _number(row["difference"]) + _span(row["low"], row["high"]),
            *(str(row[k]) for k in ("sooner", "later", "only_matrl", "only_other")),
            f"{row['p']:.2g}",
            f"{row['p_holm']:.2g}",
        ]
        for row in summary["paired"]
    ]
    return Table("MATRL against the others, game by game", head, rows)


def _sweep(summary: dict[str, Any]) -> Table:
    labels = list(dict.fromkeys(row["label"] for row in summary["sweep"]))
    cells: dict[tuple[str, float], dict[str, str]] = {}
    for row in summary["sweep"]:
        text = f"{_number(row['stays_rate'])} / {_number(row['stays_steps'], 0)}"
        cells.setdefault((row["class"], row["step"]), {})[row["label"]] = text
    rows = [
        [title(kind), f"{size:g}", *(texts[label] for label in labels)]
        for (kind, size), texts in cells.items()
    ]
    return Table(
        "Equal steps: per cent that stay / steps until then",
        [
            *("class", "step"),
            *labels,
        ],
        rows,
    )


def _meta_games(summary: dict[str, Any]) -> Table:
    head = ["class", "alpha", "beta", "meta-games", "a pure NE %", "several NE %"]
    head += ["mixing %", "both switch %", "mean rho", "largest regret"]
    rows = [
        [
            title(row["class"]),
            f"{row['alpha']:g}",
            f"{row['beta']:g}",
            str(row["meta_games"]),
            *(_number(row[k], 2) for k in ("pure", "several", "mixed", "switch")),
            _number(row["mean_rho"], 4),
            f"{row['regret']:.1g}",
        ]
        for row in summary["meta_games"]
    ]
    count = summary["meta_games"][0]["games"]
    return Table(
        f"Meta-games of MATRL before convergence, first {count} games", head, rows
    )


def _rotation(summary: dict[str, Any]) -> Table:
    head = ["method", "factor of the norm, first step", "steps to norm < 0.01"]
    rows = [
        [
            _NAMES[row["method"]],
            f"{row['factor']:.5f}",
            "> 1000" if row["steps"] is None else str(row["steps"]),
            "-" if row["both_switch"] is None else f"{100 * row['both_switch']:.0f} %",
        ]
        for row in summary["rotation"]
    ]
    return Table(
        "Figure 3: the rotational game from (1, 1)", [*head, "both switch"], rows
    )


def _pennies(config: "Config", summary: dict[str, Any]) -> Table:
    rows = [
        [
            row["label"],
            "-" if row["step"] is None else f"{row['step']:g}",
            f"> {config.pennies_steps}" if row["stays"] is None else str(row["stays"]),
        ]
        for row in summary["pennies"]
    ]
    return Table(
        "Matching pennies: steps until it stays", ["rule", "step", "steps"], rows
    )


def markdown(config: "Config", summary: dict[str, Any]) -> str:
    """All tables in Markdown."""
    return "\n".join(f"## {one.markdown}" for one in tables(config, summary))


def rotation(arrays: dict[str, ndarray]) -> Figure:
    """Figure 3: paths and norms."""
    import numpy as np

    drawn = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for method, name in _NAMES.items():
        points = arrays[f"rotation/{method}"]
        style = "--" if method in _DASHED else "-"
        left.plot(*points[:150].T, style, linewidth=1.1, label=name)
        norms = np.linalg.norm(points, axis=1)
        right.semilogy(np.maximum(norms, 1e-16), style, linewidth=1.1)
    left.plot(0, 0, "k+")
    left.set(xlabel="x", ylabel="y", title="first 150 steps", aspect="equal")
    right.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, 400))
    right.set_ylim(1e-8, 10)
    right.axhline(0.01, color="grey", linewidth=0.8, linestyle=":")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    drawn.legend(loc="outside lower center", ncols=5, fontsize=8)
    return drawn


def named(arrays: dict[str, ndarray]) -> Figure:
    """Figure 7: paths in the square of probabilities of action 0."""
    drawn = Figure(figsize=(9.0, 5.2), layout="constrained")
    panels = drawn.subplots(2, 4, sharex=True, sharey=True)
    rules = [k for k in arrays if k.startswith("named/") and k != "named/equilibria"]
    for number, (name, axes) in enumerate(zip(NAMED, panels.flat, strict=True)):
        for key in rules:
            points = arrays[key][:, number]
            label = key.removeprefix("named/")
            style = "--" if label == "IGA-LA" else "-"
            axes.plot(*points.T, style, linewidth=1.0, alpha=0.8, label=label)
        axes.plot(*arrays["named/equilibria"][number].T, "k*", markersize=7)
        axes.plot(*START, "ko", markersize=3)
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
    drawn.supxlabel("row player's probability of action 0", fontsize=9)
    drawn.supylabel("column player's", fontsize=9)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8)
    return drawn


def _panels(config: "Config", label: str) -> tuple[Figure, list[Any]]:
    drawn = Figure(figsize=(3.1 * len(config.classes) + 0.4, 3.3), layout="constrained")
    panels = list(drawn.subplots(1, len(config.classes), sharey=True, squeeze=False)[0])
    for kind, axes in zip(config.classes, panels, strict=True):
        axes.set_title(title(kind), fontsize=9)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(label)
    return drawn, panels


def sweep(config: "Config", rows: Sequence[dict[str, Any]]) -> Figure:
    """Share of games that stay converged, by step size."""
    drawn, panels = _panels(config, "% of games that stay")
    for kind, axes in zip(config.classes, panels, strict=True):
        for number, key in enumerate(_SWEPT):
            own = [r for r in rows if (r["class"], r["key"]) == (kind, key)]
            own.sort(key=lambda row: row["step"])
            sizes = [row["step"] for row in own]
            color = f"C{number}"
            axes.plot(
                sizes,
                [row["stays_rate"] for row in own],
                linestyle="--" if key in _DASHED else "-",
                marker="o",
                markersize=3,
                color=color,
                label=own[0]["label"],
            )
            low = [row["stays_rate_low"] for row in own]
            high = [row["stays_rate_high"] for row in own]
            axes.fill_between(sizes, low, high, color=color, alpha=0.2)
        axes.set_xscale("log")
        axes.set_xlabel("step size")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
    return drawn


def converged(
    config: "Config", rows: Sequence[dict[str, Any]], arrays: dict[str, ndarray]
) -> Figure:
    """Share of games that have converged by each step."""
    import numpy as np

    drawn, panels = _panels(config, "% converged")
    at = np.arange(config.steps + 1)
    keys = ("iga", "iga-beta", "la", "wolf", "random-rho", "matrl", "la-beta")
    labels = {row["key"]: row["label"] for row in rows}
    for kind, axes in zip(config.classes, panels, strict=True):
        for key in keys:
            first = np.sort(arrays[f"first/{kind}/{key}"])
            done = np.searchsorted(first[first >= 0], at, side="right")
            style = "--" if key in _DASHED else "-"
            share = 100 * done / len(first)
            axes.plot(at, share, style, linewidth=1.1, label=labels[key])
        axes.set_xlabel("step")
    handles, texts = panels[0].get_legend_handles_labels()
    drawn.legend(handles, texts, loc="outside lower center", ncols=4, fontsize=8)
    return drawn


def render(
    folder: Path,
    config: "Config",
    summary: dict[str, Any],
    arrays: dict[str, ndarray],
) -> None:
    """Writes the plots and ``report.html``."""
    plots = folder / "plots"
    figures = [
        charts.figure(
            converged(config, summary["table"], arrays),
            "Convergence",
            "Share of games that were near an equilibrium at some step up to this one.",
            plots / "converged.png",
        ),
        charts.figure(
            rotation(arrays),
            "Figure 3: the rotational game",
            "Gradient descent diverges, MATRL without its best response circles; the "
            "others shrink alike.",
            plots / "figure_3.png",
        ),
        charts.figure(
            named(arrays),
            "Figure 7: named games",
            "From (0.9, 0.2); stars are equilibria. IGA and IGA-LA at "
            f"{config.beta:g}, MATRL at {config.alpha:g} and {config.beta:g}.",
            plots / "figure_7.png",
        ),
    ]
    if config.sweep:
        drawn = charts.figure(
            sweep(config, summary["sweep"]),
            "Equal steps",
            "Share of games that reach an equilibrium and stay, every rule with one "
            "step size for all of its steps; 95 % Wilson bands.",
            plots / "sweep.png",
        )
        figures.insert(0, drawn)
    report.render(
        folder / "report.html",
        "MATRL on 2 x 2 games and the rotational game",
        [
            f"{config.games} random games of each class, {config.steps} steps, from "
            "(0.9, 0.2). Converged: both probabilities within 0.05 of a Nash "
            "equilibrium's for the first time; stays: they never leave again. Rates "
            "have Wilson intervals, mean steps bootstrapped ones (BCa)."
        ],
        tables(config, summary),
        figures,
    )
