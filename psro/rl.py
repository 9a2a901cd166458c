"""Learned best responses and sampled payoffs, on any batched simulator.

Policies are weight vectors (``learn.nets``); a population begins with the zero vector,
the uniform random policy. Gaps that are measured with a learned oracle are lower
bounds: what it learned to gain, not what could be gained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from games.simulator import Simulator
from learn.ddqn import train
from learn.evaluate import Instances, Matches, Scores, play, pure
from learn.nets import Shape
from learn.tasks import Settings, Task
from nfg.errors import UserError
from psro.executor import Executor
from psro.parts import Population, Response, Table, Target

_EPISODES_SEED = 7  # of payoffs: one set of episodes a trial, for all profiles


@dataclass(frozen=True, eq=False)
class LearnedOracle:
    """Best responses by Double DQN.

    Attributes:
      simulator: where they are learned.
      settings: how.
      executor: where the learning runs.
      shared: one pool for all players of a symmetric game; player 0 learns for all.
      episodes: played to measure what a response earns.
      penalty: lambda, weight of the uncertainty of outcomes (COffeE-PSRO, Eq. 3).
      coverage: alpha_0, chance of an episode against a uniform co-player that counts
        the uncertainty only (Eq. 4).
      anneal: coverage falls linearly to 0 over so many responses; 0 keeps it.
      scale: payoffs are divided by this while learning.
    """

    simulator: Simulator
    settings: Settings
    executor: Executor
    shared: bool = False
    episodes: int = 1000
    penalty: float = 0.0
    coverage: float = 0.0
    anneal: int = 10
    scale: float = 5.0

    def __post_init__(self) -> None:
        if self.shared and not self.simulator.symmetric:
            raise UserError(
                f"LearnedOracle(): a shared pool needs a symmetric game; got "
                f"'{self.simulator.name}'"
            )
        if not (self.penalty >= 0 and 0 <= self.coverage <= 1 and self.anneal >= 0):
            raise UserError(
                "LearnedOracle(): penalty must be at least 0, coverage in [0, 1] and "
                f"anneal at least 0; got {self.penalty}, {self.coverage}, {self.anneal}"
            )

    @property
    def shape(self) -> Shape:
        """Of the policies' networks."""
        sim = self.simulator
        return Shape(sim.inputs, self.settings.width, sim.actions)

    def covering(self, found: int) -> float:
        """alpha_t once ``found`` responses were learned."""
        if not self.anneal:
            return self.coverage
        return self.coverage * max(0.0, 1.0 - found / self.anneal)

    def initial(self, rng: np.random.Generator) -> Population:
        """The uniform policy of every player."""
        population = Population(((),) * self.simulator.players, self.shared)
        uniform = np.zeros(self.shape.size, dtype=np.float32)
        for player in range(1 if self.shared else self.simulator.players):
            population = population.add(player, uniform)
        return population

    def respond(
        self,
        population: Population,
        targets: Sequence[Target],
        rng: np.random.Generator,
    ) -> list[Response]:
        """Learned responses; with a shared pool player 0's answer all players."""
        pools = tuple(population.stacked())
        asked = [t for t in targets if not (self.shared and t.player)]
        seeds = [tuple(rng.integers(2**32, size=4).tolist()) for _ in asked]
        tasks = [
            Task(
                self.simulator,
                self.settings,
                target.player,
                pools,
                target.co_play,
                seed,
                self.penalty,
                self.covering(len(pools[target.player]) - 1),
                self.scale,
            )
            for target, seed in zip(asked, seeds, strict=True)
        ]
        learned = self.executor.answer(train, tasks)
        policies = [found.policy for found in learned]
        matches = [
            self._against(pools, target, policy, seed)
            for target, policy, seed in zip(asked, policies, seeds, strict=True)
        ]
        scores = self.executor.answer(play, matches)
        answers = {}
        for target, policy, score in zip(asked, policies, scores, strict=True):
            value = float(score.mean[:, 0, target.player].mean())
            error = float(score.error[:, 0, target.player].max())
            gain = target.weight * max(value - target.value, 0.0)
            answers[target.player, target.recommendation] = Response(
                target.player, policy, value, gain, error
            )
        return [
            replace(
                answers[0 if self.shared else t.player, t.recommendation],
                player=t.player,
            )
            for t in targets
        ]

    def _against(
        self,
        pools: tuple[ndarray, ...],
        target: Target,
        policy: ndarray,
        seed: tuple[int, ...],
    ) -> Matches:
        """Fresh episodes of a response against its target."""
        rng = np.random.default_rng(seed)
        flat = target.co_play.reshape(-1)
        drawn = rng.choice(len(flat), self.episodes, p=flat / flat.sum())
        co_players = np.unravel_index(drawn, target.co_play.shape)
        profiles = np.stack(co_players, axis=1)
        profiles = np.insert(profiles, target.player, 0, axis=1)
        own = (*pools[: target.player], policy[None], *pools[target.player + 1 :])
        return Matches(
            self.simulator,
            self.settings.width,
            own,
            profiles[None].astype(np.int64),
            (*seed, 1),
            device=self.settings.device,
        )

    def grow(
        self,
        population: Population,
        chosen: Sequence[Response],
        rng: np.random.Generator,
    ) -> Population:
        """Appends the responses; a shared pool gets each once."""
        for response in chosen:
            if not (self.shared and response.player):
                population = population.add(response.player, response.policy)
        return population


@dataclass(frozen=True, eq=False)
class SampledEvaluator:
    """Payoffs averaged over episodes that all profiles share.

    Attributes:
      simulator: where profiles are played.
      executor: where that runs.
      width: hidden units of the policies.
      episodes: of each profile.
      seed: of the episodes; a trial's own, the same in all iterations, so that payoffs
        differ by what the policies do (common random numbers).
      device: of torch.
      batch: profiles in a request.
      instances: if given, profiles of greedy policies play each of them once, which is
        exact; the uniform policy's are sampled all the same.
    """

    simulator: Simulator
    executor: Executor
    width: int = 200
    episodes: int = 1000
    seed: int = 0
    device: str = "cpu"
    batch: int = 40
    instances: Instances | None = None

    @property
    def ensemble(self) -> int:
        """E."""
        return self.simulator.ensemble

    def fill(
        self, population: Population, table: Table, rng: np.random.Generator
    ) -> Table:
        """``table`` with no cell missing; only missing profiles are played."""
        cells = np.argwhere(table.missing)
        if population.shared:
            cells = np.unique(np.sort(cells, axis=1), axis=0)
        if not len(cells):
            return table
        pools = tuple(population.stacked())
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
        return Table(table.uids, values, errors, episodes)

    def _requests(
        self, pools: tuple[ndarray, ...], cells: Int64[ndarray, "C N"]
    ) -> list[Matches]:
        """Profiles in batches; those that can be exact apart from the others."""
        exact = np.full(len(cells), self.instances is not None)
        for pool, which in zip(pools, cells.T, strict=True):
            exact &= pool[which].any(axis=1)  # the zero vector plays at random
        found = []
        for group, listed in ((cells[~exact], None), (cells[exact], self.instances)):
            count = self.episodes if listed is None else len(listed.weights)
            found += [
                Matches(
                    self.simulator,
                    self.width,
                    pools,
                    pure(group[c : c + self.batch], count),
                    (self.seed, _EPISODES_SEED),
                    instances=listed,
                    device=self.device,
                )
                for c in range(0, len(group), self.batch)
            ]
        return found


def _placed(
    cell: Int64[ndarray, " N"], score: Scores, at: int, shared: bool
) -> list[tuple[tuple[int, ...], Float64[ndarray, "E N"], Float64[ndarray, "E N"]]]:
    """A profile's payoffs, at every place they hold.

    In a symmetric game a profile's payoffs hold for all its permutations, and players
    who play one policy get the mean of what they got.
    """
    mean, error = score.mean[:, at], score.error[:, at]
    if not shared:
        return [(tuple(cell.tolist()), mean, error)]
    worth = {k: mean[:, cell == k].mean(axis=1) for k in np.unique(cell)}
    doubt = {k: error[:, cell == k].mean(axis=1) for k in np.unique(cell)}
    places: set[tuple[int, ...]] = set(permutations(cell.tolist()))
    return [
        (
            place,
            np.stack([worth[k] for k in place], axis=1),
            np.stack([doubt[k] for k in place], axis=1),
        )
        for place in sorted(places)
    ]
