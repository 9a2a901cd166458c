"""Games that the pages measure solvers on, and the numbers that come of it."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from experiments.lab.grid import fill
from experiments.lab.marks import Picture
from experiments.lab.report import Table
from experiments.lab.statistics import standard_error
from experiments.lab.work import complaint
from meta_solvers.exact.problem import Concept
from meta_solvers.nes.measure import Comparison, compare
from metaspiel.nfg.sample import sample

SOLVERS = ("uniform", "nes", "refined")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a figure gives: numbers as JSON holds them, tables, pictures, words."""

    record: Mapping[str, object]
    tables: list[Table]
    drawings: list[Picture]
    result: str
    sure: str


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean of a number over trials, its standard error and its range, where known."""

    mean: float | None = None
    error: float | None = None
    best: float | None = None
    worst: float | None = None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Spread":
        """The spread of the values that are not None; the best is the lowest."""
        known = [value for value in values if value is not None]
        if not known:
            return cls()
        error, ends = standard_error(known), {"best": min(known), "worst": max(known)}
        return cls(mean=float(np.mean(known)), error=error, **ends)


def generator(seed: int, name: str) -> np.random.Generator:
    """Randomness of one named part of a page, whatever else the page does."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw(family: str, actions: tuple[int, ...], count: int, seed: int) -> ndarray:
    """Payoffs ``[B, N, A1, ..., AN]`` of one family, the same for the same seed."""
    rng = generator(seed, f"{family} {'x'.join(map(str, actions))}")
    return np.stack([sample(family, actions, rng).payoffs for _ in range(count)])


def filled(
    cells: Mapping[str, Callable[[], object]], folder: Path, config: object
) -> dict[str, Any]:
    """The results of cells of the run, once all of them are there."""
    results, faults = fill(cells, folder, config)
    fault = complaint(faults, what="cells")
    if fault is not None:
        raise fault
    return results


def compared(
    family: str,
    actions: tuple[int, ...],
    count: int,
    *,
    seed: int,
    concept: Concept,
    network: Path | None,
) -> dict[str, object]:
    """The solvers on games of a family, as a cell holds it."""
    return asdict(compare(draw(family, actions, count, seed), concept, network))


def spreads(measured: Comparison) -> dict[str, Spread]:
    """The spread of every gap of every solver: "solver_gap nes"."""
    return {
        f"{what} {name}": Spread.of(getattr(getattr(measured, name), what))
        for what in ("gap", "solver_gap")
        for name in SOLVERS
    }


def number(value: float | None) -> str:
    """A gap as text: four decimals, as the paper prints them, or its size if tiny."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or value >= 1e-3 else f"{value:.1e}"


def extent(spread: Spread) -> str:
    """Best, mean and worst as text."""
    return " / ".join(map(number, (spread.best, spread.mean, spread.worst)))
