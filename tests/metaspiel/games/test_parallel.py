"""Our games through PettingZoo and Gymnasium, and PettingZoo's as ours."""

import pickle
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from processes import printed

from metaspiel.games.extras import need, seed_of
from metaspiel.games.markov import Continuous, Discrete, MarkovGame
from metaspiel.games.mini_pong import MiniPong
from metaspiel.games.pacman import Pacman
from metaspiel.games.pennies import Pennies
from metaspiel.games.resource import Resource
from metaspiel.games.treasure import Treasure
from metaspiel.nfg.errors import UserError

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra 'envs'")
pytest.importorskip("pettingzoo", reason="needs the extra 'envs'")

from gymnasium import spaces  # noqa: E402
from pettingzoo import ParallelEnv  # noqa: E402

from metaspiel.games.from_parallel import FromParallel  # noqa: E402
from metaspiel.games.parallel import ParallelWorld, VectorWorld  # noqa: E402

GAMES = [
    Pennies(),
    Pennies(2, 4, 3),
    MiniPong(1, 60),
    Treasure(agents=3),
    Resource(agents=3),
    Pacman(pacmen=3, ghosts=8),
]


class Sliders(ParallelEnv):
    """Agents that move points on a line; agent "b" leaves after two steps."""

    def __init__(self, act, see=(2,), length=4, by_rule=True):
        self.possible_agents, self.agents = ["a", "b"], []
        self.act = act if isinstance(act, list) else [act, act]
        self.see = spaces.Box(-9.0, 9.0, see, np.float64)
        self.length, self.by_rule = length, by_rule

    def observation_space(self, agent):
        return self.see

    def action_space(self, agent):
        return self.act[self.possible_agents.index(agent)]

    def reset(self, seed=None, options=None):
        self.agents = ["a", "b"]
        self.time, self.where = 0, np.random.default_rng(seed).random()
        return self.shown(), {agent: {} for agent in self.agents}

    def shown(self):
        shape = self.see.shape
        return {
            agent: np.full(shape, self.where + self.time, dtype=np.float64)
            for agent in self.agents
        }

    def step(self, actions):
        assert set(actions) == set(self.agents)
        assert all(self.action_space(a).contains(x) for a, x in actions.items())
        self.time += 1
        seen = self.shown()
        paid = {a: float(np.sum(x)) for a, x in actions.items()}
        done = {a: self.time >= (2 if a == "b" else self.length) for a in self.agents}
        ended = {a: done[a] and self.by_rule for a in self.agents}
        cut = {a: done[a] and not self.by_rule for a in self.agents}
        infos = {a: {} for a in self.agents}
        self.agents = [a for a in self.agents if not done[a]]
        return seen, paid, ended, cut, infos


@pytest.fixture
def checks():
    """PettingZoo's own tests; importing them warns of its own old module names."""
    pytest.importorskip("pygame", reason="PettingZoo's tests need the extra 'atari'")
    with warnings.catch_warnings():
        old = "The old environment creation API"
        warnings.filterwarnings("ignore", old, DeprecationWarning)
        from pettingzoo.test import parallel_api_test, parallel_seed_test
    return parallel_api_test, parallel_seed_test


def pennies():
    return ParallelWorld(Pennies(4, 5, 3))


def numbers_from_one():
    return Sliders(spaces.Discrete(3, start=1))


def real():
    low, high = np.array([-2, 0], np.float32), np.array([4, 1], np.float32)
    return Sliders(spaces.Box(low, high, dtype=np.float32), (2, 3), by_rule=False)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_petting_zoos_own_tests_pass(checks, game, capsys):
    api, seeds = checks
    api(ParallelWorld(game), num_cycles=100)
    seeds(partial(ParallelWorld, game), num_cycles=50)
    assert "Passed" in capsys.readouterr().out


def test_petting_zoos_own_tests_pass_with_real_actions(checks, capsys):
    pytest.importorskip("mujoco", reason="needs the extra 'mujoco'")
    pytest.importorskip("imageio", reason="needs the extra 'mujoco'")
    from metaspiel.games.mujoco import Hopper

    env = ParallelWorld(Hopper())
    checks[0](env, num_cycles=100)
    assert env.action_space("agent_2") == spaces.Box(-1.0, 1.0, (1,), np.float32)
    assert "Passed" in capsys.readouterr().out


def test_a_parallel_world_plays_the_game():
    game = MiniPong(1, 60)
    env = ParallelWorld(game)
    rng = np.random.default_rng(7)
    scene, seen = game.start(rng.random((1, 2))), env.reset(seed=7)[0]
    for _ in range(60):
        joint = np.random.default_rng(scene.steps[0]).integers(0, 3, 2)
        scene = game.step(scene, joint[None])
        stepped = env.step({"agent_1": joint[1], "agent_0": int(joint[0])})
        seen, paid, ended, cut, _ = stepped
        for row, agent in enumerate(env.possible_agents):
            np.testing.assert_array_equal(seen[agent], scene.observations[0, row])
            assert env.observation_space(agent).contains(seen[agent])
            assert paid[agent] == scene.rewards[0, row]
            assert (ended[agent], cut[agent]) == (scene.terminated, scene.truncated)
        if scene.over:
            break
    assert scene.over.all() and env.agents == []
    with pytest.raises(UserError, match=r"must follow reset\(\)"):
        env.step({})


def test_the_dead_leave_before_the_episode_is_over():
    game = Pacman(pacmen=3, ghosts=8, force=0.0)
    env = ParallelWorld(game)
    acts, left = np.random.default_rng(0), 0
    for seed in range(20):
        seen, _ = env.reset(seed=seed)
        start = np.random.default_rng(seed).random((1, game.draws))
        scene, there = game.start(start), list(env.possible_agents)
        while env.agents:
            assert env.agents == there == list(seen)
            joint = {agent: int(acts.integers(5)) for agent in there}
            full = [joint.get(agent, 0) for agent in env.possible_agents]
            scene = game.step(scene, np.array([full]))
            seen, paid, ended, cut, infos = env.step(joint)
            assert set(paid) == set(ended) == set(cut) == set(infos) == set(there)
            for agent in there:
                row = int(agent.removeprefix("agent_"))
                assert paid[agent] == scene.rewards[0, row]
                gone = bool(scene.terminated[0] or not scene.live[0, row])
                assert ended[agent] == gone
                assert cut[agent] == (bool(scene.truncated[0]) and not gone)
            there = [a for a in there if not ended[a] and not cut[a]]
            seen = {agent: seen[agent] for agent in there}
            left += 0 < len(there) < game.agents
        assert scene.over.all()
    assert left > 20


def test_a_vector_world_plays_the_games_and_starts_anew():
    game, batch = MiniPong(1, 50), 6
    env = VectorWorld(game, batch)
    seen, _ = env.reset(seed=3)
    assert env.observation_space.contains(seen)
    rng, acts = np.random.default_rng(3), np.random.default_rng(0)
    scene, over = game.start(rng.random((batch, 2))), np.zeros(batch, dtype=bool)
    restarts = 0
    for _ in range(130):
        joint = acts.integers(0, 3, (batch, 2))
        assert env.action_space.contains(joint)
        scene = game.step(scene, joint)
        if over.any():
            scene = game.restart(scene, over, rng.random((batch, 2)))
        seen, paid, ended, cut, infos = env.step(joint)
        np.testing.assert_array_equal(seen, scene.observations)
        np.testing.assert_array_equal(infos["agent_rewards"], scene.rewards)
        np.testing.assert_array_equal(paid, scene.rewards.sum(1))
        np.testing.assert_array_equal(ended, scene.terminated)
        np.testing.assert_array_equal(cut, scene.truncated)
        np.testing.assert_array_equal(paid[over], 0.0)
        over, restarts = scene.over, restarts + over.sum()
    assert restarts > 2 * batch
    with pytest.raises(UserError, match=r"must follow reset\(\)"):
        VectorWorld(game, 2).step(np.zeros((2, 2), dtype=int))
    with pytest.raises(UserError, match="integers below 3"):
        env.step(np.full((batch, 2), 3))


def test_there_and_back_is_the_same_game():
    game, back = Pennies(4, 5, 3), FromParallel(pennies)
    assert isinstance(back, MarkovGame)
    assert (back.agents, back.inputs) == (game.agents, game.inputs)
    assert back.actions == game.actions
    uniforms = np.random.default_rng(0).random((7, 1))
    inner = [np.random.default_rng(seed_of(u)).random(1) for u in uniforms[:, 0]]
    one, other = game.start(np.stack(inner)), back.start(uniforms)
    acts = np.random.default_rng(1)
    for step in range(9):
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        np.testing.assert_array_equal(one.terminated, other.terminated)
        assert not other.truncated.any()
        joint = acts.integers(0, 2, (7, 3))
        one, other = game.step(one, joint), back.step(other, joint)
        if step == 6:
            where = np.arange(7) < 3
            one = game.restart(one, where, np.stack(inner))
            other = back.restart(other, where, uniforms)
    assert pickle.loads(pickle.dumps(back)) == back == FromParallel(pennies)


def test_agents_may_leave_and_discrete_actions_may_begin_at_one():
    game = FromParallel(numbers_from_one)
    assert game.actions == Discrete(3) and game.inputs == 2
    scene = game.start(np.array([[0.25]]))
    first = np.random.default_rng(seed_of(0.25)).random()
    for step in range(1, 5):
        assert not scene.over.any()
        scene = game.step(scene, np.array([[0, 2]]))
        there = step <= 2  # agent "b" sees its last step
        np.testing.assert_allclose(scene.rewards, [[1.0, 3.0 if there else 0.0]])
        np.testing.assert_allclose(
            scene.observations[0, :, 0], [first + step, (first + step) * there]
        )
    assert scene.terminated.all() and not scene.truncated.any()
    rested = game.step(scene, np.array([[0, 2]]))
    np.testing.assert_array_equal(rested.rewards, 0.0)
    np.testing.assert_array_equal(rested.observations, scene.observations)


def test_real_actions_are_scaled_to_the_box_and_truncation_is_told():
    game = FromParallel(real)
    assert game.actions == Continuous(2) and game.inputs == 6
    scene = game.start(np.array([[0.5], [0.6]]))
    joint = np.array([[[-1, -1], [1, 1]], [[0, 0], [5, -3]]], dtype=np.float32)
    scene = game.step(scene, joint)
    np.testing.assert_allclose(scene.rewards, [[-2.0, 5.0], [1.5, 4.0]])
    shown = scene.observations.copy(), scene.rewards.copy()
    last = scene
    for _ in range(3):
        scene = game.step(scene, joint)
    np.testing.assert_array_equal(shown[0], last.observations)
    np.testing.assert_array_equal(shown[1], last.rewards)
    assert scene.truncated.all() and not scene.terminated.any()
    short = replace(game, limit=1)
    assert short.step(short.start(np.array([[0.5]])), joint[:1]).truncated.all()


def unequal():
    return Sliders([spaces.Discrete(2), spaces.Discrete(3)])


def unbounded():
    return Sliders(spaces.Box(-np.inf, np.inf, (1,), np.float32))


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="act alike"):
        FromParallel(unequal)
    with pytest.raises(UserError, match="box with bounds"):
        FromParallel(unbounded)
    with pytest.raises(UserError, match="limit must be at least 1"):
        FromParallel(pennies, limit=0)
    env = ParallelWorld(Pennies())
    env.reset()
    with pytest.raises(UserError, match=r"got none of \['agent_1'\]"):
        env.step({"agent_0": 0})
    with pytest.raises(UserError, match="integers below 2"):
        env.step({"agent_0": 0, "agent_1": 2})
    with pytest.raises(UserError, match="integers below 2"):
        env.step({"agent_0": 0.0, "agent_1": 1.0})


def test_a_missing_package_is_told_in_a_sentence():
    with pytest.raises(UserError, match=r"here: pip install 'metaspiel\[envs\]' must"):
        need("here", "envs", "numpy", "no_such_module")
    code = (
        "import sys; sys.modules['pettingzoo'] = None\n"
        "from metaspiel.nfg.errors import UserError\n"
        "try:\n    import metaspiel.games.parallel\n"
        "except UserError as error: print(error)"
    )
    assert printed(code).startswith(
        "metaspiel.games.parallel: pip install 'metaspiel[envs]'"
    )
