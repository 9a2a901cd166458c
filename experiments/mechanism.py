"""Mechanism design through an equilibrium: gradient descent on the rules of a game.

Example: metaspiel mechanism --out runs/mechanism

Players choose among resources whose cost grows with their load (a congestion game with
random costs). The designer may add a toll (or, below 0, a subsidy) to every player and
resource, up to a budget either way, and wants the maximum-entropy equilibrium of the
tolled game to have the smallest total cost, tolls not counted. Every step solves the
game exactly and differentiates the equilibrium through its optimality conditions
(``meta_solvers.exact.implicit``). The best tolls of all steps are kept.

Writes metrics.jsonl, tolls.npz, summary.json, a plot and report.html.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from experiments.lab import report
from experiments.lab.folder import claim, record
from experiments.lab.marks import Picture
from experiments.lab.metrics import Metrics
from experiments.lab.options import Flat, Logged, least
from experiments.lab.page import Answer, main
from meta_solvers.exact.settings import Tolls
from metaspiel import files
from metaspiel.nfg.errors import UserError

LARGEST = 4096  # joint actions


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the example."""

    players: int = 3
    """Number of players."""
    resources: int = 4
    """Resources to choose from: a player's actions."""
    games: int = 8
    """Random games, designed together as one batch."""
    seed: int = 0
    """Seed of the costs."""
    tolls: Tolls = Tolls()
    """How the tolls are found."""
    run: Flat[Logged] = Logged()


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the tolls achieve: mean total costs, tolls not counted."""

    cost_without_tolls: float
    cost_with_tolls: float
    least_possible_cost: float
    share_of_the_loss_removed: float


def check(config: Config) -> None:
    """Refuses what cannot be designed."""
    least(config, players=1, resources=1, games=1, seed=0)
    if config.resources**config.players > LARGEST:
        raise UserError(
            f"--resources to the power of --players must be at most {LARGEST}; got "
            f"{config.resources**config.players}"
        )


def page(config: Config) -> Answer:
    """Designs the tolls."""
    import torch

    from meta_solvers.exact.tolls import descend, load_costs

    check(config)
    with claim(config.run, "mechanism") as folder:
        record(folder, config)
        metrics = Metrics(folder / "metrics.jsonl")
        rng = np.random.default_rng(config.seed)
        drawn = load_costs(config.games, config.players, config.resources, rng=rng)
        cost = torch.as_tensor(drawn)
        cheapest = cost.sum(1).flatten(1).amin(1).mean().item()
        best = float("inf")
        for design in descend(config.tolls, cost):
            row = {"step": design.step, "cost": design.cost}
            metrics.add(row | {"least": cheapest})
            if design.cost < best:
                best = design.cost
                arrays = {"tolls": design.tolls.numpy(), "cost": drawn}
                files.write_arrays(folder / "tolls.npz", arrays)
            if design.step % 25 == 0:
                config.run.say(f"step {design.step:4d}  total cost {design.cost:.5f}")
        first = metrics.rows[0]["cost"]
        summary = Summary(
            cost_without_tolls=first,
            cost_with_tolls=best,
            least_possible_cost=cheapest,
            share_of_the_loss_removed=(first - best) / max(first - cheapest, 1e-12),
        )
        files.write_json(folder / "summary.json", asdict(summary))
        _report(folder, config, summary, metrics)
    values = asdict(summary).items()
    text = "\n".join(f"{k.replace('_', ' ')}: {v:.5g}" for k, v in values)
    return Answer(summary=asdict(summary), text=text)


def _report(folder: Path, config: Config, summary: Summary, metrics: Metrics) -> None:
    from experiments.lab import charts

    steps, costs, cheapest = (
        [row[key] for row in metrics.rows] for key in ("step", "cost", "least")
    )
    lines = {"equilibrium": (steps, costs), "best joint action": (steps, cheapest)}
    chart = charts.lines(lines, "total cost", log=False, across="step")
    values = list(map(list, asdict(summary).items()))
    caption = "Tolls not counted."
    report.render(
        folder / "report.html",
        "Tolls that make the equilibrium of a congestion game cheap",
        report.Opening(
            ran=[
                f"{config.games} random games, {config.players} players, "
                f"{config.resources} resources, tolls and subsidies up to "
                f"{config.tolls.budget:g}; the equilibrium is the maximum-entropy "
                f"{config.tolls.concept.upper()}."
            ],
            result=[
                f"Tolls lower the mean total cost from {summary.cost_without_tolls:.4g}"
                f" to {summary.cost_with_tolls:.4g}, where the least possible is "
                f"{summary.least_possible_cost:.4g}: "
                f"{report.percent(summary.share_of_the_loss_removed)} of the loss is "
                "removed."
            ],
            sure=[
                f"Means over {config.games} games of seed {config.seed}. Every step "
                "solves the games exactly; gradient descent finds a local optimum."
            ],
        ),
        [report.Table("Mean total cost", ["", "value"], values, raw=True)],
        [Picture(name="cost", title="Total cost", caption=caption, chart=chart)],
    )


if __name__ == "__main__":
    sys.exit(main(page, Config))
