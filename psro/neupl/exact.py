"""Neural populations in games whose tree fits: exact teachers, exact payoffs.

Codes become behaviour at all information states by one pass of the network, and
behaviour becomes realisation plans, which the exact oracle and evaluator take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.sequence import SequenceForm
from metaspiel.learn.conditional import Conditional
from metaspiel.learn.mlp import MLP
from metaspiel.nfg.errors import UserError
from psro.neupl.board import Board
from psro.neupl.codes import begun, grown, learners
from psro.neupl.distilling import Distilled, Distiller, distil
from psro.neupl.lesson import Lesson
from psro.neupl.settings import Codes, Distillation, Weighting, named
from psro.parts import PLAN, Population, Response
from psro.referee import Seen
from psro.setup import Oracle


@dataclass(frozen=True, eq=False, kw_only=True)
class ExactStudent:
    """A student of exact best responses, at every information state of a game.

    Attributes:
      boards: the information states of each player.
      codes: the network and its codes.
      distillation: how it learns.
      weighting: states that count: those that a policy itself lets be reached
        ("own_reach"), or "all" alike.
      same: a response is a known policy if no probability differs by more where the
        response arrives. Best responses differ by far more, and distillation that ends
        early by less, mostly.
      distiller: what distils a lesson.
    """

    boards: tuple[Board, ...]
    codes: Codes
    distillation: Distillation
    weighting: Weighting = "own_reach"
    same: float = 0.25
    distiller: Distiller = distil

    def __post_init__(self) -> None:
        named("weighting", self, ("own_reach", "all"))
        for player, board in enumerate(self.boards):
            alike = len(np.unique(board.seen.inputs, axis=0))
            if alike < board.tree.infosets:
                raise UserError(
                    "ExactStudent(): each information state must have a tensor of its "
                    f"own, or no network can tell them apart; player {player} has "
                    f"{board.tree.infosets} states and {alike} tensors"
                )

    @classmethod
    def of(
        cls,
        form: SequenceForm,
        seen: Sequence[Seen],
        *,
        codes: Codes | None = None,
        distillation: Distillation | None = None,
        weighting: Weighting = "own_reach",
    ) -> "ExactStudent":
        """A student of a game, given what its players see."""
        return cls(
            boards=tuple(map(Board, form.trees, seen)),
            codes=codes or Codes(),
            distillation=distillation or Distillation(),
            weighting=weighting,
        )

    @cached_property
    def network(self) -> Conditional:
        """The network of each group of players."""
        seen = self.boards[0].seen
        body = MLP(seen.inputs.shape[1], self.codes.width, seen.legal.shape[1])
        return Conditional(body, self.codes.size, self.codes.conditioning)

    @property
    def facts(self) -> dict[str, Any]:
        """What there is to say about the network, as JSON values."""
        return {
            "codes": self.codes.size,
            "conditioning": self.codes.conditioning,
            "networks": self.codes.networks,
            "network_weights": self.network.size,
            "distil_tolerance": self.distillation.tolerance,
        }

    def initial(self, population: Population, rng: Generator) -> Population:
        """Codes that play as the policies of a population of plans."""
        networks = len(self.codes.groups(learners(population)))
        empty, chosen = begun(population, [self.network] * networks, rng)
        assert empty.common is not None  # as ``begun`` gives it
        common = empty.common.astype(np.float64)
        return self.learn(replace(empty, common=common), chosen, rng)

    def realised(self, population: Population) -> Population:
        """The realisation plans that the codes stand for, uid by uid."""
        pools = [
            tuple(
                replace(member, policy=plan, play=PLAN)
                for member, plan in zip(
                    population.pools[player], board.plans(chances), strict=True
                )
            )
            for player, (board, chances) in enumerate(
                zip(self.boards, self._behaviours(population), strict=False)
            )
        ]
        if population.shared:
            pools = pools[:1] * len(population.pools)
        return replace(population, pools=tuple(pools), common=None)

    def prepared(self, teacher: Oracle, population: Population) -> Oracle:
        """The teacher as it is: it needs to know no more than policies."""
        return teacher

    def learn(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """The population with codes for the responses that no code plays yet."""
        chances = self._behaviours(population)
        plans = [
            list(board.plans(own))
            for board, own in zip(self.boards, chances, strict=False)
        ]
        known = [list(own) for own in chances]
        old = [len(own) for own in plans]
        counts: dict[tuple[int, int], int] = {}
        for response in chosen:
            player = 0 if population.shared else response.player
            at, apart = self.boards[player].nearest(response.policy, known[player])
            if apart > self.same:
                plans[player].append(response.policy)
                known[player].append(self.boards[player].behaviour(response.policy))
            else:
                counts[player, at] = counts.get((player, at), 0) + 1
        after = replace(population, notes={})
        if [len(own) for own in plans] != old:
            after = self._distilled(population, chances, plans=plans, rng=rng)
        return _counted(after, counts)

    def taught(
        self,
        population: Population,
        plans: Sequence[Sequence[Float64[ndarray, " _"]]],
        rng: Generator,
    ) -> Population:
        """The population whose codes learn these plans, and keep nothing they knew.

        Args:
          population: the pools; codes for further plans are added.
          plans: of each distinct pool, one for each of its members and for new ones.
          rng: of new codes.
        """
        nothing = [np.zeros((0, *board.seen.legal.shape)) for board in self.boards]
        return self._distilled(population, nothing, plans=plans, rng=rng)

    def _distilled(
        self,
        population: Population,
        chances: Sequence[Float64[ndarray, "_ _ A"]],
        *,
        plans: Sequence[Sequence[Float64[ndarray, " _"]]],
        rng: Generator,
    ) -> Population:
        """The population with a code for each plan beyond those it plays."""
        codes = [
            self._begun(self.codes.of(population, player), own, rng)
            for player, own in enumerate(plans)
        ]
        groups = self.codes.groups(learners(population))
        common, notes = [], []
        for group, weights in zip(groups, self._weights(population), strict=True):
            lesson = self._lesson(group, chances, plans)
            begun = np.concatenate([codes[player] for player in group])
            made = self.distiller(
                self.network,
                weights,
                begun,
                lesson=lesson,
                settings=self.distillation,
            )
            common.append(made.weights)
            ends = np.cumsum([len(codes[player]) for player in group])[:-1]
            for player, own in zip(group, np.split(made.codes, ends), strict=True):
                codes[player] = own
            notes.append(_note(made))
        return grown(
            population,
            codes,
            common=np.concatenate(common),
            play="sampled",
            notes={name: [note[name] for note in notes] for name in notes[0]},
        )

    def _begun(
        self,
        known: Float64[ndarray, "K d"],
        plans: Sequence[Float64[ndarray, " S"]],
        rng: Generator,
    ) -> Float64[ndarray, "K_new d"]:
        """The codes of a player, old and new, before they are learned."""
        old = len(known)
        rows = [*known]
        for plan in plans[old:]:
            apart = [float(np.abs(plan - one).mean()) for one in plans[:old]]
            rows.append(self.codes.first(known, apart, rng))
        return np.stack(rows)

    def _lesson(
        self,
        group: Sequence[int],
        chances: Sequence[Float64[ndarray, "_ _ A"]],
        plans: Sequence[Sequence[Float64[ndarray, " _"]]],
    ) -> Lesson:
        """What the network of some players is to learn and to keep."""
        states, codes, teachers, new = [], [], [], []
        offset = first = 0
        for player in group:
            board, known = self.boards[player], len(chances[player])
            for k, plan in enumerate(plans[player]):
                rows = board.reached(plan, self.weighting)
                does = chances[player][k] if k < known else board.behaviour(plan)
                states.append(rows + offset)
                codes.append(np.full(len(rows), first + k))
                teachers.append(does[rows])
                new.append(np.full(len(rows), k >= known))
            offset, first = offset + board.tree.infosets, first + len(plans[player])
        return Lesson(
            x=torch.cat([self.boards[player].x for player in group]),
            legal=torch.cat([self.boards[player].legal for player in group]),
            state=torch.from_numpy(np.concatenate(states)),
            code=torch.from_numpy(np.concatenate(codes)),
            teacher=torch.from_numpy(np.concatenate(teachers)),
            new=torch.from_numpy(np.concatenate(new)),
        )

    def _weights(self, population: Population) -> list[Float64[ndarray, " P"]]:
        """The weights of each network of a population.

        Raises:
          UserError: they are not those of this network.
        """
        networks = len(self.codes.groups(learners(population)))
        common = population.common
        if common is None or common.shape != (networks * self.network.size,):
            got = "none" if common is None else f"{common.size}"
            raise UserError(
                f"ExactStudent: the population must have {networks} x "
                f"{self.network.size} weights, as {self.network} has; got {got}"
            )
        return np.split(common, networks)

    def _behaviours(self, population: Population) -> list[Float64[ndarray, "_ _ A"]]:
        """What each code does at all information states, of each distinct pool."""
        groups = self.codes.groups(learners(population))
        return [
            self._chances(
                self.boards[player], weights, self.codes.of(population, player)
            )
            for group, weights in zip(groups, self._weights(population), strict=True)
            for player in group
        ]

    def _chances(
        self,
        board: Board,
        weights: Float64[ndarray, " P"],
        codes: Float64[ndarray, "K d"],
    ) -> Float64[ndarray, "K I A"]:
        count, states = len(codes), board.tree.infosets
        with torch.no_grad():
            scores = self.network.paired(
                torch.from_numpy(weights),
                torch.from_numpy(codes),
                board.x,
                state=torch.arange(states).repeat(count),
                code=torch.arange(count).repeat_interleave(states),
            ).view(count, states, self.network.actions)
            chances = scores.masked_fill(~board.legal, -torch.inf).softmax(2)
        out: ndarray = chances.numpy()
        return out


def _counted(population: Population, counts: dict[tuple[int, int], int]) -> Population:
    """The population in which some members were found again."""
    pools = [list(pool) for pool in population.pools]
    for (player, at), more in counts.items():
        for own in pools if population.shared else [pools[player]]:
            own[at] = replace(own[at], repeats=own[at].repeats + more)
    return replace(population, pools=tuple(tuple(pool) for pool in pools))


def _note(made: Distilled) -> dict[str, Any]:
    """What is recorded of a distillation."""
    return {
        "distil_error": made.error,
        "distil_new_error": made.new_error,
        "distil_steps": made.steps,
        "distil_reached": made.reached,
    }
