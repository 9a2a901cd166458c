"""Draws the pictures of the README and the documentation: `make pictures`.

Every number in them comes from a run that is made here; nothing is drawn by hand but
the boxes of `loop.svg`.
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from meta_solvers import get, nash, solve
from metaspiel.games import sequence_form
from metaspiel.nfg import Game, expected, named, product
from psro import ExactEvaluator, ExactOracle, Setup, State, run, start

HOME = Path(__file__).parent
INK, BLUE, ORANGE, GREEN, GREY = "#222222", "#0072b2", "#d55e00", "#009e73", "#777777"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "metaspiel",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
}


def played(game: str, solver: str, iterations: int, seed: int = 0) -> list[State]:
    """All states of an exact run under the concept of its meta-solver."""
    form = sequence_form(game)
    made = get(solver)
    setup = Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=made,
        concept="cce" if made.concept in ("cce", "ce") else "ne",
        seed=seed,
    )
    first = start(setup)
    return [first, *run(setup, first, iterations=iterations)]


def gap(state: State) -> float:
    """The measured full-game gap of what is responded to, over all players."""
    return next(float(gain.sum()) for gain in state.gaps.values() if gain is not None)


def psro() -> Figure:
    """A table that grows, and what it is for: the gap falls."""
    figure = Figure(figsize=(9.4, 2.5))
    widths = [1, 1, 1, 1.7]
    grid = figure.add_gridspec(1, 4, width_ratios=widths, wspace=0.3)
    states = played("leduc_poker", "nash", 24)
    for place, number in enumerate((2, 8, 24)):
        state = states[number]
        axes = figure.add_subplot(grid[place])
        axes.imshow(state.table.values[0, 0], cmap="PuOr", vmin=-4, vmax=4)
        rows, columns = state.population.sizes
        axes.set_title(f"iteration {number}: {rows} x {columns}")
        axes.set_xticks([])
        axes.set_yticks([])
        if not place:
            axes.set_ylabel("policies of player 0")
            axes.set_xlabel("policies of player 1")
    axes = figure.add_subplot(grid[3])
    colours = {"uniform": GREY, "prd": ORANGE, "nash": BLUE, "mgcce": GREEN}
    for solver, colour in colours.items():
        runs = [played("leduc_poker", solver, 40, seed) for seed in range(5)]
        gaps = np.array([[gap(state) for state in states] for states in runs])
        steps = np.arange(gaps.shape[1])
        axes.fill_between(
            steps, gaps.min(0), gaps.max(0), color=colour, alpha=0.15, lw=0
        )
        axes.plot(steps, gaps.mean(0), color=colour, label=solver)
    axes.set_ylim(0, None)
    axes.set_xlabel("iteration")
    axes.set_title("what best responses still gain")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    return figure


def _box(axes: Axes, at: tuple[float, float], text: str, colour: str = BLUE) -> None:
    x, y = at
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.95, y - 0.36),
            1.9,
            0.72,
            boxstyle="round,pad=0.05",
            fc="white",
            ec=colour,
            lw=1.4,
        )
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=9, color=INK)


def loop() -> Figure:
    """One iteration: populations, table, meta-strategy, responses, and round again."""
    figure = Figure(figsize=(7.6, 2.5))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 11.4)
    axes.set_ylim(0, 3.4)
    axes.axis("off")
    boxes = {
        "policies\nof each player": 1.3,
        "table of payoffs\n(the meta-game)": 4.2,
        "meta-strategy\nover the policies": 7.1,
        "best responses\nof the whole game": 10.0,
    }
    for text, x in boxes.items():
        _box(axes, (x, 2.4), text)
    spots = list(boxes.values())
    for one, two, by in zip(
        spots, spots[1:], ("evaluator", "meta-solver", "oracle"), strict=False
    ):
        axes.add_patch(
            FancyArrowPatch(
                (one + 1.0, 2.4), (two - 1.0, 2.4), arrowstyle="-|>", mutation_scale=12
            )
        )
        axes.text((one + two) / 2, 2.95, by, ha="center", fontsize=8.5, color=ORANGE)
    axes.add_patch(
        FancyArrowPatch(
            (10.0, 1.95),
            (1.3, 1.95),
            connectionstyle="arc3,rad=-0.22",
            arrowstyle="-|>",
            mutation_scale=12,
        )
    )
    axes.text(
        5.65,
        0.42,
        "new policies join; what they gain is the gap. Gap 0: an equilibrium.",
        ha="center",
        fontsize=9,
        color=INK,
    )
    return figure


def joint() -> Figure:
    """The game of chicken: a product of marginals beside joints that are none."""
    game = named("chicken").game
    shown = [
        ("nash:method=support", "a Nash equilibrium\n(independent)"),
        ("mgcce", "maximum-Gini CCE\n(mgcce)"),
        ("mwce", "maximum-welfare CE\n(mwce)"),
    ]
    figure = Figure(figsize=(7.2, 2.5))
    for number, (spec, title) in enumerate(shown, start=1):
        solution = solve(spec, game, rng=0)
        axes = figure.add_subplot(1, 3, number)
        axes.imshow(solution.joint, cmap="Blues", vmin=0, vmax=1.5)
        for (row, column), mass in np.ndenumerate(solution.joint):
            axes.text(column, row, f"{mass:.2f}", ha="center", va="center", color=INK)
        total = solution.values.sum()
        axes.set_title(f"{title}\nwelfare {total:.2f}")
        axes.set_xticks([0, 1], ["swerve", "dare"])
        axes.set_yticks([0, 1], ["swerve", "dare"] if number == 1 else ["", ""])
        for side in axes.spines.values():
            side.set_visible(False)
    figure.subplots_adjust(top=0.72, wspace=0.25)
    return figure


def _gains(payoffs: np.ndarray, concept: str) -> np.ndarray:
    """Rows of the deviations of a two-player game: gain of each joint action."""
    rows = []
    for player in (0, 1):
        own = np.moveaxis(payoffs[player], player, 0)
        for deviation in range(len(own)):
            gain = own[deviation] - own  # [own action, other's]
            each = range(len(own)) if concept == "ce" else [slice(None)]
            for which in each:
                row = np.zeros_like(gain)
                row[which] = gain[which]
                rows.append(np.moveaxis(row, 0, player).ravel())
    return np.array(rows)


def _region(payoffs: np.ndarray, concept: str) -> np.ndarray:
    """Corners of the set of payoff pairs that a CE or CCE can give."""
    flat, gains = payoffs.reshape(2, -1), _gains(payoffs, concept)
    corners = []
    for angle in np.linspace(0, 2 * np.pi, 181):
        direction = np.cos(angle) * flat[0] + np.sin(angle) * flat[1]
        best = linprog(
            -direction,
            A_ub=gains,
            b_ub=np.zeros(len(gains)),
            A_eq=np.ones((1, flat.shape[1])),
            b_eq=[1],
        )
        corners.append(flat @ best.x)
    points = np.unique(np.round(corners, 9), axis=0)
    return points[ConvexHull(points).vertices]


def equilibria() -> Figure:
    """Payoffs of a 3 x 3 game: Nash equilibria within the CE within the CCE."""
    game = Game(np.random.default_rng(4).integers(0, 8, size=(2, 3, 3)).astype(float))
    figure = Figure(figsize=(5.6, 3.6))
    axes = figure.add_subplot()
    axes.plot(*game.payoffs.reshape(2, -1), "s", color=GREY, ms=4, label="outcomes")
    for concept, colour in (("cce", GREEN), ("ce", BLUE)):
        corners = _region(game.payoffs, concept)
        axes.fill(*corners.T, color=colour, alpha=0.2, lw=0, label=concept.upper())
    profiles = nash.listing(game, nash.MOST_ENTRIES).profiles
    values = [expected(game, product(one)) for one in profiles]
    axes.plot(*np.transpose(values), "o", color=ORANGE, ms=7, label="Nash equilibria")
    for spec, marker in (("mgcce", "^"), ("mgce", "v"), ("mwcce", "*")):
        values = solve(spec, game, rng=0).values
        axes.plot(*values, marker, color=INK, ms=6, ls="", label=f"{spec} selects")
    axes.set_xlabel("payoff of player 0")
    axes.set_ylabel("payoff of player 1")
    axes.legend(frameon=False, fontsize=8, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def gain() -> Figure:
    """The gap of a run, player by player, beside what it is inside the table."""
    states = played("kuhn_poker(players=3)", "mgcce", 14)
    gains = np.array([state.gaps["cce"] for state in states])
    inside = np.array([state.train.gaps.cce.sum() for state in states])
    figure = Figure(figsize=(5.6, 2.6))
    axes = figure.add_subplot()
    below = np.zeros(len(states))
    for player, colour in enumerate((BLUE, ORANGE, GREEN)):
        axes.bar(range(len(states)), gains[:, player], bottom=below, color=colour,
                 label=f"gain of player {player}")  # fmt: skip
        below += gains[:, player]
    axes.plot(inside, "x-", color=INK, lw=1, ms=4, label="gap inside the table")
    axes.set_xlabel("iteration")
    axes.set_ylabel("gap")
    axes.legend(frameon=False, fontsize=8)
    return figure


def choices() -> Figure:
    """One table of payoffs, six meta-solvers, six meta-strategies."""
    state = played("kuhn_poker(players=3)", "mgcce", 7)[-1]
    game = state.table.game(state.population, repeats=False)
    specs = ("uniform", "last", "prd", "nash", "mgcce", "alpharank")
    figure = Figure(figsize=(7.6, 1.9))
    for number, spec in enumerate(specs, start=1):
        own = solve(spec, game, rng=0, throw=False).marginals[0]
        axes = figure.add_subplot(1, len(specs), number)
        axes.bar(range(len(own)), own, color=BLUE)
        axes.set_ylim(0, 1)
        axes.set_title(spec)
        axes.set_xticks([0, len(own) - 1], ["old", "new"], fontsize=8)
        if number > 1:
            axes.set_yticks([])
    return figure


PICTURES: tuple[Callable[[], Figure], ...] = (
    psro,
    loop,
    joint,
    equilibria,
    gain,
    choices,
)


def save(figure: Figure, place: Path) -> None:
    """Writes a figure; the same figure gives the same bytes."""
    figure.set_facecolor("white")
    figure.savefig(place, bbox_inches="tight", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    mpl.use("agg")
    mpl.rcParams.update(STYLE)
    for picture in PICTURES:
        save(picture(), HOME / f"{picture.__name__}.svg")
