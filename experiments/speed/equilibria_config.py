"""What the comparison of solvers of equilibria is asked for."""

from dataclasses import dataclass
from typing import Literal

from experiments.lab.options import Flat, Resumable


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
