"""Discs that move in a plane and push each other: OpenAI's particle physics as arrays.

All B worlds move at once, without an object an agent. The order of integration is the
one of OpenAI's multi-agent particle environments (Lowe et al., 2017): forces at the
present places change the velocities, and these change the places. Farama's ``mpe2``
moves first and is another game.

Numbers are kept as planes, ``[2, N, B]``: the episodes come last so that every
operation runs along them. Scenes show the same arrays as ``[B, N, 2]``.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from metaspiel.games.chance import later_numbers
from metaspiel.games.markov import Discrete

ACTIONS = Discrete(5)
MOVES = np.array([[0, 1, -1, 0, 0], [0, 0, 0, 1, -1]], np.float64)
"""Directions of the moves stay, +x, -x, +y, -y, one a column."""

STEP, DAMPING = 0.1, 0.25  # seconds, and the share of a velocity that is lost in each
FORCE, MARGIN = 100.0, 1e-3  # of a contact, and how soft it is
_TAIL = 33 * MARGIN  # gap from which a contact's depth is below 1e-17: none
_AXES = np.array([[0], [1]])
_SAME = 1e-9  # nearer agents have hardly a direction

Planes = Float64[ndarray, "2 N B"]
"""Places or velocities of N entities in B episodes: all x, then all y."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Bodies:
    """What the physics knows of the agents, a row each; their mass is 1.

    Attributes:
      radius: of the disc.
      force: of a move.
      speed: the most that an agent reaches; infinite where there is no limit.
      edge: coordinates are kept within -edge and edge; infinite for an open plane.
      contact: agents push each other.
    """

    radius: Float64[ndarray, "N 1"]
    force: Float64[ndarray, "N 1"]
    speed: Float64[ndarray, "N 1"]
    edge: float
    contact: bool

    @cached_property
    def touch(self) -> Float64[ndarray, "P 1"]:
        """Distance at which the agents of each pair touch."""
        first, second = pairs(len(self.radius))
        touch: ndarray = self.radius[first] + self.radius[second]
        return touch

    @cached_property
    def limited(self) -> bool:
        """Whether there is a limit of speed."""
        return bool((self.speed < np.inf).any())

    @staticmethod
    def alike(
        agents: int, *, radius: float, force: float, edge: float, contact: bool
    ) -> "Bodies":
        """N equal agents without a limit of speed."""
        return Bodies(
            radius=np.full((agents, 1), radius),
            force=np.full((agents, 1), force),
            speed=np.full((agents, 1), np.inf),
            edge=edge,
            contact=contact,
        )


class Meetings(NamedTuple):
    """Pairs of agents that are near each other, M in all B episodes together.

    Attributes:
      pair: its index among all P pairs of agents, in lexical order.
      first: the agent of the lower index, as index * B + episode.
      second: the other one.
      apart: from the second to the first.
      square: of their distance.
    """

    pair: Int64[ndarray, " M"]
    first: Int64[ndarray, " M"]
    second: Int64[ndarray, " M"]
    apart: Float64[ndarray, "2 M"]
    square: Float64[ndarray, " M"]


@cache
def pairs(agents: int) -> tuple[Int64[ndarray, " P"], Int64[ndarray, " P"]]:
    """First and second agent of the P = N (N - 1) / 2 pairs, in lexical order."""
    first, second = np.triu_indices(agents, 1)
    return first, second


def meetings(
    places: Planes,
    reach: Float64[ndarray, "P 1"] | float,
    live: Bool[ndarray, "N B"] | None = None,
) -> Meetings:
    """The pairs of agents whose distance is below ``reach``.

    Args:
      places: where they are.
      reach: of each pair.
      live: who takes part; None for all.
    """
    first, second = pairs(places.shape[1])
    batch = places.shape[2]
    apart = places.take(first, 1)
    apart -= places.take(second, 1)
    square = apart * apart
    square = square[0] + square[1]
    near = square < reach * reach
    if live is not None:
        near &= live[first] & live[second]
    which = near.ravel().nonzero()[0]
    pair, episode = np.divmod(which, batch)
    return Meetings(
        pair,
        first[pair] * batch + episode,
        second[pair] * batch + episode,
        apart.reshape(2, -1)[:, which],
        square.ravel()[which],
    )


def moved(
    bodies: Bodies,
    state: tuple[Planes, Planes],
    actions: Int64[ndarray, "N B"],
    live: Bool[ndarray, "N B"] | None = None,
) -> tuple[Planes, Planes]:
    """Places and velocities a step later.

    Args:
      bodies: the agents.
      state: places and velocities.
      actions: a move for every agent.
      live: who can move; the others stay as they are, and nobody touches them. None
        for all.
    """
    places, velocities = state
    force = MOVES.take(actions, 1) * bodies.force
    if bodies.contact:
        force += contacts(bodies.touch, places, live)
    speed = velocities * (1.0 - DAMPING) + force * STEP
    if bodies.limited:
        length = np.sqrt(speed[0] * speed[0] + speed[1] * speed[1])
        fast = length > bodies.speed
        speed *= np.divide(bodies.speed, length, where=fast, out=np.ones_like(length))
    after = places + speed * STEP
    if bodies.edge < np.inf:
        np.minimum(after, bodies.edge, out=after)
        np.maximum(after, -bodies.edge, out=after)
    if live is None:
        return after, speed
    return np.where(live, after, places), np.where(live, speed, velocities)


def contacts(
    touch: Float64[ndarray, "P 1"],
    places: Planes,
    live: Bool[ndarray, "N B"] | None = None,
) -> Planes:
    """Forces between agents that touch or nearly do.

    Two agents at one and the same place do not push each other: there is no direction.

    Args:
      touch: distance at which each pair touches.
      places: where they are.
      live: who takes part; None for all.
    """
    near = meetings(places, touch + _TAIL, live)
    if not len(near.pair):
        return np.zeros_like(places)
    distance = np.sqrt(near.square)
    depth = touch[near.pair, 0] - distance
    push = FORCE * MARGIN * np.logaddexp(0.0, depth / MARGIN)
    push = near.apart * (push / np.maximum(distance, _SAME))
    # An agent's pushes are added in the order of its pairs, whatever else there is.
    agents = np.concatenate([near.first, near.second])
    numbers = (agents + _AXES * places[0].size).ravel()
    pushes = np.concatenate([push, -push], 1).ravel()
    return np.bincount(numbers, pushes, places.size).reshape(places.shape)


def touching(places: Planes, reach: float) -> Int64[ndarray, "N B"]:
    """How many others each agent is nearer to than ``reach``."""
    near = meetings(places, reach)
    agents = np.concatenate([near.first, near.second])
    count: ndarray = np.bincount(agents, minlength=places[0].size)
    return count.reshape(places.shape[1:])


def between(
    places: Planes, others: Float64[ndarray, "2 K B"]
) -> Float64[ndarray, "N K B"]:
    """Squared distances of each of N entities from each of K others."""
    square: ndarray = places[0][:, None] - others[0]
    square *= square
    rise = places[1][:, None] - others[1]
    rise *= rise
    square += rise
    return square


def renewed(
    landmarks: Float64[ndarray, "2 K B"],
    gone: Bool[ndarray, "K B"],
    time: Int64[ndarray, " B"],
    begun: Float64[ndarray, " B"],
) -> Float64[ndarray, "2 K B"]:
    """Landmarks of which some are put to new uniform places.

    Args:
      landmarks: where they are.
      gone: which are to move.
      time: steps taken.
      begun: the number from which each episode's later numbers come.
    """
    which, episode = gone.nonzero()
    if not len(which):
        return landmarks
    events = 2 * (time[episode] * len(gone) + which) + _AXES
    numbers = later_numbers(begun[episode], events)
    landmarks = landmarks.copy()
    landmarks[:, which, episode] = 2.0 * numbers - 1.0
    return landmarks
