"""Who is in a game of many agents, and which numbers of an observation describe whom.

An agent of such a game sees itself, every other agent, and every landmark. ``Sight``
holds what all agents of R situations see, once for each entity; ``Layout`` says how it
reads as one flat observation an agent: own numbers first, then those of every other
agent in the order of the agents, then those of every landmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from metaspiel.games.markov import MarkovGame
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, eq=False, kw_only=True)
class Sight:
    """What all agents of R situations see, entity by entity, in absolute places.

    Attributes:
      places: where each agent is.
      bodies: what everybody sees of an agent besides its place: velocity first.
      own: what an agent knows of itself: velocity and place first.
      landmarks: what everybody sees of a landmark: its place first.
      live: who takes part; nobody attends to the others.
    """

    places: Float[Tensor, "R N 2"]
    bodies: Float[Tensor, "R N E"]
    own: Float[Tensor, "R N S"]
    landmarks: Float[Tensor, "R K L"]
    live: Bool[Tensor, "R N"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How many entities there are, and how many numbers describe each.

    Attributes:
      roles: the role of each agent, such as (0, 0, 1): agents of a role are alike, and
        stand side by side, role 0 first.
      landmarks: K.
      own: S, numbers about oneself.
      body: E, numbers about another agent besides its place.
      landmark: L, numbers about a landmark, its place among them.
    """

    roles: tuple[int, ...]
    landmarks: int
    own: int = 4
    body: int = 2
    landmark: int = 2

    @property
    def agents(self) -> int:
        """N, the number of agents."""
        return len(self.roles)

    @property
    def inputs(self) -> int:
        """D, numbers in a flat observation."""
        others = (self.agents - 1) * (2 + self.body)
        return self.own + others + self.landmarks * self.landmark

    @property
    def groups(self) -> tuple[slice, ...]:
        """The agents of each role."""
        count = [self.roles.count(role) for role in range(max(self.roles) + 1)]
        ends = [sum(count[: k + 1]) for k in range(len(count))]
        return tuple(slice(e - n, e) for e, n in zip(ends, count, strict=True))

    def flat(self, sight: Sight) -> Float32[Tensor, "R N D"]:
        """Observations, in which places of others are relative to the observer.

        Agents that take no part are zeros to the others.
        """
        rows = len(sight.places)
        nothing = sight.places.new_zeros(rows, 1)
        seen = [sight.places, sight.bodies, sight.own, sight.landmarks]
        numbers = torch.cat([*(part.reshape(rows, -1) for part in seen), nothing], 1)
        columns, less, whose = _columns(self)
        flat = numbers.index_select(1, columns)
        flat -= numbers.index_select(1, less)
        if not bool(sight.live.all()):
            shown = torch.cat([sight.live.float(), nothing + 1.0], 1)
            flat *= shown.index_select(1, whose)
        return flat.view(rows, self.agents, -1)

    def parts(
        self, x: Float32[Tensor, "R D"]
    ) -> tuple[
        Float32[Tensor, "R S"], Float32[Tensor, "R M F"], Float32[Tensor, "R K L"]
    ]:
        """Own numbers, those of the M = N - 1 others, those of the landmarks."""
        shape = (self.agents - 1, 2 + self.body), (self.landmarks, self.landmark)
        sizes = [self.own, *(rows * columns for rows, columns in shape)]
        own, others, marks = x.split(sizes, 1)
        return own, others.view(len(x), *shape[0]), marks.view(len(x), *shape[1])


@lru_cache(maxsize=64)
def _columns(layout: Layout) -> Int64[Tensor, "3 ND"]:
    """Where every number of the flat observations of all N agents comes from.

    Returns:
      its column among all numbers that are seen, the column of what is taken off it
      (the last, which is 0, for what is absolute), and the agent who must live for it
      to be shown (N where none must).
    """
    n, k = layout.agents, layout.landmarks
    widths = [(n, 2), (n, layout.body), (n, layout.own), (k, layout.landmark)]
    ends = [0, *accumulate(rows * width for rows, width in widths)]
    places, bodies, own, marks = (
        [[begin + row * width + i for i in range(width)] for row in range(rows)]
        for begin, (rows, width) in zip(ends, widths, strict=False)
    )
    zero, columns = ends[-1], []
    for i, here in enumerate(places):
        columns += [(column, zero, n) for column in own[i]]
        for j in range(n):
            if j != i:
                columns += zip(places[j], here, [j, j], strict=True)
                columns += [(column, zero, j) for column in bodies[j]]
        for mark in marks:
            columns += zip(mark[:2], here, [n, n], strict=True)
            columns += [(column, zero, n) for column in mark[2:]]
    return torch.tensor(columns).T.contiguous()


@runtime_checkable
class Populated(MarkovGame, Protocol):
    """A Markov game of agents and landmarks, of any number of agents.

    Attributes:
      sizes: number of agents of each role.
      role_names: what agents of each role are called, such as ("agents",).
      layout: which numbers of an observation describe whom.
    """

    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def role_names(self) -> tuple[str, ...]: ...
    @property
    def layout(self) -> Layout: ...

    def resized(self, sizes: tuple[int, ...]) -> "Populated":
        """The same game with so many agents of each role."""

    def state(self, scene: Any) -> dict[str, Tensor]:
        """What a replay keeps of a scene: tensors that begin with ``[B]``."""

    def sight(self, state: dict[str, Tensor]) -> Sight:
        """What all agents see in stored states."""


def family(game: Populated, sizes: Sequence[tuple[int, ...]]) -> tuple[Populated, ...]:
    """One game at several population sizes.

    Raises:
      UserError: there is no size, one comes twice, or a size has not one number a role.
    """
    if not sizes or len(set(sizes)) < len(sizes):
        raise UserError(
            "family(): sizes must be named, each once; got "
            f"{[','.join(map(str, one)) for one in sizes]}"
        )
    for one in sizes:
        if len(one) != len(game.sizes):
            roles = len(game.sizes)
            raise UserError(
                f"family(): a size of {game.name} must have {roles} "
                f"number{'s' * (roles > 1)}, one a role; got "
                f"'{','.join(map(str, one))}'"
            )
    return tuple(game.resized(one) for one in sizes)
