"""Measures what an iteration of MATRL costs, and reports: goals, tables, plot."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments.lab import charts
from experiments.lab.folder import claim, plain, record
from experiments.lab.grid import fill
from experiments.lab.page import Answer
from experiments.lab.report import Table, number, publish
from experiments.lab.work import complaint
from experiments.matrl.colours import COLOURS
from experiments.matrl.cost_config import Config
from experiments.matrl.cost_measures import (
    SIDES,
    Cost,
    Iteration,
    Simulator,
    Solving,
    read,
    works,
)
from matrl import loop
from matrl.timing import PHASES
from metaspiel.games.worlds import load

PUBLISHED = "1.1 to 1.2"
"""Time of MATRL over that of independent learners in the paper's Figure 5b."""
GOAL_RATIO, GOAL_STEPS = 1.3, 200_000
"""What we ask of ourselves: the ratio up to four agents, and steps a second of Switch
with four agents at 40 environments."""
_COLOURS = ("#4477aa", "#66ccee", "#cc3311", "#ee99aa", "#228833")


@dataclass(frozen=True)
class Goal:
    """What is asked for, what was measured, and whether that is enough."""

    goal: str
    value: float
    met: bool


def run(config: Config) -> Answer:
    """Measures what is missing, and says where the results are."""
    for game in map(load, config.games):
        loop.start(game, config.settings(game), config.seed)
    torch.set_num_threads(1)
    with claim(config.run, "matrl_cost") as folder:
        record(folder, config)
        results, faults = fill(dict(works(config)), folder, config, room="parts")
        if (fault := complaint(faults, what="parts")) is not None:
            raise fault
        summary = write(folder, config, [read(one) for one in results.values()])
    table = (folder / "table.md").read_text("utf-8")
    return Answer(summary=summary, text=f"{table}\n-> {folder}")


def write(folder: Path, config: Config, costs: Sequence[Cost]) -> dict[str, Any]:
    """Writes summary, tables, plot and report."""
    reached = goals(costs)
    summary = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "processor": _processor(),
        "rows": [asdict(cost) for cost in costs],
        "goals": [asdict(goal) for goal in reached],
    }
    timed = [cost for cost in costs if isinstance(cost, Iteration)]
    figures = []
    if timed:
        figures.append(
            charts.figure(
                _figure(timed),
                "Time of an iteration",
                "Medians over rounds, by phase; below, the time of an iteration over "
                "that of the independent learner from the same state.",
                folder / "plots" / "iteration.png",
            )
        )
    ppo = config.learner.ppo
    publish(
        folder,
        summary,
        title="What an iteration of MATRL costs",
        lead=[
            f"CPU time of one process with one thread on {summary['processor']}, "
            f"{os.cpu_count()} cores; medians over {config.rounds} rounds in which "
            "every method goes once from the same state. An iteration plays "
            f"{ppo.batch} environment steps and takes {ppo.steps} steps of actors and "
            f"critics, the response {config.learner.br_steps} of the actors.",
        ],
        tables=_tables(costs, reached),
        figures=figures,
    )
    return summary


def _processor() -> str:
    """Name of the processor, as the system has it."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return "a processor of unknown name"
    names = [row for row in text.splitlines() if row.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else "an unnamed processor"


def goals(costs: Sequence[Cost]) -> list[Goal]:
    """What is asked for, and whether it is met."""
    results = []
    for cost in costs:
        if isinstance(cost, Iteration) and cost.agents <= 4 and "matrl" in cost.methods:
            ratio = cost.methods["matrl"].ratio
            goal = f"{cost.game}: matrl at most {GOAL_RATIO} times il"
            results.append(Goal(goal, ratio, ratio <= GOAL_RATIO))
        elif isinstance(cost, Simulator) and cost.game == "switch(agents=4)":
            goal = f"{cost.game}: at least {GOAL_STEPS:,} steps a second"
            results.append(Goal(goal, cost.usual, cost.usual >= GOAL_STEPS))
    return results


def _speed(envs: int) -> Callable[[Simulator], str]:
    return lambda one: f"{one.steps_per_second[str(envs)]:,.0f}"


def _tables(costs: Sequence[Cost], reached: Sequence[Goal]) -> list[Table]:
    """All tables that have lines."""
    tables = [_iteration(cost) for cost in costs if isinstance(cost, Iteration)]
    tables += [
        Table.of(
            "Environment steps a second with random actions, by number of environments "
            "side by side; the ratio is that of "
            f"{SIDES[0]} to ma-gym, which was measured on another two-core machine",
            {
                "game": attrgetter("game"),
                **{str(envs): _speed(envs) for envs in SIDES},
                "ma-gym": lambda one: f"{one.ma_gym:,}",
                "ratio": lambda one: f"{one.usual / one.ma_gym:.1f}",
            },
            [cost for cost in costs if isinstance(cost, Simulator)],
        ),
        Table.of(
            "Milliseconds to estimate a meta-game from 2000 samples, and to solve a "
            "game of random payoffs for all equilibria or for pure ones first; regret "
            "is the largest, as a fraction of the payoff range",
            {
                "agents": attrgetter("agents"),
                "estimate": lambda one: number(one.estimate, 2),
                "all equilibria": lambda one: number(one.all, 2),
                "slowest of all": lambda one: number(one.all_most, 2),
                "regret": lambda one: (
                    f"{max(one.all_regret, one.pure_first_regret):.0e}"
                ),
                "pure first": lambda one: number(one.pure_first, 2),
                "slowest of pure": lambda one: number(one.pure_first_most, 2),
                "authors' CMA-ES": lambda one: (
                    " to ".join(map("{:g}".format, one.cma_es or ())) or "-"
                ),
            },
            [cost for cost in costs if isinstance(cost, Solving)],
        ),
        Table.of(
            "What is asked for",
            {
                "": attrgetter("goal"),
                "measured": lambda one: f"{one.value:,.4g}",
                "met": lambda one: "yes" if one.met else "no",
            },
            reached,
        ),
    ]
    return [table for table in tables if table.rows]


def _iteration(cost: Iteration) -> Table:
    def phase(name: str) -> Callable[[str], str]:
        return lambda method: f"{1e3 * cost.methods[method].phases[name]:.1f}"

    timed = cost.methods
    columns: dict[str, Callable[[str], str]] = {
        "method": str,
        **{name.replace("_", "-"): phase(name) for name in PHASES},
        "all": lambda method: f"{1e3 * timed[method].seconds:.1f}",
        "least": lambda method: f"{1e3 * timed[method].least:.1f}",
        "times il": lambda method: f"{timed[method].ratio:.2f}",
        "paper": lambda method: PUBLISHED if method == "matrl" else "-",
        "samples/s": lambda method: f"{timed[method].samples_per_second:,.0f}",
    }
    caption = f"{cost.game}, {cost.agents} agents: CPU milliseconds"
    return Table.of(caption, columns, timed)


def _figure(rows: Sequence[Iteration]) -> Figure:
    """Stacked phases of every method in every game, and ratios below."""
    methods = list(rows[0].methods)
    drawn = Figure(figsize=(max(7.5, 1.5 * len(rows)), 5.6), layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    width = 0.8 / len(methods)
    centres = np.arange(len(rows))
    for place, method in enumerate(methods):
        at = centres + (place - (len(methods) - 1) / 2) * width
        bottom = np.zeros(len(rows))
        for phase, colour in zip(PHASES, _COLOURS, strict=True):
            high = np.array([1e3 * r.methods[method].phases[phase] for r in rows])
            label = phase.replace("_", "-") if place == 0 else None
            above.bar(at, high, 0.9 * width, bottom, color=colour, label=label)
            bottom += high
        for x, top in zip(at, bottom, strict=True):
            above.text(x, top, f" {method}", rotation=90, fontsize=6, ha="center")
        ratios = [row.methods[method].ratio for row in rows]
        marker = "D" if method == "matrl" else "o"
        below.plot(at, ratios, marker, color=COLOURS[method], ms=4.5, label=method)
    above.margins(y=0.28)
    above.set_ylabel("CPU ms an iteration")
    above.legend(fontsize=8, ncols=len(PHASES), loc="upper left")
    below.axhspan(1.1, 1.2, color="#cc3311", alpha=0.15, label="matrl in the paper")
    below.axhline(1, color="black", linewidth=0.8)
    below.set_ylabel("times il")
    names = [f"{row.game.partition('(')[0]}\n{row.agents} agents" for row in rows]
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
