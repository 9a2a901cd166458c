"""A toy wing in one file: meta-solvers on random games, compared seed by seed.

Example: metaspiel toy --seeds 3 --jobs 2 --out runs/toy

What a new page costs: a grid of methods and seeds that can be killed, resumed and
shared by processes, with a table, a figure and a verdict.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.lab import charts, report, verdict
from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.marks import Picture
from experiments.lab.options import Flat, Parallel, least
from experiments.lab.page import Answer
from experiments.lab.report import Table
from experiments.lab.work import complaint
from meta_solvers import get, solve
from metaspiel.nfg.sample import sample


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    may_change: ClassVar[tuple[str, ...]] = ("methods", "seeds")

    methods: tuple[str, ...] = ("prd", "uniform")
    """Meta-solvers; the first is claimed to come nearer to an equilibrium."""
    seeds: int = 3
    """Games, one a seed."""
    actions: int = 4
    """Actions of each of the two players."""
    run: Flat[Parallel] = Parallel()


@dataclass(frozen=True)
class Row:
    """What one method made of one game: its NE gap, summed over players."""

    method: str
    seed: int
    gap: float


def measure(method: str, seed: int, actions: int) -> dict[str, Any]:
    """Solves one game with one method: a cell of the grid."""
    game = sample("uniform", (actions, actions), np.random.default_rng(seed))
    gaps = solve(method, game, seed, throw=False).gaps
    return asdict(Row(method, seed, float(gaps.ne.sum())))


def page(config: Config) -> Answer:
    """Solves what is missing, and reports."""
    least(config, seeds=1, actions=2)
    for method in config.methods:
        get(method)  # an unknown one is a sentence, before anything is written
    with claim(config.run, "toy") as folder:
        record(folder, config)
        cells = {
            f"{method}-{seed}": partial(measure, method, seed, config.actions)
            for seed in range(config.seeds)
            for method in config.methods
        }
        results, faults = fill(cells, folder, config)
        rows = [Row(**result) for result in results.values()]
        text = _report(folder, config, rows)
        summary = {"folder": str(folder), "rows": list(results.values())}
        return Answer(summary=summary, text=text, fault=complaint(faults))


def _report(folder: Path, config: Config, rows: list[Row]) -> str:
    gaps = {
        method: {row.seed: row.gap for row in rows if row.method == method}
        for method in config.methods
    }
    first, *others = config.methods
    claims = []
    for other in others:
        both = gaps[first].keys() & gaps[other].keys()
        pairs = [(gaps[other][seed], gaps[first][seed]) for seed in both]
        test = verdict.Higher.paired(pairs, 0)
        word, remark = test.decided
        text = f"{first} has a smaller gap than {other}"
        claims.append(
            verdict.Claim(text=text, verdict=word, remark=remark, evidence=test.words)
        )
    columns = {"method": lambda row: row.method, "seed": lambda row: row.seed}
    columns |= {"NE gap": lambda row: row.gap}
    tables = [verdict.table(claims), Table.of("Gaps", columns, rows)]
    opening = report.Opening(ran=["Two methods on games of random payoffs."])
    return report.publish(
        folder, title="A toy", opening=opening, tables=tables, figures=[_curves(gaps)]
    )


def _curves(gaps: Mapping[str, Mapping[int, float]]) -> Picture:
    lines = {name: ([*of], [*of.values()]) for name, of in gaps.items()}
    chart = charts.lines(lines, "NE gap", log=False, across="seed")
    return Picture(name="gaps", title="Gaps", caption="One game a seed.", chart=chart)
