"""Methods, step sizes and settings of the step-size page."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from experiments.lab.options import Flat, Parallel
from metaspiel.nfg.errors import UserError, unknown

if TYPE_CHECKING:
    from experiments.matrl.cells import Cell
    from matrl.methods import Settings


METHODS = (
    *("il", "il-matched", "il-la", "random-rho"),
    *("matrl", "matrl-wo-br", "matrl-held-out", "matrl-distill"),
)


VARIANTS: dict[str, dict[str, Any]] = {
    "matrl-held-out": {"held_out": 0.5, "cautious": 2.0},
    "matrl-distill": {"aggregate": "distill"},
}


"""What our variants of MATRL change."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the page."""

    game: str = "pennies(states=1,limit=1)"
    """World to learn, as metaspiel.games.worlds names it."""
    methods: tuple[str, ...] = METHODS
    """Methods to compare, of those listed above."""
    rates: tuple[float, ...] = (2e-3, 4e-3, 8e-3, 16e-3)
    """Learning rates of Adam, in the trial step and in the best response."""
    clips: tuple[float, ...] = (0.1, 0.2, 0.3)
    """Distances by which ratios of probabilities may leave 1."""
    steps: int = 10
    """Steps of an update and of the best response (K and K_BR)."""
    iterations: int = 80
    """Iterations of a run."""
    batch: int = 2000
    """Environment steps of an iteration."""
    envs: int = 200
    """Environments side by side."""
    width: int = 64
    """Units of a hidden layer."""
    br_clip: float = 10.0
    """Bound of the best response's sample weights (c-bar); the paper's is 0.1."""
    br_start: Literal["aggregate", "current"] = "current"
    """Where the best response begins; tabular MATRL begins at the current policy."""
    reward: Literal["own", "team"] = "own"
    """Whose reward an agent learns from."""
    entropy: float = 0.0
    """Coefficient of the entropy bonus (c_H)."""
    seeds: int = 5
    """Runs of each method at each step size."""
    seed: int = 100
    """Seed of the first run; the others count on."""
    run: Flat[Parallel] = Parallel()

    @property
    def measure(self) -> str:
        """What the page measures: exploitability where the game can, else returns."""
        from metaspiel.games.markov import Judged
        from metaspiel.games.worlds import load

        return "exploitability" if isinstance(load(self.game), Judged) else "returns"

    @property
    def sizes(self) -> dict[str, tuple[float, float, str]]:
        """Rate, clip and method of every label."""
        return {
            f"{method} clip {clip:g} rate {rate:g}": (rate, clip, method)
            for clip in self.clips
            for rate in self.rates
            for method in self.methods
        }


def settings(config: Config, method: str, rate: float, clip: float) -> "Settings":
    """The settings of a method at a step size."""
    from matrl.methods import Settings
    from metaspiel.learn.ppo import PPO

    ppo = PPO(
        batch=config.batch,
        envs=config.envs,
        rate=rate,
        steps=config.steps,
        clip=clip,
        entropy=config.entropy,
        target_kl=float("inf"),
        width=config.width,
        reward=config.reward,
    )
    made = Settings(
        ppo=ppo,
        br_steps=config.steps,
        br_rate=rate,
        br_clip=config.br_clip,
        br_start=config.br_start,
    )
    return replace(made, **VARIANTS.get(method, {}))


def check(config: Config) -> "list[Cell]":
    """All runs, or a sentence that says why they cannot be made.

    Raises:
      UserError: a field is impossible, or a game or method unknown.
    """
    from experiments.matrl.cells import Cell
    from experiments.matrl.cells import check as check_cells

    for name, least in (("seeds", 1), ("seed", 0), ("iterations", 2)):
        if getattr(config, name) < least:
            raise UserError(
                f"--{name} must be at least {least}; got {getattr(config, name)}"
            )
    for name in ("methods", "rates", "clips"):
        asked = getattr(config, name)
        if not asked or len(set(asked)) < len(asked):
            raise UserError(f"--{name} must be named, each once; got {list(asked)}")
    for method in config.methods:
        if method not in METHODS:
            raise unknown("--methods", "method", method, METHODS)
    cells = [
        Cell(
            label=label,
            game=config.game,
            method="matrl" if method in VARIANTS else method,
            settings=settings(config, method, rate, clip),
            seed=config.seed + number,
            iterations=config.iterations,
        )
        for label, (rate, clip, method) in config.sizes.items()
        for number in range(config.seeds)
    ]
    check_cells(cells)
    return cells
