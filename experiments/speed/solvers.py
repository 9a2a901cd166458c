"""Every meta-solver on every family of random games: gap, success and time.

Example: metaspiel speed_solvers --quick

A cell is one solver on the same seeded games of one family and size. Success is the
status OK, which the measured gap must support; gaps are of the solver's own concept,
relative to the payoff range (heuristics promise none, and none is shown).

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.lab.folder import claim, read_result, record, write_result
from experiments.lab.options import Flat, Resumable, shape
from experiments.lab.page import Answer, main
from metaspiel import files
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from meta_solvers import Game, MetaSolver

SIZES = ("4x4", "10x10", "4x4x4")
# OpenSpiel's own, which take seconds a game; name them with --solvers.
LEFT_OUT = ("openspiel_jpsro", "openspiel_psro_v2")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    solvers: tuple[str, ...] = ()
    """Solvers, as names or specs (default: every name that wraps nothing)."""
    families: tuple[str, ...] = ()
    """Families of games (default: all)."""
    sizes: tuple[str, ...] = SIZES
    """Action counts, as 4x4 or 3x3x3."""
    games: int = 10
    """Games of each cell."""
    seed: int = 0
    """Seed of the games and of stochastic solvers."""
    quick: bool = False
    """Two games a cell."""
    run: Flat[Resumable] = Resumable()


def chosen(config: Config) -> tuple[list[str], list[str]]:
    """Specs and families, checked before anything runs."""
    from meta_solvers import get, names
    from meta_solvers.registry import solver_class, takes_solvers
    from metaspiel.nfg.sample import families

    specs = list(config.solvers)
    if not specs:
        plain = [n for n in names() if n not in LEFT_OUT]
        specs = [n for n in plain if not takes_solvers(solver_class(n))]
    for spec in specs:
        get(spec)
    for family in config.families:
        if family not in families():
            raise unknown("--families", "family", family, families())
    if config.games < 1:
        raise UserError(f"--games must be at least 1; got {config.games}")
    if config.seed < 0:
        raise UserError(f"--seed must be at least 0; got {config.seed}")
    return specs, list(config.families) or families()


def run(config: Config) -> list[dict[str, Any]]:
    """Runs what is missing; returns all cells."""
    from meta_solvers import get

    specs, families = chosen(config)
    sizes = {text: shape(text) for text in config.sizes}
    with claim(config.run, "speed_solvers") as folder:
        record(folder, config)
        (folder / "cells").mkdir(exist_ok=True)
        pairs = [(family, text) for text in sizes for family in families]
        cells = []
        for number, spec in enumerate(specs):
            place = folder / "cells" / f"{number:02d}.json"
            if place.exists():
                cells += read_result(place, config)
            else:
                solver = get(spec)
                made = [
                    cell(
                        spec,
                        solver,
                        family,
                        text=text,
                        actions=sizes[text],
                        config=config,
                    )
                    for family, text in pairs
                    if _possible(family, sizes[text])
                ]
                write_result(place, made, config)
                cells += made
            if not config.run.silent:
                done = [c for c in cells if c["solver"] == spec]
                print(f"{number + 1:3d}/{len(specs)}  {_line(summary(spec, done))}")
        _write(folder, cells, specs)
        return cells


def _possible(family: str, actions: tuple[int, ...]) -> bool:
    from metaspiel.nfg.sample import FAMILIES, player_range

    low, high = player_range(family)
    square = not FAMILIES[family].square or len(set(actions)) == 1
    return low <= len(actions) <= high and square


def games(
    family: str, text: str, actions: tuple[int, ...], config: Config
) -> "list[Game]":
    """The games of a cell: the same for every solver."""
    import numpy as np

    from metaspiel.nfg.sample import sample

    name = zlib.crc32(f"{family} {text}".encode())
    rng = np.random.default_rng([config.seed, name])
    return [
        sample(family, actions, rng) for _ in range(2 if config.quick else config.games)
    ]


def cell(
    spec: str,
    solver: "MetaSolver",
    family: str,
    text: str,
    actions: tuple[int, ...],
    config: Config,
) -> dict[str, Any]:
    """One solver on the games of one family and size."""
    import numpy as np

    from meta_solvers import solve
    from meta_solvers.base import check

    gaps, seconds, statuses = [], [], []
    for game in games(family, text, actions, config):
        try:
            check(solver, game)
        except UserError:
            continue
        solution = solve(solver, game, config.seed, throw=False)
        relative = solution.gaps.of(solver.concept) / game.scale
        gaps.append(float(np.max(relative)))
        seconds.append(solution.seconds)
        statuses.append(solution.status.name)
    return {
        "solver": spec,
        "concept": solver.concept,
        "family": family,
        "size": text,
        "gaps": gaps,
        "seconds": seconds,
        "statuses": statuses,
    }


def summary(spec: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of the table: a solver over all its cells."""
    import numpy as np

    statuses = [s for c in cells for s in c["statuses"]]
    gaps = [g for c in cells for g in c["gaps"] if g is not None]
    promised = bool(cells) and cells[0]["concept"] != "none" and bool(gaps)
    row: dict[str, Any] = {
        "solver": spec,
        "concept": cells[0]["concept"] if cells else "none",
        "games": len(statuses),
        "ok": statuses.count("OK") / len(statuses) if statuses else None,
        "other": sorted(set(statuses) - {"OK"}),
        "median_gap": float(np.median(gaps)) if promised else None,
        "worst_gap": float(np.max(gaps)) if promised else None,
    }
    for text in dict.fromkeys(c["size"] for c in cells):
        times = [t for c in cells if c["size"] == text for t in c["seconds"]]
        row[text] = 1e3 * float(np.median(times)) if times else None
    return row


def _line(row: dict[str, Any]) -> str:
    ok = "-" if row["ok"] is None else f"{100 * row['ok']:.1f} %"
    return f"{row['solver']:<18} {row['games']:4d} games  OK {ok}"


def rows(cells: list[dict[str, Any]], specs: list[str]) -> list[dict[str, Any]]:
    """All rows of the table, in the order of the specs."""
    return [summary(s, [c for c in cells if c["solver"] == s]) for s in specs]


def markdown(rows: list[dict[str, Any]], sizes: list[str]) -> str:
    """The README's table in Markdown."""
    from experiments.lab import report

    head = ["solver", "concept", "games", "OK", "otherwise", "median gap", "worst gap"]
    head += [f"ms {text}" for text in sizes]
    lines = []
    for row in rows:
        cells = [f"`{row['solver']}`", row["concept"], str(row["games"])]
        cells.append("-" if row["ok"] is None else f"{100 * row['ok']:.1f} %")
        cells.append(", ".join(row["other"]) or "-")
        for key in ("median_gap", "worst_gap"):
            cells.append("-" if row[key] is None else f"{row[key]:.1g}")
        for text in sizes:
            value = row.get(text)
            cells.append("-" if value is None else f"{value:.3g}")
        lines.append(cells)
    return report.markdown(head, lines)


def _write(folder: Path, cells: list[dict[str, Any]], specs: list[str]) -> None:
    from experiments.lab import report

    table = rows(cells, specs)
    sizes = list(dict.fromkeys(c["size"] for c in cells))
    files.write_json(folder / "cells.json", cells)
    files.write_text(folder / "table.md", markdown(table, sizes))
    columns = list(table[0]) if table else []
    report.render(
        folder / "report.html",
        "Meta-solvers on families of random games",
        [
            "OK is the share of games with status OK. Gaps are of the solver's own "
            "concept, over the payoff range; times are CPU milliseconds."
        ],
        [report.Table("Solvers", columns, [list(row.values()) for row in table])],
        [],
    )


def page(config: Config) -> Answer:
    """Runs and prints the table."""
    specs, _ = chosen(config)
    cells = run(config)
    sizes = list(dict.fromkeys(c["size"] for c in cells))
    text = markdown(rows(cells, specs), sizes).rstrip("\n")
    return Answer(summary=rows(cells, specs), text=text)


if __name__ == "__main__":
    sys.exit(main(page, Config))
