"""What a training is asked for, and what its budget fills in."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from experiments.lab.options import Flat, LoggedStateful, each_once, least
from experiments.mra.task_config import Task, size_of
from mra.settings import BUDGETS, Training

BudgetName = Literal["tiny", "ten-minutes", "paper"]
_USUAL = BUDGETS["ten-minutes"]


@dataclass(frozen=True)
class Sizing:
    """The words that decide what is not given."""

    world: str = "resource"
    budget: BudgetName = "ten-minutes"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a training."""

    Deciding: ClassVar[type[Sizing]] = Sizing

    world: str = "resource"
    """World with agents and landmarks: treasure, resource or pacman, with parameters as
    in "treasure(shaping=false)"; the number of agents is that of --sizes."""
    sizes: tuple[str, ...] = ("6", "9", "12")
    """Numbers of agents that are learned, each a game; in pacman pairs, Pac-Men and
    ghosts: 4,2 6,3."""
    method: str = "mra"
    """What learns: mra, uni (uniform latents), uni-random (the graph learns nothing),
    both (it learns from information and reward), until (from information, up to a
    bound), together (a role shares a latent), concat, bilinear, paper-input, plain (one
    latent, the graph learns from reward), deepsets, reptile, epc, rl2, maac, or maddpg
    (networks of their own, one size only)."""
    budget: BudgetName = "ten-minutes"
    """What fills in --training, --sweeps, --measure-every and --episodes."""
    training: Training = _USUAL.training
    """How it learns."""
    seed: int = 0
    """Seed of everything random."""
    sweeps: int = _USUAL.sweeps
    """Turns of every game."""
    measure_every: int = _USUAL.measure_every
    """Sweeps between measurements, each with a checkpoint."""
    episodes: int = _USUAL.episodes
    """Episodes of a size in a measurement, and in the tests at the end."""
    unseen: tuple[str, ...] = ()
    """Other sizes to score in the end, without learning (default: half of the smallest
    size and twice the largest, where there are such games)."""
    run: Flat[LoggedStateful] = LoggedStateful()

    @classmethod
    def usual(cls, asked: Sizing) -> "Config":
        """The configuration when nothing but this is asked."""
        budget = BUDGETS[asked.budget]
        return cls(
            world=asked.world,
            budget=asked.budget,
            training=budget.usual(asked.world),
            sweeps=budget.sweeps,
            measure_every=budget.measure_every,
            episodes=budget.episodes,
        )

    def __post_init__(self) -> None:
        least(self, seed=0, sweeps=1, measure_every=1, episodes=2)
        each_once(self, sizes=None)
        if self.unseen:
            each_once(self, unseen=None)
        for one in self.sizes:
            size_of(one)
        for one in self.unseen:
            size_of(one, "--unseen")

    @property
    def task(self) -> Task:
        """The training that is asked for."""
        return Task(
            world=self.world,
            sizes=self.sizes,
            method=self.method,
            training=self.training,
            seed=self.seed,
            sweeps=self.sweeps,
            measure_every=self.measure_every,
            episodes=self.episodes,
        )
