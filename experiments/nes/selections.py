"""Figure 1: the equilibria of three games, and which of them each criterion takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab.charts import panels
from experiments.lab.report import Table
from experiments.nes.figures_config import Config
from experiments.nes.numbers import Made, number
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.nes.criteria import Selected, select
from meta_solvers.polytope import vertices

GAMES = {  # payoffs [2, 2, 2]
    "traffic lights": [[[-2, 1], [0, 0]], [[-2, 0], [1, 0]]],
    "pure coordination": [[[1, 0], [0, 1]], [[1, 0], [0, 1]]],
    "prisoner's dilemma": [[[-1, -3], [0, -2]], [[-1, 0], [-3, -2]]],
}
COLOURS = {"ME": "tab:blue", "MWME": "tab:orange", "MRE": "tab:green"}


@dataclass(frozen=True, kw_only=True)
class Game:
    """A 2x2 game of the figure: corners of its equilibria, what criteria select."""

    title: str
    payoffs: ndarray
    corners: ndarray
    selected: Sequence[Selected]

    @property
    def joints(self) -> dict[str, ndarray]:
        """Joints ``[K, 4]``: corners of the equilibria and of all, and the answers."""
        return {
            "vertex": self.corners,
            "exact": np.stack([one.exact.ravel() for one in self.selected]),
            "nes": np.stack([one.neural.ravel() for one in self.selected]),
            "all": np.eye(4),
        }

    def values(self, joints: ndarray) -> ndarray:
        """Expected payoffs of joints, ``[..., 2]``."""
        return joints @ self.payoffs.reshape(2, 4).T

    @property
    def record(self) -> dict[str, object]:
        """The game as JSON holds it."""
        record: dict[str, object] = {
            "selection": [one.criterion for one in self.selected],
            "status": [one.status for one in self.selected],
            "solver_gap": [one.solver_gap for one in self.selected],
        }
        for name, joints in self.joints.items():
            record[f"{name} joints"] = joints.tolist()
            record[f"{name} values"] = self.values(joints).tolist()
        return record


def three_games(config: Config, folder: Path) -> Made:
    """Every selection in every game, exactly and by the network."""
    games = []
    for title, matrix in GAMES.items():
        payoffs = np.array(matrix, dtype=np.float64)
        gains = Dual(build(payoffs[None], config.concept)[0]).deviations()[0]
        selected = select(payoffs, config.concept, config.network)
        corners = vertices(gains)
        games.append(
            Game(title=title, payoffs=payoffs, corners=corners, selected=selected)
        )
    columns = {
        "game": lambda row: row[0].title,
        "selection": lambda row: row[1].criterion,
        "exact joint": lambda row: _numbers(row[1].exact),
        "NES joint": lambda row: _numbers(row[1].neural),
        "solver gap": lambda row: number(row[1].solver_gap),
        "payoffs (exact)": lambda row: _numbers(row[0].values(row[1].exact.ravel())),
        "exact status": lambda row: row[1].status,
    }
    rows = [(game, one) for game in games for one in game.selected]
    caption = "Joints over (1, 1), (1, 2), (2, 1), (2, 2)"
    legend = "Light: payoffs; dark: equilibria. Circles: exact; crosses: the network."
    return Made(
        record={game.title: game.record for game in games},
        tables=[Table.of(caption, columns, rows)],
        drawings=[(draw_games(games), "Figure 1", legend)],
    )


def _numbers(values: ndarray) -> str:
    return " ".join(f"{round(value, 3) + 0.0:.3f}" for value in values.ravel())


def draw_games(games: Sequence[Game]) -> Figure:
    """Polytopes and selections in the plane of payoffs."""
    titles, own = [game.title for game in games], "payoff of player"
    drawn, every = panels(titles, f"{own} 1", f"{own} 2")
    for axes, game in zip(every, games, strict=True):
        values = {name: game.values(joints) for name, joints in game.joints.items()}
        for name, shade in (("all", "0.92"), ("vertex", "0.75")):
            axes.fill(*hull(values[name]).T, facecolor=shade, edgecolor="0.5")
        for kind, colour in COLOURS.items():
            chosen = [one.criterion.startswith(kind) for one in game.selected]
            (x, y), (u, v) = values["exact"][chosen].T, values["nes"][chosen].T
            axes.scatter(x, y, s=60, facecolors="none", edgecolors=colour, label=kind)
            axes.scatter(u, v, s=30, marker="x", color=colour)
    every[-1].legend(fontsize=8)
    return drawn


def hull(points: ndarray) -> ndarray:
    """Corners of a convex hull in the plane; the ends of a segment, or the point."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(points.round(12), axis=0)
    try:
        return points[ConvexHull(points).vertices] if len(points) > 2 else points
    except QhullError:  # a segment
        return points[[0, -1]]
