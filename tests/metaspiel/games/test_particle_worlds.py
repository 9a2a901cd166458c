"""The three worlds of particles: what they pay, by hand, and what holds for all."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games.entities import Populated, family
from metaspiel.games.pacman import Pacman
from metaspiel.games.resource import Resource
from metaspiel.games.treasure import Treasure
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError

GAMES = [
    Treasure(agents=4, treasures=5, winner="nearest"),
    Resource(agents=5, discs=40),
    Pacman(pacmen=3, ghosts=2, dots=4),
]
every_game = pytest.mark.parametrize("game", GAMES, ids=lambda game: game.kind)


def scene_at(game, agents, landmarks):
    """One episode with everything where it is asked for."""
    places = np.array([*agents, *landmarks], np.float64).reshape(1, -1)
    return game.start((places + 1) / 2)


def waited(game, agents, landmarks):
    scene = scene_at(game, agents, landmarks)
    return game.step(scene, np.zeros((1, game.agents), int))


def played(game, uniforms, seed=0, steps=20):
    """All scenes of random play; an episode's moves depend on its first number."""
    scenes = [game.start(uniforms)]
    moves = np.stack(
        [
            np.random.default_rng([seed, int(u * 2**32)]).integers(
                0, 5, (steps, game.agents)
            )
            for u in uniforms[:, 0]
        ],
        1,
    )
    for step in moves:
        scenes.append(game.step(scenes[-1], step))
    return scenes


def assert_same(one, other, rows=slice(None)):
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left[rows], right, err_msg=field.name)


def test_treasures_pay_all_who_touch_them_or_the_nearest():
    agents = [(0.0, 0.0), (0.06, 0.0), (-0.5, 0.5)]
    treasures = [(0.02, 0.0), (-0.5, 0.9)]
    game = Treasure(agents=3, treasures=2, contact=False)
    far = -0.1 * 0.4
    first, second = -0.1 * 0.02, -0.1 * 0.04
    for changes, pay in (
        ({}, [5 + first - 1, 5 + second - 1, far]),
        ({"winner": "nearest"}, [5 + first - 1, second - 1, far]),
        ({"shaping": False, "collision": 0.25}, [4.75, 4.75, 0.0]),
        ({"shaping": False, "collision": 0.0}, [5.0, 5.0, 0.0]),
    ):
        scene = waited(replace(game, **changes), agents, treasures)
        np.testing.assert_allclose(scene.rewards, [pay], atol=1e-12)
        np.testing.assert_allclose(scene.landmarks[0, 1], treasures[1])
        assert np.abs(scene.landmarks[0, 0] - treasures[0]).max() > 1e-3
        assert np.abs(scene.landmarks).max() <= 1
    seen = scene.observations[0, 2, -4:]  # it is shown where it is now
    np.testing.assert_allclose(
        seen, (scene.landmarks[0] - agents[2]).ravel(), atol=1e-6
    )


def test_an_agent_is_paid_for_each_treasure_and_costs_each_collision():
    game = Treasure(agents=4, treasures=2, contact=False, shaping=False)
    agents = [(0, 0), (0.08, 0), (-0.08, 0), (0, 0.09)]
    scene = waited(game, agents, [(0.01, -0.05), (-0.01, -0.05)])
    np.testing.assert_allclose(scene.rewards, [[10 - 3, -1, -1, -1]])


def test_discs_are_shared_and_several_pay_one_agent():
    game = Resource(agents=4, contact=False)
    discs = [(0.9, 0.95), (0.9, 0.8), (-0.9, 0), (-0.9, 0.9), (0.9, -0.9), (0, 0)]
    agents = [(0.3, 0.0), (-0.3, 0.0), (0.9, 0.9), (0.0, -0.9)]
    scene = waited(game, agents, discs)
    np.testing.assert_allclose(scene.rewards, [[1.5, 1.5, 0.5 + 1.0, 0.0]])
    sizes = scene.observations[0, :, -16::3]
    np.testing.assert_allclose(sizes, np.tile(0.05 * np.arange(1, 7), (4, 1)))
    crowd = waited(Resource(agents=2, discs=2), [(0, 0), (0.5, 0)], [(0, 0), (0.4, 0)])
    np.testing.assert_allclose(crowd.rewards, [[0.5, 1.0]])


def test_all_discs_pay_half_of_21_a_step_at_most():
    game = Resource(agents=9)
    for scene in played(game, np.random.default_rng(0).random((64, game.draws))):
        assert (scene.rewards.sum(1) <= 10.5 + 1e-9).all()
        assert (scene.rewards >= 0).all()


def test_pacmen_eat_and_are_caught():
    game = Pacman(pacmen=3, ghosts=2, dots=2, contact=False)
    agents = [(0, 0), (0.5, 0.5), (-0.8, -0.8), (0.1, 0), (0.0, -0.12)]
    dots = [(0.5, 0.57), (0.9, -0.9)]
    scene = waited(game, agents, dots)
    far = [np.hypot(*np.subtract(dots, place).T).min() for place in agents[:3]]
    pay = [-5 - 0.1 * far[0], 2 - 0.1 * far[1], -0.1 * far[2], 5 - 0.01, 5 - 0.012]
    np.testing.assert_allclose(scene.rewards, [pay])
    np.testing.assert_array_equal(scene.live, [[False, True, True, True, True]])
    np.testing.assert_allclose(scene.landmarks[0, 1], dots[1])
    assert np.abs(scene.landmarks[0, 0] - dots[0]).max() > 1e-3
    assert not scene.over.any()
    after = game.step(scene, np.array([[1, 0, 0, 0, 0]]))
    np.testing.assert_array_equal(after.places[0, 0], scene.places[0, 0])
    assert after.rewards[0, 0] == 0.0
    chased = [np.hypot(0.4, 0.5), np.hypot(0.5, 0.62)]  # the dead one is no prey
    np.testing.assert_allclose(after.rewards[0, 3:], [-0.1 * far for far in chased])
    own = scene.observations[0, :, 4]
    np.testing.assert_array_equal(own, [0, 1, 1, 1, 1])
    np.testing.assert_array_equal(scene.observations[0, 3, 5:11], 0.0)
    np.testing.assert_allclose(
        scene.observations[0, 3, 11:17], [0.4, 0.5, 0, 0, 0, 1], atol=1e-6
    )


def test_the_dead_take_no_dots_and_an_episode_ends_with_the_last_pacman():
    game = Pacman(pacmen=2, ghosts=1, dots=1, contact=False, shaping=False)
    scene = scene_at(game, [(0, 0), (0.3, 0), (0.05, 0)], [(0.8, 0.8)])
    scene = game.step(scene, np.zeros((1, 3), int))
    np.testing.assert_array_equal(scene.rewards, [[-5, 0, 5]])
    dot = np.array([[[0.0, 0.0]]])
    stays = game.step(replace(scene, landmarks=dot), np.zeros((1, 3), int))
    np.testing.assert_array_equal(stays.landmarks, dot)
    np.testing.assert_array_equal(stays.rewards, 0.0)
    while not scene.over.all():
        scene = game.step(scene, np.array([[0, 0, 1]]))
    assert scene.terminated.all() and not scene.truncated.any()
    assert scene.time[0] < 20
    np.testing.assert_array_equal(scene.rewards, [[0, -5, 5]])
    rests = game.step(scene, np.array([[1, 1, 1]]))
    np.testing.assert_array_equal(rests.rewards, 0.0)
    assert_same(replace(rests, rewards=scene.rewards), scene)


@every_game
def test_a_world_is_a_game_by_name_of_any_size(game):
    assert isinstance(game, Populated)
    assert load(game.name) == game == pickle.loads(pickle.dumps(game))
    assert game.agents == sum(game.sizes) == game.layout.agents
    assert game.inputs == game.layout.inputs
    larger = tuple(size + 2 for size in game.sizes)
    one, other = family(game, [game.sizes, larger])
    assert one == game and other.sizes == larger
    assert other.radii.tolist() == game.radii.tolist()
    scene = other.start(np.random.default_rng(0).random((2, other.draws)))
    assert scene.observations.shape == (2, other.agents, other.inputs)


@every_game
def test_an_episode_is_the_same_whatever_is_beside_it(game):
    uniforms = np.random.default_rng(1).random((9, game.draws))
    scenes = played(game, uniforms)
    assert scenes[-1].over.all() and np.abs(scenes[3].rewards).sum() > 0
    for rows in (slice(4, 5), slice(None, None, -1), slice(2, 8, 3)):
        for scene, alone in zip(scenes, played(game, uniforms[rows]), strict=True):
            assert_same(scene, alone, rows)


@every_game
def test_a_new_episode_begins_where_asked_and_nowhere_else(game):
    rng = np.random.default_rng(2)
    scene = played(game, rng.random((6, game.draws)), steps=20)[-1]
    where, numbers = np.arange(6) % 3 == 1, rng.random((6, game.draws))
    assert game.restart(scene, where & False, numbers) is scene
    new = game.restart(scene, where, numbers)
    for field in fields(scene):
        old, now = getattr(scene, field.name), getattr(new, field.name)
        np.testing.assert_array_equal(now[~where], old[~where])
        fresh = getattr(game.start(numbers), field.name)
        np.testing.assert_array_equal(now[where], fresh[where])
    moves = np.ones((6, game.agents), int)
    after, alone = game.step(new, moves), game.step(game.start(numbers), moves)
    for field in fields(scene):
        np.testing.assert_array_equal(
            getattr(after, field.name)[where], getattr(alone, field.name)[where]
        )
    assert_same(game.restart(scene, where | True, numbers), game.start(numbers))


@every_game
def test_observations_are_the_layout_of_what_is_seen(game):
    """Against the layout's text, one entity after the other."""
    uniforms = np.random.default_rng(3).random((4, game.draws))
    for scene in played(game, uniforms)[::5]:
        state = game.state(scene)
        assert all(x.dtype in (torch.float32, torch.bool) for x in state.values())
        sight, layout = game.sight(state), game.layout
        np.testing.assert_array_equal(sight.live, scene.live)
        for b in range(4):
            for i in range(game.agents):
                here = sight.places[b, i]
                others = [
                    torch.cat([sight.places[b, j] - here, sight.bodies[b, j]])
                    * sight.live[b, j]
                    for j in range(game.agents)
                    if j != i
                ]
                marks = sight.landmarks[b].clone()
                marks[:, :2] -= here
                x = torch.from_numpy(scene.observations[b, i])[None]
                own, rest, landmarks = layout.parts(x)
                assert torch.equal(own[0], sight.own[b, i])
                assert torch.equal(rest[0], torch.stack(others))
                assert torch.equal(landmarks[0], marks)


@every_game
def test_state_of_many_scenes_is_seen_at_once(game):
    uniforms = np.random.default_rng(4).random((3, game.draws))
    scenes = played(game, uniforms)[8:10]
    states = [game.state(scene) for scene in scenes]
    both = {name: torch.cat([s[name] for s in states]) for name in states[0]}
    flat = game.layout.flat(game.sight(both))
    seen = np.concatenate([scene.observations for scene in scenes])
    np.testing.assert_array_equal(flat, seen)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(GAMES), st.randoms(use_true_random=False), st.integers(0, 99))
def test_agents_of_a_role_may_change_places(game, random, seed):
    rng = np.random.default_rng(seed)
    order = [
        i
        for group in game.layout.groups
        for i in random.sample(range(group.start, group.stop), group.stop - group.start)
    ]
    numbers = rng.random((3, game.draws))
    n = game.agents
    moved = numbers.copy()
    moved[:, : 2 * n] = numbers[:, : 2 * n].reshape(3, n, 2)[:, order].reshape(3, -1)
    one, other = game.start(numbers), game.start(moved)
    other = replace(other, begun=one.begun)  # later chance is not an agent's
    for _ in range(4):
        moves = rng.integers(0, 5, (3, n))
        one, other = game.step(one, moves), game.step(other, moves[:, order])
        for name in ("rewards", "places", "velocities", "live"):
            left = getattr(one, name)[:, order]
            np.testing.assert_allclose(left, getattr(other, name), atol=1e-9)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        np.testing.assert_array_equal(one.terminated, other.terminated)


def test_all_agents_live_where_none_can_die():
    scene = load("pennies").start(np.zeros((3, 1)))
    np.testing.assert_array_equal(scene.live, np.ones((3, 2), bool))
    scene = GAMES[0].start(np.zeros((3, GAMES[0].draws)))
    assert scene.live.all() and scene.live.shape == (3, 4)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("treasure(agents=1)", r"^Treasure\(\): agents must be an integer from 2 to"),
        (
            "treasure(treasures=0)",
            r"treasures must be an integer from 1 to 256; got 0$",
        ),
        ("treasure(winner=last)", r"winner of treasure: unknown value 'last'"),
        ("treasure(collision=-1)", r"collision must be a number from 0 to 1000; got"),
        ("resource(agents=999)", r"^Resource\(\): agents must be an integer from 2"),
        ("resource(discs=0)", r"^Resource\(\): discs must be an integer from 1"),
        ("resource(force=nan)", r"^Resource\(\): force must be a number from 0 to"),
        ("pacman(ghosts=0)", r"^Pacman\(\): ghosts must be an integer from 1 to"),
        ("pacman(agents=3)", r"unknown parameter 'agents'"),
        ("pacman(speed=-1)", r"^Pacman\(\): speed must be a number from 0 to inf; got"),
    ],
)
def test_impossible_parameters_get_a_sentence(name, sentence):
    with pytest.raises(UserError, match=sentence):
        load(name)


def test_sizes_that_do_not_fit_get_a_sentence():
    with pytest.raises(UserError, match="winner must be one of any, last; got 'all'"):
        Treasure().one_of("winner", "any", "last")
    with pytest.raises(
        UserError, match=r"must be 2 numbers, of pacmen and ghosts; got"
    ):
        Pacman().resized((3,))
    with pytest.raises(UserError, match=r"must be 1 number, of agents; got '3,4'"):
        Resource().resized((3, 4))
    with pytest.raises(UserError, match=r"agents must be an integer from 2"):
        Resource().resized((1,))
    game = Resource()
    scene = game.start(np.zeros((2, game.draws)))
    with pytest.raises(UserError, match="integers below 5"):
        game.step(scene, np.full((2, 6), 5))
