"""Both implementations of the generalised Bargaining game, side by side."""

import subprocess
import sys

import numpy as np
import pyspiel
import pytest
import torch
from open_spiel.python import rl_environment
from open_spiel.python.observation import make_observation

from metaspiel.games import bargaining_rules
from metaspiel.games.bargaining import Bargaining, observations, state
from metaspiel.games.bargaining_openspiel import new_state
from metaspiel.games.bargaining_rules import ACCEPT, LONGEST
from metaspiel.nfg.errors import UserError


@pytest.mark.parametrize("exponent", ["offers", "offers_before"])
def test_both_implementations_play_the_same_episodes(exponent):
    game = Bargaining(0.97, exponent)
    other = pyspiel.load_game(game.name)
    numbers = (
        torch.from_numpy(np.random.default_rng(11).random((2, 100, 10))) * 2**24
    ).floor() / 2**24
    position, rng = game.start(numbers), np.random.default_rng(12)
    mirror = {at: new_state(other, numbers[at].tolist()) for at in np.ndindex(2, 100)}
    deals = 0
    while not position.done.all():
        noise = torch.from_numpy(rng.random(position.legal.shape))
        action = torch.where(position.legal, noise, -1.0).argmax(-1)
        both, now = observations(position), state(position)
        for at, single in mirror.items():
            assert bool(position.done[at]) == single.is_terminal()
            if single.is_terminal():
                continue
            mover = single.current_player()
            assert position.mover[at] == mover == now[at][14]
            assert position.legal[at].nonzero()[:, 0].tolist() == single.legal_actions()
            close(position.inputs[at], single.information_state_tensor(mover))
            for player in range(2):
                close(both[at][player], single.observation_tensor(player))
            single.apply_action(int(action[at]))
        position = game.step(position, action, ~position.done)
    for at, single in mirror.items():
        assert single.is_terminal()
        close(position.returns[at], single.returns())
        deals += single.agreed
    assert 40 < deals < 100


def close(tensor, numbers):
    assert tensor.tolist() == pytest.approx(numbers, rel=2e-6, abs=2e-6)


def test_openspiels_own_checks(capfd):
    game = pyspiel.load_game("bargaining_generalized")
    pyspiel.random_sim_test(game, num_sims=5, serialize=True, verbose=False)
    capfd.readouterr()
    assert game.information_state_tensor_shape() == [41]
    assert game.observation_tensor_shape() == [11]
    assert game.max_chance_nodes_in_history() == 26


def test_openspiel_states_are_copied_and_saved():
    game = pyspiel.load_game("bargaining_generalized")
    single = new_state(game, [0.1] * 10)
    single.apply_action(single.legal_actions()[3])
    copy = single.clone()
    copy.apply_action(ACCEPT)
    assert copy.is_terminal() and not single.is_terminal()
    assert single.returns() == [0, 0] != copy.returns()
    saved = pyspiel.serialize_game_and_state(game, single)
    assert str(pyspiel.deserialize_game_and_state(saved)[1]) == str(single)
    assert single.action_to_string(1, ACCEPT) == "accept"
    assert (
        single.action_to_string(1, bargaining_rules.offers().tolist().index([0, 1, 2]))
        == "offer 0 1 2"
    )


def test_openspiel_players_see_their_own_valuation_only():
    game = pyspiel.load_game("bargaining_generalized")
    numbers = [0.1] * 6 + [0.3] * 4
    one, two = (new_state(game, [*numbers[:9], last]) for last in (0.3, 0.7))
    for single in (one, two):
        single.apply_action(0)
        single.apply_action(2)
    for show in ("information_state_string", "observation_string"):
        assert getattr(one, show)(0) == getattr(two, show)(0)
        assert getattr(one, show)(1) != getattr(two, show)(1)
    public = pyspiel.IIGObservationType(
        public_info=True, perfect_recall=True, private_info=pyspiel.PrivateInfoType.NONE
    )
    everyone = make_observation(game, public)
    everyone.set_from(one, 0)
    assert everyone.tensor.tolist()[:2] == [0, 2] and len(everyone.tensor) == 38
    # Perfect recall tells first offers apart, a plain observation does not.
    three = new_state(game, [*numbers[:9], 0.3])
    three.apply_action(1)
    three.apply_action(2)
    assert three.information_state_string(0) != one.information_state_string(0)
    assert three.observation_string(0) == one.observation_string(0)


def test_openspiel_environment_plays_it():
    environment = rl_environment.Environment(
        pyspiel.load_game("bargaining_generalized"),
        chance_event_sampler=rl_environment.ChanceEventSampler(seed=1),
    )
    rng, moves = np.random.default_rng(2), 0
    step = environment.reset()
    while not step.last():
        player = step.observations["current_player"]
        legal = step.observations["legal_actions"][player]
        assert len(step.observations["info_state"][player]) == 41
        step = environment.step([rng.choice(legal)])
        moves += 1
    assert 2 <= moves <= LONGEST and len(step.rewards) == 2


def test_importing_twice_is_harmless():
    # In a process of its own: other tests here hold the classes of the first import.
    code = (
        "import importlib, pyspiel\n"
        "from metaspiel.games import bargaining_openspiel\n"
        "importlib.reload(bargaining_openspiel)\n"
        "pyspiel.load_game('bargaining_generalized')\n"
        "print(pyspiel.registered_names().count('bargaining_generalized'))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "1\n", ran.stderr


def test_mistakes_are_told():
    for parameters, word in (
        ("discount=2.0", "discount"),
        ("discount=0.0", "discount"),
        ("exponent=offer", "exponent"),
    ):
        with pytest.raises(UserError, match=word):
            pyspiel.load_game(f"bargaining_generalized({parameters})")
    game = pyspiel.load_game("bargaining_generalized")
    for numbers in ([0.5] * 9, [0.5] * 9 + [1.0]):
        with pytest.raises(UserError, match="new_state"):
            new_state(game, numbers)
    with pytest.raises(UserError, match="no parameters"):
        make_observation(game, params={"x": 1})
