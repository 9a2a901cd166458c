"""Mechanism design through an equilibrium: tolls on the actions of a game.

    cost = load_costs(games=8, players=3, resources=4, rng=np.random.default_rng(0))
    for design in descend(Tolls(steps=150), torch.as_tensor(cost)):
        print(design.step, design.cost)

The equilibrium is solved exactly at every step and differentiated through its
optimality conditions (``meta_solvers.exact.implicit``).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy import ndarray
from torch import Tensor

from meta_solvers.exact.implicit import equilibrium
from meta_solvers.exact.settings import Tolls


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """Tolls after some steps, and what the players then cost.

    Attributes:
      step: gradient steps so far.
      tolls: ``[games, N, A]``, of every player on each of their actions.
      cost: mean over the games of the expected total cost, tolls not counted.
    """

    step: int
    tolls: Float[Tensor, "games N A"]
    cost: float


def descend(settings: Tolls, cost: Float[Tensor, "games N *A"]) -> Iterator[Design]:
    """Designs tolls for all games at once; yields each design, the first without.

    Args:
      settings: how the tolls are found.
      cost: of every player at every joint action; as many actions for each.
    """
    total = cost.sum(1)
    free = torch.zeros(cost.shape[:3], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=settings.rate)
    for step in range(settings.steps + 1):
        tolls = settings.budget * torch.tanh(free)
        joint = equilibrium(tolled(cost, tolls), settings.concept)
        loss = (joint * total).flatten(1).sum(1).mean()
        yield Design(step=step, tolls=tolls.detach(), cost=loss.item())
        if step < settings.steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def tolled(
    cost: Float[Tensor, "games N *A"], tolls: Float[Tensor, "games N _"]
) -> Float[Tensor, "games N *A"]:
    """Payoffs: minus the costs, with every player's toll on their own action added."""
    players = cost.shape[1]
    extra = []
    for p in range(players):
        wide = [tolls.shape[2] if q == p else 1 for q in range(players)]
        extra.append(tolls[:, p].reshape(-1, *wide).expand(cost[:, p].shape))
    return -(cost + torch.stack(extra, 1))


def load_costs(
    games: int, players: int, resources: int, rng: np.random.Generator
) -> Float64[ndarray, "games N *A"]:
    """Costs in random congestion games, in which a player's action is a resource.

    A resource costs a base and a slope for each player on it, uniform in [0, 1].
    """
    shape = (resources,) * players
    played = np.indices(shape)
    load = np.stack([(played == r).sum(0) for r in range(resources)])
    tables = []
    for _ in range(games):
        base = rng.uniform(0, 1, resources)
        slope = rng.uniform(0, 1, resources)
        price = base[:, None] + slope[:, None] * load.reshape(resources, -1)
        price = price.reshape(resources, *shape)
        tables.append(np.take_along_axis(price, played, 0))
    return np.stack(tables)
