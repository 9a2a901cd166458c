"""Methods, step sizes and options of the step-size page."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from experiments.lab.options import Flat, LoggedParallel, each_once, least
from matrl.methods import Settings
from metaspiel.games.markov import Judged
from metaspiel.games.worlds import load
from metaspiel.learn.markov_settings import PPO
from metaspiel.nfg.errors import UserError

VARIANTS: dict[str, Mapping[str, Any]] = {
    "matrl-held-out": {"held_out": 0.5, "cautious": 2.0},
    "matrl-distill": {"aggregate": "distill"},
}
"""What our variants of MATRL change."""
METHODS = (
    *("il", "il-matched", "il-la", "random-rho", "matrl", "matrl-wo-br"),
    *VARIANTS,
)


@dataclass(frozen=True)
class Size:
    """A method and the size of its steps: clip, and rate of Adam."""

    clip: float
    rate: float
    method: str

    @property
    def label(self) -> str:
        """Name of the cells in the run folder."""
        return f"{self.method} clip {self.clip:g} rate {self.rate:g}"

    @property
    def step(self) -> str:
        """The size in words."""
        return f"clip {self.clip:g}, rate {self.rate:g}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained and compared."""

    game: str = "pennies(states=1,limit=1)"
    """World to learn, as metaspiel.games.worlds names it."""
    methods: tuple[str, ...] = METHODS
    """Methods to compare, of those listed above."""
    rates: tuple[float, ...] = (2e-3, 4e-3, 8e-3, 16e-3)
    """Learning rates of Adam, in the trial step and in the best response."""
    clips: tuple[float, ...] = (0.1, 0.2, 0.3)
    """Distances by which ratios of probabilities may leave 1."""
    iterations: int = 80
    """Iterations of a run."""
    learner: Settings = Settings(
        ppo=PPO(envs=200, entropy=0.0, target_kl=float("inf"), width=64),
        br_steps=10,
        br_clip=10.0,
        br_start="current",
    )
    """Settings of every method; --rates and --clips set ppo.rate, br_rate and ppo.clip.
    The paper has br_clip .1 and, in its tabular code, br_start current."""
    seeds: int = 5
    """Runs of each method at each step size."""
    seed: int = 100
    """Seed of the first run; the others count on."""
    run: Flat[LoggedParallel] = LoggedParallel()

    def __post_init__(self) -> None:
        least(self, seeds=1, seed=0, iterations=2)
        each_once(self, methods=METHODS, rates=None, clips=None)
        given = self.learner.ppo.rate, self.learner.br_rate, self.learner.ppo.clip
        if given != (PPO().rate, Settings().br_rate, PPO().clip):
            raise UserError(
                "--learner: rates and clip must be left to --rates and --clips; got "
                f"ppo.rate {given[0]}, br_rate {given[1]}, ppo.clip {given[2]}"
            )

    @property
    def measure(self) -> str:
        """What the page measures: exploitability where the game can, else returns."""
        return "exploitability" if isinstance(load(self.game), Judged) else "returns"

    @property
    def sizes(self) -> list[Size]:
        """Every method at every step size."""
        return [
            Size(clip, rate, method)
            for clip in self.clips
            for rate in self.rates
            for method in self.methods
        ]

    def settings(self, size: Size) -> Settings:
        """The settings of a method at a step size."""
        ppo = replace(self.learner.ppo, rate=size.rate, clip=size.clip)
        changes = VARIANTS.get(size.method, {})
        return replace(self.learner, ppo=ppo, br_rate=size.rate, **changes)
