"""The report of the page on MATRL's cost."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import charts, report
from experiments.lab.folder import plain
from experiments.lab.report import Table
from experiments.matrl.cost_measures import PHASES, SIDES
from experiments.matrl.grid_figures import COLOURS
from metaspiel import files

if TYPE_CHECKING:
    from experiments.matrl.cost_config import Config

Row = dict[str, Any]

PUBLISHED = "1.1 to 1.2"
"""Time of MATRL over that of independent learners in the paper's Figure 5b."""
GOAL_RATIO, GOAL_STEPS = 1.3, 200_000
"""What we ask of ourselves: the ratio up to four agents, and steps a second of Switch
with four agents at 40 environments."""
_COLOURS = ("#4477aa", "#66ccee", "#cc3311", "#ee99aa", "#228833")


def line(row: Row) -> str:
    """A measurement in one line."""
    if row["part"] == "iteration":
        each = ", ".join(
            f"{name} {1e3 * m['seconds']:.0f} ms" for name, m in row["methods"].items()
        )
        return f"{row['game']}: {each}"
    if row["part"] == "simulator":
        rate = row["steps_per_second"][str(SIDES[0])]
        return f"{row['game']}: {rate:,.0f} steps a second at {SIDES[0]} environments"
    return f"{row['agents']} agents: all equilibria in {row['all']:.2f} ms"


def write(folder: Path, config: "Config", rows: Sequence[Row]) -> Row:
    """Writes summary, tables, plot and report."""
    summary: Row = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "processor": processor(),
        "rows": list(rows),
        "goals": goals(rows),
    }
    files.write_json(folder / "summary.json", summary)
    tables = _tables(summary)
    files.write_text(folder / "table.md", "\n".join(table.markdown for table in tables))
    timed = [row for row in rows if row["part"] == "iteration"]
    figures = []
    if timed:
        figures.append(
            charts.figure(
                figure(timed),
                "Time of an iteration",
                "Medians over rounds, by phase; below, the time of an iteration over "
                "that of the independent learner from the same state.",
                folder / "plots" / "iteration.png",
            )
        )
    report.render(
        folder / "report.html",
        "What an iteration of MATRL costs",
        [
            f"CPU time of one process with one thread on {summary['processor']}, "
            f"{os.cpu_count()} cores; medians over {config.rounds} rounds in which "
            "every method goes once from the same state. An iteration plays "
            f"{config.batch} environment steps and takes {config.steps} steps of "
            f"actors and critics, the response {config.br_steps} of the actors.",
        ],
        tables,
        figures,
    )
    return summary


def processor() -> str:
    """Name of the processor, as the system has it."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return "a processor of unknown name"
    names = [row for row in text.splitlines() if row.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else "an unnamed processor"


def goals(rows: Sequence[Row]) -> list[Row]:
    """What is asked for, and whether it is met."""
    results = []
    for row in rows:
        if row["part"] == "iteration" and row["agents"] <= 4:
            if "matrl" in row["methods"]:
                ratio = row["methods"]["matrl"]["ratio"]
                goal = f"{row['game']}: matrl at most {GOAL_RATIO} times il"
                results.append(
                    {"goal": goal, "value": ratio, "met": ratio <= GOAL_RATIO}
                )
        elif row["part"] == "simulator" and row["game"] == "switch(agents=4)":
            rate = row["steps_per_second"][str(SIDES[0])]
            goal = f"{row['game']}: at least {GOAL_STEPS:,} steps a second"
            results.append({"goal": goal, "value": rate, "met": rate >= GOAL_STEPS})
    return results


def _tables(summary: Row) -> list[Table]:
    rows, tables = summary["rows"], []
    for row in (row for row in rows if row["part"] == "iteration"):
        tables.append(_iteration(row))
    body = [
        [
            row["game"],
            *(f"{row['steps_per_second'][str(n)]:,.0f}" for n in SIDES),
            f"{row['ma_gym']:,}",
            f"{row['steps_per_second'][str(SIDES[0])] / row['ma_gym']:.1f}",
        ]
        for row in rows
        if row["part"] == "simulator"
    ]
    if body:
        head = ["game", *map(str, SIDES), "ma-gym", "ratio"]
        caption = (
            "Environment steps a second with random actions, by number of environments "
            "side by side; the ratio is that of "
            f"{SIDES[0]} to ma-gym, which was measured on another two-core machine"
        )
        tables.append(Table(caption, head, body))
    body = [_solved(row) for row in rows if row["part"] == "nash"]
    if body:
        head = [
            *("agents", "estimate", "all equilibria", "slowest", "regret"),
            *("pure first", "slowest", "authors' CMA-ES"),
        ]
        caption = (
            "Milliseconds to estimate a meta-game from 2000 samples, and to solve a "
            "game of random payoffs for all equilibria or for pure ones first; regret "
            "is the largest, as a fraction of the payoff range"
        )
        tables.append(Table(caption, head, body))
    body = [
        [row["goal"], f"{row['value']:,.4g}", "yes" if row["met"] else "no"]
        for row in summary["goals"]
    ]
    if body:
        tables.append(Table("What is asked for", ["", "measured", "met"], body))
    return tables


def _iteration(row: Row) -> Table:
    head = ["method", *(p.replace("_", "-") for p in PHASES), "all", "least"]
    head += ["times il", "paper", "samples/s"]
    body = [
        [
            name,
            *(f"{1e3 * one['phases'][phase]:.1f}" for phase in PHASES),
            f"{1e3 * one['seconds']:.1f}",
            f"{1e3 * one['least']:.1f}",
            f"{one['ratio']:.2f}",
            PUBLISHED if name == "matrl" else "-",
            f"{one['samples_per_second']:,.0f}",
        ]
        for name, one in row["methods"].items()
    ]
    caption = f"{row['game']}, {row['agents']} agents: CPU milliseconds"
    return Table(caption, head, body)


def _solved(row: Row) -> list[str]:
    published = "-"
    if row["cma_es"] is not None:
        published = " to ".join(f"{bound:g}" for bound in row["cma_es"])
    times = [row[k] for k in ("estimate", "all", "all_most")]
    more = [row[k] for k in ("pure_first", "pure_first_most")]
    return [
        str(row["agents"]),
        *(f"{value:.2f}" for value in times),
        f"{max(row['all_regret'], row['pure_first_regret']):.0e}",
        *(f"{value:.2f}" for value in more),
        published,
    ]


def figure(rows: Sequence[Row]) -> Figure:
    """Stacked phases of every method in every game, and ratios below."""
    methods = list(rows[0]["methods"])
    drawn = Figure(figsize=(max(7.5, 1.5 * len(rows)), 5.6), layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    width = 0.8 / len(methods)
    centres = np.arange(len(rows))
    for number, method in enumerate(methods):
        at = centres + (number - (len(methods) - 1) / 2) * width
        bottom = np.zeros(len(rows))
        for phase, colour in zip(PHASES, _COLOURS, strict=True):
            high = np.array([1e3 * r["methods"][method]["phases"][phase] for r in rows])
            label = phase.replace("_", "-") if number == 0 else None
            above.bar(at, high, 0.9 * width, bottom, color=colour, label=label)
            bottom += high
        for x, top in zip(at, bottom, strict=True):
            above.text(x, top, f" {method}", rotation=90, fontsize=6, ha="center")
        ratios = [row["methods"][method]["ratio"] for row in rows]
        marker = "D" if method == "matrl" else "o"
        below.plot(at, ratios, marker, color=COLOURS[method], ms=4.5, label=method)
    above.margins(y=0.28)
    above.set_ylabel("CPU ms an iteration")
    above.legend(fontsize=8, ncols=len(PHASES), loc="upper left")
    below.axhspan(1.1, 1.2, color="#cc3311", alpha=0.15, label="matrl in the paper")
    below.axhline(1, color="black", linewidth=0.8)
    below.set_ylabel("times il")
    names = [f"{row['game'].partition('(')[0]}\n{row['agents']} agents" for row in rows]
    below.set_xticks(centres, names)
    below.tick_params(axis="x", labelsize=8)
    below.grid(axis="y", alpha=0.25)
    drawn.legend(
        *below.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(methods) + 1,
        fontsize=8,
        frameon=False,
    )
    return drawn
