"""Figures 1, 3 and 4 of the Neural Equilibrium Solver's paper, with our networks.

Example: metaspiel nes_figures --figure 1

1: the equilibria of three 2x2 games in the plane of payoffs, and which of them each
selection criterion takes: exactly, and by the network. In 2x2 games CE and CCE agree.
3: solver gap (half the absolute difference to the exact joint) against training steps,
by (a) selection criterion, (b) shape, (c) concept, (d) ablation, for the unrolled
network and the paper's feed-forward one. Some 18 minutes of CPU time by default.
4: a network on classes of games, most of which it never saw: worst, mean and best
gaps, and the exact solver's.

After Marris et al., "Turbocharging Solution Concepts", NeurIPS 2022. Writes table.md,
report.html, plots, result.json, and a file a cell that --resume does not run again
(trainings go on from their last checkpoint).
"""

import itertools
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.folder import claim, piece, record
from experiments.lab.options import Flat, Resumable, shape
from experiments.lab.page import Answer, main
from experiments.lab.report import Table
from experiments.nes import measures as _nes
from experiments.nes.curves import Curve, Test, trained
from meta_solvers.exact.problem import Concept
from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown

GAMES: dict[str, list[Any]] = {  # Figure 1: payoffs [2, 2, 2]
    "traffic lights": [[[-2, 1], [0, 0]], [[-2, 0], [1, 0]]],
    "pure coordination": [[[1, 0], [0, 1]], [[1, 0], [0, 1]]],
    "prisoner's dilemma": [[[-1, -3], [0, -2]], [[-1, 0], [-3, -2]]],
}
WELFARE = 2.0  # nats for the joint action that a welfare prefers
REST = 0.01  # probability that a pure target leaves to all other joint actions
PANELS = {
    "a": "selection criteria, 4x4 CCE",
    "b": "shapes, maximum-entropy CCE",
    "c": "concepts, 8x8 maximum entropy",
    "d": "ablation, 4x4x4 maximum-entropy CCE, feed-forward",
}
POINTS = 10  # of a curve, after its start
CLASSES = (
    *("l2_invariant", "uniform", "zero_sum", "covariant", "common_interest"),
    *("congestion", "dispersion", "majority_voting", "minimum_effort"),
    *("travellers_dilemma", "war_of_attrition", "bertrand", "grab_the_dollar"),
    *("location", "polymatrix"),
)
SOLVERS = ("uniform", "nes", "refined")
# What a figure gives: its numbers, tables, sentences and drawings.
Result = tuple[dict[str, Any], list[Table], list[str], list[_nes.Drawing]]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the figures."""

    figure: int = 1
    """Figure to draw: 1, 3 or 4."""
    concept: str = "cce"
    """Figures 1 and 4: cce or ce."""
    games: int = 512
    """Figure 3: fresh games a curve is measured on. Figure 4: games a class."""
    steps: int = 1200
    """Figure 3: updates of each training."""
    seeds: int = 3
    """Figure 3: trainings of each curve."""
    panels: tuple[str, ...] = tuple(PANELS)
    """Figure 3: panels to draw."""
    shapes: tuple[str, ...] = ("4x4", "8x8", "4x4x4")
    """Figure 3 (b): action counts, the same for every player."""
    classes: tuple[str, ...] = CLASSES
    """Figure 4: families of games."""
    size: int = 8
    """Figure 4: actions of each of the two players."""
    network: Path | None = None
    """Figures 1 and 4: file of weights (default: the shipped ones)."""
    seed: int = 0
    """Seed of games and trainings."""
    quick: bool = False
    """Draw at most 32 games; figure 3: one seed and at most 40 steps."""
    run: Flat[Resumable] = Resumable()

    @property
    def kind(self) -> Concept:
        """The concept, after ``check``."""
        return "cce" if self.concept == "cce" else "ce"

    @property
    def count(self) -> int:
        """The number of games, --quick considered."""
        return min(self.games, 32) if self.quick else self.games


def check(config: Config) -> None:
    """Refuses impossible values before anything runs."""
    from metaspiel.nfg.sample import families

    if config.figure not in FIGURES:
        raise UserError(f"--figure must be 1, 3 or 4; got {config.figure}")
    _nes.check(config.network, config.games, config.seed)
    for name, least in (("steps", 1), ("seeds", 1), ("size", 2)):
        value = getattr(config, name)
        if value < least:
            raise UserError(f"--{name} must be at least {least}; got {value}")
    if config.concept not in ("cce", "ce"):
        raise UserError(f"--concept must be 'cce' or 'ce'; got '{config.concept}'")
    for name, known in (("panels", PANELS), ("classes", families(players=2))):
        if not getattr(config, name):
            raise UserError(f"--{name} must name at least one; got none")
        for one in getattr(config, name):
            if one not in known:
                raise unknown(f"--{name}", name, one, known)
    for text in config.shapes:
        sizes = shape(text)
        if len(sizes) < 2 or len(set(sizes)) > 1 or sizes[0] < 2:
            raise UserError(
                "--shapes must give two or more players the same number of actions, at "
                f"least 2; got '{text}'"
            )


def selections() -> list[tuple[str, ndarray, ndarray]]:
    """Figure 1's criteria: label, target and welfare over the joint actions."""
    uniform, units = np.full((2, 2), 0.25), np.eye(4).reshape(4, 2, 2)
    places = ["(1, 1)", "(1, 2)", "(2, 1)", "(2, 2)"]
    pure = (1 - REST) * units + REST / 3 * (1 - units)
    return [
        ("ME", uniform, 0 * uniform),
        *((f"MWME {at}", uniform, WELFARE * units[i]) for i, at in enumerate(places)),
        *((f"MRE {at}", pure[i], 0 * uniform) for i, at in enumerate(places)),
    ]


def vertices(payoffs: ndarray, concept: Concept) -> ndarray:
    """Corners of the (C)CE polytope of a 2x2 game: ``[V, 4]``."""
    from meta_solvers.exact.build import build
    from meta_solvers.exact.dual import Dual

    gains = Dual(build(payoffs[None], concept)[0]).deviations()[0]
    below = np.concatenate([gains[np.abs(gains).max(1) > 0], -np.eye(4)])
    corners: list[ndarray] = []
    for tight in itertools.combinations(below, 3):
        system = np.stack([*tight, np.ones(4)])
        if abs(np.linalg.det(system)) > 1e-9:
            joint = np.linalg.solve(system, [0.0, 0.0, 0.0, 1.0])
            new = all(np.abs(joint - old).max() > 1e-9 for old in corners)
            if new and (below @ joint).max() < 1e-9:
                corners.append(joint)
    return np.stack(corners)


def three_games(config: Config, folder: Path) -> Result:
    """Figure 1: every selection in every game, exactly and by the network."""
    import torch

    from meta_solvers.exact.batch import STATUS, equilibria
    from meta_solvers.nes.solver import neural_equilibria

    labels, targets, welfares = zip(*selections(), strict=True)
    given: dict[str, Any] = {"target": np.stack(targets), "welfare": np.stack(welfares)}
    result: dict[str, Any] = {}
    rows: list[list[Any]] = []
    for title, matrix in GAMES.items():
        payoffs = np.array(matrix, dtype=np.float64)
        batch = torch.from_numpy(np.repeat(payoffs[None], len(labels), 0))
        exact = equilibria(batch, config.kind, **given)
        neural = neural_equilibria(batch, config.kind, network=config.network, **given)
        joints = {
            "vertex": vertices(payoffs, config.kind),
            "exact": np.asarray(exact.joint).reshape(-1, 4),
            "nes": np.asarray(neural.joint, dtype=np.float64).reshape(-1, 4),
            "all": np.eye(4),
        }
        far = _nes.apart(joints["nes"], joints["exact"]).tolist()
        status = [STATUS[int(code)] for code in exact.status]
        result[title] = {"selection": labels, "status": status, "solver_gap": far}
        for name, joint in joints.items():
            result[title][f"{name} joints"] = joint.tolist()
            result[title][f"{name} values"] = (joint @ payoffs.reshape(2, 4).T).tolist()
        for i, label in enumerate(labels):
            written = [_numbers(joints[name][i]) for name in ("exact", "nes")]
            values = _numbers(result[title]["exact values"][i])
            shown = [*written, _nes.number(far[i]), values, status[i]]
            rows.append([title, label, *shown])
    columns = ["game", "selection", "exact joint", "NES joint", "solver gap"]
    columns += ["payoffs (exact)", "exact status"]
    caption = "Joints over (1, 1), (1, 2), (2, 1), (2, 2)"
    return result, [Table(caption, columns, rows)], [], [_nes.draw_games(result)]


def _numbers(values: Any) -> str:
    return " ".join(f"{round(value, 3) + 0.0:.3f}" for value in values)


def curves(config: Config) -> dict[str, list[tuple[str, Curve]]]:
    """Figure 3's lines by panel; a line of several panels is trained once."""
    cube = Curve(shape=(4, 4, 4))
    panels = {
        "a": [("ME", Curve()), ("any criterion", Curve(selects="any"))],
        "b": [(text, Curve(shape=shape(text))) for text in config.shapes],
        "c": [("CCE", Curve(shape=(8, 8))), ("CE", Curve(shape=(8, 8), concept="ce"))],
    }
    for panel, lines in panels.items():
        panels[panel] = [
            (f"{label}, {form}", replace(curve, network=form))
            for label, curve in lines
            for form in ("unrolled", "feed-forward")
        ]
    panels["d"] = [("NES", cube), ("linear", replace(cube, network="linear"))]
    panels["d"] += [("uniform payoffs", replace(cube, naive=True))]
    return {panel: panels[panel] for panel in PANELS if panel in config.panels}


def learning(config: Config, folder: Path) -> Result:
    """Figure 3: trains every curve and seed that is missing."""
    steps = min(config.steps, 40) if config.quick else config.steps
    seeds = range(config.seed, config.seed + (1 if config.quick else config.seeds))
    chosen = curves(config)
    runs: dict[Curve, list[Any]] = {}
    for curve in dict.fromkeys(c for lines in chosen.values() for _, c in lines):
        test = Test(curve, config.count, config.seed)
        runs[curve] = []
        for seed in seeds:
            place = folder / "cells" / f"{curve.name}-{seed}.json"
            run = trained(place, curve, steps, seed=seed, test=test, points=POINTS)
            runs[curve].append(run)
            config.run.say(f"{place.stem}: solver gap {run[-1]['solver_gap']:.4f}")
    result: dict[str, Any] = {panel: {} for panel in chosen}
    rows: list[list[Any]] = []
    for panel, lines in chosen.items():
        for label, curve in lines:
            gaps = np.array([[row["solver_gap"] for row in run] for run in runs[curve]])
            first = runs[curve][0]
            result[panel][label] = {
                "steps": [row["step"] for row in first],
                "mean": gaps.mean(0).tolist(),
                "least": gaps.min(0).tolist(),
                "most": gaps.max(0).tolist(),
                "none": first[0]["none"],
            }
            end = _nes.extent(_nes.summary(gaps[:, -1].tolist()))
            rows.append([panel, label, _nes.number(first[0]["none"]), end])
    columns = ["panel", "curve", "duals 0", f"after {steps} steps: best / mean / worst"]
    caption = f"Mean solver gap over {config.count} games, {len(seeds)} seed(s)"
    drawn = [
        _nes.draw_curves(lines, f"({panel}) {PANELS[panel]}")
        for panel, lines in result.items()
    ]
    return (
        result,
        [Table(caption, columns, rows)],
        _nes.ablation(result.get("d", {})),
        drawn,
    )


def classes(config: Config, folder: Path) -> Result:
    """Figure 4: one network on every class."""
    labels = {"gap": f"{config.kind.upper()} gap", "solver_gap": "Solver gap"}
    result: dict[str, dict[str, Any]] = {}
    rows: dict[str, list[list[Any]]] = {"gap": [], "solver_gap": [], "exact": []}
    sizes = (config.size, config.size)
    for family in dict.fromkeys(config.classes):
        place = folder / "cells" / f"{family}.json"
        games = partial(_nes.draw, family, sizes, config.count, config.seed)
        cell = piece(
            place,
            config,
            lambda games=games: _nes.measure(games(), config.kind, config.network),
        )
        status = cell["exact"]["status"]
        worst = _nes.summary(cell["exact"]["gap"])["worst"]
        failed = len(status) - status.count(0)
        ms = [1e3 * float(np.mean(cell[s]["seconds"])) for s in ("exact", *SOLVERS[1:])]
        result[family] = {"failed": failed, "exact gap": worst, "ms": ms}
        for what in labels:
            summaries = {f"{what} {s}": _nes.summary(cell[s][what]) for s in SOLVERS}
            result[family] |= summaries
            rows[what].append([family, *(_nes.extent(f) for f in summaries.values())])
        times = [f"{value:.3g}" for value in ms]
        share = f"{failed} of {len(status)}"
        rows["exact"].append([family, share, _nes.number(worst), *times])
        config.run.say(f"{family}: NES {labels['gap']} {rows['gap'][-1][2]}")
    columns = ["class", "uniform", "NES", f"NES and {_nes.REFINED} Newton steps"]
    tables: list[Table] = [
        Table(f"{labels[what]}: best / mean / worst", columns, rows[what])
        for what in labels
    ]
    columns = ["class", "exact: failed", f"exact: largest {labels['gap']}"]
    columns += ["exact: ms", "NES: ms", "refined: ms"]
    tables.append(Table("The exact solver, and CPU ms a game", columns, rows["exact"]))
    drawn = [_nes.draw_classes(result, *item) for item in labels.items()]
    return result, tables, [], drawn


FIGURES = {
    1: (three_games, "Figure 1: equilibria selected in three 2x2 games"),
    3: (learning, "Figure 3: solver gap against training steps"),
    4: (classes, "Figure 4: one network on classes of games"),
}


def page(config: Config) -> Answer:
    """Runs one figure and prints its tables."""
    check(config)
    with claim(config.run, f"nes_figure{config.figure}") as folder:
        record(folder, config)
        (folder / "cells").mkdir(exist_ok=True)
        make, title = FIGURES[config.figure]
        result, tables, lines, drawn = make(config, folder)
        files.write_json(folder / "result.json", result)
        lead = [
            "After Marris et al., NeurIPS 2022; payoffs have mean 0 and variance 1."
        ]
        if config.figure != 3:
            lead.append(f"Weights: {config.network or 'the shipped ones'}.")
        _nes.publish(folder, title, lead, tables=tables, lines=lines, drawings=drawn)
        text = "\n" + _nes.markdown(tables, lines).rstrip()
        return Answer(summary=result, text=text)


if __name__ == "__main__":
    sys.exit(main(page, Config))
