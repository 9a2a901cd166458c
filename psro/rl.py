"""Learned best responses, on any batched simulator.

Policies are weights of one network (``metaspiel.learn.nets``) and a way to play them
(``metaspiel.learn.policies``); a population begins with the uniform policy. A gap is
known once the responses to a meta-strategy were learned. It estimates a lower bound:
what was learned to gain, not what could be gained. It is a difference of two sampled
payoffs, cut off at 0, so its noise pushes it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.simulator import Simulator
from metaspiel.learn.evaluate import Instances, Matches, against, play
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse, check_objective
from metaspiel.learn.tasks import Task
from metaspiel.learn.update import check_written
from metaspiel.nfg.errors import UserError, unknown
from psro.executor import Executor
from psro.parts import STARTS, Population, Response, Start, Target
from psro.sampled import SampledEvaluator, pools_of

_SCORING = 1  # episodes that score a response, beside those it learned from
_STARTING = 2  # which policy a response begins with


@runtime_checkable
class Trainer(Protocol):
    """Protocol of what turns tasks into responses."""

    def __call__(
        self, tasks: Sequence[Task], executor: Executor
    ) -> list[Float32[ndarray, " Q"]]:
        """Weights of the tasks' network, one vector a task.

        Further numbers may follow, which whoever grows the population may keep.
        """


def trained(tasks: Sequence[Task], executor: Executor) -> list[Float32[ndarray, " Q"]]:
    """What the learners of the tasks learn, as they are."""
    return [learned.policy for learned in executor.answer(train, tasks)]


@dataclass(frozen=True, eq=False, kw_only=True)
class LearnedOracle:
    """Best responses by Double DQN or PPO.

    Attributes:
      simulator: the game in which responses are learned.
      network: network of all policies; an ``MLP`` for Double DQN.
      settings: hyper-parameters of the responses, which name the learner.
      executor: where the learning runs.
      shared: one pool for all players of a symmetric game; player 0 learns for all.
      episodes: played to measure what a response earns.
      penalty: lambda, weight of the uncertainty of outcomes (COffeE-PSRO, Eq. 3).
      coverage: alpha_0, chance of an episode against a uniform co-player that counts
        the uncertainty only (Eq. 4).
      anneal: coverage falls linearly to 0 over so many responses; 0 keeps it.
      scale: payoffs are divided by this while learning.
      start: weights that learning begins with: fresh ones ("scratch"), those of the
        player's newest policy ("last"), or of one drawn from what it plays in the
        meta-strategy ("mixture"). The uniform policy has none, so there it is fresh.
      trainer: turns tasks into responses.
    """

    simulator: Simulator
    network: Network
    settings: DDQN | PPOResponse
    executor: Executor
    shared: bool = False
    episodes: int = 1000
    penalty: float = 0.0
    coverage: float = 0.0
    anneal: int = 10
    scale: float = 5.0
    start: Start = "scratch"
    trainer: Trainer = trained

    def __post_init__(self) -> None:
        check_network("LearnedOracle()", self.network, self.simulator)
        if isinstance(self.settings, DDQN):
            check_written("LearnedOracle()", self.network)
        if self.start not in STARTS:
            raise unknown("LearnedOracle()", "start", self.start, STARTS)
        if self.shared and not self.simulator.symmetric:
            raise UserError(
                f"LearnedOracle(): a shared pool needs a symmetric game; got "
                f"'{self.simulator.name}'"
            )
        if self.anneal < 0 or self.episodes < 2:
            raise UserError(
                "LearnedOracle(): anneal must be at least 0 and episodes at least 2; "
                f"got {self.anneal} and {self.episodes}"
            )
        check_objective("LearnedOracle()", self.penalty, self.coverage, self.scale)

    def covering(self, learned: int) -> float:
        """The coverage alpha_t of a response, after so many responses were learned."""
        if not self.anneal:
            return self.coverage
        return self.coverage * max(0.0, 1.0 - learned / self.anneal)

    def evaluator(
        self, seed: int, instances: Instances | None = None
    ) -> SampledEvaluator:
        """One that plays what is learned here, in the same game and the same place."""
        return SampledEvaluator(
            simulator=self.simulator,
            network=self.network,
            executor=self.executor,
            episodes=self.episodes,
            seed=seed,
            device=self.settings.device,
            instances=instances,
        )

    def initial(self, rng: Generator) -> Population:
        """The uniform policy of every player."""
        population = Population(((),) * self.simulator.players, shared=self.shared)
        (weights,) = Pool.uniform(self.network).weights
        for player in range(1 if self.shared else self.simulator.players):
            population = population.add(player, weights, play="uniform")
        return population

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """One response a target; equal targets of a symmetric game share one.

        With a shared pool every seat is alike: player 0 learns, whoever is asked.
        """
        pools = pools_of(population)
        asked, index = self._distinct(targets)
        seeds = [tuple(rng.integers(2**32, size=4).tolist()) for _ in asked]
        tasks = [
            Task(
                simulator=self.simulator,
                network=self.network,
                settings=self.settings,
                player=target.player,
                pools=pools,
                co_play=target.co_play,
                seed=seed,
                penalty=self.penalty,
                coverage=self.covering(len(pools[target.player]) - 1),
                scale=self.scale,
                initial=self._initial(pools[target.player], target, seed),
            )
            for target, seed in zip(asked, seeds, strict=True)
        ]
        policies = self.trainer(tasks, self.executor)
        matches = [
            self._against(pools, target, policy[: self.network.size], seed)
            for target, policy, seed in zip(asked, policies, seeds, strict=True)
        ]
        scores = self.executor.answer(play, matches)
        answers = []
        for target, at in zip(targets, index, strict=True):
            paid = scores[at].outcomes[0, :, :, asked[at].player]
            paid = paid.mean(axis=1, dtype=np.float64)
            value, error = float(paid.mean()), paid.std(ddof=1) / np.sqrt(len(paid))
            gain = target.weight * max(value - target.value, 0.0)
            answers.append(
                Response(
                    player=target.player,
                    policy=policies[at],
                    value=value,
                    gain=gain,
                    error=float(error),
                    play=self.settings.play,
                )
            )
        return answers

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """None, as the gain of a learned response is not known before training."""
        return None

    def _initial(
        self, own: Pool, target: Target, seed: tuple[int, ...]
    ) -> ndarray | None:
        """The weights that a response begins with; None for fresh ones."""
        if self.start == "scratch":
            return None
        chosen = len(own) - 1
        if self.start == "mixture":
            rng = np.random.default_rng((*seed, _STARTING))
            chosen = int(rng.choice(len(own), p=target.own / target.own.sum()))
        return None if own.plays[chosen] == "uniform" else own.weights[chosen]

    def _distinct(self, targets: Sequence[Target]) -> tuple[list[Target], list[int]]:
        """Distinct targets, and the index of each target among them."""
        asked: list[Target] = []
        index = []
        for target in targets:
            seat = 0 if self.shared else target.player
            alike = (
                i
                for i, known in enumerate(asked)
                if known.player == seat
                and np.allclose(known.co_play, target.co_play, rtol=0, atol=1e-12)
                and (self.start != "mixture" or np.array_equal(known.own, target.own))
            )
            at = next(alike, len(asked))
            if at == len(asked):
                asked.append(replace(target, player=seat))
            index.append(at)
        return asked, index

    def _against(
        self,
        pools: tuple[Pool, ...],
        target: Target,
        policy: ndarray,
        seed: tuple[int, ...],
    ) -> Matches:
        """Fresh episodes of a response against its target."""
        profiles = against(
            target.co_play,
            target.player,
            [0],
            episodes=self.episodes,
            rng=np.random.default_rng(seed),
        )
        before, after = pools[: target.player], pools[target.player + 1 :]
        return Matches(
            simulator=self.simulator,
            network=self.network,
            pools=(*before, Pool.of(policy[None], self.settings.play), *after),
            profiles=profiles,
            seed=(*seed, _SCORING),
            device=self.settings.device,
        )

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """Appends the responses; a shared pool gets each once."""
        added: set[tuple[str, bytes]] = set()
        for response in chosen:
            key = response.play, response.policy.tobytes()
            if self.shared and key in added:
                continue
            added.add(key)
            population = population.add(
                response.player, response.policy, play=response.play
            )
        return population
