"""Classes of games and settings of the page on 2 x 2 games."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from experiments.lab.options import Flat, Output
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    pass


CLASSES = ("coordination", "anti_coordination", "cyclic")


COMPARED = ("iga", "iga-beta", "la-beta", "iga-matched", "random-rho")


"""Rows of Table 1 that MATRL is compared with game by game."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    games: int = 1000
    """Games of each class."""
    steps: int = 1000
    """Steps of each game."""
    seed: int = 0
    """First seed of the games (one each), and of what the rules draw."""
    classes: tuple[str, ...] = CLASSES
    """Classes of games: coordination, anti_coordination, cyclic."""
    selection: Literal["random", "first", "max_welfare", "risk_dominant"] = "random"
    """Which equilibrium of a meta-game MATRL takes, where there are several."""
    alpha: float = 0.02
    """Step size of IGA, IGA-LA and MATRL's trial step."""
    beta: float = 0.03
    """Step size of MATRL's best response."""
    gamma: float = 0.01
    """Step size of IGA-LA's prediction."""
    sweep: tuple[float, ...] = (0.02, 0.1, 0.3, 0.7, 1.0, 2.0, 4.0)
    """Step sizes of the sweep (none: --sweep with nothing after it)."""
    rate: float = 0.02
    """Rate of all methods on the rotational game."""
    pennies_steps: int = 5_000
    """Steps on matching pennies."""
    run: Flat[Output] = Output()


def check(config: Config) -> None:
    """Refuses what cannot be run."""
    for name in config.classes:
        if name not in CLASSES:
            raise unknown("--classes", "class", name, CLASSES)
    if not config.classes or len(set(config.classes)) < len(config.classes):
        raise UserError(
            "--classes: must name at least one class, each once; got "
            f"{' '.join(config.classes) or 'none'}"
        )
    for name, least, most in (
        ("games", 1, 100_000),
        ("steps", 1, 100_000),
        ("pennies_steps", 1, 1_000_000),
        ("seed", 0, 2**31),
    ):
        if not least <= getattr(config, name) <= most:
            raise UserError(
                f"--{name.replace('_', '-')} must lie in {least} to {most}; got "
                f"{getattr(config, name)}"
            )
    sizes = [(name, getattr(config, name)) for name in ("alpha", "beta", "gamma")]
    for name, size in [*sizes, *(("sweep", size) for size in config.sweep)]:
        if not 0 < size <= 100:
            raise UserError(f"--{name}: a step size must lie in (0, 100]; got {size}")
    if not 0 < config.rate <= 0.1:
        raise UserError(f"--rate must lie in (0, 0.1]; got {config.rate}")
    if len(set(config.sweep)) < len(config.sweep):
        raise UserError(
            f"--sweep: step sizes must differ; got {' '.join(map(str, config.sweep))}"
        )
