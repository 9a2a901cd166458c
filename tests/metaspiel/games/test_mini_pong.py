"""Mini-Pong: the same game from both sides, and its rules by hand."""

from dataclasses import replace

import numpy as np
import pytest

from metaspiel.games.markov import MarkovGame
from metaspiel.games.mini_pong import DOWN, STAY, UP, MiniPong, tracker
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError

FIELDS = ("observations", "rewards", "terminated", "truncated", "ball", "points")


def rng(seed=0):
    return np.random.default_rng(seed)


def played(game, batch, steps, seed=0):
    """Scenes of random play, restarted where over."""
    numbers = rng(seed)
    scene = game.start(numbers.random((batch, 2)))
    for _ in range(steps):
        scene = game.step(scene, numbers.integers(0, 3, (batch, 2)))
        yield scene
        scene = game.restart(scene, scene.over, numbers.random((batch, 2)))


def contest(game, first, second, batch=60, seed=0):
    """Mean return of the first agent, and episodes cut by the limit."""
    numbers = rng(seed)
    scene = game.start(numbers.random((batch, 2)))
    total = np.zeros(batch)
    while not scene.over.all():
        left, right = scene.observations[:, 0], scene.observations[:, 1]
        actions = np.stack([first(left, numbers), second(right, numbers)], 1)
        scene = game.step(scene, actions)
        total += scene.rewards[:, 0]
    return total.mean(), scene.truncated.mean()


def random(observations, numbers):
    return numbers.integers(0, 3, len(observations))


def follow(observations, numbers):
    return tracker(observations)


def test_exchanging_the_agents_mirrors_the_game():
    game, numbers = MiniPong(2, 150), rng()
    uniforms = numbers.random((50, 2))
    one, other = game.start(uniforms), game.start(np.abs([1, 0] - uniforms))
    ended = 0
    for _ in range(200):
        actions = numbers.integers(0, 3, (50, 2))
        one, other = game.step(one, actions), game.step(other, actions[:, ::-1])
        np.testing.assert_array_equal(one.observations, other.observations[:, ::-1])
        np.testing.assert_array_equal(one.rewards, other.rewards[:, ::-1])
        np.testing.assert_array_equal(one.over, other.over)
        ended += one.rewards.any()
    assert ended > 10
    assert one.over.all()


def test_it_is_zero_sum_and_pays_one_a_point():
    wins = 0
    for scene in played(MiniPong(), 40, 300):
        np.testing.assert_array_equal(scene.rewards.sum(1), 0.0)
        assert set(np.unique(scene.rewards)) <= {-1.0, 0.0, 1.0}
        assert np.abs(scene.observations).max() <= 1.2
        wins += (scene.rewards == 1).sum(0)
    assert wins.min() > 100


def test_an_episode_does_not_depend_on_its_neighbours():
    game = MiniPong(2, 100)
    numbers = rng(3)
    uniforms, actions = numbers.random((30, 2)), numbers.integers(0, 3, (120, 30, 2))
    together = game.start(uniforms)
    alone = [game.start(uniforms[[row]]) for row in range(30)]
    for joint in actions:
        together = game.step(together, joint)
        alone = [game.step(alone[row], joint[[row]]) for row in range(30)]
        for field in FIELDS:
            apart = np.concatenate([getattr(scene, field) for scene in alone])
            np.testing.assert_array_equal(getattr(together, field), apart)


def test_serves_alternate_and_their_angle_is_the_second_number():
    scene = MiniPong().start(np.array([[0.1, 0.5], [0.9, 1.0], [0.5, 0.0]]))
    np.testing.assert_array_equal(np.sign(scene.ball[:, 2]), [-1, 1, 1])
    np.testing.assert_allclose(scene.ball[:, 3], [0.0, -0.1, -0.1])
    game = MiniPong(9)
    scene = game.start(np.array([[0.1, 1.0 / 7]]))
    towards = []
    for _ in range(400):
        scene = game.step(scene, np.array([[DOWN, DOWN]]))  # both hide in a corner
        if scene.rewards.any():
            np.testing.assert_array_equal(scene.ball[0, :2], 0.0)
            towards.append(np.sign(scene.ball[0, 2]))
    assert len(towards) >= 3
    np.testing.assert_array_equal(towards, [(-1) ** k for k in range(len(towards))])


@pytest.mark.parametrize(
    ("height", "angle", "returned"),
    [(0.0, 0.0, True), (0.1, 0.05, True), (-0.19, -0.095, True), (0.21, 0.0, False)],
)
def test_the_ball_leaves_as_steep_as_it_met_off_the_middle(height, angle, returned):
    game = MiniPong()
    scene = game.start(np.array([[0.1, 0.5]]))
    scene = replace(scene, ball=np.array([[-0.99, height, -0.06, 0.0]]))
    scene = game.step(scene, np.array([[STAY, STAY]]))
    if returned:
        np.testing.assert_allclose(scene.ball, [[-0.95, height, 0.066, angle]])
        np.testing.assert_array_equal(scene.rewards, 0.0)
    else:
        np.testing.assert_array_equal(scene.rewards, [[-1.0, 1.0]])
        np.testing.assert_array_equal(scene.points, [[0, 1]])
        np.testing.assert_array_equal(scene.ball[0, :2], 0.0)


def test_walls_turn_the_ball_and_paddles_stop_at_them():
    game = MiniPong()
    scene = game.start(np.array([[0.1, 0.5]]))
    scene = replace(scene, ball=np.array([[0.0, 0.97, -0.06, 0.05]]))
    for _ in range(14):
        scene = game.step(scene, np.array([[UP, DOWN]]))
    np.testing.assert_allclose(scene.paddles, [[0.8, -0.8]])
    np.testing.assert_allclose(scene.ball, [[-0.84, 0.33, -0.06, -0.05]])
    speeds = [abs(s.ball[:, 2]).max() for s in played(MiniPong(), 40, 300, seed=1)]
    assert max(speeds) <= 0.12


def test_the_end_of_an_episode():
    game = MiniPong(1, 40)
    cut = game.start(np.array([[0.1, 0.5]]))
    for step in range(40):
        assert not cut.over.any(), step
        cut = game.step(cut, np.array([[STAY, STAY]]))
    assert cut.truncated.all() and not cut.terminated.any()
    scene = game.start(np.array([[0.1, 0.1], [0.1, 0.5]]))  # the first is missed
    while not scene.over.any():
        scene = game.step(scene, np.zeros((2, 2), dtype=int))
    np.testing.assert_array_equal(scene.terminated, [True, False])
    rested = game.step(scene, np.ones((2, 2), dtype=int))
    np.testing.assert_array_equal(rested.rewards[0], 0.0)
    for field in ("observations", "ball", "points", "paddles", "steps"):
        old, new = getattr(scene, field), getattr(rested, field)
        np.testing.assert_array_equal(old[0], new[0])
        if field in ("observations", "ball", "steps"):
            assert (old[1] != new[1]).any()
    again = game.restart(rested, rested.over, np.full((2, 2), 0.7))
    fresh = game.start(np.full((2, 2), 0.7))
    for field in (*FIELDS, "steps", "paddles", "serves"):
        np.testing.assert_array_equal(
            getattr(again, field)[0], getattr(fresh, field)[0]
        )
        np.testing.assert_array_equal(
            getattr(again, field)[1], getattr(rested, field)[1]
        )


def test_older_scenes_keep_what_they_showed():
    game = MiniPong()
    scene = game.start(rng().random((20, 2)))
    shown = scene.observations.copy(), scene.points.copy(), scene.ball.copy()
    later = scene
    for _ in range(60):
        later = game.step(later, np.full((20, 2), UP))
    assert later.points.any()
    for old, kept in zip(
        shown, (scene.observations, scene.points, scene.ball), strict=True
    ):
        np.testing.assert_array_equal(old, kept)


def test_the_tracker_beats_random_play_from_either_side():
    game = MiniPong()
    assert contest(game, follow, random)[0] > 1.8
    assert contest(game, random, follow)[0] < -1.8
    draw, cut = contest(game, follow, follow)
    assert abs(draw) < 0.6 and cut > 0.7


def test_a_player_that_uses_the_end_of_its_paddle_beats_the_tracker():
    def slice_it(observations, numbers):
        own, other, x, y, vx, vy = observations[:, :6].T
        steps = np.where(vx < 0, (x + 1) / np.maximum(-0.12 * vx, 1e-3), 0)
        meets = np.abs((y + 0.1 * vy * steps + 3) % 4 - 2) - 1  # walls fold the line
        goal = np.where(vx < 0, meets + np.where(other > 0, 0.15, -0.15), 0.0)
        return np.where(
            np.abs(goal - own) <= 0.03, STAY, np.where(goal > own, UP, DOWN)
        )

    assert contest(MiniPong(), slice_it, follow)[0] > 1.5


def test_it_is_a_markov_game_with_a_name():
    assert isinstance(MiniPong(), MarkovGame)
    assert MiniPong().name == "mini_pong"
    assert load("mini_pong(points=21,limit=2000)") == MiniPong(21, 2000)


def test_mistakes_are_refused():
    with pytest.raises(UserError, match="at least 1"):
        MiniPong(points=0)
    game = MiniPong()
    with pytest.raises(UserError, match="integers below 3"):
        game.step(game.start(np.zeros((1, 2))), np.array([[0, 3]]))
