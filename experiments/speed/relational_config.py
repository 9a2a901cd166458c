"""What the cost of networks over entities is asked for."""

from dataclasses import dataclass

from experiments.lab.options import Flat, Resumable
from metaspiel.learn.relational_settings import Marks


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the measurement."""

    sizes: tuple[int, ...] = (3, 6, 12, 24)
    """Numbers of agents."""
    landmarks: tuple[Marks, ...] = ("concatenated", "pooled")
    """How landmarks are read: pooled, concatenated."""
    discs: int = 6
    """Landmarks of a situation."""
    batch: int = 1024
    """Situations in a gradient step."""
    plain: int = 12
    """Largest number of agents for which the plain form is measured too; pooled, 24
    take minutes."""
    rounds: int = 3
    """Turns of everything that is compared."""
    seed: int = 0
    """Seed of situations and weights."""
    run: Flat[Resumable] = Resumable()
