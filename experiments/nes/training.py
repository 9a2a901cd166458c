"""A training in its run folder, from its recipe to its report."""

import platform
from pathlib import Path

import torch

from experiments.lab import charts, report
from experiments.lab.folder import binding, claim, record
from experiments.lab.marks import Picture
from experiments.lab.page import Answer
from experiments.lab.process import command
from experiments.nes.states import Kept
from experiments.nes.train_config import Config, check
from meta_solvers.nes import store
from meta_solvers.nes.measure import references
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.train import Evaluation, Training
from metaspiel import files


def sizes(recipe: Recipe) -> list[tuple[int, ...]]:
    """Sizes of evaluations: powers of two in the trained range."""
    kind, games = recipe.architecture, recipe.games
    limit = {1: 64, 2: 64 if kind.concept == "cce" else 16}.get(kind.players, 8)
    high = min(games.most, limit)
    counts = [n for n in (4, 8, 16, 32, 64) if games.least <= n <= high]
    return [(n,) * kind.players for n in counts or [games.least]]


def run(config: Config) -> Answer:
    """Trains, and answers with the last evaluation."""
    check(config)
    recipe = config.recipe
    with claim(config.run, "nes_train") as folder:
        kept = Kept(
            folder,
            Training(recipe, config.device),
            bound={"config": binding(config)},
            every=config.every,
            start=config.run.resume_from,
        )
        record(folder, config)
        held = references(recipe, sizes(recipe), config.games, seed=12345)
        for row in kept.train(held):
            config.run.say(line(row, recipe.steps, kept.seconds))
        _finish(folder, kept)
        last = kept.metrics.rows[-1]
        text = f"step {last['step']}, loss {last['loss']:+.5f}  -> {folder}"
        return Answer(summary=last, text=text)


def line(row: Evaluation, steps: int, seconds: float) -> str:
    """One evaluation as a line of text for people."""
    gaps = "  ".join(f"{s.size} {s.solver_gap:.4f}/{s.gap:.4f}" for s in row.sizes)
    left = seconds * (steps - row.step) / row.step
    return (
        f"step {row.step:>7} of {steps}  loss {row.loss:+.5f}  "
        f"solver gap/gap: {gaps}  {left / 60:.0f} min left"
    )


def _finish(folder: Path, kept: Kept) -> None:
    """Writes the weights with their record, the summary, a plot and the report."""
    rows, training, recipe = kept.metrics.rows, kept.training, kept.training.recipe
    last = rows[-1]["sizes"]
    summary = {
        "command": command(),
        "seconds": kept.seconds,
        "device": str(training.device),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "measured": last,
    }
    weights = folder / "weights.safetensors"
    store.save(weights, training.averaged(), recipe, summary)
    files.write_json(folder / "summary.json", summary)
    at = [row["step"] for row in rows]
    curves = {
        size["size"]: (at, [row["sizes"][i]["solver_gap"] for row in rows])
        for i, size in enumerate(last)
    }
    chart = charts.lines(curves, "mean solver gap", log=True, across="training step")
    caption = "By size of game."
    picture = Picture(
        name="solver_gap", title="Solver gap", caption=caption, chart=chart
    )
    cells = [list(size.values()) for size in last]
    ends = ", ".join(f"{s['size']}: {s['solver_gap']:.4f}" for s in last)
    report.render(
        folder / "report.html",
        "Neural Equilibrium Solver: training",
        report.Opening(
            ran=[
                f"A network was trained for {training.step} steps, seed {recipe.seed}."
            ],
            result=[f"Mean solver gap by size of game, at the end: {ends}."],
            sure=[
                "Measured on fresh games. The solver gap is the total variation to the "
                "exact joint; the gap adds up the largest gains of the players, in "
                "standard deviations of payoff."
            ],
        ),
        [report.Table("Last evaluation", list(last[0]), cells)],
        [picture],
    )
