"""The Neural Equilibrium Solver's pages: measures, tables, plots."""

import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.report import Table
from meta_solvers.exact.batch import Equilibria, equilibria
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.problem import Concept, Problem
from metaspiel import files
from metaspiel.nfg.errors import UserError

Drawing = tuple[Any, str, str]  # matplotlib's figure, title, caption
Solver = Callable[[ndarray], tuple[ndarray, ndarray]]  # payoffs to joint and status

REFINED = 2  # Newton steps of the exact solver after the network
_AT_ONCE = 2**17  # joint actions in a batch, which bounds the memory of a network


def check(network: Path | None, games: int, seed: int) -> None:
    """Refuses impossible values of the flags that the pages share."""
    if games < 1:
        raise UserError(f"--games must be at least 1; got {games}")
    if seed < 0:
        raise UserError(f"--seed must be at least 0; got {seed}")
    if network is not None and not network.is_file():
        raise UserError(f"--network must name a file of weights; got '{network}'")


def generator(seed: int, name: str) -> np.random.Generator:
    """Randomness of one named part of a page, whatever else the page does."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw(family: str, actions: tuple[int, ...], count: int, seed: int) -> ndarray:
    """Payoffs ``[B, N, A1, ..., AN]`` of one family, the same for the same seed."""
    from metaspiel.nfg.sample import sample

    rng = generator(seed, f"{family} {'x'.join(map(str, actions))}")
    return np.stack([sample(family, actions, rng).payoffs for _ in range(count)])


def gap(problem: Problem, joint: ndarray) -> ndarray:
    """The (C)CE gap of Marris et al. 2022, ``[B]``, in standard deviations of payoff.

    Sum over players of the most that one deviation gains, where it gains anything. A
    deviation of a CE is weighed by the probability of its recommendation.
    """
    dual = Dual(problem)
    gains = dual.gains(joint)
    return np.asarray(sum(gains[:, part].max(1).clip(0) for part in dual.parts))


def apart(one: ndarray, other: ndarray) -> ndarray:
    """Total variation between joints, ``[B]``: the paper's solver gap."""
    return 0.5 * np.asarray(np.abs(one - other).reshape(len(one), -1).sum(1))


def measure(
    payoffs: ndarray, concept: Concept, network: Path | None
) -> dict[str, dict[str, list[Any]]]:
    """Gaps of the uniform joint, of NES and of the exact solver, game by game.

    Returns:
      For "uniform", "nes", "refined" (``REFINED`` Newton steps on) and "exact":
      ``gap``, ``solver_gap`` (None where the exact solver failed), ``status`` and CPU
      ``seconds`` a game.
    """
    solvers = _solvers(concept, network)
    size = max(1, _AT_ONCE // payoffs[0, 0].size)
    columns = ("gap", "solver_gap", "seconds", "status")
    cells: dict[str, Any] = {name: {key: [] for key in columns} for name in solvers}
    for solver in solvers.values():  # libraries load, caches fill
        solver(payoffs[:1])
    for start in range(0, len(payoffs), size):
        some = payoffs[start : start + size]
        problem, _ = build(some, concept)
        joints = {}
        for name, solver in solvers.items():
            before = time.process_time()
            joints[name], status = solver(some)
            spent = (time.process_time() - before) / len(some)
            cells[name]["gap"] += gap(problem, joints[name]).tolist()
            cells[name]["seconds"] += [spent] * len(some)
            cells[name]["status"] += status.tolist()
        for name, joint in joints.items():  # status: of the exact solver, the last
            both = zip(apart(joint, joints["exact"]).tolist(), status, strict=True)
            gaps = [far if code == 0 else None for far, code in both]
            cells[name]["solver_gap"] += gaps
    return cells


def _solvers(concept: Concept, network: Path | None) -> dict[str, Solver]:
    import torch

    from meta_solvers.nes import store
    from meta_solvers.nes.solver import neural_equilibria

    chosen = None if network is None else store.load(network)[0]

    def plain(solved: Equilibria) -> tuple[ndarray, ndarray]:
        return np.asarray(solved.joint, dtype=np.float64), np.asarray(solved.status)

    def neural(steps: int, payoffs: ndarray) -> tuple[ndarray, ndarray]:
        games = torch.from_numpy(payoffs)
        return plain(neural_equilibria(games, concept, refine=steps, network=chosen))

    def uniform(payoffs: ndarray) -> tuple[ndarray, ndarray]:
        joint = np.full_like(payoffs[:, 0], 1 / payoffs[0, 0].size)
        return joint, np.zeros(len(payoffs), dtype=np.int64)

    def exact(payoffs: ndarray) -> tuple[ndarray, ndarray]:
        return plain(equilibria(torch.from_numpy(payoffs), concept))

    nes = {"nes": partial(neural, 0), "refined": partial(neural, REFINED)}
    return {"uniform": uniform, **nes, "exact": exact}


def summary(values: Sequence[float | None]) -> dict[str, float | None]:
    """Mean, its standard error, and the range of what is known."""
    known = np.array([v for v in values if v is not None], dtype=np.float64)
    if not known.size:
        return dict.fromkeys(("mean", "error", "best", "worst"))
    error = float(known.std(ddof=1)) / known.size**0.5 if known.size > 1 else None
    ends = {"best": float(known.min()), "worst": float(known.max())}
    return {"mean": float(known.mean()), "error": error, **ends}


def number(value: float | None) -> str:
    """A gap as text: four decimals, as the paper prints them, or its size if tiny."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or value >= 1e-3 else f"{value:.1e}"


def extent(numbers: dict[str, float | None]) -> str:
    """Best, mean and worst as text."""
    return " / ".join(number(numbers[key]) for key in ("best", "mean", "worst"))


def ablation(curves: dict[str, Any]) -> list[str]:
    """What Figure 3 (d) says, a sentence for each comparison."""
    lines = []
    for other in ("linear", "uniform payoffs") if curves else ():
        mine, theirs = (curves[key]["mean"][-1] for key in ("NES", other))
        word = "below" if mine < theirs else "NOT below"
        lines.append(f"Figure 3 (d): NES {mine:.4f} is {word} {other} {theirs:.4f}.")
    return lines


def markdown(tables: Sequence[Table], lines: Sequence[str] = ()) -> str:
    """Tables, and sentences below them."""
    blocks = [table.markdown for table in tables]
    if lines:
        blocks.append("".join(f"- {line}\n" for line in lines))
    return "\n".join(blocks)


def publish(
    folder: Path,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    lines: Sequence[str] = (),
    drawings: Sequence[Drawing] = (),
) -> None:
    """Writes ``table.md``, ``report.html`` and ``plots``."""
    from experiments.lab import charts, report

    files.write_text(folder / "table.md", markdown(tables, lines))
    shown = list(tables)
    if lines:
        shown.append(Table("Verdict", ["row"], [[line] for line in lines]))
    figures = [
        charts.figure(*drawing, folder / "plots" / f"{number}.png")
        for number, drawing in enumerate(drawings, 1)
    ]
    report.render(folder / "report.html", title, lead, shown, figures)


def draw_games(result: dict[str, Any]) -> Drawing:
    """Figure 1: polytopes and selections in the plane of payoffs."""
    drawn, panels = _canvas(11, 3.8, len(result))
    colours = {"ME": "tab:blue", "MWME": "tab:orange", "MRE": "tab:green"}
    for axes, (title, game) in zip(panels, result.items(), strict=True):
        for key, shade in (("all values", "0.92"), ("vertex values", "0.75")):
            axes.fill(*hull(np.array(game[key])).T, facecolor=shade, edgecolor="0.5")
        for kind, colour in colours.items():
            chosen = [label.startswith(kind) for label in game["selection"]]
            exact = np.array(game["exact values"])[chosen].T
            neural = np.array(game["nes values"])[chosen].T
            axes.scatter(*exact, s=60, facecolors="none", edgecolors=colour, label=kind)
            axes.scatter(*neural, s=30, marker="x", color=colour)
        labels = {"xlabel": "payoff of player 1", "ylabel": "payoff of player 2"}
        axes.set(title=title, **labels)
    panels[-1].legend(fontsize=8)
    caption = "Light: payoffs; dark: equilibria. Circles: exact; crosses: the network."
    return drawn, "Figure 1", caption


def hull(points: ndarray) -> ndarray:
    """Corners of a convex hull in the plane; the ends of a segment, or the point."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(points.round(12), axis=0)
    try:
        return points[ConvexHull(points).vertices] if len(points) > 2 else points
    except QhullError:  # a segment
        return points[[0, -1]]


def draw_curves(curves: dict[str, Any], title: str) -> Drawing:
    """One panel of Figure 3."""
    drawn, (axes,) = _canvas(7.5, 3.4)
    for label, line in curves.items():
        (shown,) = axes.plot(line["steps"], line["mean"], "o-", ms=3, label=label)
        band = (line["steps"], line["least"], line["most"])
        axes.fill_between(*band, color=shown.get_color(), alpha=0.2)
    axes.set(xlabel="training step", ylabel="solver gap", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    caption = "Mean over games; lines and bands: mean and range over seeds."
    return drawn, f"Figure 3 {title}", caption


def draw_classes(result: dict[str, Any], what: str, label: str) -> Drawing:
    """One measure of Figure 4: range and mean in every class."""
    drawn, (axes,) = _canvas(9, 4)
    shown = (("uniform", "0.7", 9), ("nes", "tab:blue", 5), ("refined", "tab:green", 2))
    at = np.arange(len(result))
    for name, colour, width in shown:
        rows = [cell[f"{what} {name}"] for cell in result.values()]
        # None where the exact solver solved no game of the class; drawn as nothing.
        keys = ("best", "mean", "worst")
        best, mean, worst = (np.array([r[k] for r in rows], dtype=float) for k in keys)
        axes.vlines(at, best, worst, color=colour, linewidth=width, label=name)
        axes.scatter(at, mean, color=colour, edgecolors="black", s=20, zorder=3)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set_xticks(at, list(result), rotation=60, ha="right", fontsize=8)
    axes.set(ylabel=label, ylim=(0, None))
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    caption = "Bars: best to worst game; points: mean. Grey: the uniform joint."
    return drawn, f"Figure 4: {label}", caption


def _canvas(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    return drawn, drawn.subplots(1, columns, squeeze=False)[0]
