"""Methods, games and options of the cost page."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from experiments.lab.options import Flat, Resumable, each_once, least
from matrl.methods import METHODS as KNOWN
from matrl.methods import Settings
from metaspiel.games.markov import MarkovGame
from metaspiel.learn.markov_settings import PPO, whole_episodes
from metaspiel.nfg.errors import UserError

Part = Literal["iteration", "simulator", "nash"]
METHODS = ("il", "il-matched", "il-la", "matrl-wo-br", "matrl", "random-rho")
GAMES = (
    *("checkers", "switch", "switch(agents=3)", "switch(agents=4)", "pennies"),
    *(f"pennies(agents={n})" for n in range(3, 7)),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured."""

    parts: tuple[Part, ...] = get_args(Part)
    """Parts of the cost to measure."""
    games: tuple[str, ...] = GAMES
    """Worlds in which iterations are timed."""
    methods: tuple[str, ...] = METHODS
    """Methods to time, of matrl.methods; the first must be il."""
    rounds: int = 20
    """Rounds of a measurement, whose median counts."""
    warm: int = 20
    """Iterations of il before the first round."""
    learner: Settings = Settings(ppo=PPO(envs=200))
    """Settings of every method; as many environments are played, at most
    --learner.ppo.envs, as have time for a whole episode each."""
    most: int = 6
    """Agents of the largest game that is solved."""
    seed: int = 0
    """Seed of everything random."""
    run: Flat[Resumable] = Resumable()

    def __post_init__(self) -> None:
        least(self, rounds=1, warm=0, seed=0)
        each_once(self, parts=get_args(Part), games=None, methods=KNOWN)
        if not 2 <= self.most <= 8:
            raise UserError(f"--most must be from 2 to 8; got {self.most}")
        if self.methods[0] != "il":
            raise UserError(
                "--methods must begin with il, the measure of all; got "
                f"{self.methods[0]}"
            )

    def settings(self, game: MarkovGame) -> Settings:
        """The settings of every method in a game."""
        ppo = whole_episodes(self.learner.ppo, game.limit)
        return replace(self.learner, ppo=ppo)
