"""Policies by rule for worlds of particles, and what they are paid.

A learner is measured against these: random moves, going to what is nearest, and in
Resource Occupation the best disc for one agent while the others stay where they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from metaspiel.games.pacman import Pacman
from metaspiel.games.particle_world import RADIUS, ParticleScene, ParticleWorld
from metaspiel.games.particles import DAMPING, STEP
from metaspiel.games.resource import Resource
from metaspiel.games.treasure import Treasure

Moves = Int64[ndarray, "B N"]
Play = Callable[[ParticleScene, np.random.Generator], Moves]
"""A joint action for every episode of a scene."""

EPISODES = 256
COAST = STEP * (1.0 - DAMPING) / DAMPING  # seconds that an agent at rest rolls on
_FEAR = 0.5  # distance from which a wary Pac-Man flees


def references(game: ParticleWorld) -> dict[str, Play]:
    """The rules that are known for a world, by name, random moves first.

    ``nearest``: an agent goes to the nearest landmark, a ghost to the nearest Pac-Man.
    ``largest``: all go to the largest disc. ``myopic``: to the disc that pays most over
    the rest of the episode if nobody else moves. ``wary``: as nearest, but a Pac-Man
    flees from a ghost that is near.
    """
    rules: dict[str, Play] = {"random": random_moves}
    if isinstance(game, Resource):
        rules |= {
            "largest": lambda scene, _: to_mark(scene, _largest(scene)),
            "nearest": lambda scene, _: to_mark(scene, _ranges(scene).argmin(2)),
            "myopic": lambda scene, _: to_mark(scene, _worth(game, scene).argmax(2)),
        }
    if isinstance(game, Treasure):
        rules["nearest"] = lambda scene, _: to_mark(scene, _ranges(scene).argmin(2))
    if isinstance(game, Pacman):
        rules |= {
            "nearest": lambda scene, _: _chase(game, scene, 0.0),
            "wary": lambda scene, _: _chase(game, scene, _FEAR),
        }
    return rules


@dataclass(frozen=True, eq=False)
class Scores:
    """Rewards of an episode an agent, by role.

    Attributes:
      mean: over episodes and the agents of the role.
      error: standard error of the mean over episodes.
    """

    mean: Float64[ndarray, " roles"]
    error: Float64[ndarray, " roles"]


def scores(
    game: ParticleWorld, play: Play, *, episodes: int = EPISODES, seed: int = 0
) -> Scores:
    """What agents that follow a rule are paid.

    Args:
      game: played to the end, all episodes side by side.
      play: the rule.
      episodes: how many, at least 2.
      seed: of chance and moves.
    """
    rng = np.random.default_rng(seed)
    scene = game.start(rng.random((episodes, game.draws)))
    total = scene.rewards
    while not scene.over.all():
        scene = game.step(scene, play(scene, rng))
        total = total + scene.rewards
    paid = np.stack([total[:, group].mean(1) for group in game.layout.groups])
    return Scores(paid.mean(1), paid.std(1, ddof=1) / np.sqrt(episodes))


def random_moves(scene: ParticleScene, rng: np.random.Generator) -> Moves:
    """Uniformly random moves."""
    return rng.integers(0, 5, scene.live.shape)


def steered(scene: ParticleScene, targets: Float64[ndarray, "B N 2"]) -> Moves:
    """Moves along the axis on which an agent that rolled on would miss by more."""
    miss = targets - scene.places - COAST * scene.velocities
    across = np.abs(miss[..., 1]) > np.abs(miss[..., 0])
    back = np.where(across, miss[..., 1], miss[..., 0]) < 0
    return 1 + 2 * across.astype(np.int64) + back


def to_mark(scene: ParticleScene, mark: Moves) -> Moves:
    """Moves towards the landmark that each agent has chosen."""
    return steered(scene, _picked(scene.landmarks, mark))


def _picked(places: Float64[ndarray, "B K 2"], which: Moves) -> ndarray:
    return np.take_along_axis(places, which[..., None], 1)


def _ranges(scene: ParticleScene) -> Float64[ndarray, "B N K"]:
    """Distances of landmarks from agents."""
    return _apart(scene.places, scene.landmarks)


def _apart(places: ndarray, others: ndarray) -> ndarray:
    gap = places[:, :, None] - others[:, None]
    distance: ndarray = np.hypot(gap[..., 0], gap[..., 1])
    return distance


def _largest(scene: ParticleScene) -> Moves:
    return np.full(scene.live.shape, scene.landmarks.shape[1] - 1)


def _worth(game: Resource, scene: ParticleScene) -> Float64[ndarray, "B N K"]:
    """What each disc would pay an agent until the end, if the others stay.

    The way to its edge takes as long as at the terminal speed.
    """
    gap = np.maximum(_ranges(scene) - game.radii - RADIUS, 0.0)
    inside = gap == 0.0
    others = inside.sum(1, keepdims=True) - inside
    steps = gap / (game.force * STEP / DAMPING * STEP)
    left = np.maximum(game.limit - scene.time[:, None, None] - steps, 0.0)
    return game.radii / (others + 1) * left


def _chase(game: Pacman, scene: ParticleScene, fear: float) -> Moves:
    """Ghosts chase the nearest Pac-Man; Pac-Men eat, and flee from near ghosts."""
    n = game.pacmen
    places, live = scene.places, scene.live[:, :n]
    dots = _apart(places[:, :n], scene.landmarks).argmin(2)
    goals = _picked(scene.landmarks, dots)
    apart = _apart(places[:, :n], places[:, n:])
    hunter = _picked(places[:, n:], apart.argmin(2))
    flees: Bool[ndarray, "B n"] = apart.min(2) < fear
    goals = np.where(flees[..., None], 2.0 * places[:, :n] - hunter, goals)
    prey = np.where(live[..., None], apart, np.inf).argmin(1)
    return steered(scene, np.concatenate([goals, _picked(places[:, :n], prey)], 1))
