"""What the training runs on MuJoCo robots amount to: table and claims."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from experiments.matrl import cells as _cells
from experiments.matrl import comparisons as claim
from experiments.matrl.cells import Cell
from experiments.matrl.control_config import TASKS, Config
from matrl.methods import METHODS

if TYPE_CHECKING:
    from experiments.matrl.comparisons import Row

WINDOW = 10  # iterations that "first", "last" and "best" are means of
RIVALS = {
    "il": "the paper's claim",
    "il-matched": "a control: as many steps",
    "il-la": "the paper's ablation",
    "matrl-wo-br": "the paper's ablation",
    "random-rho": "a control: a random gate",
}
"""What MATRL is compared with, and why."""

Curves = dict[tuple[str, str], dict[int, list[dict[str, Any]]]]
"""Metrics of the finished cells, by task and method, then by seed."""


def read(cells: Sequence[Cell], folder: Path) -> Curves:
    """Metrics of the cells that are finished."""
    curves: Curves = {}
    for cell in cells:
        task, method = cell.label.split()
        one = curves.setdefault((task, method), {})
        if _cells.finished(cell, folder):
            one[cell.seed] = _cells.rows(cell, folder)
    return curves


def returns(rows: Mapping[int, Sequence[Mapping[str, Any]]]) -> ndarray:
    """Mean team returns [seeds, iterations]."""
    return np.array([[row["returns"] for row in one] for one in rows.values()])


def smooth(values: ndarray) -> ndarray:
    """Means over the last ten iterations, fewer at the start; [..., iterations]."""
    total = np.cumsum(values, -1)
    total[..., WINDOW:] -= total[..., :-WINDOW].copy()
    count = np.minimum(np.arange(1, values.shape[-1] + 1), WINDOW)
    means: ndarray = total / count
    return means


def summarise(
    config: Config, curves: Curves, random: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The summary: the table of results, the claims and what they are of."""
    table = [
        _line(config, task, method, rows, random[task])
        for (task, method), rows in curves.items()
    ]
    named = {(row["task"], row["method"]): row for row in table}
    claims = [_rises(row) for row in table]
    for task in config.tasks:
        for rival, why in RIVALS.items():
            pair = named.get((task, "matrl")), named.get((task, rival))
            if pair[0] is not None and pair[1] is not None:
                claims.append(
                    _above(config, task, rival, why=why, matrl=pair[0], other=pair[1])
                )
    packages = ("gymnasium", "mujoco")
    return {
        "tasks": {task: TASKS[task] for task in config.tasks},
        "iterations": config.iterations,
        "env_steps": config.iterations * config.batch,
        "seeds": config.seeds,
        "random": {
            task: claim.spread(returned, 0) for task, returned in random.items()
        },
        "table": table,
        "claims": claims,
        "versions": {name: metadata.version(name) for name in packages},
    }


def _line(
    config: Config,
    task: str,
    method: str,
    rows: Mapping[int, Sequence[dict[str, Any]]],
    random: Sequence[float],
) -> "Row":
    line: Row = {
        "task": task,
        "method": method,
        "seeds": list(rows),
        "random": claim.mean(random),
    }
    values = returns(rows) if rows else np.zeros((0, config.iterations))
    parts = {
        "first": values[:, :WINDOW].mean(1).tolist(),
        "last": values[:, -WINDOW:].mean(1).tolist(),
        "best": smooth(values)[:, WINDOW - 1 :].max(1, initial=-np.inf).tolist(),
    }
    if values.shape[1] < WINDOW:
        parts["best"] = parts["last"]
    line |= {name: claim.spread(part, config.seed) for name, part in parts.items()}
    flat = [row for one in rows.values() for row in one]
    cpu = [sum(sum(row["seconds"].values()) for row in one) for one in rows.values()]
    line["cpu_seconds"] = claim.mean(cpu)
    if METHODS[method].gate == "nash":
        line["rho"] = claim.mean([float(np.mean(row["rho"])) for row in flat])
        pure = [set(row["rho"]) <= {0.0, 1.0} for row in flat]
        line["pure"] = claim.mean([float(was_pure) for was_pure in pure])
    return line


def _rises(row: "Row") -> "Row":
    """Whether a method learns at all."""
    pairs = list(zip(row["last"]["values"], row["first"]["values"], strict=True))
    higher = [last > max(first, row["random"]) for last, first in pairs]
    here = f"{sum(higher)} of {len(higher)} seeds; first {claim.show(row['first'])}, "
    here += f"last {claim.show(row['last'])}, random {row['random']:.1f}"
    verdict = "holds" if higher and all(higher) else "does not hold"
    return {
        "claim": f"{row['task']}: the return of {row['method']} rises (the last ten "
        "iterations are above the first ten and above random actions, in every seed)",
        "paper": f"{TASKS[row['task']]}, curves only",
        "here": here if higher else "no finished seed",
        "verdict": verdict if higher else "not run",
    }


def _above(
    config: Config, task: str, rival: str, why: str, matrl: "Row", other: "Row"
) -> "Row":
    compared = claim.higher(
        matrl["last"]["values"], other["last"]["values"], config.seed
    )
    paper = f"{TASKS[task]}, curves only" if "paper" in why else "no such control"
    return {
        "claim": f"{task}: MATRL ends above {rival} ({why})",
        "paper": paper,
        "here": claim.in_words(compared),
        "verdict": compared["verdict"],
        "test": compared,
    }
