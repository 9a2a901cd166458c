"""What policies do at common states: diversity, forgetting, drift of payoffs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from numpy import ndarray

from experiments.neupl_learned.course import Course
from metaspiel.games.simulator import Simulator
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import chances
from psro.executor import Executor
from psro.neupl.states import Asked, Scout
from psro.parts import Member, Population
from psro.referee import Referee
from psro.sampled import pools_of

_FLOOR = 1e-12


@dataclass(frozen=True, eq=False)
class Common:
    """States of one player at which all of its policies are asked.

    Attributes:
      inputs: what it sees.
      legal: what it may do.
    """

    inputs: Float32[ndarray, "R D"]
    legal: Bool[ndarray, "R A"]

    def behaviour(self, network: Network, member: Member) -> Float64[ndarray, "R A"]:
        """What a policy does there."""
        does: ndarray = chances(
            network,
            torch.from_numpy(member.policy),
            member.play,
            inputs=torch.from_numpy(self.inputs),
            legal=torch.from_numpy(self.legal),
        ).numpy()
        return does


def everywhere(referee: Referee) -> list[Common]:
    """All information states of each player."""
    return [Common(seen.inputs, seen.legal) for seen in referee.seen]


def visited(
    simulator: Simulator,
    network: Network,
    populations: Sequence[Population],
    *,
    executor: Executor,
    each: int = 200,
    seed: int = 0,
) -> list[Common]:
    """States that the policies of some populations decide at, of each player.

    Each population is played by itself, all of its profiles alike.
    """
    rng = np.random.default_rng((seed, 5))
    scout = Scout(simulator=simulator, network=network, executor=executor)
    players = range(simulator.players)
    seen = []
    for population in populations:
        pools = pools_of(population)
        asked = [
            Asked(player=p, policies=range(len(pools[p])), each=each) for p in players
        ]
        seen.append(scout.visits(pools, asked, rng))
    return [
        Common(
            np.concatenate([visits[p].inputs for visits in seen]),
            np.concatenate([visits[p].legal for visits in seen]),
        )
        for p in players
    ]


def divergence(one: Float64[ndarray, "R A"], two: Float64[ndarray, "R A"]) -> float:
    """Mean KL divergence over states, in nats."""
    logs = np.log(np.maximum(one, _FLOOR)) - np.log(np.maximum(two, _FLOOR))
    return float((one * logs).sum(axis=1).mean())


def diversity(
    network: Network, population: Population, states: Sequence[Common]
) -> float:
    """Mean pairwise divergence of a player's policies, over players."""
    apart = []
    for pool, common in zip(population.pools, states, strict=True):
        does = [common.behaviour(network, member) for member in pool]
        apart += [
            divergence(one, two)
            for i, one in enumerate(does)
            for j, two in enumerate(does)
            if i != j
        ]
    return float(np.mean(apart)) if apart else 0.0


def forgetting(course: Course, states: Sequence[Common]) -> list[float]:
    """Mean divergence of policies from what they were when new, by age.

    Of age 0 first; first policies count with the others.
    """
    network, by_age = course.oracle.network, dict[int, list[float]]()
    last = course.realised[-1]
    for player, common in enumerate(states):
        for k, now in enumerate(last.pools[player]):
            born = next(
                t
                for t, past in enumerate(course.realised)
                if len(past.pools[player]) > k
            )
            then = course.realised[born].pools[player][k]
            apart = divergence(
                common.behaviour(network, then), common.behaviour(network, now)
            )
            by_age.setdefault(len(course.realised) - 1 - born, []).append(apart)
    return [float(np.mean(by_age[age])) for age in sorted(by_age)]


def drift(course: Course) -> list[float]:
    """The largest change of a payoff that two tables in a row have, by iteration.

    All tables are of the same episodes, so that what changes is how policies play.
    """
    changes = []
    for before, after in pairwise(course.states):
        old = before.table.values
        cut = (slice(None), slice(None), *(slice(n) for n in old.shape[2:]))
        changes.append(float(np.abs(after.table.values[cut] - old).max()))
    return changes
