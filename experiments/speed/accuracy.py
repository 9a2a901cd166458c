"""Accuracy of the solvers against their time, cell by cell."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from numpy import ndarray

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.marks import Axis, Chart, Panel, Picture, Series
from experiments.lab.options import least, shape
from experiments.lab.page import Answer
from experiments.speed import references
from experiments.speed.equilibria_config import Config
from experiments.speed.measuring import answer, timed
from experiments.speed.references import SOLVED, Games, Reference
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure

SIZES = (
    "4x4", "8x8", "16x16", "32x32", "64x64", "128x128", "4x4x4", "8x8x8", "16x16x16",
)  # fmt: skip
# At 64x64 there are 8064 CE constraints, and Clarabel takes 45 s a game.
CE_SIZES = ("4x4", "8x8", "16x16", "32x32", "4x4x4", "8x8x8", "16x16x16")
QUICK = ("4x4", "8x8", "4x4x4")
BASE = "clarabel"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One solver on the games of one size: of each game, None without an answer.

    The seconds are of CPU, for all games. ``absent`` says why there are none.
    """

    solver: str
    size: str
    gaps: Sequence[float | None] = ()
    distances: Sequence[float | None] = ()
    optimal: Sequence[bool] = ()
    seconds: float = 0.0
    absent: str = ""

    @property
    def ms(self) -> float | None:
        """CPU milliseconds a game."""
        return 1e3 * self.seconds / len(self.gaps) if self.gaps else None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; None where there is nothing to tell."""

    solver: str
    size: str
    games: int
    solved: float | None
    mean_gap: float | None
    max_gap: float | None
    mean_distance: float | None
    ms: float | None
    speed_up: float | None
    note: str


def chosen(config: Config) -> tuple[Sequence[str], Sequence[str]]:
    """Solvers and sizes, checked before anything runs."""
    for name in config.solvers:
        if name not in references.SOLVERS:
            raise unknown("--solvers", "solver", name, references.SOLVERS)
    usual = QUICK if config.quick else SIZES if config.concept == "cce" else CE_SIZES
    for text in config.sizes or usual:
        if len(shape(text)) < 2 or min(shape(text)) < 2:
            raise UserError(
                "--sizes: a game must have at least two players with at least two "
                f"actions each; got '{text}'"
            )
    least(config, games=1, batch=1, seed=0)
    if not config.seconds > 0:
        raise UserError(f"--seconds must be positive; got {config.seconds}")
    solvers = tuple(dict.fromkeys(config.solvers or references.SOLVERS))
    return solvers, config.sizes or usual


def run(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    solvers, sizes = chosen(config)
    torch.set_num_threads(1)  # CPU time adds up over threads
    with claim(config.run, "speed_equilibria") as folder:
        record(folder, config)
        pairs = {f"{size}-{name}": (size, name) for size in sizes for name in solvers}
        works = {key: partial(measured, *pair, config) for key, pair in pairs.items()}
        results, faults = fill(works, folder, config)
        absent = {fault.name: fault.fault for fault in faults if fault.user}
        cells = [
            Cell(**results[key])
            if key in results
            else Cell(solver=name, size=size, absent=absent.get(key) or "failed")
            for key, (size, name) in pairs.items()
        ]
        rows = summaries(cells)
        concept = config.concept.upper()
        plot = Picture(
            name="speed",
            title="Accuracy against time",
            caption="Lower left is better.",
            chart=plotted(rows, f"mean {concept} gap"),
        )
        return answer(
            folder,
            f"Maximum-entropy {concept} of L2-invariant games",
            [
                "solved: games with a gap of at most 1e-6 that are called optimal",
                "distance: total variation to our interior point, which cannot judge "
                "itself",
                f"ms: CPU milliseconds a game; speed up: {BASE}'s over it",
            ],
            [asdict(row) for row in rows],
            said=[outcome(rows)],
            faults=[fault for fault in faults if not fault.user],
            figures=[plot],
            cells=[asdict(cell) for cell in cells],
        )


@lru_cache(maxsize=1)
def drawn(size: str, config: Config) -> Games:
    """The games of a size, the same for all solvers."""
    return Games.draw(
        shape(size),
        config.concept,
        single=min(4, config.games) if config.quick else config.games,
        batch=min(32, config.batch) if config.quick else config.batch,
        seed=config.seed,
    )


def measured(size: str, name: str, config: Config) -> Cell:
    """Runs one solver on the games of one size.

    Raises:
      UserError: the solver cannot be run here.
    """
    games = drawn(size, config)
    try:
        joints, optimal, seconds = answers(references.SOLVERS[name], games, config)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed") from error
    gaps = [
        float(measure(Game(payoffs), joint).of(config.concept).sum())
        if np.isfinite(joint).all()
        else None
        for payoffs, joint in zip(games.payoffs, joints, strict=False)
    ]
    exact = games.exact[: len(joints)].reshape(len(joints), -1)
    apart = np.abs(joints.reshape(len(joints), -1) - exact).sum(axis=1) / 2
    return Cell(
        solver=name,
        size=size,
        gaps=gaps,
        distances=apart.tolist(),
        optimal=optimal.tolist(),
        seconds=seconds,
    )


def answers(
    solver: Reference, games: Games, config: Config
) -> tuple[ndarray, ndarray, float]:
    """Joints and whether they are called optimal, until time is up; CPU seconds."""
    width = games.batch if solver.batched else 1
    payoffs = games.payoffs[: games.batch if solver.batched else games.single]
    spent, answered = timed(lambda: solver.solve(payoffs[:width], config.concept))
    if spent >= config.seconds:
        return *answered, spent  # beside this long, a warm-up is nothing
    made, spent = [], 0.0
    for start in range(0, len(payoffs), width):
        part = payoffs[start : start + width]
        seconds, answered = timed(partial(solver.solve, part, config.concept))
        made.append(answered)
        spent += seconds
        if spent >= config.seconds:
            break
    joints, optimal = zip(*made, strict=True)
    return np.concatenate(joints), np.concatenate(optimal), spent


def plotted(rows: Sequence[Row], label: str) -> Chart:
    """Gaps over time on logarithmic axes, a panel a size and a colour a solver."""
    shown = [row for row in rows if row.mean_gap is not None and row.ms is not None]
    x, y = Axis(label="CPU ms a game", scale="log"), Axis(label=label, scale="log")
    panels = [
        Panel(
            title=size,
            x=x,
            y=y,
            series=[
                Series(name=row.solver, x=[row.ms], y=[row.mean_gap], mark="points")
                for row in shown
                if row.size == size
            ],
        )
        for size in dict.fromkeys(row.size for row in shown)
    ]
    return Chart(panels=panels or [Panel(x=x, y=y)], same="xy")


def outcome(rows: Sequence[Row]) -> str:
    """Who solved all games of a size soonest."""
    said = []
    for size in dict.fromkeys(row.size for row in rows):
        able = [row for row in rows if row.size == size and row.solved == 1 and row.ms]
        best = min(able, key=lambda row: row.ms or 0.0, default=None)
        who = "none" if best is None else f"{best.solver}, {best.ms:.3g} ms a game"
        said.append(f"{size}: {who}")
    return f"Soonest of those that solved all games, by size: {'; '.join(said)}."


def summaries(cells: Sequence[Cell]) -> list[Row]:
    """The rows of the table."""
    base = {cell.size: cell.ms for cell in cells if cell.solver == BASE}
    return [summary(cell, base.get(cell.size)) for cell in cells]


def summary(cell: Cell, base: float | None) -> Row:
    """A cell in one row, beside Clarabel's time on the same games."""
    games = len(cell.gaps)
    gaps = [gap for gap in cell.gaps if gap is not None]
    distances = [apart for apart in cell.distances if apart is not None]
    pairs = zip(cell.gaps, cell.optimal, strict=True)
    small = [ok for gap, ok in pairs if gap is not None and gap <= SOLVED]
    notes = {
        "within the gap but not called optimal": small.count(False),
        "without an answer": games - len(gaps),
    }
    note = ", ".join(f"{n} {text}" for text, n in notes.items() if n)
    return Row(
        solver=cell.solver,
        size=cell.size,
        games=games,
        solved=sum(small) / games if games else None,
        mean_gap=float(np.mean(gaps)) if gaps else None,
        max_gap=max(gaps, default=None),
        mean_distance=float(np.mean(distances)) if distances else None,
        ms=cell.ms,
        speed_up=base / cell.ms if base and cell.ms else None,
        note=cell.absent or note,
    )
