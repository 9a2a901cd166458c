"""Solvers of the maximum-entropy CCE or CE: accuracy against CPU time a game.

Example: metaspiel speed_equilibria --quick

The games are L2-invariant; all solvers get the same ones, a solver of many at once more
of them. A cell is one solver on one size. The gap is measured on the answer (sum over
players of the largest gain; for CE, over recommendations too); a game is solved when it
is at most 1e-6 and the solver calls its answer optimal. Distance is the total variation
to our interior point (tolerance 1e-10), which cannot judge itself: see the rows of the
conic solvers. Their time includes stating the problem to cvxpy. One call a cell, before
the others, is not timed.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments.lab.folder import claim, read_result, record, write_result
from experiments.lab.options import Flat, Resumable, shape
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy import ndarray

    from experiments.speed.references import Games, Reference

SIZES = (
    "4x4", "8x8", "16x16", "32x32", "64x64", "128x128", "4x4x4", "8x8x8", "16x16x16",
)  # fmt: skip
# At 64x64 there are 8064 CE constraints, and Clarabel takes 45 s a game.
CE_SIZES = ("4x4", "8x8", "16x16", "32x32", "4x4x4", "8x8x8", "16x16x16")
QUICK = ("4x4", "8x8", "4x4x4")
FLOOR = 1e-12  # a gap below this is drawn here
BASE = "clarabel"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    solvers: tuple[str, ...] = ()
    """Solvers to time (default: all)."""
    sizes: tuple[str, ...] = ()
    """Action counts, as 4x4 or 3x3x3 (default: 4x4 to 128x128 and 4x4x4 to 16x16x16,
    for CE to 32x32)."""
    concept: Literal["cce", "ce"] = "cce"
    """Equilibrium concept that is solved for."""
    games: int = 32
    """Games a cell for a solver of one game at a time."""
    seconds: float = 30.0
    """CPU seconds after which such a cell ends with the games it has."""
    batch: int = 512
    """Games a cell for a solver of many at once; fewer where they are large."""
    seed: int = 0
    """Seed of the games."""
    quick: bool = False
    """Small sizes unless --sizes names others, 4 games a cell and batches of 32."""
    run: Flat[Resumable] = Resumable()


def chosen(config: Config) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """Solvers and sizes, checked before anything runs."""
    from experiments.speed.references import SOLVERS

    for name in config.solvers:
        if name not in SOLVERS:
            raise unknown("--solvers", "solver", name, SOLVERS)
    usual: tuple[str, ...] = SIZES if config.concept == "cce" else CE_SIZES
    usual = QUICK if config.quick else usual
    sizes = {text: shape(text) for text in config.sizes or usual}
    for text, actions in sizes.items():
        if len(actions) < 2 or min(actions) < 2:
            raise UserError(
                "--sizes: a game must have at least two players with at least two "
                f"actions each; got '{text}'"
            )
    for name, low in (("games", 1), ("batch", 1), ("seed", 0)):
        if (value := getattr(config, name)) < low:
            raise UserError(f"--{name} must be at least {low}; got {value}")
    if not config.seconds > 0:
        raise UserError(f"--seconds must be positive; got {config.seconds}")
    return list(dict.fromkeys(config.solvers or SOLVERS)), sizes


def run(config: Config) -> list[dict[str, Any]]:
    """Runs what is missing; returns all cells."""
    from experiments.speed.references import SOLVERS, Games

    solvers, sizes = chosen(config)
    single = min(4, config.games) if config.quick else config.games
    batch = min(32, config.batch) if config.quick else config.batch
    with claim(config.run, "speed_equilibria") as folder:
        record(folder, config)
        (folder / "cells").mkdir(exist_ok=True)
        cells = []
        for text, actions in sizes.items():
            games: Games | None = None
            for name in solvers:
                place = folder / "cells" / f"{text}-{name}.json"
                if place.exists():
                    cells.append(read_result(place, config))
                else:
                    games = games or Games.draw(
                        actions, config.concept, single, batch, config.seed
                    )
                    measured = {"solver": name, "size": text}
                    measured |= cell(SOLVERS[name], games, config)
                    cells.append(files.spelled(measured))
                    if "absent" not in measured:  # what is missing now may come
                        write_result(place, cells[-1], config)
                if not config.run.silent:
                    print(_line(summary(cells[-1], cells)), flush=True)
        _write(folder, cells, config)
        return cells


def cell(solver: "Reference", games: "Games", config: Config) -> dict[str, Any]:
    """One solver on the games of one size: measures of each game, seconds of all."""
    import numpy as np

    from metaspiel.nfg.game import Game
    from metaspiel.nfg.gaps import measure

    width = games.batch if solver.batched else 1
    payoffs = games.payoffs[: games.batch if solver.batched else games.single]
    try:
        joints, optimal, seconds = timed(solver, payoffs, width, config)
    except ModuleNotFoundError as error:
        return {"absent": f"{error.name} is not installed"}
    except UserError as error:
        return {"absent": str(error)}
    gaps, distances = [], []
    for game, joint, best in zip(payoffs, joints, games.exact, strict=False):
        gap = np.nan
        if np.all(np.isfinite(joint)):
            gap = measure(Game(game), joint).of(config.concept).sum()
        gaps.append(float(gap))
        distances.append(float(np.abs(joint - best).sum() / 2))
    return {
        "gaps": gaps,
        "distances": distances,
        "optimal": [bool(ok) for ok in optimal],
        "seconds": seconds,
    }


def timed(
    solver: "Reference", payoffs: "ndarray", width: int, config: Config
) -> tuple["ndarray", "ndarray", float]:
    """Answers to ``width`` games a call until time is up, and CPU seconds of all."""
    import numpy as np

    def call(start: int) -> tuple["ndarray", "ndarray", float]:
        begin = time.process_time()
        answer = solver.solve(payoffs[start : start + width], config.concept)
        return *answer, time.process_time() - begin

    first = call(0)
    if first[2] >= config.seconds:
        return first  # beside this long, a warm-up is nothing
    answers, spent = [], 0.0
    for start in range(0, len(payoffs), width):
        answers.append(call(start))
        spent += answers[-1][2]
        if spent >= config.seconds:
            break
    joints, optimal, _ = zip(*answers, strict=True)
    return np.concatenate(joints), np.concatenate(optimal), spent


def summary(cell: dict[str, Any], cells: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table; ``cells`` is where to look for Clarabel's time."""
    import numpy as np

    from experiments.speed.references import SOLVED

    def over(name: str, reduce: Any) -> float | None:
        values = [value for value in cell.get(name, ()) if value is not None]
        return float(reduce(values)) if values else None

    games = len(cell.get("gaps", ()))
    row: dict[str, Any] = {
        "solver": cell["solver"],
        "size": cell["size"],
        "games": games,
        "solved": None,
        "mean_gap": over("gaps", np.mean),
        "max_gap": over("gaps", np.max),
        "mean_distance": over("distances", np.mean),
        "ms": None,
        "speed_up": None,
        "note": cell.get("absent", ""),
    }
    if games:
        pairs = zip(cell["gaps"], cell["optimal"], strict=True)
        small = [ok for gap, ok in pairs if gap is not None and gap <= SOLVED]
        row["solved"] = sum(small) / games
        row["ms"] = _milliseconds(cell)
        notes = {
            "within the gap but not called optimal": small.count(False),
            "without an answer": cell["gaps"].count(None),
        }
        row["note"] = ", ".join(f"{n} {text}" for text, n in notes.items() if n)
    for base in cells:
        same = (base["solver"], base["size"]) == (BASE, cell["size"])
        if same and games and "gaps" in base:
            row["speed_up"] = _milliseconds(base) / row["ms"]
    return row


def _milliseconds(cell: dict[str, Any]) -> float:
    return 1e3 * float(cell["seconds"]) / len(cell["gaps"])


def _line(row: dict[str, Any]) -> str:
    text = f"{row['size']:<9} {row['solver']:<15}"
    if row["games"] == 0:
        return f"{text} {row['note']}"
    solved = f"{row['games']:4d} games  {100 * row['solved']:5.1f} % solved"
    return f"{text} {solved}  {row['ms']:.3g} ms"


def markdown(rows: list[dict[str, Any]]) -> str:
    """The README's table in Markdown."""
    from experiments.lab import report

    head = ["size", "solver", "games", "solved", "mean gap", "max gap"]
    head += ["mean TV", "CPU ms", f"over {BASE}", "note"]
    lines = []

    def show(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}g}"

    for row in rows:
        cells = [row["size"], f"`{row['solver']}`", str(row["games"])]
        cells.append("-" if row["solved"] is None else f"{100 * row['solved']:.1f} %")
        keys = ("mean_gap", "max_gap", "mean_distance")
        cells += [show(row[key], 2) for key in keys]
        cells += [show(row[key], 3) for key in ("ms", "speed_up")]
        lines.append([*cells, row["note"] or "-"])
    return report.markdown(head, lines)


def figure(rows: list[dict[str, Any]], concept: str) -> "Figure":
    """Mean gap against time, one panel a size."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    shown = [row for row in rows if row["mean_gap"] is not None]
    sizes = list(dict.fromkeys(row["size"] for row in shown))
    solvers = list(dict.fromkeys(row["solver"] for row in shown))
    across = min(3, max(1, len(sizes)))
    down = max(1, -(-len(sizes) // across))
    drawn = Figure(figsize=(3.2 * across, 2.6 * down + 0.6))
    panels = drawn.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(sizes) :]:
        axes.set_visible(False)
    marks: dict[str, Any] = {}
    for axes, size in zip(panels.flat, sizes, strict=False):
        for row in (row for row in shown if row["size"] == size):
            solver, gap = row["solver"], max(row["mean_gap"], FLOOR)
            color = f"C{solvers.index(solver)}"
            (marks[solver],) = axes.loglog(
                row["ms"], gap, "o", color=color, alpha=0.7, label=solver
            )
        axes.set_title(size, fontsize=9)
        axes.grid(alpha=0.3)
        axes.xaxis.set_minor_formatter(NullFormatter())
    drawn.supxlabel("CPU milliseconds a game", fontsize=9)
    drawn.supylabel(f"mean {concept.upper()} gap", fontsize=9)
    drawn.legend(
        handles=list(marks.values()), loc="outside upper center", ncols=4, fontsize=8
    )
    drawn.set_layout_engine("constrained")
    return drawn


def _write(folder: Path, cells: list[dict[str, Any]], config: Config) -> None:
    from experiments.lab import charts, report

    rows = [summary(cell, cells) for cell in cells]
    files.write_json(folder / "cells.json", cells)
    files.write_text(folder / "table.md", markdown(rows))
    concept = config.concept.upper()
    table = report.Table("Solvers", list(rows[0]), [list(r.values()) for r in rows])
    plot = charts.figure(
        figure(rows, config.concept),
        "Accuracy against time",
        f"Lower left is better. Mean gaps below {FLOOR:g} are drawn there.",
        folder / "plots" / "speed.png",
    )
    report.render(
        folder / "report.html",
        f"Maximum-entropy {concept} of L2-invariant games",
        [
            "Solved is the share of games with a measured gap of at most 1e-6 that the "
            "solver calls optimal. Distance is the total variation to our interior "
            "point, which cannot judge itself. Times are CPU milliseconds a game of "
            f"one thread, and how many times less that is than {BASE}'s."
        ],
        [table],
        [plot],
    )


def page(config: Config) -> Answer:
    """Runs and prints the table."""
    cells = run(config)
    rows = [summary(cell, cells) for cell in cells]
    return Answer(summary=rows, text=markdown(rows).rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main(page, Config))
