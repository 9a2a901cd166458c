"""Tables and plots of the page on 2 x 2 games."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab import charts, report, verdict
from experiments.lab.report import Picture, Table, number
from experiments.lab.verdict import Claim
from experiments.matrl.matrix_config import Config
from experiments.matrl.matrix_results import Result, Share, Summary, title
from matrl.matrix_games import NAMED, START

_SWEPT = ("iga", "la", "random-rho", "matrl", "la-projected")
_DASHED = ("la", "la-beta", "la-projected")  # drawn over MATRL, which is often the same
_NAMES = {
    "gd": "gradient descent",
    "eg": "extra-gradient",
    "matrl": "MATRL",
    "la": "look-ahead",
    "matrl-wo-br": "MATRL w/o BR",
}


def tables(config: Config, summary: Summary, claims: Sequence[Claim]) -> list[Table]:
    """Every table of the report."""
    made = [verdict.table(claims, "Claims, judged on the same games")]
    made += [_main(summary), _paired(summary)]
    if config.sweep:
        made.append(_sweep(summary))
    never = f"> {config.pennies_steps}"
    return [
        *made,
        _meta_games(summary),
        Table.of(
            "Figure 3: the rotational game from (1, 1)",
            {
                "method": lambda one: _NAMES[one.method],
                "factor of the norm, first step": lambda one: f"{one.factor:.5f}",
                "steps to norm < 0.01": lambda one: one.steps or "> 1000",
                "both switch": lambda one: report.percent(one.both_switch, 0),
            },
            summary.rotation,
        ),
        Table.of(
            "Matching pennies: steps until it stays",
            {
                "rule": attrgetter("label"),
                "step": attrgetter("step"),
                "steps": lambda one: never if one.stays is None else one.stays,
            },
            summary.pennies,
        ),
    ]


def _kind(row: Any) -> str:
    return title(row.kind)


def _main(summary: Summary) -> Table:
    return Table.of(
        "Table 1: per cent converged / steps over those that did",
        {
            "class": _kind,
            "rule": attrgetter("label"),
            "paper": lambda one: one.paper and "{:g} / {:g} ± {:g}".format(*one.paper),
            "authors' script, 200 seeds": lambda one: (
                one.script and "{:g} / {:g}".format(*one.script)
            ),
            "rate % [95 %]": lambda one: report.estimate(
                one.first.rate, one.first.rate_low, one.first.rate_high
            ),
            "steps ± sd [95 % of mean]": lambda one: _steps(one.first),
            "stays %": lambda one: number(one.stays.rate),
            "CPU s": lambda one: number(one.cpu_seconds, 2),
        },
        summary.table,
    )


def _steps(one: Share) -> str:
    text = f"{number(one.steps)} ± {number(one.steps_sd, 0)}"
    if one.steps_low is None:
        return text
    return f"{text} {report.span(one.steps_low, one.steps_high)}"


def _paired(summary: Summary) -> Table:
    labels = {one.key: one.label for one in summary.table}
    return Table.of(
        "MATRL against the others, game by game",
        {
            "class": _kind,
            "MATRL less": lambda pair: labels[pair.other],
            "steps, never = all [95 %]": lambda pair: report.estimate(
                pair.difference, pair.low, pair.high
            ),
            "sooner": attrgetter("sooner"),
            "later": attrgetter("later"),
            "only MATRL": attrgetter("only_matrl"),
            "only the other": attrgetter("only_other"),
            "p": lambda pair: f"{pair.p:.2g}",
            "p (Holm)": lambda pair: f"{pair.p_holm:.2g}",
        },
        summary.paired,
    )


def _sweep(summary: Summary) -> Table:
    return Table.pivot(
        "Equal steps: per cent that stay / steps until then",
        summary.sweep,
        heads={"class": _kind, "step": lambda one: f"{one.step:g}"},
        column=attrgetter("label"),
        columns=list(dict.fromkeys(one.label for one in summary.sweep)),
        show=lambda one: f"{number(one.stays.rate)} / {number(one.stays.steps, 0)}",
    )


def _meta_games(summary: Summary) -> Table:
    return Table.of(
        "Meta-games of MATRL before convergence, first "
        f"{summary.meta_games[0].games} games",
        {
            "class": _kind,
            "alpha": lambda one: f"{one.alpha:g}",
            "beta": lambda one: f"{one.beta:g}",
            "meta-games": attrgetter("meta_games"),
            "a pure NE %": lambda one: number(one.pure, 2),
            "several NE %": lambda one: number(one.several, 2),
            "mixing %": lambda one: number(one.mixed, 2),
            "both switch %": lambda one: number(one.switch, 2),
            "mean rho": lambda one: number(one.mean_rho, 4),
            "largest regret": lambda one: f"{one.regret:.1g}",
        },
        summary.meta_games,
    )


def rotation(arrays: Mapping[str, ndarray]) -> Figure:
    """Figure 3: paths and norms."""
    drawn = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for method, name in _NAMES.items():
        points = arrays[f"rotation/{method}"]
        style = "--" if method in _DASHED else "-"
        left.plot(*points[:150].T, style, linewidth=1.1, label=name)
        norms = np.linalg.norm(points, axis=1)
        right.semilogy(np.maximum(norms, charts.FLOOR), style, linewidth=1.1)
    left.plot(0, 0, "k+")
    left.set(xlabel="x", ylabel="y", title="first 150 steps", aspect="equal")
    right.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, 400))
    right.set_ylim(1e-8, 10)
    right.axhline(0.01, color="grey", linewidth=0.8, linestyle=":")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    charts.legend(drawn, left)
    return drawn


def named(arrays: Mapping[str, ndarray]) -> Figure:
    """Figure 7: paths in the square of probabilities of action 0."""
    drawn = Figure(figsize=(9.0, 5.2), layout="constrained")
    panels = drawn.subplots(2, 4, sharex=True, sharey=True)
    rules = [k for k in arrays if k.startswith("named/") and k != "named/equilibria"]
    for count, (name, axes) in enumerate(zip(NAMED, panels.flat, strict=True)):
        for key in rules:
            label = key.removeprefix("named/")
            style = "--" if label == "IGA-LA" else "-"
            path = arrays[key][:, count].T
            axes.plot(*path, style, linewidth=1.0, alpha=0.8, label=label)
        axes.plot(*arrays["named/equilibria"][count].T, "k*", markersize=7)
        axes.plot(*START, "ko", markersize=3)
        axes.set_title(name.replace("_", " "), fontsize=9)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
    drawn.supxlabel("row player's probability of action 0", fontsize=9)
    drawn.supylabel("column player's", fontsize=9)
    charts.legend(drawn, panels.flat[0], columns=4, above=True)
    return drawn


def sweep(config: Config, summary: Summary) -> Figure:
    """Share of games that stay converged, by step size."""
    drawn, panels = charts.panels(
        [title(kind) for kind in config.classes], "step size", "% of games that stay"
    )
    for kind, axes in zip(config.classes, panels, strict=True):
        for key in _SWEPT:
            own = sorted(summary.swept(kind, key), key=lambda one: one.step or 0.0)
            charts.band(
                axes,
                [one.step or 0.0 for one in own],
                [one.stays.rate for one in own],
                low=[one.stays.rate_low for one in own],
                high=[one.stays.rate_high for one in own],
                linestyle="--" if key in _DASHED else "-",
                marker="o",
                markersize=3,
                label=own[0].label,
            )
        axes.set_xscale("log")
    charts.legend(drawn, panels[0])
    return drawn


def converged(
    config: Config, table: Sequence[Result], arrays: Mapping[str, ndarray]
) -> Figure:
    """Share of games that have converged by each step."""
    drawn, panels = charts.panels(
        [title(kind) for kind in config.classes], "step", "% converged", sharey=True
    )
    at = np.arange(config.steps + 1)
    labels = {one.key: one.label for one in table}
    for kind, axes in zip(config.classes, panels, strict=True):
        for key in ("iga", "iga-beta", "la", "wolf", "random-rho", "matrl", "la-beta"):
            first = np.sort(arrays[f"first/{kind}/{key}"])
            done = np.searchsorted(first[first >= 0], at, side="right")
            style = "--" if key in _DASHED else "-"
            share = 100 * done / len(first)
            axes.plot(at, share, style, linewidth=1.1, label=labels[key])
    charts.legend(drawn, panels[0], columns=4)
    return drawn


def pictures(
    folder: Path, config: Config, summary: Summary, arrays: Mapping[str, ndarray]
) -> list[Picture]:
    """Every plot, drawn and saved."""
    plots = folder / "plots"
    made = [
        charts.figure(
            converged(config, summary.table, arrays),
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
            sweep(config, summary),
            "Equal steps",
            "Share of games that reach an equilibrium and stay, every rule with one "
            "step size for all of its steps; 95 % Wilson bands.",
            plots / "sweep.png",
        )
        made.insert(0, drawn)
    return made
