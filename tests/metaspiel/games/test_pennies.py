"""Pennies: the rules by hand, and the exact tools against enumeration of all play."""

import itertools

import numpy as np
import pytest

from metaspiel.games.markov import MarkovGame
from metaspiel.games.pennies import Pennies
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError

SMALL = [
    Pennies(1, 1),
    Pennies(2, 2),
    Pennies(3, 2),
    Pennies(1, 1, 3),
    Pennies(2, 2, 3),
]


def starts(game):
    return (np.arange(game.states)[:, None] + 0.5) / game.states


def random_policies(game, seed):
    made = np.random.default_rng(seed).dirichlet(
        np.ones(2), size=(game.agents, game.inputs)
    )
    return made / made.sum(-1, keepdims=True)


def enumerated(game, policies):
    """Values by playing every sequence of joint actions from every start."""
    total = np.zeros(game.agents)
    joint = list(itertools.product((0, 1), repeat=game.agents))
    for plan in itertools.product(joint, repeat=game.limit):
        scene = game.start(starts(game))
        weight = np.ones(game.states)
        paid = np.zeros((game.states, game.agents))
        for actions in plan:
            assert not scene.over.any()
            here = scene.observations[:, 0].argmax(1)
            for agent, action in enumerate(actions):
                weight = weight * policies[agent, here, action]
            scene = game.step(scene, np.tile(np.array(actions), (game.states, 1)))
            paid += scene.rewards
        assert scene.terminated.all() and not scene.truncated.any()
        total += (weight[:, None] * paid).mean(0)
    return total


@pytest.mark.parametrize("game", SMALL, ids=lambda game: game.name)
def test_values_are_those_of_all_plays(game):
    policies = random_policies(game, 0)
    np.testing.assert_allclose(
        game.values(policies), enumerated(game, policies), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("game", SMALL[:4], ids=lambda game: game.name)
def test_gains_are_those_of_the_best_of_all_pure_policies(game):
    policies = random_policies(game, 1)
    gains = game.gains(policies)
    for agent in range(game.agents):
        best = -np.inf
        for choice in itertools.product((0, 1), repeat=game.inputs):
            changed = policies.copy()
            changed[agent] = np.eye(2)[list(choice)]
            best = max(best, game.values(changed)[agent])
        assert gains[agent] == pytest.approx(best - game.values(policies)[agent])
    assert game.exploitability(policies) == pytest.approx(gains.sum())


def test_one_state_and_step_is_matching_pennies():
    game = Pennies(1, 1)
    half = np.full((2, 1, 2), 0.5)
    np.testing.assert_allclose(game.equilibrium(), half)
    assert game.exploitability(half) == 0.0
    heads = np.array([[[1.0, 0.0]], [[1.0, 0.0]]])
    np.testing.assert_array_equal(game.values(heads), [1.0, -1.0])
    assert game.exploitability(heads) == 2.0  # the one who lost can win


def test_one_step_of_three_agents_is_jordans_game():
    game = Pennies(1, 1, 3)
    assert game.exploitability(np.full((3, 1, 2), 0.5)) == 0.0
    for choice in itertools.product((0, 1), repeat=3):  # no pure equilibrium
        assert game.exploitability(np.eye(2)[list(choice)][:, None]) >= 2.0


@pytest.mark.parametrize("game", [Pennies(), Pennies(2, 2), Pennies(5, 20)])
def test_the_equilibrium_cannot_be_exploited_and_is_not_uniform(game):
    policies = game.equilibrium()
    assert abs(game.exploitability(policies)) < 1e-9
    assert np.abs(policies - 0.5).max() > 0.05
    assert game.values(policies).sum() == pytest.approx(0.0, abs=1e-9)
    assert game.exploitability(np.full(policies.shape, 0.5)) > 0.01


def test_the_value_is_what_each_agent_can_guarantee():
    game = Pennies()
    policies, value = game.equilibrium(), game.values(game.equilibrium())
    for agent in range(2):
        for seed in range(5):
            other = random_policies(game, seed)
            other[agent] = policies[agent]
            assert game.values(other)[agent] >= value[agent] - 1e-9


def test_rules_by_hand():
    game = Pennies(3, 2)
    scene = game.start(np.array([[0.0], [0.5], [0.99], [0.99]]))
    np.testing.assert_array_equal(scene.states, [0, 1, 2, 2])
    scene = game.step(scene, np.array([[1, 1], [0, 0], [0, 0], [1, 0]]))
    np.testing.assert_array_equal(scene.rewards, [[1, -1], [2, -2], [3, -3], [-1, 1]])
    np.testing.assert_array_equal(scene.states, [2, 1, 2, 0])
    np.testing.assert_array_equal(scene.observations[:, 1].argmax(1), [5, 4, 5, 3])
    assert not scene.over.any()
    assert game.step(scene, np.zeros((4, 2), dtype=int)).terminated.all()


def test_restart_touches_only_what_is_asked_and_over_episodes_rest():
    game = Pennies(3, 1)
    first = game.step(game.start(np.full((2, 1), 0.5)), np.zeros((2, 2), dtype=int))
    rested = game.step(first, np.ones((2, 2), dtype=int))
    np.testing.assert_array_equal(rested.rewards, 0.0)
    np.testing.assert_array_equal(rested.states, first.states)
    again = game.restart(first, np.array([True, False]), np.full((2, 1), 0.99))
    np.testing.assert_array_equal(again.states, [2, first.states[1]])
    np.testing.assert_array_equal(again.over, [False, True])
    np.testing.assert_array_equal(again.rewards, [[0, 0], [2, -2]])


def test_it_is_a_markov_game_with_a_name():
    game = Pennies(agents=3, states=1)
    assert isinstance(game, MarkovGame)
    assert game.name == "pennies(states=1,agents=3)"
    assert load(game.name) == game


def test_mistakes_are_refused():
    game = Pennies(2, 2)
    scene = game.start(np.zeros((1, 1)))
    with pytest.raises(UserError, match="integers below 2"):
        game.step(scene, np.array([[0, 2]]))
    with pytest.raises(UserError, match="shape"):
        game.values(np.full((2, 3, 2), 0.5))
    with pytest.raises(UserError, match="sum to 1"):
        game.exploitability(np.full((2, 4, 2), 0.4))
    with pytest.raises(UserError, match="agents must be 2"):
        Pennies(agents=3).equilibrium()
    with pytest.raises(UserError, match="at least 1"):
        Pennies(states=0)
    with pytest.raises(UserError, match="2 to 8"):
        Pennies(agents=1)
