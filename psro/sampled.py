"""Payoffs sampled in a batched simulator, of populations of networks."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.simulator import Simulator
from metaspiel.learn.evaluate import Instances, Matches, Scores, play, pure
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import Pool
from psro.executor import Executor
from psro.parts import Population, Table
from psro.setup import Stage


def pools_of(population: Population) -> tuple[Pool, ...]:
    """The pools of a population of networks, as banks play them.

    Raises:
      UserError: a member is not played as a network is.
    """
    return tuple(
        Pool(weights, tuple(member.play for member in members))
        for weights, members in zip(population.stacked(), population.pools, strict=True)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class SampledEvaluator:
    """Payoffs averaged over episodes that all profiles share.

    Attributes:
      simulator: the game in which profiles are played.
      network: network of all policies.
      executor: where play runs.
      episodes: number of episodes of each profile.
      seed: of the episodes; a trial's own, the same in all iterations, so that payoffs
        differ by what the policies do (common random numbers).
      device: torch device.
      batch: profiles in a request.
      instances: if given, profiles of greedy policies play each of them once, which is
        exact; those with another policy are sampled all the same.
    """

    simulator: Simulator
    network: Network
    executor: Executor
    episodes: int = 1000
    seed: int = 0
    device: str = "cpu"
    batch: int = 40
    instances: Instances | None = None

    def __post_init__(self) -> None:
        check_network("SampledEvaluator()", self.network, self.simulator)

    @property
    def ensemble(self) -> int:
        """The number of members of the ensemble, E."""
        return self.simulator.ensemble

    def fill(self, population: Population, table: Table, rng: Generator) -> Table:
        """``table`` with no cell missing; only missing profiles are played."""
        cells = np.argwhere(table.missing)
        if population.shared:
            cells = np.unique(np.sort(cells, axis=1), axis=0)
        if not len(cells):
            return table
        pools = pools_of(population)
        requests = self._requests(pools, cells)
        scores = self.executor.answer(play, requests)
        values, errors = table.values.copy(), table.errors.copy()
        episodes = table.episodes.copy()
        for request, score in zip(requests, scores, strict=True):
            count = self.episodes if request.instances is None else 0
            for at, cell in enumerate(request.profiles[:, 0]):
                for place, mean, error in _placed(cell, score, at, population.shared):
                    everywhere: tuple[Any, ...] = (..., *place)
                    values[everywhere], errors[everywhere] = mean, error
                    episodes[place] = count
        return Table(uids=table.uids, values=values, errors=errors, episodes=episodes)

    def _requests(
        self, pools: tuple[Pool, ...], cells: Int64[ndarray, "C N"]
    ) -> list[Matches]:
        """Profiles in batches; those that can be exact apart from the others."""
        exact = np.full(len(cells), self.instances is not None)
        for pool, which in zip(pools, cells.T, strict=True):
            exact &= pool.greedy[which]
        requests: list[Matches] = []
        for group, listed in ((cells[~exact], None), (cells[exact], self.instances)):
            count = self.episodes if listed is None else len(listed.weights)
            requests += [
                Matches(
                    simulator=self.simulator,
                    network=self.network,
                    pools=pools,
                    profiles=pure(group[c : c + self.batch], count),
                    seed=(self.seed, int(Stage.EPISODES)),
                    instances=listed,
                    device=self.device,
                )
                for c in range(0, len(group), self.batch)
            ]
        return requests


def _placed(
    cell: Int64[ndarray, " N"], score: Scores, at: int, shared: bool
) -> list[tuple[tuple[int, ...], Float64[ndarray, "E N"], Float64[ndarray, "E N"]]]:
    """A profile's payoffs at each of its cells: all permutations in a shared pool.

    In a symmetric game a profile's payoffs hold for all its permutations, and players
    who play one policy get the mean of what they got.
    """
    mean, error = score.mean[:, at], score.error[:, at]
    if not shared:
        return [(tuple(cell.tolist()), mean, error)]
    worth, doubt = {}, {}
    for k in np.unique(cell):
        worth[k] = mean[:, cell == k].mean(axis=1)
        paid = score.outcomes[at][:, :, cell == k].mean(axis=2, dtype=float)
        doubt[k] = paid.std(axis=0, ddof=1) / np.sqrt(len(paid))
        doubt[k] *= error.any()  # 0 where every instance was played
    places: set[tuple[int, ...]] = set(permutations(cell.tolist()))
    return [
        (
            place,
            np.stack([worth[k] for k in place], axis=1),
            np.stack([doubt[k] for k in place], axis=1),
        )
        for place in sorted(places)
    ]
