"""Games that the pages measure solvers on, and the numbers that come of it."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy import ndarray

from experiments.lab.report import Table
from experiments.lab.statistics import Spread
from meta_solvers.nes.measure import Comparison
from metaspiel.nfg.sample import sample

SOLVERS = ("uniform", "nes", "refined")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a figure gives: numbers as JSON holds them, tables, titled drawings."""

    record: Mapping[str, object]
    tables: list[Table]
    drawings: list[tuple[Figure, str, str]]


def generator(seed: int, name: str) -> np.random.Generator:
    """Randomness of one named part of a page, whatever else the page does."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw(family: str, actions: tuple[int, ...], count: int, seed: int) -> ndarray:
    """Payoffs ``[B, N, A1, ..., AN]`` of one family, the same for the same seed."""
    rng = generator(seed, f"{family} {'x'.join(map(str, actions))}")
    return np.stack([sample(family, actions, rng).payoffs for _ in range(count)])


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
