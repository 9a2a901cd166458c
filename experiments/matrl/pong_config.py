"""Options of the Pong page."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.lab.options import Flat, LoggedParallel, each_once, least
from matrl.methods import METHODS, Settings
from metaspiel.games.markov import Discrete
from metaspiel.games.worlds import load
from metaspiel.learn.markov_settings import PPO
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is trained and compared."""

    game: str = "mini_pong"
    """World for two agents with discrete actions: mini_pong, atari_pong, with
    parameters."""
    methods: tuple[str, ...] = ("matrl", "il")
    """The first two play the score matrix, all the league: il, il-matched, il-la,
    matrl, matrl-wo-br, random-rho."""
    seeds: int = 5
    """Runs of each method."""
    seed: int = 0
    """Seed of the first run; the others count on."""
    iterations: int = 100
    """Iterations of each run."""
    checkpoints: int = 10
    """Checkpoints kept of each run, evenly spaced; iterations must be a multiple."""
    games: int = 200
    """Games played by a pair, half of them on either side."""
    learner: Settings = Settings(ppo=PPO(batch=4000, envs=8, entropy=5e-3))
    """Settings of every method: those of Table 6. 8 environments with 500 steps each
    see whole episodes."""
    run: Flat[LoggedParallel] = LoggedParallel()

    may_change: ClassVar = ("methods", "seeds")

    def __post_init__(self) -> None:
        least(self, iterations=1, checkpoints=1, seeds=1, seed=0)
        each_once(self, methods=METHODS)
        if len(self.methods) < 2:
            raise UserError(f"--methods must be at least two; got {self.methods[0]}")
        if self.games < 2 or self.games % 2:
            raise UserError(
                "--games must be even, for both sides, and at least 2; "
                f"got {self.games}"
            )
        if self.iterations % self.checkpoints:
            raise UserError(
                "--iterations must be a multiple of --checkpoints, "
                f"{self.checkpoints} (or --checkpoints {self.iterations}, one of each "
                f"iteration); got {self.iterations}"
            )


def check_game(name: str) -> None:
    """Refuses a game that cannot be played here.

    Raises:
      UserError: it is unknown, not of two agents with discrete actions, or an extra is
        not installed.
    """
    game = load(name)
    if game.agents != 2 or not isinstance(game.actions, Discrete):
        raise UserError(
            "--game must have two agents and discrete actions; "
            f"got {name} with {game.agents} and {game.actions}"
        )
    game.start(np.zeros((1, game.draws)))
