"""Robust meta-solvers on random games known up to intervals.

Example: metaspiel robust_check --out runs/robust_check

Each game is symmetric, with two players, and known through an ensemble of payoff tables
whose errors differ by strategy (``metaspiel.nfg.ensembles``). There are two blocks of
games: in the first the members are right on average, in the second the strategies that
are little known look better than they are, by --ensemble.bias.

Solvers see the ensemble only. For the profile each returns, the page shows the bound on
the sum of regrets under entry-wise bounds (what R2D tries to lower and `robust`
minimises) and the true regret: the sum over players of what a best deviation gains in
the true game. Beside them stand the figures of an earlier check at the default size
(40 games of 12 strategies, four members). Its generator was not recorded, so only the
order of its rows can be compared, not its figures; the default width brings the bound
of replicator dynamics near its figure.

Writes summary.json, games.json (figures of every game), table.md, a plot and
report.html.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.lab import report
from experiments.lab.folder import claim, record
from experiments.lab.marks import Axis, Chart, Panel, Picture, Series
from experiments.lab.options import Flat, Output, least
from experiments.lab.page import Answer, main
from experiments.lab.report import Table, number, percent
from experiments.lab.statistics import standard_error
from meta_solvers import get
from meta_solvers.replicator import ReplicatorDynamics
from meta_solvers.robust import Judged, judge
from metaspiel import files
from metaspiel.nfg.ensembles import Ensembles

BLOCKS = ("unbiased", "upward-biased")
_EULER = "step=fixed,dt=1e-3,update=euclidean,floor=1e-6"
SOLVERS = {
    "RD on means": f"rrd:{_EULER},threshold=1e-5,tolerance=0",
    "R2D": "r2d:own=exclusive",
    "R2D, own bound included": "r2d:own=inclusive",
    "R2D, centred": "r2d:mass=centred",
    "RD on lower bounds": f"rd_lower:{_EULER},tolerance=0",
    "direct minimiser of the bound": "robust",
}
"""What each row is called, and the solver behind it; the flows also get --steps."""

EARLIER = {
    "RD on means": ((2.11, 0.24), (2.56, 0.42)),
    "R2D": ((2.20, 0.28), (2.91, 0.59)),
    "R2D, own bound included": ((2.12, 0.29), (2.62, 0.48)),
    "R2D, centred": ((2.25, 0.21), (2.89, 0.51)),
    "RD on lower bounds": ((1.61, 0.18), (2.03, 0.27)),
    "direct minimiser of the bound": ((0.95, 0.30), (1.01, 0.30)),
}
"""Bound and true regret in both blocks of the earlier check; standard errors of the
regrets were .05 to .14."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the check."""

    games: int = 40
    """Games in each block."""
    ensemble: Ensembles = Ensembles(bias=0.5)
    """The games, and the ensembles that solvers see; no bias in the first block."""
    steps: int = 20_000
    """Steps of the flows."""
    seed: int = 0
    """Seed of the games and of the minimiser's starts."""
    run: Flat[Output] = Output()


@dataclass(frozen=True, kw_only=True)
class Row:
    """A solver on the games of a block: means, and their standard errors."""

    block: str
    solver: str
    bound: float
    bound_error: float | None
    true_regret: float
    true_regret_error: float | None
    earlier_bound: float
    earlier_true_regret: float
    settled: float

    @classmethod
    def of(cls, block: str, solver: str, games: Sequence[Judged]) -> "Row":
        """The row of what was judged game by game."""
        bounds = [one.bound for one in games]
        regrets = [one.true_regret for one in games]
        earlier = EARLIER[solver][BLOCKS.index(block)]
        return cls(
            block=block,
            solver=solver,
            bound=sum(bounds) / len(games),
            bound_error=standard_error(bounds),
            true_regret=sum(regrets) / len(games),
            true_regret_error=standard_error(regrets),
            earlier_bound=earlier[0],
            earlier_true_regret=earlier[1],
            settled=sum(one.settled for one in games) / len(games),
        )


def page(config: Config) -> Answer:
    """Runs every solver on both blocks."""
    least(config, games=1, steps=1, seed=0)
    kept: dict[str, dict[str, dict[str, list[float]]]] = {}
    rows: list[Row] = []
    with claim(config.run, "robust_check") as folder:
        record(folder, config)
        for place, block in enumerate(BLOCKS):
            rng = np.random.default_rng([config.seed, place])
            drawn = replace(config.ensemble, bias=config.ensemble.bias * place)
            games = [drawn.draw(rng) for _ in range(config.games)]
            kept[block] = {}
            for name, spec in SOLVERS.items():
                solver = get(spec)
                if isinstance(solver, ReplicatorDynamics):
                    solver = replace(solver, steps=config.steps)
                starts = np.random.default_rng([config.seed, len(BLOCKS)])
                judged = judge(solver, games, starts)
                kept[block][name] = {
                    "bound": [one.bound for one in judged],
                    "true_regret": [one.true_regret for one in judged],
                }
                row = Row.of(block, name, judged)
                rows.append(row)
                config.run.say(
                    f"{block:<14} {name:<30} bound {row.bound:.2f}  true regret "
                    f"{row.true_regret:.2f}"
                )
        summary = {"solvers": SOLVERS, "rows": [asdict(row) for row in rows]}
        files.write_json(folder / "games.json", kept)
        text = _report(folder, config, rows, summary)
    return Answer(summary=summary, text=text.rstrip("\n"))


def _table(rows: Sequence[Row]) -> Table:
    def estimate(mean: float, error: float | None) -> str:
        return number(mean, 2) + ("" if error is None else f" ± {error:.2f}")

    columns = {
        "means": lambda row: row.block,
        "solver": lambda row: row.solver,
        "bound": lambda row: estimate(row.bound, row.bound_error),
        "true regret": lambda row: estimate(row.true_regret, row.true_regret_error),
        "settled": lambda row: percent(row.settled, 0),
        "earlier bound": lambda row: number(row.earlier_bound, 2),
        "earlier regret": lambda row: number(row.earlier_true_regret, 2),
    }
    return Table.of("Bound and true regret", columns, rows)


def picture(rows: Sequence[Row]) -> Picture:
    """True regret against the bound, one panel a block."""
    across = Axis(label="bound on the sum of regrets")
    panels = []
    for block in BLOCKS:
        series = [
            Series(
                name=row.solver,
                x=[row.bound],
                y=[row.true_regret],
                mark="points",
                left=[row.bound - (row.bound_error or 0.0)],
                right=[row.bound + (row.bound_error or 0.0)],
                low=[row.true_regret - (row.true_regret_error or 0.0)],
                high=[row.true_regret + (row.true_regret_error or 0.0)],
                spread="bars",
            )
            for row in rows
            if row.block == block
        ]
        up = Axis(label="true regret")
        panels.append(Panel(title=f"{block} means", x=across, y=up, series=series))
    return Picture(
        name="regret",
        title="True regret against the bound",
        caption="A solver may lower the bound and not the regret: the bound is the "
        "worst case over all games within the intervals.",
        chart=Chart(panels=panels, same="xy"),
    )


def _outcome(rows: Sequence[Row]) -> str:
    """The solvers with the two least mean regrets in each block."""
    said = []
    for block in BLOCKS:
        first, second, *_ = sorted((r for r in rows if r.block == block), key=_regret)
        names = f"{_shown(first)}, next {_shown(second)}"
        said.append(f"{block} means: {names}")
    return f"Least mean true regret with {'; with '.join(said)}."


def _shown(row: Row) -> str:
    error = row.true_regret_error
    text = "" if error is None else f" ± {error:.2g}"
    return f"{row.solver} ({row.true_regret:.3g}{text})"


def _regret(row: Row) -> float:
    return row.true_regret


def _report(
    folder: Path, config: Config, rows: Sequence[Row], summary: Mapping[str, Any]
) -> str:
    ensemble = config.ensemble
    specs = Table("Solvers", ["row", "spec"], list(SOLVERS.items()))
    return report.publish(
        folder,
        summary,
        title="Robust meta-solvers on games known up to intervals",
        opening=report.Opening(
            ran=[
                f"{config.games} random symmetric games of {ensemble.actions} "
                f"strategies in each block, {ensemble.members} members in an ensemble, "
                f"strategies unsure by up to {ensemble.width:g}; in the second block "
                f"biased upward by {ensemble.bias:g} of that.",
            ],
            result=[_outcome(rows)],
            sure=[
                "Means over games, with standard errors; lower is better. No test says "
                "that one solver is better than another. Settled is "
                "the share of games on which the solver met its own stopping rule.",
                "The earlier figures are of a check whose generator was not recorded: "
                "only the order of rows can be compared.",
            ],
        ),
        tables=[_table(rows), specs],
        figures=[picture(rows)],
    )


if __name__ == "__main__":
    sys.exit(main(page, Config))
