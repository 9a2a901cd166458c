"""Tables and plots of the page on 2 x 2 games."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab import report, verdict
from experiments.lab.marks import INK, Axis, Chart, Dash, Panel, Picture, Rule, Series
from experiments.lab.report import Table, number
from experiments.lab.verdict import Claim
from experiments.matrl.matrix_config import Config
from experiments.matrl.matrix_results import Result, Share, Summary, title
from matrl.matrix_games import NAMED, START

_NEAREST = 1e-8  # distances below are not drawn
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
            "Remark 2: random meta-games in which no agent loses by moving alone",
            {
                "agents": attrgetter("agents"),
                "meta-games": attrgetter("meta_games"),
                "a pure NE %": lambda one: number(one.pure, 2),
                "95 %": lambda one: f"[{one.low:.2f}, {one.high:.2f}]",
            },
            summary.pure,
        ),
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


def _dash(key: str) -> Dash:
    return "dashed" if key in _DASHED else "solid"


def rotation(arrays: Mapping[str, ndarray]) -> Chart:
    """Figure 3: paths and norms."""
    paths, norms = [], []
    for method, name in _NAMES.items():
        points = arrays[f"rotation/{method}"]
        x, y = points[:150].T.tolist()
        look: dict[str, Any] = {"name": name, "dash": _dash(method), "width": 1.2}
        paths.append(Series(x=x, y=y, dots=False, **look))
        far = np.linalg.norm(points[:401], axis=1).tolist()
        far = [v if v >= _NEAREST else None for v in far]
        norms.append(Series(x=list(range(len(far))), y=far, **look))
    centre = Series(
        name="equilibrium", x=[0.0], y=[0.0], mark="points", symbol="cross", colour=INK
    )
    left = Panel(
        title="first 150 steps",
        x=Axis(label="x"),
        y=Axis(label="y"),
        series=[*paths, centre],
    )
    right = Panel(
        title="distance from the equilibrium",
        x=Axis(label="step"),
        y=Axis(label="distance", scale="log", high=10),
        series=norms,
        rules=[Rule(name="", y=0.01, dash="dotted")],
    )
    return Chart(panels=[left, right], columns=2, height=300)


def named(arrays: Mapping[str, ndarray]) -> Chart:
    """Figure 7: paths in the square of probabilities of action 0."""
    rules = [k for k in arrays if k.startswith("named/") and k != "named/equilibria"]
    across = Axis(label="row player's probability of action 0", low=0, high=1)
    up = Axis(label="column player's", low=0, high=1)
    panels = []
    for count, name in enumerate(NAMED):
        series = []
        for key in rules:
            label, (x, y) = key.removeprefix("named/"), arrays[key][:, count].T.tolist()
            dash: Dash = "dashed" if label == "IGA-LA" else "solid"
            series.append(
                Series(name=label, x=x, y=y, dash=dash, width=1.2, dots=False)
            )
        x, y = arrays["named/equilibria"][count].T.tolist()
        look: dict[str, Any] = {"mark": "points", "colour": INK}
        series += [
            Series(name="equilibria", x=x, y=y, symbol="triangle-up", **look),
            Series(name="start", x=[START[0]], y=[START[1]], **look),
        ]
        panels.append(
            Panel(title=name.replace("_", " "), x=across, y=up, series=series)
        )
    return Chart(panels=panels, columns=4, height=180)


def sweep(config: Config, summary: Summary) -> Chart:
    """Share of games that stay converged, by step size."""
    panels = []
    for kind in config.classes:
        series = []
        for key in _SWEPT:
            own = sorted(summary.swept(kind, key), key=lambda one: one.step or 0.0)
            series.append(
                Series(
                    name=own[0].label,
                    x=[one.step or 0.0 for one in own],
                    y=[one.stays.rate for one in own],
                    low=[one.stays.rate_low for one in own],
                    high=[one.stays.rate_high for one in own],
                    dash=_dash(key),
                )
            )
        across = Axis(label="step size", scale="log")
        up = Axis(label="% of games that stay")
        panels.append(Panel(title=title(kind), x=across, y=up, series=series))
    return Chart(panels=panels)


def converged(
    config: Config, table: Sequence[Result], arrays: Mapping[str, ndarray]
) -> Chart:
    """Share of games that have converged by each step."""
    at = np.arange(config.steps + 1)
    labels = {one.key: one.label for one in table}
    panels = []
    for kind in config.classes:
        series = []
        for key in ("iga", "iga-beta", "la", "wolf", "random-rho", "matrl", "la-beta"):
            first = np.sort(arrays[f"first/{kind}/{key}"])
            done = np.searchsorted(first[first >= 0], at, side="right")
            share = (100 * done / len(first)).tolist()
            look: dict[str, Any] = {"name": labels[key], "dash": _dash(key)}
            series.append(Series(x=at.tolist(), y=share, **look))
        up = Axis(label="% converged")
        panels.append(
            Panel(title=title(kind), x=Axis(label="step"), y=up, series=series)
        )
    return Chart(panels=panels, same="y")


def pictures(
    config: Config, summary: Summary, arrays: Mapping[str, ndarray]
) -> list[Picture]:
    """Convergence, the rotational game, named games and, where asked, step sizes."""
    made = [
        Picture(
            name="converged",
            title="Convergence",
            caption="Share of games that were near an equilibrium at some step up to "
            "this one.",
            chart=converged(config, summary.table, arrays),
        ),
        Picture(
            name="figure_3",
            title="Figure 3: the rotational game",
            caption="Gradient descent diverges, MATRL without its best response "
            "circles; the others shrink alike. Distances end where they reach "
            f"{_NEAREST:g}.",
            chart=rotation(arrays),
        ),
        Picture(
            name="figure_7",
            title="Figure 7: named games",
            caption="From (0.9, 0.2). IGA and IGA-LA at "
            f"{config.beta:g}, MATRL at {config.alpha:g} and {config.beta:g}.",
            chart=named(arrays),
        ),
    ]
    if config.sweep:
        drawn = Picture(
            name="sweep",
            title="Equal steps",
            caption="Share of games that reach an equilibrium and stay, every rule "
            "with one step size for all of its steps; 95 % Wilson bands.",
            chart=sweep(config, summary),
        )
        made.insert(0, drawn)
    return made
