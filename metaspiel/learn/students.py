"""The networks of N agents who learn at once in one game."""

from dataclasses import dataclass

import torch

from metaspiel.games.markov import MarkovGame
from metaspiel.learn.actors import Policies
from metaspiel.learn.agents import Agents, Trainable
from metaspiel.learn.mlp import LeakyMLP
from metaspiel.learn.random import generators


@dataclass(frozen=True)
class Students:
    """Networks of the N agents that learn in one game.

    Attributes:
      policies: policies of the actors.
      critics: network of each critic.
      agents: N, the number of agents.
      numbered: one network for all agents, whose observations end with their number.
    """

    policies: Policies
    critics: LeakyMLP
    agents: int
    numbered: bool

    @classmethod
    def of(cls, game: MarkovGame, width: int, share: bool) -> "Students":
        """Networks of this width for all agents, or one network that all share."""
        inputs = game.inputs + (game.agents if share else 0)
        return cls(
            Policies(LeakyMLP(inputs, width, game.actions.size), game.actions),
            LeakyMLP(inputs, width, 1),
            agents=game.agents,
            numbered=share,
        )

    def fresh(self, seed: int) -> Agents:
        """Untrained agents with fresh weights."""
        made = generators((seed, 0), 2 * self.agents)
        actors, critics = made[: self.agents], made[self.agents :]
        if self.numbered:
            actor = self.policies.initial(actors[:1]).repeat(self.agents, 1)
            critic = self.critics.initial(critics[0]).repeat(self.agents, 1)
        else:
            actor = self.policies.initial(actors)
            critic = torch.stack([self.critics.initial(one) for one in critics])
        return Agents(Trainable.fresh(actor), Trainable.fresh(critic))
