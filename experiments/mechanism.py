"""Mechanism design through an equilibrium: gradient descent on the rules of a game.

Example: python -m experiments.mechanism --out runs/mechanism

Players choose among resources whose cost grows with their load (a congestion game with
random costs). The designer may add a toll (or, below 0, a subsidy) to every player and
resource, up to a budget either way, and wants the maximum-entropy equilibrium of the
tolled game to have the smallest total cost, tolls not counted. Every step solves the
game exactly and differentiates the equilibrium through its optimality conditions
(``meta_solvers.exact.implicit``). The best tolls of all steps are kept.

Writes metrics.jsonl, tolls.npz, summary.json, a plot and report.html.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments.lab.folder import claim, record
from experiments.lab.metrics import Metrics
from experiments.lab.options import Flat, Output
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the example."""

    players: int = 3
    """Number of players."""
    resources: int = 4
    """Resources to choose from: a player's actions."""
    concept: Literal["cce", "ce"] = "cce"
    """The equilibrium the players reach."""
    budget: float = 1.0
    """Largest toll or subsidy of a player on a resource."""
    steps: int = 150
    """Gradient steps."""
    rate: float = 0.05
    """Learning rate of Adam."""
    games: int = 8
    """Random games, designed together as one batch."""
    seed: int = 0
    """Seed of the costs."""
    run: Flat[Output] = Output()


def check(config: Config) -> None:
    """Refuses what cannot be designed."""
    for name in ("players", "resources", "steps", "games"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name} must be at least 1; got {getattr(config, name)}")
    if config.resources**config.players > 4096:
        raise UserError(
            "--resources to the power of --players must be at most 4096; got "
            f"{config.resources**config.players}"
        )
    if not (config.budget >= 0 and config.rate > 0 and config.seed >= 0):
        raise UserError(
            "--budget and --seed must be at least 0 and --rate positive; got "
            f"{config.budget}, {config.seed} and {config.rate}"
        )


def costs(config: Config) -> "Tensor":
    """Cost of every player at every joint action, ``[games, N, A, ..., A]``."""
    import numpy as np
    import torch

    rng = np.random.default_rng(config.seed)
    shape = (config.resources,) * config.players
    played = np.indices(shape)
    tables = []
    for _ in range(config.games):
        base = rng.uniform(0, 1, config.resources)
        slope = rng.uniform(0, 1, config.resources)
        load = np.stack([(played == r).sum(0) for r in range(config.resources)])
        price = base[:, None] + slope[:, None] * load.reshape(config.resources, -1)
        price = price.reshape(config.resources, *shape)
        tables.append(np.take_along_axis(price, played, 0))
    return torch.as_tensor(np.stack(tables))


def tolled(cost: "Tensor", tolls: "Tensor") -> "Tensor":
    """Payoffs with every player's toll ``[games, N, A]`` on its own action added."""
    import torch

    players = cost.shape[1]
    extra = []
    for p in range(players):
        wide = [tolls.shape[2] if q == p else 1 for q in range(players)]
        extra.append(tolls[:, p].reshape(-1, *wide).expand(cost[:, p].shape))
    return -(cost + torch.stack(extra, 1))


def run(config: Config) -> dict[str, Any]:
    """Designs the tolls; returns the summary."""
    check(config)
    import torch

    from meta_solvers.exact.implicit import equilibrium

    with claim(config.run, "mechanism") as folder:
        record(folder, config)
        metrics = Metrics(folder / "metrics.jsonl")
        cost = costs(config)
        total = cost.sum(1)
        free = torch.zeros(config.games, config.players, config.resources)
        free = free.to(torch.float64).requires_grad_()
        optimiser = torch.optim.Adam([free], lr=config.rate)
        least = total.flatten(1).amin(1).mean()
        best = float("inf")
        for step in range(config.steps + 1):
            tolls = config.budget * torch.tanh(free)
            joint = equilibrium(tolled(cost, tolls), config.concept)
            loss = (joint * total).flatten(1).sum(1).mean()
            metrics.add({"step": step, "cost": loss.item(), "least": least.item()})
            if loss.item() < best:
                best = loss.item()
                kept = tolls.detach().numpy()
                arrays = {"tolls": kept, "cost": cost.numpy()}
                files.write_arrays(folder / "tolls.npz", arrays)
            if step < config.steps:
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if step % 25 == 0 and not config.run.silent:
                print(f"step {step:4d}  total cost {loss.item():.5f}", flush=True)
        first = metrics.rows[0]["cost"]
        summary = {
            "cost_without_tolls": first,
            "cost_with_tolls": best,
            "least_possible_cost": least.item(),
            "share_of_the_loss_removed": (first - best)
            / max(first - least.item(), 1e-12),
        }
        files.write_json(folder / "summary.json", summary)
        _report(folder, config, summary, metrics.rows)
        return summary


def _report(
    folder: Path, config: Config, summary: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    from experiments.lab import charts, report

    steps = [row["step"] for row in rows]
    lines = {
        "equilibrium": (steps, [row["cost"] for row in rows]),
        "best joint action": (steps, [row["least"] for row in rows]),
    }
    drawn = charts.curve(lines, "total cost", log=False, across="step")
    report.render(
        folder / "report.html",
        "Tolls that make the equilibrium of a congestion game cheap",
        [
            f"{config.games} random games, {config.players} players, "
            f"{config.resources} resources, tolls and subsidies up to "
            f"{config.budget:g}; the equilibrium is the maximum-entropy "
            f"{config.concept.upper()}."
        ],
        [
            report.Table(
                "Mean total cost", ["", "value"], list(map(list, summary.items()))
            )
        ],
        [charts.figure(drawn, "Total cost", "Tolls not counted.", folder / "cost.png")],
    )


def page(config: Config) -> Answer:
    """Runs and prints the summary."""
    summary = run(config)
    lines = [
        f"{name.replace('_', ' ')}: {value:.5g}" for name, value in summary.items()
    ]
    return Answer(summary=summary, text="\n".join(lines))


if __name__ == "__main__":
    sys.exit(main(page, Config))
