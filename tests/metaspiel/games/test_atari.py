"""Atari Pong steps, repeats itself bit for bit, and is what PettingZoo plays."""

import sys

import numpy as np
import pytest
from processes import printed

from metaspiel.games.atari import AtariPong
from metaspiel.games.markov import Discrete, MarkovGame
from metaspiel.games.worlds import load
from metaspiel.nfg.errors import UserError


def test_its_facts_need_no_emulator(monkeypatch):
    game = AtariPong()
    assert isinstance(game, MarkovGame)
    assert (game.agents, game.inputs, game.actions) == (2, 128, Discrete(6))
    assert AtariPong("grayscale").inputs == 800
    assert load("atari_pong(obs=grayscale,skip=2)") == AtariPong("grayscale", 2)
    with pytest.raises(UserError, match="skip and limit"):
        AtariPong(skip=0)
    monkeypatch.setitem(sys.modules, "multi_agent_ale_py", None)
    with pytest.raises(UserError, match=r"pip install 'metaspiel\[atari\]'"):
        game.start(np.array([[0.5]]))


def test_naming_a_game_loads_no_package_of_its_extra():
    code = (
        "import sys\nfrom metaspiel.games.worlds import load\n"
        "load('atari_pong'), load('hopper'), load('pennies'), load('mini_pong')\n"
        "heavy = 'gymnasium', 'pettingzoo', 'mujoco', 'multi_agent_ale_py', 'torch'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert printed(code).strip() == "[]"


@pytest.fixture
def emulator():
    for module in ("pettingzoo", "multi_agent_ale_py", "ale_py", "pygame"):
        pytest.importorskip(module, reason="needs the extra 'atari'")


def played(game, uniforms, moves):
    scenes = [game.start(uniforms)]
    for move in moves:
        scenes.append(game.step(scenes[-1], move))
    return scenes


@pytest.mark.parametrize("obs", ["ram", "grayscale"])
def test_same_numbers_same_bits(emulator, obs):
    game = AtariPong(obs, limit=40)
    uniforms = np.array([[0.1], [0.8]])
    moves = np.random.default_rng(0).integers(0, 6, (41, 2, 2))
    one, other = played(game, uniforms, moves), played(game, uniforms, moves)
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.observations, second.observations)
        np.testing.assert_array_equal(first.rewards, second.rewards)
    seen = np.stack([scene.observations for scene in one])
    assert seen.min() >= 0 and seen.max() <= 1 and seen.shape[2:] == (2, game.inputs)
    if obs == "ram":
        assert (seen[0, 0] != seen[0, 1]).any()  # other frames without action
        assert (np.diff(seen[:-1], axis=0) != 0).any((1, 2, 3)).all()
    else:  # what was new is old a step later
        assert (seen[-1] != seen[0]).any()
        np.testing.assert_array_equal(seen[1:41, ..., 400:], seen[:40, ..., :400])
    np.testing.assert_array_equal(seen[:, :, 0], seen[:, :, 1])
    assert one[-1].truncated.all() and not one[-2].terminated.any()


def test_points_are_zero_sum_and_a_game_ends(emulator):
    game = AtariPong(skip=8, limit=5000)
    scene, total = game.start(np.array([[0.0]])), np.zeros(2)
    rng = np.random.default_rng(0)
    while not scene.over.any():
        lazy = np.array([[rng.integers(6), 1]])  # the second only serves
        scene = game.step(scene, lazy)
        total += scene.rewards[0]
    assert scene.terminated.all()
    assert total.sum() == 0.0 and total[0] > 5


def test_it_is_petting_zoos_pong_with_skipped_frames(emulator):
    from pathlib import Path

    import ale_py
    from pettingzoo.atari.pong.pong import parallel_env

    game, uniforms = AtariPong(skip=3), np.array([[0.7]])
    frames = np.random.default_rng(int(0.7 * 2**31)).integers(31)
    moves = np.random.default_rng(1).integers(0, 6, (100, 1, 2))
    ours = played(game, uniforms, moves)
    roms = Path(ale_py.__file__).parent / "roms"
    theirs = parallel_env(obs_type="ram", auto_rom_install_path=str(roms))
    theirs.reset(seed=0)
    for _ in range(frames):
        theirs.step({"first_0": 0, "second_0": 0})
    for move, scene in zip(moves, ours[1:], strict=True):
        paid = np.zeros(2)
        for _ in range(3):
            does = dict(zip(theirs.possible_agents, move[0].tolist(), strict=True))
            seen, rewards, *_ = theirs.step(does)
            paid += list(rewards.values())
        np.testing.assert_array_equal(
            scene.observations[0, 1], seen["second_0"].astype(np.float32) / 255
        )
        np.testing.assert_array_equal(scene.rewards[0], paid)
