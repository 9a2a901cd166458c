"""Training a Neural Equilibrium Solver: no labels, fresh games at every step.

Example: metaspiel nes_train --steps 3000 --out runs/nes

The run folder holds the two newest checkpoints (--resume goes on from the last, and a
run that was stopped is bit for bit the run that was not), metrics.jsonl (loss, and the
distance to the exact solution at several sizes), weights.safetensors (what the solver
loads: ``neural_equilibria(..., network="weights.safetensors")``), a plot and
report.html.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments.lab import checkpoints as _states
from experiments.lab import metrics as _metrics
from experiments.lab.folder import binding, claim, record
from experiments.lab.metrics import Metrics
from experiments.lab.options import Flat, Stateful
from experiments.lab.page import Answer, main
from experiments.lab.process import command
from metaspiel import files
from metaspiel.nfg.errors import UserError

if TYPE_CHECKING:
    from meta_solvers.nes.train import Recipe, Training

ROOM = "checkpoint"  # the folder of a run's states


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a training run."""

    concept: Literal["cce", "ce"] = "cce"
    """Equilibrium concept that the network learns."""
    players: int = 2
    """Number of players."""
    least: int = 2
    """Fewest actions of a player."""
    most: int = 64
    """Most actions of a player."""
    selects: Literal["entropy", "any"] = "entropy"
    """Maximum entropy only, or any target, welfare and epsilon as inputs."""
    steps: int = 36_000
    """Updates of the weights."""
    work: int = 16_384
    """Joint actions in a batch."""
    fewest: int = 16
    """Fewest games in a batch."""
    rate: float = 3e-3
    """Largest learning rate."""
    payoff: tuple[int, ...] = (8, 8)
    """Channels of the payoff layers."""
    dual: int = 16
    """Channels of the dual layers."""
    hidden: int = 48
    """Hidden channels of an unrolled block."""
    unrolled: int = 8
    """Blocks that see the gradient; 0 is the paper's feed-forward network."""
    linear: bool = False
    """No non-linearity in payoff and dual layers (the paper's ablation)."""
    naive: bool = False
    """Train on uniform payoffs instead of the invariant subspace (ablation)."""
    seed: int = 0
    """Seed of weights and games."""
    device: str = "cpu"
    """Torch device that trains: cpu or cuda."""
    every: int = 1000
    """Steps between evaluations and checkpoints."""
    games: int = 64
    """Games of each size in an evaluation."""
    run: Flat[Stateful] = Stateful()


def recipe(config: Config) -> "Recipe":
    """What the fields mean, checked before anything runs."""
    counts = ("players", "least", "steps", "work", "fewest", "dual", "hidden")
    for name in (*counts, "every", "games"):
        if getattr(config, name) < 1:
            raise UserError(f"--{name} must be at least 1; got {getattr(config, name)}")
    if config.players > 5:
        raise UserError(f"--players must be from 1 to 5; got {config.players}")
    if config.most < config.least:
        raise UserError(
            f"--most must be at least --least {config.least}; got {config.most}"
        )
    if not 0 <= config.seed < 2**63:
        raise UserError(f"--seed must be from 0 to 2^63 - 1; got {config.seed}")
    if config.unrolled < 0 or not 0 < config.rate < 1:
        raise UserError(
            "--unrolled must be at least 0 and --rate between 0 and 1; got "
            f"{config.unrolled} and {config.rate}"
        )
    if not config.payoff or min(config.payoff) < 1:
        raise UserError(
            f"--payoff must be channel counts of at least 1; got {config.payoff}"
        )
    from meta_solvers.nes.data import Games
    from meta_solvers.nes.network import Architecture
    from meta_solvers.nes.train import Recipe

    architecture = Architecture(
        concept=config.concept,
        players=config.players,
        selects=config.selects,
        payoff=tuple(config.payoff),
        dual=config.dual,
        unrolled=config.unrolled,
        hidden=config.hidden,
        linear=config.linear,
    )
    games = Games(
        concept=config.concept,
        players=config.players,
        least=config.least,
        most=config.most,
        selects=config.selects,
        naive=config.naive,
    )
    return Recipe(
        architecture=architecture,
        games=games,
        seed=config.seed,
        steps=config.steps,
        work=config.work,
        fewest=config.fewest,
        rate=config.rate,
    )


def sizes(config: Config) -> list[tuple[int, ...]]:
    """Sizes of evaluations: powers of two in the trained range."""
    limit = {1: 64, 2: 64 if config.concept == "cce" else 16}.get(config.players, 8)
    low, high = config.least, min(config.most, limit)
    counts = sorted({n for n in (4, 8, 16, 32, 64) if low <= n <= high} or {low})
    return [(n,) * config.players for n in counts]


def check_device(name: str) -> None:
    """Refuses a device that is not there."""
    import torch

    known = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name not in known:
        raise UserError(
            f"--device must be one of {', '.join(known)} on this machine; got '{name}'"
        )


def run(config: Config) -> list[dict[str, Any]]:
    """Trains; returns the rows of metrics."""
    chosen = recipe(config)
    check_device(config.device)
    from meta_solvers.nes.train import Training, train

    with claim(config.run, "nes_train") as folder:
        training = Training(chosen, config.device)
        metrics, bound = _opened(config, folder, training)
        record(folder, config)
        start, spent = time.perf_counter(), _spent(metrics.rows)
        for row in train(training, config.every, sizes(config), config.games):
            row["seconds"] = spent + time.perf_counter() - start
            # First the row, then the state: a run killed in between repeats the row.
            metrics.add(row)
            _save(training, folder / ROOM, bound | {"rows": metrics.seal})
            if not config.run.silent:
                print(line(row, config.steps), flush=True)
        _finish(folder, training, metrics.rows)
        return metrics.rows


def _save(training: "Training", room: Path, bound: dict[str, str]) -> None:
    with files.new_folder(room / f"{training.step:06d}") as aside:
        training.save(aside, bound)
    _states.forget_older(room)


def _opened(
    config: Config, folder: Path, training: "Training"
) -> tuple[Metrics, dict[str, str]]:
    """The rows before the training's state, which is loaded, and what it belongs to.

    Raises:
      UserError: the state or its rows are damaged, or belong to another run.
    """
    path, bound = folder / "metrics.jsonl", {"config": binding(config)}
    places = files.numbered(folder / ROOM)
    if not places:
        return Metrics(path, _metrics.read(path, 0)), bound

    def read(place: Path) -> tuple[Path, _metrics.Rows]:
        known = training.load(place)
        seal = known.pop("rows", "")
        if known != bound or training.step != int(place.name):
            what = "step" if known == bound else "configuration"
            raise UserError(
                f"--resume: '{place}' must belong to this run's {what}; it is of "
                "another one"
            )
        return place, _metrics.read(path, -(-training.step // config.every), seal)

    place, rows = _states.sound(places, read, _states.RUN, config.run.resume_from)
    metrics = Metrics(path, rows)
    _states.forget_later(place)
    return metrics, bound


def _spent(rows: list[dict[str, Any]]) -> float:
    return float(rows[-1]["seconds"]) if rows else 0.0


def line(row: dict[str, Any], steps: int) -> str:
    """One evaluation as a line of text for people."""
    sizes = "  ".join(
        f"{s['size']} {s['solver_gap']:.4f}/{s['gap']:.4f}" for s in row["sizes"]
    )
    share = row["step"] / steps
    left = row["seconds"] * (1 - share) / share
    return (
        f"step {row['step']:>7} of {steps}  loss {row['loss']:+.5f}  "
        f"solver gap/gap: {sizes}  {left / 60:.0f} min left"
    )


def _finish(folder: Path, training: "Training", rows: list[dict[str, Any]]) -> None:
    import platform

    import torch

    from experiments.lab import charts, report
    from meta_solvers.nes import store

    record = {
        "command": command(),
        "seconds": _spent(rows),
        "device": str(training.device),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "measured": rows[-1]["sizes"] if rows else [],
    }
    network = training.averaged()
    store.save(folder / "weights.safetensors", network, training.recipe, record)
    files.write_json(folder / "summary.json", record)
    last = rows[-1]["sizes"] if rows else []
    columns = list(last[0]) if last else []
    at = [row["step"] for row in rows]
    curves = {
        s["size"]: (at, [row["sizes"][i]["solver_gap"] for row in rows])
        for i, s in enumerate(last)
    }
    drawn = charts.curve(curves, "mean solver gap", log=True, across="training step")
    plot = charts.figure(
        drawn, "Solver gap", "By size of game.", folder / "plots" / "solver_gap.png"
    )
    report.render(
        folder / "report.html",
        "Neural Equilibrium Solver: training",
        [
            f"{training.step} steps, seed {training.recipe.seed}. The solver gap is "
            "the total variation to the exact joint; the gap adds up the largest "
            "gains of the players, in standard deviations of payoff. Fresh games."
        ],
        [report.Table("Last evaluation", columns, [list(s.values()) for s in last])],
        [plot],
    )


def page(config: Config) -> Answer:
    """Trains and says what came of it."""
    return Answer(summary=run(config)[-1])


if __name__ == "__main__":
    sys.exit(main(page, Config))
