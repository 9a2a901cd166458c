"""Figure 1: the equilibria of three games, and which of them each criterion takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from experiments.lab.marks import GREY, Axis, Chart, Panel, Picture, Series
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
COLOURS = {"ME": "#3b78b5", "MWME": "#e8820e", "MRE": "#3f9b45"}


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
    far, where = max((one.solver_gap, game.title) for game, one in rows)
    return Made(
        result=f"In {len(rows)} selections the network is at most {number(far)} from "
        f"the exact joint (solver gap: total variation), in {where}.",
        sure="Joints of the exact solver are optimal up to its tolerance; the table "
        "has its status.",
        record={game.title: game.record for game in games},
        tables=[Table.of(caption, columns, rows)],
        drawings=[
            Picture(name="1", title="Figure 1", caption=legend, chart=chart(games))
        ],
    )


def _numbers(values: ndarray) -> str:
    return " ".join(f"{round(value, 3) + 0.0:.3f}" for value in values.ravel())


def chart(games: Sequence[Game]) -> Chart:
    """Polytopes and selections in the plane of payoffs."""
    across, up = (Axis(label=f"payoff of player {player}") for player in (1, 2))
    panels = []
    for game in games:
        values = {name: game.values(joints) for name, joints in game.joints.items()}
        series = []
        for name, shade in (("all", 0.15), ("vertex", 0.4)):
            x, y = hull(values[name]).T.tolist()
            label = {"all": "payoffs", "vertex": "equilibria"}[name]
            series.append(
                Series(name=label, x=x, y=y, mark="area", colour=GREY, opacity=shade)
            )
        for kind, colour in COLOURS.items():
            chosen = [one.criterion.startswith(kind) for one in game.selected]
            names = [one.criterion for one in game.selected]
            notes = [n for n, own in zip(names, chosen, strict=True) if own]
            for name, symbol in (("exact", "circle"), ("nes", "cross")):
                x, y = values[name][chosen].T.tolist()
                series.append(
                    Series(
                        name=kind,
                        x=x,
                        y=y,
                        mark="points",
                        colour=colour,
                        symbol=symbol,
                        notes=[f"{name}: {one}" for one in notes],
                    )
                )
        panels.append(Panel(title=game.title, x=across, y=up, series=series))
    return Chart(panels=panels)


def hull(points: ndarray) -> ndarray:
    """Corners of a convex hull in the plane; the ends of a segment, or the point."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(points.round(12), axis=0)
    try:
        return points[ConvexHull(points).vertices] if len(points) > 2 else points
    except QhullError:  # a segment
        return points[[0, -1]]
