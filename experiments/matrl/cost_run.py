"""Measures what an iteration of MATRL costs, and reports: goals, tables, plot."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch

from experiments.lab.folder import claim, plain, record
from experiments.lab.grid import fill
from experiments.lab.marks import Axis, Chart, Panel, Picture, Rule, Series
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, number, publish
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
    ppo = config.learner.ppo
    publish(
        folder,
        summary,
        title="What an iteration of MATRL costs",
        opening=Opening(
            ran=[
                f"CPU time of one process with one thread on {summary['processor']}, "
                f"{os.cpu_count()} cores. An iteration plays {ppo.batch} environment "
                f"steps and takes {ppo.steps} steps of actors and critics, the "
                f"response {config.learner.br_steps} of the actors.",
            ],
            result=[
                f"{sum(one.met for one in reached)} of {len(reached)} goals are met."
            ]
            if reached
            else [],
            sure=[
                f"Medians over {config.rounds} rounds in which every method goes once "
                "from the same state.",
            ],
        ),
        tables=_tables(costs, reached),
        figures=[_picture(timed)] if timed else [],
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


def _picture(rows: Sequence[Iteration]) -> Picture:
    """Stacked phases of every method in every game, and ratios."""
    panels = []
    for row in rows:
        names, times = list(row.methods), list(row.methods.values())
        series = [
            Series(
                name=phase.replace("_", "-"),
                x=names,
                y=[1e3 * one.phases[phase] for one in times],
                mark="bars",
                colour=colour,
                notes=[f"{one.ratio:.2f} times il" for one in times],
            )
            for phase, colour in zip(PHASES, _COLOURS, strict=True)
        ]
        up = Axis(label="CPU ms an iteration")
        title = f"{row.game.partition('(')[0]}, {row.agents} agents"
        across = Axis(scale="names")
        panels.append(Panel(title=title, x=across, y=up, series=series))
    games = [f"{row.game.partition('(')[0]} {row.agents}" for row in rows]
    ratios = [
        Series(
            name=method,
            x=games,
            y=[row.methods[method].ratio for row in rows],
            mark="points",
            symbol="diamond" if method == "matrl" else "circle",
            colour=COLOURS[method],
        )
        for method in rows[0].methods
    ]
    rules = [
        Rule(name="matrl in the paper", y=end, dash="dotted") for end in (1.1, 1.2)
    ]
    across, up = Axis(scale="names"), Axis(label="times il")
    last = Panel(title="over il", x=across, y=up, series=ratios, rules=rules)
    return Picture(
        name="iteration",
        title="Time of an iteration",
        caption="Medians over rounds, by phase; last, the time of an iteration over "
        "that of the independent learner from the same state.",
        chart=Chart(panels=[*panels, last]),
    )
