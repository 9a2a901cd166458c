"""Tasks of learning a best response, and what comes out of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from metaspiel.games.simulator import Simulator
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import Habit, Pool
from metaspiel.learn.settings import DDQN, PPOResponse, check_objective
from metaspiel.learn.update import check_written
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """A best response to be learned.

    Attributes:
      simulator: the game in which the response is learned.
      network: network of all policies, and of the learner if it has none of its own.
      settings: hyper-parameters.
      player: the player that responds.
      pools: policies of every player (the learner's own are not used).
      co_play: distribution over co-players' profiles; drawn once an episode.
      seed: seed of everything random.
      penalty: lambda, the weight of the outcome's uncertainty (Eq. 3).
      coverage: alpha, the chance that in an episode one co-player is the uniform policy
        and only the uncertainty counts (Eq. 4).
      scale: rewards are divided by this; a deviation of payoffs, say.
      habit: behaviour that co-players fall back on.
      initial: weights that learning begins with; None for fresh ones.
      learner: network of the learner, an ``MLP`` for Double DQN; None where it is that
        of all policies.
    """

    simulator: Simulator
    network: Network
    settings: DDQN | PPOResponse
    player: int
    pools: tuple[Pool, ...]
    co_play: Float64[ndarray, "*K"]
    seed: tuple[int, ...]
    penalty: float = 0.0
    coverage: float = 0.0
    scale: float = 1.0
    habit: Habit | None = None
    initial: Float32[ndarray, " P"] | None = None
    learner: Network | None = None

    def __post_init__(self) -> None:
        check_network("Task()", self.network, self.simulator)
        check_network("Task()", self.trained, self.simulator)
        if self.learner is not None and isinstance(self.settings, DDQN):
            check_written("Task()", self.learner)
        check_objective("Task()", self.penalty, self.coverage, self.scale)
        sim = self.simulator
        if not (0 <= self.player < sim.players and len(self.pools) == sim.players):
            raise UserError(
                f"Task(): '{sim.name}' has players 0 to {sim.players - 1}, each with a "
                f"pool; got player {self.player} and {len(self.pools)} pools"
            )
        if self.initial is not None and self.initial.shape != (self.trained.size,):
            raise UserError(
                f"Task(): initial must be the {self.trained.size} weights of "
                f"{self.trained}; got {list(self.initial.shape)}"
            )
        sizes = tuple(len(p) for q, p in enumerate(self.pools) if q != self.player)
        total = float(self.co_play.sum()) if (self.co_play >= 0).all() else np.nan
        if self.co_play.shape != sizes or not abs(total - 1) < 1e-6:
            raise UserError(
                f"Task(): co_play must be a distribution of shape {sizes}; got shape "
                f"{self.co_play.shape} with sum {total}"
            )

    @property
    def trained(self) -> Network:
        """The network that learns."""
        return self.network if self.learner is None else self.learner


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned:
    """A trained response.

    Attributes:
      policy: weights of the network that learned; it is to be played as its settings
        say (``play``).
      returns: mean payoff an episode in each stretch of training, exploration included;
        NaN where none ended. A stretch is a tenth (a round, when there are fewer), of
        PPO a batch.
      losses: mean loss there; NaN before learning began.
      episodes: finished in training.
      updates: number of gradient steps made.
    """

    policy: Float32[ndarray, " P"]
    returns: Float64[ndarray, " stretches"]
    losses: Float64[ndarray, " stretches"]
    episodes: int
    updates: int
