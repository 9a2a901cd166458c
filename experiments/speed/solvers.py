"""Every meta-solver on every family of random games: gap, success and time.

Example: metaspiel speed_solvers --quick

A cell is one solver on the same seeded games of one family and size. Success is the
status OK, which the measured gap must support; gaps are of the solver's own concept,
relative to the payoff range (heuristics promise none, and none is shown).

Writes cells.json, table.md and report.html, and a file a solver that --resume does not
run again.
"""

import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, least, shape
from experiments.lab.page import Answer, main
from experiments.lab.trust import SolverSpec
from experiments.speed.measuring import answer
from meta_solvers import get, names, solve
from meta_solvers.base import MetaSolver, check
from meta_solvers.registry import solver_class, takes_solvers
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.sample import families, fits, sample

SIZES = ("4x4", "10x10", "4x4x4")
# OpenSpiel's own, which take seconds a game; name them with --solvers.
LEFT_OUT = ("openspiel_jpsro", "openspiel_psro_v2")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    solvers: tuple[SolverSpec, ...] = ()
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


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One solver on the games of one family and size: what came of each game.

    Gaps are the largest of the players over the payoff range; None where it is NaN.
    """

    solver: str
    concept: str
    family: str
    size: str
    gaps: Sequence[float | None]
    seconds: Sequence[float]
    statuses: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One solver over all its cells; None where there is nothing to tell."""

    solver: str
    concept: str
    games: int
    ok: float | None
    other: Sequence[str]
    median_gap: float | None
    worst_gap: float | None
    milliseconds: Mapping[str, float | None]

    @property
    def record(self) -> dict[str, Any]:
        """The row as JSON has it, with a field for each size."""
        fields = asdict(self)
        return fields | fields.pop("milliseconds")


def chosen(config: Config) -> tuple[Sequence[str], list[tuple[str, str]]]:
    """Solvers, and families with the sizes that they have, checked before any runs."""
    least(config, games=1, seed=0)
    plain = [name for name in names() if name not in LEFT_OUT]
    specs = config.solvers or [n for n in plain if not takes_solvers(solver_class(n))]
    for spec in specs:
        get(spec)
    for family in config.families:
        if family not in families():
            raise unknown("--families", "family", family, families())
    pairs = product(config.sizes, config.families or families())
    return specs, [(name, size) for size, name in pairs if fits(name, shape(size))]


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    specs, pairs = chosen(config)
    with claim(config.run, "speed_solvers") as folder:
        record(folder, config)
        works = [partial(measured, spec, pairs, config) for spec in specs]
        numbered = {f"{number:02d}": work for number, work in enumerate(works)}
        results, faults = fill(numbered, folder, config)
        cells = [Cell(**one) for made in results.values() for one in made]
        rows = [summary(spec, [c for c in cells if c.solver == spec]) for spec in specs]
        return answer(
            folder,
            "Meta-solvers on families of random games",
            [
                "ok is the share of games with status OK",
                "gaps are of the solver's own concept, over the payoff range",
                "times are CPU milliseconds, by size",
            ],
            [row.record for row in rows],
            said=[outcome(rows)],
            faults=faults,
            cells=[asdict(cell) for cell in cells],
        )


def measured(spec: str, pairs: Sequence[tuple[str, str]], config: Config) -> list[Cell]:
    """The cells of one solver."""
    solver = get(spec)
    return [cell(spec, solver, pair, config=config) for pair in pairs]


def cell(
    spec: str, solver: MetaSolver, pair: tuple[str, str], *, config: Config
) -> Cell:
    """One solver on the games of one family and size, the same for every solver."""
    family, size = pair
    actions = shape(size)
    rng = np.random.default_rng([config.seed, zlib.crc32(f"{family} {size}".encode())])
    gaps, seconds, statuses = [], [], []
    for _ in range(2 if config.quick else config.games):
        game = sample(family, actions, rng)
        try:
            check(solver, game)
        except UserError:
            continue
        solution = solve(solver, game, config.seed, throw=False)
        gaps.append(float(np.max(solution.gaps.of(solver.concept) / game.scale)))
        seconds.append(solution.seconds)
        statuses.append(solution.status.name)
    return Cell(
        solver=spec,
        concept=solver.concept,
        family=family,
        size=size,
        gaps=gaps,
        seconds=seconds,
        statuses=statuses,
    )


def outcome(rows: Sequence[Row]) -> str:
    """Which solvers were OK on all games."""
    whole = [row.solver for row in rows if row.ok == 1]
    some = [f"{r.solver} {100 * r.ok:.3g} %" for r in rows if r.ok not in (None, 1)]
    text = f"{len(whole)} of {len(rows)} solvers are OK on all of their games"
    return f"{text}; the others: {', '.join(some)}." if some else f"{text}."


def summary(spec: str, cells: Sequence[Cell]) -> Row:
    """One row of the table: a solver over all its cells."""
    concept = cells[0].concept if cells else "none"
    statuses = [status for cell in cells for status in cell.statuses]
    gaps = [gap for cell in cells for gap in cell.gaps if gap is not None]
    gaps = [] if concept == "none" else gaps
    times: dict[str, list[float]] = {}
    for cell in cells:
        times.setdefault(cell.size, []).extend(cell.seconds)
    return Row(
        solver=spec,
        concept=concept,
        games=len(statuses),
        ok=statuses.count("OK") / len(statuses) if statuses else None,
        other=sorted(set(statuses) - {"OK"}),
        median_gap=float(np.median(gaps)) if gaps else None,
        worst_gap=max(gaps, default=None),
        milliseconds={
            size: 1e3 * float(np.median(spent)) if spent else None
            for size, spent in times.items()
        },
    )


if __name__ == "__main__":
    sys.exit(main(page, Config))
