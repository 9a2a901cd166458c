"""Trains and reports methods in grid worlds: cells, summary, tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.lab import verdict
from experiments.lab.folder import clock, plain
from experiments.lab.page import Answer
from experiments.lab.report import Opening, Table, number, percent, publish, span
from experiments.matrl.cells import Failure, perform
from experiments.matrl.grid_config import REPLAYED, Config
from experiments.matrl.grid_figures import pictures
from experiments.matrl.grid_results import MethodLine, Pair, TaskResult, claims, pairs
from experiments.matrl.states import Cell, completed, last_good
from matrl.history import History
from metaspiel.games.worlds import load


def kinds(config: Config) -> list[Cell]:
    """Every method on every task.

    Raises:
      UserError: a task, world, method or setting is impossible.
    """
    return [
        Cell(
            label=f"{task.name} {method}",
            game=task.game,
            method="il" if method == "il-six-rows" else method,
            settings=task.settings(method),
            seed=config.seed,
            iterations=task.iterations,
        )
        for task in map(config.plan, config.games)
        for method in config.methods
    ]


def run(config: Config) -> Answer:
    """Trains what is missing and reports; faults are told at the end."""
    asked = ("games", "methods")
    return perform(config, "matrl_grid", kinds, write=write, remembers=asked)


def write(
    folder: Path, config: Config, cells: Sequence[Cell], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Writes summary, tables, plots and report of the cells that are over."""
    tasks = [_task(folder, config, name, cells) for name in config.games]
    compared = pairs(tasks)
    judged = claims(tasks, compared)
    summary = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "tasks": [task.record for task in tasks],
        "pairs": [asdict(one) for one in compared],
        "claims": [one.record for one in judged],
        "failed": [
            {
                "cell": one.cell.slug,
                "fault": one.outcome.fault,
                "last_good": last_good(one.cell, folder),
            }
            for one in failures
        ],
        "wall_seconds": clock(folder),
    }
    tables = [verdict.table(judged)] if judged else []
    for task in tasks:
        of_task = {one.second: one for one in compared if one.task == task.plan.name}
        tables.append(_table(task, of_task))
    if failures:
        why = {"run": lambda one: one.cell.slug, "why": lambda one: one.outcome.fault}
        tables.append(Table.of("Runs that failed", why, failures))
    publish(
        folder,
        summary,
        title="MATRL in grid worlds",
        opening=_opening(config, judged[: len(compared)]),  # those of pairs come first
        tables=tables,
        figures=pictures(tasks),
    )
    return summary


def _task(folder: Path, config: Config, name: str, cells: Sequence[Cell]) -> TaskResult:
    lines = []
    for method in config.methods:
        done = completed(cells, folder, f"{name} {method}")
        runs = {seed: History.of(rows, config.last) for seed, rows in done.items()}
        asked = sum(cell.label == f"{name} {method}" for cell in cells)
        lines.append(MethodLine.of(method, runs, asked - len(runs)))
    plan = config.plan(name)
    return TaskResult(plan, load(plan.game), lines)


def _two(value: float | None) -> str:
    return number(value, 2)


def _table(task: TaskResult, pairs: Mapping[str, Pair]) -> Table:
    def paired(read: Callable[[Pair], str]) -> Callable[[MethodLine], str]:
        return lambda line: read(pairs[line.method]) if line.method in pairs else "-"

    columns: dict[str, Callable[[MethodLine], Any]] = {
        "method": lambda line: line.method,
        "runs": lambda line: line.n or "-",
        "failed": lambda line: line.failed or "-",
        "final return": lambda line: _two(line.mean.final),
        "95 %": lambda line: span(line.low, line.high, 2),
        "own returns": lambda line: ", ".join(map(_two, line.mean.own or ())) or "-",
        "mean return": lambda line: _two(line.mean.average),
        "mean rho": lambda line: number(line.mean.rho, 3),
        "rho inside": lambda line: percent(line.mean.rho_inside),
        "equilibria": lambda line: _two(line.mean.equilibria),
        "CPU s": lambda line: number(line.mean.cpu_seconds),
        "matrl less it": paired(lambda pair: _two(pair.difference)),
        "95 % of pairs": paired(lambda pair: span(pair.low, pair.high, 2)),
        "p": paired(lambda pair: "-" if pair.p is None else f"{pair.p:.2g}"),
    }
    shown = [
        MethodLine(method=name, mean=History(final=value))
        for name, value in task.known.items()
    ]
    plan, ppo = task.plan, task.plan.learner.ppo
    caption = (
        f"{task.title}, {plan.iterations} iterations of {ppo.envs} environments x "
        f"{ppo.batch // ppo.envs} steps"
    )
    return Table.of(caption, columns, [*task.lines, *shown])


def _opening(config: Config, judged: Sequence[verdict.Claim]) -> Opening:
    result = (
        f"Of {len(judged)} claims that matrl ends above another method: "
        f"{verdict.counted(judged)}."
        if judged
        else "No method is compared with matrl here."
    )
    sure = [
        f"The final return of a run is the mean of its last {config.last} iterations: "
        "the team return of the first episode of every environment, played with the "
        "policies that learn, exploration included. Mean return is that of all "
        "iterations. Intervals are Student's, over runs; runs of one seed begin with "
        "the same networks, so methods are compared by the differences of pairs. A "
        "claim that one method is better holds (or fails) if the interval of the "
        "differences is above (or below) 0 and p after Holm's correction over all such "
        "claims is below .05.",
        "rho is the share of its present policy that an agent keeps, a mean over "
        "agents and iterations; inside is the share of iterations in which that of "
        "some agent was between 0 and 1. Equilibria are those found in a meta-game.",
    ]
    if not REPLAYED.keys().isdisjoint(config.methods):
        sure.append(
            "Learners from a replay (vdn, qmix, qtran, maddpg) are measured without "
            "exploration after each iteration, and their seconds are of the clock, not "
            "of the CPU; vdn, qmix and qtran learn from the team's reward whatever the "
            "task says."
        )
    ran = (
        f"{len(config.methods)} methods ({', '.join(config.methods)}) on "
        f"{', '.join(config.games)}, {config.seeds} seeds."
    )
    return Opening(ran=[ran], result=[result], sure=sure)
