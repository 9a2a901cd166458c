"""Neural populations in games that are played: learned teachers, sampled episodes.

Each code stands for the weights of a plain network whose actions are sampled, so that
learners and evaluators play it like any other policy. What is to be learned and kept
is known where episodes of the policies went.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.simulator import Simulator
from metaspiel.learn.head import OneHidden
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.recurrent import Recurrent, Shared, shared_by_codes
from metaspiel.nfg.errors import UserError
from psro.executor import Executor
from psro.neupl.codes import begun, grown, learners
from psro.neupl.distilling import Distilled, distil
from psro.neupl.heads import HeadTrainer, summaries
from psro.neupl.lesson import number_type
from psro.neupl.settings import Codes, Distillation, Head, States
from psro.neupl.states import Asked, Scout, Seen, lesson_of
from psro.parts import Population, Response
from psro.rl import LearnedOracle
from psro.setup import Oracle

PLAY = "sampled"
"""How policies of codes are played."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SampledStudent:
    """A student of learned responses, at the states that episodes visit.

    What members share are the weights of each network, then those that make summaries
    of co-players for each player's responses.

    Attributes:
      simulator: the game.
      body: the plain network that each code stands for, of all policies.
      executor: where episodes are played.
      codes: the network and its codes.
      distillation: how it learns.
      states: how many states it learns from.
      head: how responses begin.
      device: torch device.
    """

    simulator: Simulator
    body: MLP | Recurrent
    executor: Executor
    codes: Codes
    distillation: Distillation
    states: States = States()
    head: Head = Head()
    device: str = "cpu"

    @cached_property
    def network(self) -> Shared:
        """The network of each group of players."""
        return shared_by_codes(self.body, self.codes.size, self.codes.conditioning)

    @cached_property
    def encoder(self) -> OneHidden:
        """The network that makes summaries of a player's co-players."""
        return summaries(self.network, self.head, self.simulator.players)

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to say about the network, as JSON values."""
        return {
            "codes": self.codes.size,
            "conditioning": self.codes.conditioning,
            "networks": self.codes.networks,
            "network_weights": self.network.size,
            "distil_tolerance": self.distillation.tolerance,
            "distil_states": [self.states.own, self.states.old, self.states.most],
            "head": vars(self.head),
        }

    def initial(self, population: Population, rng: Generator) -> Population:
        """Codes that play as the policies of a population of networks."""
        players = learners(population)
        made: list[Shared | OneHidden] = [self.network] * len(
            self.codes.groups(players)
        )
        made += [self.encoder] * players
        empty, chosen = begun(population, made, rng)
        return self.learn(empty, chosen, rng)

    def realised(self, population: Population) -> Population:
        """The weights of the plain networks that codes stand for, uid by uid."""
        pools = [
            tuple(
                replace(member, policy=weights, play=play)
                for member, weights, play in zip(
                    members, pool.weights, pool.plays, strict=True
                )
            )
            for members, pool in zip(
                population.pools, self._pools(population), strict=False
            )
        ]
        if population.shared:
            pools = pools * len(population.pools)
        return replace(population, pools=tuple(pools), common=None)

    def prepared(self, teacher: Oracle, population: Population) -> Oracle:
        """The learned oracle, whose responses begin with the network."""
        assert isinstance(teacher, LearnedOracle)  # the one kind that learns weights
        weights, made = self._split(population)
        seats = range(len(population.pools))
        seat = [0 if population.shared else player for player in seats]
        groups = self.codes.groups(learners(population))
        of = {p: own for group, own in zip(groups, weights, strict=True) for p in group}
        trainer = HeadTrainer(
            network=self.network,
            settings=self.head,
            codes=tuple(self._codes(population, player) for player in seat),
            common=tuple(of[player] for player in seat),
            summaries=tuple(made[player] for player in seat),
        )
        return replace(teacher, trainer=trainer)

    def learn(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """The population with a code for each response."""
        if not chosen:
            return replace(population, notes={})
        old = [len(pool) for pool in population.pools][: learners(population)]
        pools = self._pools(population)
        for response in chosen:
            player = 0 if population.shared else response.player
            weights = response.policy[None, : self.body.size].astype(np.float32)
            pools[player] = pools[player] + Pool.of(weights, response.play)
        seen = self._seen(population, pools, old, rng)
        return self._distilled(
            self._summarised(population, chosen), pools, old=old, seen=seen, rng=rng
        )

    def _seen(
        self,
        population: Population,
        pools: Sequence[Pool],
        old: Sequence[int],
        rng: Generator,
    ) -> list[Seen]:
        """What the policies of each distinct pool see, old and new."""
        asked = []
        for player, (pool, known) in enumerate(zip(pools, old, strict=True)):
            new, count = range(known, len(pool)), self.states.own
            asked.append(Asked(player=player, policies=new, each=count))
            count = self.states.each(known)
            asked.append(Asked(player=player, policies=range(known), each=count))
        asked = [one for one in asked if len(one.policies)]
        seats = tuple(pools) * (len(population.pools) if population.shared else 1)
        scout = Scout(
            simulator=self.simulator,
            network=self.body,
            executor=self.executor,
            device=self.device,
        )
        visits = scout.visits(seats, asked, rng)
        return [
            Seen.of([v for v, a in zip(visits, asked, strict=True) if a.player == p])
            for p in range(len(pools))
        ]

    def _distilled(
        self,
        population: Population,
        pools: Sequence[Pool],
        *,
        old: Sequence[int],
        seen: Sequence[Seen],
        rng: Generator,
    ) -> Population:
        """The population with a code for each policy of the pools."""
        codes = [
            self._begun(population, p, pool=pool, seen=seen[p], rng=rng)
            for p, pool in enumerate(pools)
        ]
        weights, made = self._split(population)
        groups = self.codes.groups(learners(population))
        notes = []
        for number, group in enumerate(groups):
            after = distil(
                self.network,
                weights[number].astype(np.float64),
                np.concatenate([codes[player] for player in group]),
                lesson=lesson_of(
                    self.body,
                    [pools[player] for player in group],
                    [seen[player] for player in group],
                    old=[old[player] for player in group],
                    dtype=number_type(self.distillation),
                    device=self.device,
                ),
                settings=self.distillation,
                seed=int(rng.integers(2**63)),
            )
            weights[number] = after.weights.astype(np.float32)
            ends = np.cumsum([len(codes[player]) for player in group])
            each = np.split(after.codes, ends[:-1])
            apart = np.split(after.divergence, ends[:-1])
            for player, own in zip(group, each, strict=True):
                codes[player] = own.astype(np.float32)
            notes.append(_note(after, apart, [old[player] for player in group]))
        return grown(
            population,
            codes,
            common=np.concatenate([*weights, *made]),
            play=PLAY,
            notes={name: [note[name] for note in notes] for name in notes[0]},
        )

    def _begun(
        self,
        population: Population,
        player: int,
        *,
        pool: Pool,
        seen: Seen,
        rng: Generator,
    ) -> Float64[ndarray, "K_new d"]:
        """The codes of a player, old and new, before they are learned."""
        known = self.codes.of(population, player)
        rows = [*known]
        for number in range(len(known), len(pool)):
            there = np.flatnonzero(seen.policy == number)
            policies = [*range(len(known)), number]
            does = seen.behaviour(
                self.body, pool, policies=policies, rows=there, device=self.device
            )
            apart = np.abs(does[:-1] - does[-1]) * seen.weight[there, None]
            rows.append(self.codes.first(known, apart.sum(axis=(1, 2)).tolist(), rng))
        return np.stack(rows)

    def _summarised(
        self, population: Population, chosen: Sequence[Response]
    ) -> Population:
        """The population with the summaries that the best responses learned."""
        weights, made = self._split(population)
        gains: dict[int, float] = {}
        for response in chosen:
            player = 0 if population.shared else response.player
            learned = response.policy[self.body.size :]
            if len(learned) and response.gain >= gains.get(player, 0.0):
                gains[player], made[player] = response.gain, learned
        return replace(population, common=np.concatenate([*weights, *made]))

    def _codes(self, population: Population, player: int) -> Float32[ndarray, "K d"]:
        return self.codes.of(population, player).astype(np.float32)

    def _pools(self, population: Population) -> list[Pool]:
        """The policies of each distinct pool, as banks play them."""
        groups = self.codes.groups(learners(population))
        weights, _ = self._split(population)
        pools: dict[int, Pool] = {}
        for group, own in zip(groups, weights, strict=True):
            for player in group:
                codes = torch.from_numpy(self._codes(population, player))
                folded = self.network.folded(torch.from_numpy(own), codes)
                pools[player] = Pool.of(folded.numpy(), PLAY)
        return [pools[player] for player in range(learners(population))]

    def _split(
        self, population: Population
    ) -> tuple[list[Float32[ndarray, " P"]], list[Float32[ndarray, " F"]]]:
        """The weights of each network, and those of each player's summaries.

        Raises:
          UserError: they are not those of this network.
        """
        players = learners(population)
        networks = len(self.codes.groups(players))
        sizes = [self.network.size] * networks + [self.encoder.size] * players
        common = population.common
        if common is None or common.shape != (sum(sizes),):
            got = "none" if common is None else f"{common.size}"
            raise UserError(
                f"SampledStudent: the population must have {networks} x "
                f"{self.network.size} and {players} x {self.encoder.size} weights, as "
                f"{self.network} and its summaries have; got {got}"
            )
        parts = np.split(common, np.cumsum(sizes)[:-1])
        return parts[:networks], parts[networks:]


def _note(
    made: Distilled, apart: Sequence[ndarray], old: Sequence[int]
) -> Mapping[str, Any]:
    """What is recorded of a distillation; divergences of each player of the network."""
    return {
        "distil_error": made.error,
        "distil_new_error": made.new_error,
        "distil_steps": made.steps,
        "distil_reached": made.reached,
        "distil_new_divergence": [
            own[known:].tolist() for own, known in zip(apart, old, strict=True)
        ],
        "distil_old_divergence": [  # oldest first
            own[:known].tolist() for own, known in zip(apart, old, strict=True)
        ],
    }
