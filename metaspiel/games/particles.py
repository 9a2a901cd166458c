"""Discs that move in a plane and push each other: OpenAI's particle physics as arrays.

All B worlds move at once, without an object an agent. The order of integration is the
one of OpenAI's multi-agent particle environments (Lowe et al., 2017): forces at the
present places change the velocities, and these change the places. Farama's ``mpe2``
moves first and is another game.

Numbers are kept as planes, ``[2, N, B]``: the episodes come last so that every
operation runs along them. Scenes show the same arrays as ``[B, N, 2]``.
"""

from dataclasses import dataclass
from functools import cache
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


class Pairs(NamedTuple):
    """All pairs of N agents.

    Attributes:
      first: the agent of the lower index.
      second: the other one.
    """

    first: Int64[ndarray, " P"]
    second: Int64[ndarray, " P"]


@cache
def pairs(agents: int) -> Pairs:
    """The N (N - 1) / 2 pairs, in lexical order."""
    return Pairs(*np.triu_indices(agents, 1))


def moved(
    bodies: Bodies,
    state: tuple[Planes, Planes],
    actions: Int64[ndarray, "N B"],
    live: Bool[ndarray, "N B"],
) -> tuple[Planes, Planes]:
    """Places and velocities a step later.

    Args:
      bodies: the agents.
      state: places and velocities.
      actions: a move for every agent.
      live: who can move; the others stay as they are, and nobody touches them.
    """
    places, velocities = state
    everyone = bool(live.all())
    force = MOVES[:, actions] * bodies.force
    if bodies.contact:
        force += contacts(bodies.radius, places, None if everyone else live)
    speed = velocities * (1.0 - DAMPING) + force * STEP
    if np.isfinite(bodies.speed).any():
        length = np.sqrt(speed[0] * speed[0] + speed[1] * speed[1])
        fast = length > bodies.speed
        speed *= np.divide(bodies.speed, length, where=fast, out=np.ones_like(length))
    after = places + speed * STEP
    if bodies.edge < np.inf:
        np.clip(after, -bodies.edge, bodies.edge, out=after)
    if everyone:
        return after, speed
    return np.where(live, after, places), np.where(live, speed, velocities)


def contacts(
    radius: Float64[ndarray, "N 1"], places: Planes, live: ndarray | None = None
) -> Planes:
    """Forces between agents that touch or nearly do.

    Two agents at one and the same place do not push each other: there is no direction.

    Args:
      radius: of each agent.
      places: where they are.
      live: who takes part [N, B]; None for all.
    """
    first, second = pairs(places.shape[1])
    batch = places.shape[2]
    apart = places[:, first] - places[:, second]
    square = squared(apart)
    reach = (radius[first] + radius[second] + _TAIL) ** 2
    close = square < reach
    if live is not None:
        close &= live[first] & live[second]
    near = np.flatnonzero(close)
    force = np.zeros_like(places)
    if not len(near):
        return force
    pair, episode = np.divmod(near, batch)
    first, second = first[pair], second[pair]
    distance = np.sqrt(square.ravel()[near])
    depth = (radius[first] + radius[second])[:, 0] - distance
    push = FORCE * MARGIN * np.logaddexp(0.0, depth / MARGIN)
    push /= np.maximum(distance, _SAME)
    # An agent's pushes are added in the order of its pairs, whatever else there is.
    for axis, part in enumerate(apart.reshape(2, -1)[:, near] * push):
        for sign, agent in ((1.0, first), (-1.0, second)):
            total = np.bincount(agent * batch + episode, part, force[axis].size)
            force[axis] += sign * total.reshape(force[axis].shape)
    return force


def squared(apart: Float64[ndarray, "2 *M"]) -> Float64[ndarray, "*M"]:
    """Squared lengths; what is given is overwritten in no part."""
    square: ndarray = apart[0] * apart[0]
    square += apart[1] * apart[1]
    return square


def between(places: Planes, others: Planes) -> Float64[ndarray, "N K B"]:
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
    which, episode = np.nonzero(gone)
    if not len(which):
        return landmarks
    event = 2 * (time[episode] * len(gone) + which)
    both = np.stack([event, event + 1])
    numbers = later_numbers(np.broadcast_to(begun[episode], both.shape), both)
    landmarks = landmarks.copy()
    landmarks[:, which, episode] = 2.0 * numbers - 1.0
    return landmarks
