"""Rules for worlds of particles are paid what the prototypes of them were."""

import numpy as np
import pytest

from metaspiel.games.pacman import Pacman
from metaspiel.games.particle_references import references, scores, steered
from metaspiel.games.resource import Resource
from metaspiel.games.treasure import Treasure

KNOWN = {
    3: (9.0, 21.6, 28.2, 35.7),
    6: (8.2, 12.6, 21.1, 23.6),
    9: (7.6, 9.1, 17.1, 18.0),
    12: (6.9, 7.2, 14.3, 14.4),
    15: (7.0, 6.2, 12.1, 12.1),
    24: (5.3, 4.4, 8.1, 8.0),
}
"""Means of 256 episodes of the same rules, written independently; one digit is kept."""


@pytest.mark.parametrize("agents", KNOWN)
def test_rules_of_resource_occupation_are_paid_what_is_known(agents):
    game = Resource(agents=agents)
    rules = references(game)
    assert list(rules) == ["random", "largest", "nearest", "myopic"]
    for (name, play), known in zip(rules.items(), KNOWN[agents], strict=True):
        result = scores(game, play)
        # Both are samples, and what is known is rounded.
        error = 3 * np.sqrt(2) * result.error[0] + 0.05
        assert abs(result.mean[0] - known) < error, name


def test_going_to_the_nearest_treasure_beats_chance():
    game = Treasure()
    rules = references(game)
    low, high = (scores(game, rules[name], episodes=64) for name in rules)
    assert list(rules) == ["random", "nearest"]
    assert high.mean[0] - low.mean[0] > 10 * (low.error[0] + high.error[0])


def test_ghosts_that_chase_catch_more_and_pacmen_that_flee_are_caught_less():
    game = Pacman()
    paid = {
        name: scores(game, play, episodes=128)
        for name, play in references(game).items()
    }
    assert list(paid) == ["random", "nearest", "wary"]
    assert paid["nearest"].mean.shape == (2,)
    assert paid["nearest"].mean[1] > paid["random"].mean[1] + 2
    assert paid["wary"].mean[1] < paid["nearest"].mean[1] - 2
    assert paid["wary"].mean[0] > paid["nearest"].mean[0]


def test_scores_are_means_over_episodes_with_their_error():
    game = Resource(agents=2)
    numbers = np.random.default_rng(5).random((7, game.draws))
    scene, total = game.start(numbers), 0.0
    while not scene.over.all():
        scene = game.step(scene, np.zeros((7, 2), int))
        total = total + scene.rewards.mean(1)
    result = scores(game, lambda scene, rng: np.zeros((7, 2), int), episodes=7, seed=5)
    np.testing.assert_allclose(result.mean, total.mean())
    np.testing.assert_allclose(result.error, total.std(ddof=1) / np.sqrt(7))


def test_steering_minds_where_an_agent_rolls_to():
    game = Resource(agents=2)
    scene = game.start(np.full((1, game.draws), 0.5))
    goals = np.array([[[0.5, -0.2], [0.1, -0.3]]])
    np.testing.assert_array_equal(steered(scene, goals), [[1, 4]])
    for _ in range(3):
        scene = game.step(scene, np.array([[1, 2]]))
    goals = scene.places + np.array([[0.1, 0.0], [-0.1, 0.0]])
    np.testing.assert_array_equal(steered(scene, goals), [[2, 1]])
