"""The physics of particles, beside OpenAI's numbers and a plain loop over pairs."""

import numpy as np
import pytest
from scipy.special import softplus

from metaspiel.games.particles import (
    MOVES,
    Bodies,
    between,
    contacts,
    moved,
    pairs,
    renewed,
    touching,
)

BODIES = Bodies.alike(8, radius=0.15, force=5.0, edge=np.inf, contact=True)


def crowded(agents=8, batch=16, seed=0):
    """Places, velocities, and moves of 20 steps, in a square that is too small."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-0.4, 0.4, (2, agents, batch))
    moves = rng.integers(0, 5, (20, agents, batch))
    return (places, np.zeros_like(places)), moves


def test_a_free_agent_moves_as_openai_says():
    bodies = Bodies.alike(2, radius=0.05, force=5.0, edge=np.inf, contact=True)
    state = np.array([[[0.0], [0.0]], [[0.0], [5.0]]]), np.zeros((2, 2, 1))
    seen = []
    for _ in range(60):
        state = moved(bodies, state, np.array([[1], [4]]))
        seen.append(state[0][0, 0, 0])
    np.testing.assert_allclose(
        seen[:5], [0.05, 0.1375, 0.2531, 0.3898, 0.5424], 0, 5e-5
    )
    np.testing.assert_allclose(state[1][:, :, 0], [[2.0, 0.0], [0.0, -2.0]], atol=1e-6)


def plain(places, velocities, moves, radius):
    """A step of one world by OpenAI's text: every pair, then every agent."""
    force = 5.0 * MOVES[:, moves]
    for a in range(len(moves)):
        for b in range(a + 1, len(moves)):
            apart = places[:, a] - places[:, b]
            distance = np.sqrt((apart**2).sum())
            depth = 1e-3 * softplus((2 * radius - distance) / 1e-3)
            push = 100.0 * apart / distance * depth
            force[:, a] += push
            force[:, b] -= push
    velocities = 0.75 * velocities + 0.1 * force
    return places + 0.1 * velocities, velocities


def test_crowds_move_as_a_plain_loop_over_pairs_moves_them():
    state, moves = crowded()
    others = [(state[0][..., b], state[1][..., b]) for b in range(16)]
    pushed = 0
    for step in moves:
        pushed += np.abs(contacts(BODIES.touch, state[0])).max() > 1.0
        state = moved(BODIES, state, step)
        others = [plain(*other, step[:, b], 0.15) for b, other in enumerate(others)]
    assert pushed > 10
    for part, plane in enumerate(state):
        same = np.stack([other[part] for other in others], 2)
        np.testing.assert_allclose(plane, same, atol=1e-9)


def test_crowds_move_as_farama_s_forces_in_openai_s_order_move_them():
    core = pytest.importorskip("mpe2._mpe_utils.core", reason="needs the extra 'envs'")
    state, moves = crowded()
    worlds = []
    for b in range(16):
        world = core.World()
        world.agents = [core.Agent() for _ in range(8)]
        for i, agent in enumerate(world.agents):
            agent.collide, agent.size, agent.silent = True, 0.15, True
            agent.state.p_pos = state[0][:, i, b].copy()
            agent.state.p_vel = np.zeros(2)
        worlds.append(world)
    for step in moves:
        state = moved(BODIES, state, step)
        for b, world in enumerate(worlds):
            for i, agent in enumerate(world.agents):
                agent.action.u = 5.0 * MOVES[:, step[i, b]]
            force = world.apply_environment_force(world.apply_action_force([None] * 8))
            for agent, push in zip(world.agents, force, strict=True):
                agent.state.p_vel = 0.75 * agent.state.p_vel + push * world.dt
                agent.state.p_pos = agent.state.p_pos + agent.state.p_vel * world.dt
    for i in range(8):
        same = np.stack([world.agents[i].state.p_pos for world in worlds], 1)
        np.testing.assert_allclose(state[0][:, i], same, atol=1e-5)


def test_speed_and_the_edge_are_kept_and_the_dead_stay():
    bodies = Bodies(
        radius=np.full((3, 1), 0.05),
        force=np.array([[4.0], [4.0], [40.0]]),
        speed=np.array([[0.3], [0.0], [np.inf]]),
        edge=1.0,
        contact=True,
    )
    places = np.array([[[0.0], [0.5], [0.9]], [[0.0], [0.5], [-0.9]]])
    state = places, np.zeros_like(places)
    for _ in range(4):
        state = moved(bodies, state, np.array([[1], [3], [1]]))
    speeds = np.hypot(*state[1])[:, 0]
    np.testing.assert_allclose(speeds[:2], [0.3, 0.0])
    np.testing.assert_allclose(state[0][:, 1, 0], 0.5)
    assert state[0][0, 2, 0] == 1.0 and state[1][0, 2, 0] > 0
    live = np.array([[False], [True], [True]])
    after = moved(bodies, state, np.array([[1], [1], [3]]), live)
    for old, new in zip(state, after, strict=True):
        np.testing.assert_array_equal(old[:, 0], new[:, 0])
        assert (old[:, 2] != new[:, 2]).any()


def test_the_dead_and_those_without_contact_push_nobody():
    places = np.array([[[0.0], [0.05]], [[0.0], [0.0]]])
    touch = np.full((1, 1), 0.1)
    push = contacts(touch, places)
    np.testing.assert_allclose(push[0, :, 0], [-5.0, 5.0])
    dead = np.array([[True], [False]])
    np.testing.assert_array_equal(contacts(touch, places, dead), 0.0)
    for contact, there in ((True, 0.1), (False, 0.05)):
        bodies = Bodies.alike(2, radius=0.05, force=5.0, edge=1.0, contact=contact)
        state = places, np.zeros_like(places)
        x = moved(bodies, state, np.zeros((2, 1), int))[0][0, 1, 0]
        np.testing.assert_allclose(x, there)


def test_agents_at_one_place_stay_finite():
    places = np.zeros((2, 3, 2))
    force = contacts(np.full((3, 1), 0.1), places)
    np.testing.assert_array_equal(force, 0.0)


def test_distances_and_touches_are_those_of_numpy():
    places = np.random.default_rng(0).uniform(-1, 1, (2, 7, 5))
    far = np.sqrt(between(places, places))
    plain_far = np.linalg.norm(places[:, :, None] - places[:, None], axis=0)
    np.testing.assert_allclose(far, plain_far)
    near = plain_far < 0.4
    np.testing.assert_array_equal(touching(places, 0.4), near.sum(1) - 1)
    assert near.sum() > 40
    assert len(pairs(7)[0]) == 21


def test_new_places_depend_on_episode_landmark_and_time_alone():
    rng = np.random.default_rng(0)
    marks, begun = rng.uniform(-1, 1, (2, 6, 400)), rng.random(400)
    time = rng.integers(0, 20, 400)
    gone = rng.random((6, 400)) < 0.5
    new = renewed(marks, gone, time, begun)
    np.testing.assert_array_equal(new[:, ~gone], marks[:, ~gone])
    fresh = new[:, gone]
    assert np.abs(fresh).max() < 1 and len(np.unique(fresh)) == fresh.size
    assert abs(fresh.mean()) < 4 * np.sqrt(1 / 3 / fresh.size)
    assert abs((fresh**2).mean() - 1 / 3) < 0.05
    assert abs(np.corrcoef(fresh)[0, 1]) < 0.1
    one = renewed(marks[..., 7:8], np.ones((6, 1), bool), time[7:8], begun[7:8])
    np.testing.assert_array_equal(one[:, gone[:, 7], 0], new[:, gone[:, 7], 7])
    later = renewed(marks, gone, time + 1, begun)[:, gone]
    assert (later != fresh).all()
