"""The report of the grid-world page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab import charts, report
from experiments.lab.folder import clock, plain
from experiments.lab.report import Table
from experiments.matrl import cells as _cells
from experiments.matrl import grid_config
from experiments.matrl import grid_figures as figures
from experiments.matrl.cells import Cell, Failure
from experiments.matrl.grid_numbers import claims, of_method, of_run, pairs
from metaspiel import files
from metaspiel.games.worlds import load

if TYPE_CHECKING:
    from experiments.matrl.grid_config import Config

Row = dict[str, Any]


def write(
    folder: Path, config: "Config", cells: Sequence[Cell], failures: Sequence[Failure]
) -> Row:
    """Writes summary, tables, plots and report of all finished runs."""
    tasks = [_task(folder, config, name, cells) for name in config.games]
    compared = pairs(tasks)
    summary: Row = {
        "folder": str(folder),
        "config": plain(asdict(config)),
        "tasks": tasks,
        "pairs": compared,
        "claims": claims(tasks, compared),
        "failed": [
            {"cell": one.cell.slug, "fault": one.outcome.fault}
            | {"last_good": _cells.last_good(one.cell, folder)}
            for one in failures
        ],
        "wall_seconds": clock(folder),
    }
    files.write_json(folder / "summary.json", summary)
    tables = _tables(summary)
    files.write_text(folder / "table.md", "\n".join(table.markdown for table in tables))
    report.render(
        folder / "report.html",
        "MATRL in grid worlds",
        _lead(summary),
        tables,
        _figures(folder / "plots", tasks),
    )
    return summary


def _task(folder: Path, config: "Config", name: str, cells: Sequence[Cell]) -> Row:
    task = grid_config.task(config, name)
    game: Any = load(task.game)
    known = getattr(game, "reference", None)
    methods = []
    for method in config.methods:
        mine = [cell for cell in cells if cell.label == f"{name} {method}"]
        done = [cell for cell in mine if _cells.finished(cell, folder)]
        runs = {c.seed: of_run(_cells.rows(c, folder), config.last) for c in done}
        methods.append(of_method(method, runs, len(mine) - len(done)))
    return {
        "task": name,
        "game": game.name,
        "reward": task.reward,
        "iterations": grid_config.iterations(config, task),
        "batch": config.batch,
        "envs": grid_config.envs(config, game.limit),
        "reference": None if known is None else asdict(known),
        "published": [list(one) for one in task.published],
        "methods": methods,
    }


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _span(row: Row) -> str:
    if row["low"] is None:
        return "-"
    return f"[{row['low']:.2f}, {row['high']:.2f}]"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


_HEAD = [
    *("method", "runs", "failed", "final return", "95 %", "own returns", "mean return"),
    *("mean rho", "rho inside", "equilibria", "CPU s"),
    *("matrl less it", "95 % of pairs", "p"),
]


def _tables(summary: Row) -> list[Table]:
    keys = ("task", "claim", "verdict", "facts")
    body = [[claim[key] for key in keys] for claim in summary["claims"]]
    tables: list[Table] = []
    if body:
        tables.append(Table("Claims", ["task", "claim", "verdict", "by"], body))
    for task in summary["tasks"]:
        of_pairs = {
            row["second"]: row
            for row in summary["pairs"]
            if row["task"] == task["task"]
        }
        body = [_line(row, of_pairs.get(row["method"])) for row in task["methods"]]
        body += _known(task)
        caption = (
            f"{task['task']}: {task['game']}, {task['reward']} reward, "
            f"{task['iterations']} iterations of {task['envs']} environments x "
            f"{task['batch'] // task['envs']} steps"
        )
        tables.append(Table(caption, _HEAD, body))
    if summary["failed"]:
        body = [[row["cell"], row["fault"]] for row in summary["failed"]]
        tables.append(Table("Runs that failed", ["run", "why"], body))
    return tables


def _line(row: Row, compared: Row | None) -> list[str]:
    head = [row["method"], str(row["n"]), str(row["failed"] or "-")]
    if not row["n"]:
        return head + ["-"] * (len(_HEAD) - len(head))
    cells = [
        *head,
        _number(row["final"]),
        _span(row),
        ", ".join(map(_number, row["own"])),
        _number(row["average"]),
        _number(row.get("rho"), 3),
        _percent(row.get("rho_inside")),
        _number(row.get("equilibria")),
        _number(row["cpu_seconds"], 1),
    ]
    if compared is None or compared["difference"] is None:
        return [*cells, "-", "-", "-"]
    p = compared["p"]
    more = [_number(compared["difference"]), _span(compared)]
    return [*cells, *more, "-" if p is None else f"{p:.2g}"]


def _known(task: Row) -> list[list[str]]:
    """Lines of the table for what is known of the game and from the paper."""
    lines = [(f"paper: {name}", value) for name, value in task["published"]]
    known = task["reference"]
    if known is not None:
        names = {
            "optimum": "exact optimum",
            "attained": "attained without more sight (lower bound)",
            "uniform": "random play",
            "waiting": "nobody moves",
        }
        lines += [(text, known[key]) for key, text in names.items()]
    rest = len(_HEAD) - 4
    return [
        [text, "-", "-", _number(value), *["-"] * rest]
        for text, value in lines
        if value is not None
    ]


def _verdicts(summary: Row) -> str:
    """How often each verdict was given to the claim that matrl is better."""
    of_pairs = summary["claims"][: len(summary["pairs"])]  # theirs come first
    given = [row["verdict"] for row in of_pairs]
    if not given:
        return "No method is compared with matrl here."
    each = [f"{v}: {given.count(v)}" for v in dict.fromkeys(given)]
    return (
        f"Of {len(given)} claims that matrl ends above another method: "
        f"{'; '.join(each)}."
    )


def _lead(summary: Row) -> list[str]:
    last = summary["config"]["last"]
    sentences = [
        _verdicts(summary),
        f"The final return of a run is the mean of its last {last} iterations: the "
        "team return of the first episode of every environment, played with the "
        "policies that learn, exploration included. Mean return is that of all "
        "iterations. Intervals are Student's, over runs; runs of one seed begin with "
        "the same networks, so methods are compared by the differences of pairs. A "
        "claim that one method is better holds if the interval of the differences is "
        "above 0 and p after Holm's correction over all such claims is below .05.",
        "rho is the share of its present policy that an agent keeps, a mean over "
        "agents and iterations; inside is the share of iterations in which that of "
        "some agent was between 0 and 1. Equilibria are those found in a meta-game.",
    ]
    methods = {row["method"] for task in summary["tasks"] for row in task["methods"]}
    if methods & {"vdn", "qmix", "qtran", "maddpg"}:
        sentences.append(
            "Learners from a replay (vdn, qmix, qtran, maddpg) are measured without "
            "exploration after each iteration, and their seconds are of the clock, not "
            "of the CPU; vdn, qmix and qtran learn from the team's reward whatever the "
            "task says."
        )
    return sentences


def _figures(plots: Path, tasks: Sequence[Row]) -> list[report.Picture]:
    pictures = []
    for task in tasks:
        if not any(row["n"] for row in task["methods"]):
            continue
        stem = task["task"].replace("(", "-").replace(")", "").replace(",", "-")
        pictures += [
            charts.figure(
                figures.curves(task),
                f"Learning curves, {task['task']}",
                "Mean over runs and 95 % interval (Student's), in blocks of "
                "iterations; a band wider than the picture is cut.",
                plots / f"{stem}.png",
            ),
            charts.figure(
                figures.finals(task),
                f"Final returns, {task['task']}",
                "Points are runs, bars means and 95 % intervals.",
                plots / f"{stem}-final.png",
            ),
        ]
    drawn = figures.shares(tasks)
    if drawn is not None:
        pictures.append(
            charts.figure(
                drawn,
                "How much the meta-game holds back",
                "Mean over agents and runs of the share of its present policy that an "
                "agent of matrl keeps; 0 is the trial step as it is.",
                plots / "rho.png",
            )
        )
    return pictures
