"""Data sets as the units of a grid on Bargaining draw them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from experiments.bargaining import builders as _parts
from experiments.bargaining.units import Job, Unit
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.simulator import Position
from metaspiel.learn.policies import Bank
from offline.data import Dataset, Mirror
from offline.record import Actor, collect
from psro.parts import State
from psro.rl import pools_of

if TYPE_CHECKING:
    from experiments.bargaining.config import Config


def drawn(
    unit: Unit, job: Job, trajectories: int, seed: int, mirror: Mirror
) -> Dataset:
    """Trajectories of the behaviour of a unit's data set.

    Nobody knows who played a user's data: uniform play stands for it.
    """
    config, simulator = job.config, _parts.game(job.config)
    if unit.behaviour != "psro":
        return collect(simulator, trajectories, seed, mirror=mirror)
    own = replace(Unit(kind="data", trial=unit.trial), behaviour="psro")
    finals = [_parts.state_of(run, job) for run in own.needs(config)]
    act, mixture = _mixture(finals, simulator, config)
    return collect(
        simulator,
        trajectories,
        seed,
        act=act,
        mixture=mixture,
        behaviour=f"{len(finals)} final profiles of online PSRO",
        mirror=mirror,
    )


def _mixture(
    finals: Sequence[State], simulator: Bargaining, config: "Config"
) -> tuple[Actor, Float64[ndarray, "J N K"]]:
    """Who plays the policies of several runs, and the runs' final profiles."""
    pools = [pools_of(state.population)[0] for state in finals]
    first = np.cumsum([0, *(len(pool) for pool in pools)])
    mixture = np.zeros((len(finals), simulator.players, first[-1]))
    for number, state in enumerate(finals):
        for player, marginal in enumerate(state.train.marginals):
            mixture[number, player, first[number] : first[number + 1]] = marginal
    together = reduce(add, pools)
    bank = Bank(_parts.network(config), [together], None, device=torch.device("cpu"))

    def act(
        position: Position,
        chosen: Int64[Tensor, "S B"],
        uniforms: Float64[Tensor, "S B"],
    ) -> Int64[Tensor, "S B"]:
        action = torch.zeros_like(chosen)
        alive = ~position.done
        action[alive] = bank.act(
            chosen[alive],
            position.inputs[alive],
            position.legal[alive],
            uniforms[alive][:, None].expand(-1, 2),
        )
        return action

    return act, mixture
