"""Meta-strategies against each other and under exploiters, in fresh episodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from experiments.neupl_learned.course import Course
from metaspiel.learn.evaluate import Matches, Scores, play
from metaspiel.learn.policies import Pool
from psro.parts import Population, Response
from psro.sampled import pools_of
from psro.targets import targets

_DUEL, _EXPLOIT, _FRESH = 11, 12, 13  # purposes of seeds


@dataclass(frozen=True, eq=False)
class Side:
    """A meta-strategy, as it is played.

    Attributes:
      population: networks.
      joint: distribution over their profiles.
    """

    population: Population
    joint: Float64[ndarray, "*K"]

    @classmethod
    def of(cls, course: Course) -> "Side":
        """The one at the end of a run."""
        return cls(course.realised[-1], course.last.train.joint)

    def drawn(self, episodes: int, rng: np.random.Generator) -> Int64[ndarray, "M N"]:
        """A profile an episode, as correlated as the meta-strategy."""
        flat = self.joint.reshape(-1)
        at = rng.choice(len(flat), episodes, p=flat / flat.sum())
        return np.stack(np.unravel_index(at, self.joint.shape), 1).astype(np.int64)


def played(
    course: Course,
    pools: tuple[Pool, ...],
    profiles: Int64[ndarray, "C M N"],
    seed: tuple[int, ...],
) -> Scores:
    """Plays profiles of networks in a run's game."""
    match = Matches(
        simulator=course.simulator,
        network=course.oracle.network,
        pools=pools,
        profiles=profiles,
        seed=seed,
    )
    return course.executor.answer(play, [match])[0]


def duel(
    course: Course, one: Side, two: Side, *, episodes: int, seed: int
) -> tuple[float, float]:
    """What the first half of the players get who play one side, the others the other.

    Returns:
      The mean of the first player's payoff, and its standard error.
    """
    players = course.simulator.players
    pools = tuple(
        own if p < players // 2 else other
        for p, (own, other) in enumerate(
            zip(pools_of(one.population), pools_of(two.population), strict=True)
        )
    )
    rng = np.random.default_rng((seed, _DUEL))
    profiles = one.drawn(episodes, rng)
    profiles[:, players // 2 :] = two.drawn(episodes, rng)[:, players // 2 :]
    scores = played(course, pools, profiles[None], (seed, _DUEL))
    return float(scores.mean[0, 0, 0]), float(scores.error[0, 0, 0])


def exploited(
    course: Course, players: Sequence[int], *, tries: int, episodes: int, seed: int
) -> tuple[list[float], list[float]]:
    """What independently learned responses gain against the final meta-strategy.

    Each player learns from fresh weights with several seeds; the best of them, by
    episodes of their own, is measured in other ones, beside the meta-strategy.

    Returns:
      The gain of each of the players, and its standard error.
    """
    side, state = Side.of(course), course.last
    game = state.table.game(state.population, repeats=False)
    every = targets(game, side.joint, "cce")
    asked = [every[player] for player in players]
    learned: list[list[Response]] = []
    for number in range(tries):
        rng = np.random.default_rng((seed, _EXPLOIT, number))
        learned.append(course.oracle.respond(side.population, asked, rng))
    best = [
        max(tried, key=lambda one: one.value) for tried in zip(*learned, strict=True)
    ]
    gains, errors = [], []
    for player, response in zip(players, best, strict=True):
        paired = deviations(
            course, side, player, [response], episodes=episodes, seed=seed
        )
        gains.append(float(paired[0].mean()))
        errors.append(float(paired[0].std(ddof=1) / np.sqrt(episodes)))
    return gains, errors


def deviations(
    course: Course,
    side: Side,
    player: int,
    responses: Sequence[Response],
    *,
    episodes: int,
    seed: int,
) -> Float64[ndarray, "C M"]:
    """What a player gains in each episode by playing a response instead."""
    pools = list(pools_of(side.population))
    known, size = len(pools[player]), course.oracle.network.size
    for one in responses:
        pools[player] = pools[player] + Pool.of(one.policy[None, :size], one.play)
    drawn = side.drawn(episodes, np.random.default_rng((seed, _FRESH, player)))
    profiles = np.repeat(drawn[None], 1 + len(responses), axis=0)
    for number in range(len(responses)):
        profiles[1 + number, :, player] = known + number
    scores = played(course, tuple(pools), profiles, (seed, _FRESH, player))
    paid = scores.outcomes[:, :, 0, player].astype(np.float64)
    return paid[1:] - paid[0]
