"""Tasks and options of the robot page."""

from dataclasses import dataclass
from typing import ClassVar

from experiments.lab.options import Flat, LoggedParallel, each_once, least
from matrl.methods import METHODS, Settings
from metaspiel.games.markov import MarkovGame
from metaspiel.games.worlds import load
from metaspiel.learn.markov_settings import PPO

TASKS = {"hopper": "Figure 4c", "ant": "Figure 8", "swimmer": "Figure 8"}
"""Robots, and where the paper draws them."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained and compared."""

    tasks: tuple[str, ...] = tuple(TASKS)
    """Robots to learn, of hopper, ant and swimmer."""
    methods: tuple[str, ...] = ("il", "matrl")
    """Methods to compare, of il, il-matched, il-la, matrl, matrl-wo-br and random-
    rho."""
    iterations: int = 75
    """Iterations of each cell; 75 of 4000 steps are 0.3 million."""
    seeds: int = 3
    """Cells of each task and method."""
    seed: int = 0
    """Seed of the first cell; the others count on."""
    limit: int = 1000
    """Steps after which an episode ends."""
    random_episodes: int = 20
    """Episodes of uniform actions, to compare with."""
    learner: Settings = Settings(
        ppo=PPO(
            batch=4000,
            envs=4,
            entropy=5e-4,
            kl=1e-4,
            value_clip=float("inf"),
            bootstrap_limits=True,
            reward="team",
        )
    )
    """Settings of every method: those of Table 5."""
    run: Flat[LoggedParallel] = LoggedParallel()

    may_change: ClassVar = ("tasks", "methods", "seeds", "iterations")

    def __post_init__(self) -> None:
        least(self, iterations=1, seeds=1, random_episodes=1, seed=0)
        each_once(self, tasks=TASKS, methods=METHODS)

    def game(self, task: str) -> MarkovGame:
        """The robot with this run's limit."""
        return load(f"{task}(limit={self.limit})")
