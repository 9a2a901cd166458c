"""What the tables of the Neural Equilibrium Solver's paper are asked for."""

from dataclasses import dataclass
from pathlib import Path

from experiments.lab.options import Flat, Resumable, least
from experiments.nes.figures_config import check_weights
from metaspiel.nfg.errors import UserError

SIZES = (4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the tables."""

    sizes: tuple[int, ...] = SIZES
    """Actions of each player."""
    games: int = 128
    """Games of each size."""
    ecos_games: int = 10
    """Games a size for ECOS: the first of them."""
    seconds: float = 300.0
    """ECOS starts no further game of a cell after so many seconds."""
    network: Path | None = None
    """File of weights (default: the shipped ones)."""
    seed: int = 0
    """Seed of the games."""
    quick: bool = False
    """Sixteen games a size, two of them for ECOS, and no size above 16."""
    run: Flat[Resumable] = Resumable()


def check(config: Config) -> None:
    """Refuses impossible values before anything runs."""
    least(config, games=1, seed=0, ecos_games=0)
    check_weights(config.network)
    if not config.sizes or min(config.sizes) < 2:
        raise UserError(
            f"--sizes must be numbers of actions of at least 2; got {config.sizes}"
        )
    if not config.seconds > 0:
        raise UserError(f"--seconds must be positive; got {config.seconds}")
