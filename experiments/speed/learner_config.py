"""What the comparison of learners is asked for."""

from dataclasses import dataclass

from experiments.lab.options import Flat, Resumable
from metaspiel.learn.settings import DDQN


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    part: tuple[str, ...] = ()
    """Parts (default: all; cuda where there is a GPU): update, response, model (the
    response inside a learned model), openspiel (beside its agent), stacked, payoffs,
    cuda."""
    ddqn: DDQN = DDQN()
    """Settings of a whole response."""
    fraction: float = 1 / 30
    """Fraction of a response that is learned in each round."""
    whole: bool = False
    """Learn whole responses, once: some 10 minutes."""
    rounds: int = 3
    """Turns of everything that is compared."""
    policies: int = 40
    """Policies of each player in the empirical game."""
    episodes: int = 1000
    """Episodes played for each entry."""
    stacks: tuple[int, ...] = (1, 4, 16, 60, 120, 360)
    """Trials that are stacked on a GPU."""
    seed: int = 0
    """Seed of all randomness."""
    quick: bool = False
    """Tiny sizes: it runs, but its numbers mean little."""
    run: Flat[Resumable] = Resumable()
