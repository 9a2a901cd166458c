"""Figure 3: solver gap against training steps, by games and by networks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.lab.folder import binding
from experiments.lab.marks import Axis, Chart, Panel, Picture, Series
from experiments.lab.options import shape
from experiments.lab.report import Table
from experiments.lab.statistics import t_interval
from experiments.lab.verdict import Claim, table, within
from experiments.nes.figures_config import PANELS, Config
from experiments.nes.numbers import Made, filled, generator, number
from experiments.nes.states import Kept
from meta_solvers.exact.problem import Concept
from meta_solvers.nes.architecture import Architecture, Selects
from meta_solvers.nes.data import Games
from meta_solvers.nes.measure import Reference
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.train import Training
from metaspiel import files

POINTS = 10  # of a curve, after its start
_WORK = 2048  # the same in trainings of curves: games are small, and steps many
_WIDE = Architecture(
    unrolled=0, payoff=(32, 32), dual=32, dual_layers=2, norm="standard"
)
NETWORKS = {
    "unrolled": Architecture(),
    "feed-forward": _WIDE,
    "linear": replace(_WIDE, linear=True),
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of the figure: which games, and which network learns them."""

    actions: tuple[int, ...] = (4, 4)
    concept: Concept = "cce"
    selects: Selects = "entropy"
    network: str = "feed-forward"
    naive: bool = False

    @property
    def problem(self) -> str:
        """What is learned, whatever network learns it and from what."""
        return f"{'x'.join(map(str, self.actions))}-{self.concept}-{self.selects}-"

    @property
    def name(self) -> str:
        """The curve's name, fit for a file."""
        return f"{self.problem}{self.network}" + "-naive" * self.naive

    def recipe(self, steps: int, seed: int) -> Recipe:
        """A short training: a brief warm-up and average."""
        part, size = max(1, steps // 10), self.actions[0]
        architecture = replace(
            NETWORKS[self.network],
            concept=self.concept,
            players=len(self.actions),
            selects=self.selects,
        )
        return Recipe(
            architecture=architecture,
            games=Games(least=size, most=size, square=1.0, naive=self.naive),
            seed=seed,
            steps=steps,
            work=_WORK,
            warm=part,
            average=part,
        )


@dataclass(frozen=True, kw_only=True)
class Line:
    """Solver gaps of a curve's trainings by steps, and that of duals 0 (none)."""

    steps: Sequence[int]
    mean: Sequence[float]
    least: Sequence[float]
    most: Sequence[float]
    none: float

    @classmethod
    def of(cls, runs: Sequence[Sequence[Mapping[str, float]]]) -> "Line":
        """The line of some trainings, each given by its cell."""
        gaps = np.array([[row["solver_gap"] for row in run] for run in runs])
        return cls(
            steps=[int(row["step"]) for row in runs[0]],
            mean=gaps.mean(0).tolist(),
            least=gaps.min(0).tolist(),
            most=gaps.max(0).tolist(),
            none=runs[0][0]["none"],
        )


def curves(config: Config) -> dict[str, dict[str, Curve]]:
    """The lines by panel and label; a line of several panels is trained once."""
    cube = Curve(actions=(4, 4, 4))
    pairs = {
        "a": {"ME": Curve(), "any criterion": Curve(selects="any")},
        "b": {text: Curve(actions=shape(text)) for text in config.shapes},
        "c": {"CCE": Curve(actions=(8, 8)), "CE": Curve(actions=(8, 8), concept="ce")},
    }
    every = {
        panel: {
            f"{label}, {network}": replace(curve, network=network)
            for label, curve in lines.items()
            for network in ("unrolled", "feed-forward")
        }
        for panel, lines in pairs.items()
    }
    linear, naive = replace(cube, network="linear"), replace(cube, naive=True)
    every["d"] = {"NES": cube, "linear": linear, "uniform payoffs": naive}
    return {panel: every[panel] for panel in PANELS if panel in config.panels}


def learning(config: Config, folder: Path) -> Made:
    """Trains every curve and seed that is missing."""
    asked = curves(config)
    every = dict.fromkeys(c for lines in asked.values() for c in lines.values())
    room, seeds = folder / "cells", config.trainings
    cells = {
        f"{curve.name}-{seed}": partial(trained, curve, seed, config, room=room)
        for curve in every
        for seed in seeds
    }
    results = filled(cells, folder, config)
    for name in cells:
        if (room / name).exists():
            files.remove_folder(room / name)
    runs = {c: [results[f"{c.name}-{seed}"] for seed in seeds] for c in every}
    known = {curve: Line.of(rows) for curve, rows in runs.items()}
    lines = {p: {k: known[c] for k, c in named.items()} for p, named in asked.items()}
    tables = [ends(lines, config)]
    if "d" in asked:
        last = {
            label: [run[-1]["solver_gap"] for run in runs[curve]]
            for label, curve in asked["d"].items()
        }
        tables.append(table(ablation(last)))
    legend = "Mean over games; lines and bands: mean and range over seeds."
    first = next(iter(lines.values()))
    ended = [f"{name} {number(one.mean[-1])}" for name, one in first.items()]
    return Made(
        result=f"Mean solver gap at the end, first panel: {', '.join(ended)}.",
        sure=f"{len(seeds)} training(s) of each curve; {config.count} fresh games.",
        record={p: {k: asdict(x) for k, x in one.items()} for p, one in lines.items()},
        tables=tables,
        drawings=[
            Picture(
                name=str(place),
                title=f"Figure 3 ({panel}) {PANELS[panel]}",
                caption=legend,
                chart=chart(named),
            )
            for place, (panel, named) in enumerate(lines.items(), 1)
        ],
    )


def trained(
    curve: Curve, seed: int, config: Config, room: Path
) -> list[dict[str, float]]:
    """Steps and solver gaps of a training, which goes on from its last state."""
    recipe = curve.recipe(min(config.steps, 40) if config.quick else config.steps, seed)
    fair = replace(recipe, games=replace(recipe.games, naive=False))
    rng = generator(config.seed, f"test {curve.problem}")
    games = Reference(fair, curve.actions, config.count, rng)
    training, folder = Training(recipe), room / f"{curve.name}-{seed}"
    start = asdict(games.distance(training.averaged()))
    folder.mkdir(exist_ok=True)
    kept = Kept(
        folder,
        training,
        bound={"config": binding(config)},
        every=math.ceil(recipe.steps / POINTS),
        again=f"remove '{folder}' and resume: it is then trained again",
    )
    kept.run([games])
    rows = [(0, start), *((row["step"], row["sizes"][0]) for row in kept.metrics.rows)]
    names = {"solver_gap": "solver_gap", "none": "solver_gap_uniform"}
    return [{"step": at} | {k: far[v] for k, v in names.items()} for at, far in rows]


def ends(lines: Mapping[str, Mapping[str, Line]], config: Config) -> Table:
    """Where every curve ends."""
    rows = [(p, k, line) for p, named in lines.items() for k, line in named.items()]
    columns = {
        "panel": lambda row: row[0],
        "curve": lambda row: row[1],
        "duals 0": lambda row: number(row[2].none),
        f"after {rows[0][2].steps[-1]} steps: best / mean / worst": lambda row: (
            " / ".join(number(y[-1]) for y in (row[2].least, row[2].mean, row[2].most))
        ),
    }
    seeds = len(config.trainings)
    caption = f"Mean solver gap over {config.count} games, {seeds} seed(s)"
    return Table.of(caption, columns, rows)


def ablation(gaps: Mapping[str, Sequence[float]]) -> list[Claim]:
    """What panel (d) says, a claim for each comparison.

    Args:
      gaps: solver gaps after training by label, of the same seeds in the same order.
    """
    claims, ours = [], gaps["NES"]
    for other in ("linear", "uniform payoffs"):
        theirs = gaps[other]
        more = [b - a for a, b in zip(ours, theirs, strict=True)]
        claim = Claim(
            text=f"NES is below {other}",
            verdict=within(*t_interval(more)),
            evidence=f"{np.mean(ours):.4f} against {np.mean(theirs):.4f}",
            about="Figure 3 (d)",
            test="95 % t interval of the differences after training, seed by seed",
            trials=len(ours),
            remark="" if len(ours) > 1 else "one seed has no interval",
        )
        claims.append(claim)
    return claims


def chart(named: Mapping[str, Line]) -> Chart:
    """Solver gap over training steps, a line for each training."""
    series = [
        Series(name=label, x=one.steps, y=one.mean, low=one.least, high=one.most)
        for label, one in named.items()
    ]
    up = Axis(label="solver gap", scale="log")
    panel = Panel(x=Axis(label="training step"), y=up, series=series)
    return Chart(panels=[panel])
