"""Robust meta-solvers on random games known up to intervals.

Example: python -m experiments.robust_check --out runs/robust_check

Each game is symmetric, with two players. A true payoff of every pair of strategies is
drawn from a standard normal distribution. Every strategy i gets an uncertainty u_i,
uniform between 0 and --width; member m of the ensemble reports
true(i, j) + u_i * (bias + e_mij) with standard normal e. There are two blocks of
games: with bias 0 the members are right on average, with --bias above 0 the strategies
that are little known look better than they are.

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, record
from experiments.lab.options import Flat, Output
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy import ndarray
    from numpy.random import Generator

    from metaspiel.nfg.game import Game

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
    actions: int = 12
    """Strategies of a player."""
    members: int = 4
    """Payoff tables in an ensemble."""
    width: float = 0.85
    """Largest uncertainty of a strategy; payoffs have standard deviation 1."""
    bias: float = 0.5
    """Upward bias in the second block, in units of a strategy's uncertainty."""
    steps: int = 20_000
    """Steps of the flows."""
    seed: int = 0
    """Seed of the games and of the minimiser's starts."""
    run: Flat[Output] = Output()


def check(config: Config) -> None:
    """Refuses what cannot be drawn."""
    for name, least in (("games", 1), ("actions", 2), ("members", 1), ("steps", 1)):
        if getattr(config, name) < least:
            raise UserError(
                f"--{name} must be at least {least}; got {getattr(config, name)}"
            )
    for name in ("width", "bias", "seed"):
        if not 0 <= getattr(config, name) < float("inf"):
            raise UserError(
                f"--{name} must be a number of at least 0; got {getattr(config, name)}"
            )


def draw(config: Config, bias: float, rng: "Generator") -> "tuple[Game, Game]":
    """A true game and the ensemble through which solvers know it."""
    import numpy as np

    from metaspiel.nfg.game import Game

    size = config.actions
    true = rng.normal(size=(size, size))
    unsure = rng.uniform(0, config.width, size)[:, None]
    error = bias + rng.normal(size=(config.members, size, size))
    rows = true + unsure * error
    members = np.stack([rows, rows.swapaxes(1, 2)], axis=1)
    return (
        Game(np.stack([true, true.T]), symmetric=True),
        Game.ensemble(members, symmetric=True),
    )


def profiles(
    spec: str, games: "list[Game]", config: Config
) -> "list[tuple[ndarray, bool]]":
    """A solver's answer ``[A, A]`` to each game, and whether it settled.

    Flows step all games together.
    """
    import dataclasses

    import numpy as np

    from meta_solvers import Status, get, solve
    from meta_solvers.replicator import ReplicatorDynamics

    solver = get(spec)
    if isinstance(solver, ReplicatorDynamics):
        flow = dataclasses.replace(solver, steps=config.steps)
        answers = flow.distributions(games)
        return [(answer.joint, answer.status is Status.OK) for answer in answers]
    rng = np.random.default_rng([config.seed, len(BLOCKS)])
    solutions = [solve(solver, game, rng, throw=False) for game in games]
    return [(solution.joint, solution.status is Status.OK) for solution in solutions]


def run(config: Config) -> dict[str, Any]:
    """Runs every solver on both blocks; returns the summary."""
    check(config)
    import numpy as np

    from meta_solvers.robust import regret_bound
    from metaspiel.nfg.gaps import measure
    from metaspiel.nfg.simplex import marginals

    with claim(config.run, "robust_check") as folder:
        record(folder, config)
        kept: dict[str, dict[str, Any]] = {}
        rows: list[dict[str, Any]] = []
        for number, block in enumerate(BLOCKS):
            rng = np.random.default_rng([config.seed, number])
            bias = config.bias * number
            drawn = [draw(config, bias, rng) for _ in range(config.games)]
            kept[block] = {}
            for name, spec in SOLVERS.items():
                answers = profiles(spec, [known for _, known in drawn], config)
                bounds, regrets = [], []
                for (true, known), (joint, _) in zip(drawn, answers, strict=True):
                    bounds.append(regret_bound(known, list(marginals(joint))))
                    regrets.append(float(measure(true, joint).ne.sum()))
                kept[block][name] = {"bound": bounds, "true_regret": regrets}
                settled = sum(done for _, done in answers) / config.games
                rows.append(_row(block, name, bounds, regrets) | {"settled": settled})
                if not config.run.silent:
                    last = rows[-1]
                    print(
                        f"{block:<14} {name:<30} bound {last['bound']:.2f}  "
                        f"true regret {last['true_regret']:.2f}",
                        flush=True,
                    )
        summary = {"solvers": SOLVERS, "rows": rows}
        files.write_json(folder / "games.json", kept)
        files.write_json(folder / "summary.json", summary)
        files.write_text(folder / "table.md", markdown(rows))
        _report(folder, config, rows)
        return summary


def _row(
    block: str, name: str, bounds: list[float], regrets: list[float]
) -> dict[str, Any]:
    from experiments.lab.statistics import standard_error

    earlier = EARLIER[name][BLOCKS.index(block)]
    return {
        "block": block,
        "solver": name,
        "bound": sum(bounds) / len(bounds),
        "bound_error": standard_error(bounds),
        "true_regret": sum(regrets) / len(regrets),
        "true_regret_error": standard_error(regrets),
        "earlier_bound": earlier[0],
        "earlier_true_regret": earlier[1],
    }


_HEAD = (
    *("means", "solver", "bound", "true regret", "settled"),
    *("earlier bound", "earlier regret"),
)


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table: means and standard errors as text."""

    def show(key: str) -> str:
        error = row[f"{key}_error"]
        return f"{row[key]:.2f}" + ("" if error is None else f" ± {error:.2f}")

    earlier = [f"{row[k]:.2f}" for k in ("earlier_bound", "earlier_true_regret")]
    shown = [show("bound"), show("true_regret"), f"{100 * row['settled']:.0f} %"]
    return [row["block"], row["solver"], *shown, *earlier]


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table of both blocks."""
    from experiments.lab import report

    return report.markdown(_HEAD, map(cells, rows))


def figure(rows: list[dict[str, Any]]) -> "Figure":
    """True regret against the bound, one panel a block."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(7.5, 3.6), layout="constrained")
    panels = drawn.subplots(1, len(BLOCKS), sharex=True, sharey=True)
    for axes, block in zip(panels, BLOCKS, strict=True):
        for row in (row for row in rows if row["block"] == block):
            axes.errorbar(
                row["bound"],
                row["true_regret"],
                xerr=row["bound_error"],
                yerr=row["true_regret_error"],
                fmt="o",
                capsize=2,
                label=row["solver"],
            )
        axes.set_title(f"{block} means", fontsize=9)
        axes.set_xlabel("bound on the sum of regrets")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("true regret")
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return drawn


def _report(folder: Path, config: Config, rows: list[dict[str, Any]]) -> None:
    from experiments.lab import charts, report

    report.render(
        folder / "report.html",
        "Robust meta-solvers on games known up to intervals",
        [
            f"{config.games} random symmetric games of {config.actions} strategies in "
            f"each block, {config.members} members in an ensemble, strategies unsure "
            f"by up to {config.width:g}; in the second block biased upward by "
            f"{config.bias:g} of that. Means over games, with standard errors; lower "
            "is better. Settled is the share of games on which the solver met its own "
            "stopping rule.",
            "The earlier figures are of a check whose generator was not recorded: only "
            "the order of rows can be compared.",
        ],
        [
            report.Table("Bound and true regret", _HEAD, list(map(cells, rows))),
            report.Table("Solvers", ["row", "spec"], list(map(list, SOLVERS.items()))),
        ],
        [
            charts.figure(
                figure(rows),
                "True regret against the bound",
                "A solver may lower the bound and not the regret: the bound is the "
                "worst case over all games within the intervals.",
                folder / "plots" / "regret.png",
            )
        ],
    )


def page(config: Config) -> Answer:
    """Runs and prints the table."""
    summary = run(config)
    return Answer(summary=summary, text=markdown(summary["rows"]).rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main(page, Config))
