"""Meta-strategies of finished PSRO runs: as of an iteration, and as one behaviour."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from meta_solvers.solving import solve
from metaspiel.games.simulator import Position
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Bank
from metaspiel.nfg.errors import UserError
from offline.coffee import solver_of
from offline.record import Actor
from offline.regret import Profile
from psro.parts import State, Table
from psro.sampled import pools_of


def profile(state: State, iteration: int, solver: str, seed: int) -> Profile:
    """What a solver makes of the empirical game as it was after some iterations.

    Iteration t had the first t + 1 policies of the population, and their payoffs are
    the leading block of the final table: the profile is padded with zeros.

    Args:
      state: of a finished run.
      iteration: t.
      solver: "r2d" or "rd" as published, or any name or spec of ``meta_solvers``.
      seed: of the solver, together with the iteration.

    Raises:
      SolverFailed: the solver has no answer.
      UserError: a policy was found twice, so that the block is another one.
    """
    pools, size = state.population.pools, iteration + 1
    if any(len(pool) != state.iteration + 1 for pool in pools):
        raise UserError(
            f"profile(): {state.iteration} iterations must have found as many policies;"
            f" got pools of {[len(pool) for pool in pools]}"
        )
    kept = tuple(pool[:size] for pool in pools)
    cut = replace(state.population, pools=kept, next_uid=size)
    block: Any = (..., *(slice(size) for _ in pools))
    table = Table(
        cut.uids,
        state.table.values[block],
        state.table.errors[block],
        state.table.episodes[block],
    )
    rng = np.random.default_rng([seed, iteration])
    # The loop prunes as well before it responds.
    game = table.game(cut, repeats=True)
    solution = solve(solver_of(solver), game, rng, throw=False, prune=1e-8).require()
    rest = state.iteration - iteration
    return tuple(np.pad(np.array(m), (0, rest)) for m in solution.marginals)


def behaviour(
    finals: Sequence[State], network: Network
) -> tuple[Actor, Float64[ndarray, "J N K"]]:
    """Who plays in the mixture of several runs' final profiles, for ``collect``.

    Args:
      finals: last states of J runs of one game, whose players share a pool each.
      network: of all policies.

    Returns:
      What plays the policies of all runs, and the runs' profiles over them.
    """
    pools = [pools_of(state.population)[0] for state in finals]
    first = np.cumsum([0, *(len(pool) for pool in pools)])
    players = len(finals[0].train.marginals)
    mixture = np.zeros((len(finals), players, first[-1]))
    for number, state in enumerate(finals):
        for player, marginal in enumerate(state.train.marginals):
            mixture[number, player, first[number] : first[number + 1]] = marginal
    bank = Bank(network, [reduce(add, pools)], None, device=torch.device("cpu"))

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
