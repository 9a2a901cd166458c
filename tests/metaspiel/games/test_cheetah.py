"""The half-cheetah of two players: Gymnasium's robot, turn by turn, as a value."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from episodes import everywhere, pick, play

from metaspiel.games.extras import seed_of
from metaspiel.games.simulator import Simulator
from metaspiel.learn import evaluate
from metaspiel.learn.evaluate import Matches, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.learn.tasks import Task
from metaspiel.nfg.errors import UserError

gymnasium = pytest.importorskip("gymnasium", reason="needs the extra 'mujoco'")
pytest.importorskip("mujoco", reason="needs the extra 'mujoco'")
pytest.importorskip("imageio", reason="needs the extra 'mujoco'")

from metaspiel.games import named_simulator  # noqa: E402
from metaspiel.games.cheetah import TwoLegs  # noqa: E402

LEARNERS = (
    replace(DDQN.budget(400), games=8),
    PPOResponse(decisions=320, games=8, rounds=10, minibatch=40, width=8),
)


def uniforms(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, 1)))


def same(one, two, where=slice(None), other=None):
    other = where if other is None else other
    for part in one.__dataclass_fields__:
        here, there = getattr(one, part)[where], getattr(two, part)[other]
        if not np.array_equal(np.asarray(here), np.asarray(there)):
            return False
    return True


def test_the_two_legs_together_are_gymnasiums_robot():
    game = TwoLegs(horizon=30, repeat=2, scale=4.0)
    alone = gymnasium.make("HalfCheetah-v5")
    seen, _ = alone.reset(seed=seed_of(0.3))
    position = game.start(torch.full((1, 1, 1), 0.3, dtype=torch.float64))
    rng, paid = np.random.default_rng(0), 0.0
    for number in range(game.horizon):
        legs = []
        for player in (0, 1):
            assert position.mover.item() == player and not position.returns.any()
            shown = [*seen.astype(np.float32), (30 - number) / 30, player]
            assert position.inputs[0, 0].numpy() == pytest.approx(np.array(shown))
            assert (position.inputs[0, 0, :17].numpy() == shown[:17]).all()
            action = pick(position, rng)
            legs.append(game.torques()[int(action)])
            position = game.step(position, action, everywhere(position))
        for _ in range(2):
            seen, reward, *_ = alone.step(np.concatenate(legs))
            paid += reward
    alone.close()
    assert position.done.all() and not position.legal.any()
    assert not position.inputs.any()
    assert position.returns[0, 0].tolist() == pytest.approx([paid / 4] * 2, rel=1e-6)
    assert torch.equal(game.outcomes(position)[:, :, 0], position.returns)
    assert same(game.step(position, position.mover, everywhere(position)), position)


def test_torques_of_an_action():
    assert TwoLegs().actions == 27
    assert TwoLegs().torques()[[0, 13, 14, 26]].tolist() == [
        [-1, -1, -1],
        [0, 0, 0],
        [0, 0, 1],
        [1, 1, 1],
    ]
    assert TwoLegs(levels=2).torques()[3].tolist() == [-1, 1, 1]


def test_player_1_is_not_shown_what_player_0_chose():
    game = TwoLegs()
    start = game.start(uniforms(1, 1, 4))
    one, other = (
        game.step(start, torch.full((1, 4), action), everywhere(start))
        for action in (0, 26)
    )
    assert torch.equal(one.inputs, other.inputs)
    ends = [game.step(p, torch.full((1, 4), 13), everywhere(p)) for p in (one, other)]
    assert (ends[0].inputs != ends[1].inputs).any()


def test_positions_are_values():
    """Any of them can be played on, in any order, with the same bits."""
    game, numbers = TwoLegs(horizon=8), uniforms(2, 2, 3)
    path = play(game, game.start(numbers), np.random.default_rng(3))
    again = play(game, game.start(numbers), np.random.default_rng(3))
    assert len(path) == game.longest + 1
    assert all(same(one, two) for one, two in zip(path, again, strict=True))
    rng = np.random.default_rng(4)
    first = play(game, path[6], rng)
    other = play(game, path[6], np.random.default_rng(4))
    assert same(first[-1], other[-1]) and not same(first[-1], path[-1])


def test_an_episode_depends_on_nothing_beside_it():
    game, numbers, rng = TwoLegs(horizon=6), uniforms(5, 2, 3), np.random.default_rng(6)
    whole, alone = game.start(numbers), game.start(numbers[1:, 2:])
    for _ in range(game.longest + 4):
        action = pick(whole, rng)
        where = torch.from_numpy(rng.random((2, 3)) < 0.8)
        whole = game.step(whole, action, where)
        alone = game.step(alone, action[1:, 2:], where[1:, 2:])
        assert same(whole, alone, np.s_[1:, 2:], np.s_[:])


def test_restart_touches_only_what_is_asked():
    game, fresh = TwoLegs(horizon=5), uniforms(8, 2, 3)
    position = play(game, game.start(uniforms(7, 2, 3)), np.random.default_rng(0))[-3]
    where = torch.tensor([[True, False, True], [False, False, True]])
    new = game.restart(position, where, fresh)
    assert same(new, game.start(fresh), where)
    assert same(new, position, ~where)


def test_it_is_a_simulator_and_a_value():
    game = TwoLegs(horizon=20, scale=10.0)
    assert isinstance(game, Simulator)
    assert pickle.loads(pickle.dumps(game)) == game != TwoLegs()
    assert (game.players, game.inputs, game.longest) == (2, 19, 40)
    assert game.name == "halfcheetah_2x3(horizon=20,scale=10.0)"
    assert named_simulator(game.name) == game


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"levels": 1}, "levels must be from 2 to 9; got 1"),
        ({"horizon": 0}, "horizon must be from 1 to 1000; got 0"),
        ({"repeat": 0}, "repeat must be from 1 to 100; got 0"),
        ({"scale": 0.0}, "scale must be positive; got 0.0"),
        ({"scale": float("inf")}, "scale must be positive; got inf"),
        ({"scale": float("nan")}, "scale must be positive; got nan"),
    ],
)
def test_impossible_numbers(fields, sentence):
    with pytest.raises(UserError, match=f"^halfcheetah_2x3: {sentence}$"):
        TwoLegs(**fields)
    with pytest.raises(UserError, match="1 uniform number; got 2"):
        TwoLegs().start(torch.zeros(1, 1, 2).double())


@pytest.mark.parametrize("settings", LEARNERS, ids=lambda learner: learner.name)
def test_it_is_learned_and_evaluated(settings):
    game = TwoLegs(horizon=5, repeat=2)
    network = MLP(inputs=game.inputs, width=8, actions=game.actions)
    anyone = Pool.uniform(network)
    task = Task(
        simulator=game,
        network=network,
        settings=settings,
        player=1,
        pools=(anyone, anyone),
        co_play=np.ones(1),
        seed=(0,),
    )
    (learned,) = train([task])
    assert learned.updates and learned.episodes
    match = Matches(
        simulator=game,
        network=network,
        pools=(anyone, Pool.of(learned.policy[None], settings.play)),
        profiles=pure(np.zeros((1, 2), dtype=np.int64), 10),
        seed=(1,),
    )
    (scores,) = evaluate.play([match])
    assert scores.mean[0, 0, 0] == scores.mean[0, 0, 1] != 0
    assert scores.length.item() == 10
