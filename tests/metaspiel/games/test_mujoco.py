"""Robots moved by several agents: the same numbers as Gymnasium alone gives."""

import itertools
import sys

import numpy as np
import pytest

from metaspiel.games.extras import seed_of
from metaspiel.games.markov import Continuous, MarkovGame
from metaspiel.games.mujoco import Ant, HalfCheetah, Hopper, Swimmer
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra 'mujoco'")
pytest.importorskip("mujoco", reason="needs the extra 'mujoco'")
pytest.importorskip("imageio", reason="needs the extra 'mujoco'")

ROBOTS = {
    "Hopper-v5": (Hopper(), 3, 1, 11),
    "Ant-v5": (Ant(), 2, 4, 105),
    "Swimmer-v5": (Swimmer(), 2, 1, 8),
    "HalfCheetah-v5": (HalfCheetah(), 2, 3, 17),
}


def actions(game, steps, batch, seed=0):
    shape = (steps, batch, game.agents, game.actions.size)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def played(game, uniforms, moves):
    scenes = [game.start(uniforms)]
    shown = [scenes[0].observations.copy()]
    for move in moves:
        scenes.append(game.step(scenes[-1], move))
        shown.append(scenes[-1].observations.copy())
    for scene, seen in zip(scenes, shown, strict=True):  # what was shown stays
        np.testing.assert_array_equal(scene.observations, seen)
    return scenes


def same(one, other, rows=slice(None), others=slice(None)):
    for field in ("observations", "rewards", "terminated", "truncated", "steps"):
        np.testing.assert_array_equal(
            getattr(one, field)[rows], getattr(other, field)[others]
        )


@pytest.mark.parametrize("env", ROBOTS)
def test_the_agents_together_are_gymnasiums_robot(env):
    game, agents, size, inputs = ROBOTS[env]
    assert isinstance(game, MarkovGame)
    assert load(game.name) == game
    assert game.agents == agents and game.inputs == inputs
    assert game.actions == Continuous(size)
    moves, uniforms = actions(game, 60, 1), np.array([[0.3]])
    alone = gymnasium.make(env)
    seen, _ = alone.reset(seed=seed_of(0.3))
    order = game.task.order
    scene = game.start(uniforms)
    np.testing.assert_array_equal(scene.observations[0, 0], seen.astype(np.float32))
    for move in moves:
        scene = game.step(scene, move)
        torques = np.empty(agents * size)
        torques[list(order)] = move.ravel()
        seen, paid, terminated, truncated, _ = alone.step(torques)
        for agent in range(agents):
            np.testing.assert_array_equal(
                scene.observations[0, agent], seen.astype(np.float32)
            )
        assert scene.rewards.sum() == pytest.approx(paid, rel=1e-12)
        np.testing.assert_array_equal(scene.rewards[0], scene.rewards[0, 0])
        assert (scene.terminated[0], scene.truncated[0]) == (terminated, truncated)
        if terminated:
            break
    assert terminated == (env == "Hopper-v5")  # random torques fell it early
    alone.close()


def test_an_ants_agents_move_the_legs_in_front_and_behind():
    model = gymnasium.make("Ant-v5").unwrapped.model
    joints = [model.joint(int(model.actuator(i).trnid[0])) for i in range(8)]
    dealt = [joints[i] for i in Ant().task.order]
    assert [joint.name for joint in dealt] == [
        f"{part}_{leg}" for leg in "1234" for part in ("hip", "ankle")
    ]
    legs = [model.body(model.body_parentid[int(joint.bodyid[0])]) for joint in dealt]
    assert [leg.name for leg in legs[::2]] == [
        "front_left_leg",
        "front_right_leg",
        "back_leg",
        "right_back_leg",
    ]


def test_a_half_cheetahs_agents_move_the_hind_and_the_front_leg():
    model = gymnasium.make("HalfCheetah-v5").unwrapped.model
    joints = [model.joint(int(model.actuator(i).trnid[0])) for i in range(6)]
    assert [joints[i].name for i in HalfCheetah().task.order] == [
        *("bthigh", "bshin", "bfoot"),
        *("fthigh", "fshin", "ffoot"),
    ]


@pytest.mark.parametrize("env", ROBOTS)
def test_same_numbers_same_bits_whatever_was_played_before(env):
    game = ROBOTS[env][0]
    uniforms = np.array([[0.1], [0.6], [0.9]])
    moves = actions(game, 30, 3)
    first = played(game, uniforms, moves)
    beside = played(game, uniforms[::-1], moves)  # while the first batch is held
    again = played(game, uniforms, moves)
    assert (beside[-1].observations != first[-1].observations).any()
    for one, other in zip(first, again, strict=True):
        same(one, other)
    last, spare = first[-1], beside[-1].team.members
    del beside  # its simulators are free again
    reused = played(game, uniforms, moves)[-1]
    same(reused, last)
    assert reused.team.members[0] in spare
    assert last.team.members[0] not in spare
    single = played(game, uniforms[1:2], moves[:, 1:2])[-1]
    same(single, last, others=slice(1, 2))


def test_restart_touches_only_what_is_asked():
    game = Hopper()
    uniforms = np.array([[0.1], [0.6]])
    moves = actions(game, 12, 2)
    scene = played(game, uniforms, moves)[-1]
    assert not scene.over.any()
    shown = scene.observations.copy()
    new = game.restart(scene, np.array([True, False]), np.array([[0.6], [0.6]]))
    np.testing.assert_array_equal(scene.observations, shown)
    same(new, game.start(uniforms), slice(0, 1), slice(1, 2))
    same(new, scene, slice(1, 2), slice(1, 2))
    for move in moves:
        new = game.step(new, move)
    whole = played(game, uniforms, np.concatenate([moves, moves]))[-1]
    same(new, whole, slice(1, 2), slice(1, 2))


def test_episodes_end_by_falling_or_by_the_limit():
    game = Hopper(limit=30)
    fallen = played(game, np.array([[0.2], [0.7]]), actions(game, 60, 2, seed=1))
    for scene in fallen:
        assert not (scene.terminated & scene.truncated).any()
        np.testing.assert_array_equal(
            scene.truncated, (scene.steps >= 30) & ~scene.terminated
        )
    assert fallen[-1].over.all()
    over = np.stack([scene.over for scene in fallen])
    assert (np.diff(over.astype(int), axis=0) >= 0).all()  # over stays over
    for before, after in itertools.pairwise(fallen):
        rest = before.over
        np.testing.assert_array_equal(after.rewards[rest], 0.0)
        np.testing.assert_array_equal(
            after.observations[rest], before.observations[rest]
        )
        np.testing.assert_array_equal(after.steps[rest], before.steps[rest])
    cut = played(Swimmer(limit=5), np.array([[0.5]]), actions(Swimmer(), 6, 1))
    assert [scene.truncated[0] for scene in cut] == [False] * 5 + [True] * 2
    assert not cut[-1].terminated.any()


def test_actions_outside_mean_the_nearer_bound():
    game = Hopper()
    start = np.array([[0.4]])
    move = np.array([[[1.0], [-1.0], [0.5]]], dtype=np.float32)
    wide = np.array([[[7.0], [-1.5], [0.5]]], dtype=np.float32)
    same(game.step(game.start(start), move), game.step(game.start(start), wide))
    other = game.step(game.start(start), move / 2)
    exact = game.step(game.start(start), move)
    assert (other.observations != exact.observations).any()


def test_other_numbers_of_agents():
    alone = Ant(agents=1)
    assert alone.actions == Continuous(8)
    assert load("ant(agents=4)") == Ant(4)
    with pytest.raises(UserError, match="divide 3"):
        Hopper(agents=2)
    with pytest.raises(UserError, match="at least 1"):
        Swimmer(limit=0)
    with pytest.raises(UserError, match="real numbers of shape"):
        game = Hopper()
        game.step(game.start(np.array([[0.5]])), np.zeros((1, 3), np.float32))


def test_without_the_packages_a_sentence_names_the_extra(monkeypatch):
    class Unbuilt(Hopper):
        task = Hopper.task.__class__("Hopper-v4", 11, (0, 1, 2))  # none are free

    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(UserError, match=r"pip install 'metaspiel\[mujoco\]'"):
        Unbuilt().start(np.array([[0.5]]))
