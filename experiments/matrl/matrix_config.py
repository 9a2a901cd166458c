"""Options of the page on 2 x 2 games."""

from dataclasses import dataclass

from experiments.lab.options import Flat, Output, each_once, flag
from matrl.dynamics import MATRL, LookAhead
from matrl.matrix_games import CLASSES
from metaspiel.nfg.errors import UserError, unknown


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run; the rules share their step sizes."""

    games: int = 1000
    """Games of each class."""
    steps: int = 1000
    """Steps of each game."""
    seed: int = 0
    """First seed of the games (one each), and of what the rules draw."""
    classes: tuple[str, ...] = CLASSES
    """Classes of games: coordination, anti_coordination, cyclic."""
    selection: str = MATRL.select
    """Which equilibrium of a meta-game MATRL takes, where there are several: random,
    first, max_welfare, risk_dominant."""
    alpha: float = MATRL.alpha
    """Step size of IGA, IGA-LA and MATRL's trial step."""
    beta: float = MATRL.beta
    """Step size of MATRL's best response."""
    gamma: float = LookAhead.gamma
    """Step size of IGA-LA's prediction."""
    sweep: tuple[float, ...] = (0.02, 0.1, 0.3, 0.7, 1.0, 2.0, 4.0)
    """Step sizes of the sweep (none: --sweep with nothing after it)."""
    rate: float = 0.02
    """Rate of all methods on the rotational game."""
    pennies_steps: int = 5_000
    """Steps on matching pennies."""
    run: Flat[Output] = Output()

    def __post_init__(self) -> None:
        for kind in self.classes:
            if kind not in CLASSES:
                raise unknown("--classes", "class", kind, CLASSES)
        each_once(self, classes=None)
        bounds = {"games": (1, 100_000), "steps": (1, 100_000), "seed": (0, 2**31)}
        bounds["pennies_steps"] = 1, 1_000_000
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise UserError(
                    f"{flag(name)} must lie in {least} to {most}; got "
                    f"{getattr(self, name)}"
                )
        sizes = [(name, getattr(self, name)) for name in ("alpha", "beta", "gamma")]
        for name, size in [*sizes, *(("sweep", size) for size in self.sweep)]:
            if not 0 < size <= 100:
                raise UserError(
                    f"--{name}: a step size must lie in (0, 100]; got {size}"
                )
        if not 0 < self.rate <= 0.1:
            raise UserError(f"--rate must lie in (0, 0.1]; got {self.rate}")
        if len(set(self.sweep)) < len(self.sweep):
            raise UserError(
                f"--sweep: step sizes must differ; got {' '.join(map(str, self.sweep))}"
            )
        MATRL(select=self.selection)  # refuses what it does not know

    def matrl(self, size: float | None = None) -> MATRL:
        """MATRL with the page's step sizes, or with one size for all of its steps."""
        alpha, beta = (self.alpha, self.beta) if size is None else (size, size)
        return MATRL(alpha=alpha, beta=beta, select=self.selection)
