"""Small games in a table of their tree, held against the loop over their states."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from episodes import pick

from metaspiel.games import batched
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.openspiel import load
from metaspiel.games.stepped import Stepped
from metaspiel.games.tabled import Tabled, _Walk, tabled
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.learn.tasks import Task

GAMES = [
    "leduc_poker",
    "kuhn_poker(players=3)",
    "goofspiel(num_cards=3,imp_info=True)",  # simultaneous, with chance
    "goofspiel(num_cards=3,players=3)",
    "matrix_pd",
    "liars_dice(dice_sides=4)",
    "pig(winscore=4,horizon=6)",  # observations, and chance after each roll
    "tiny_hanabi",
]


@pytest.fixture
def stepping(monkeypatch):
    """Returns what makes all games step one by one, from then on."""

    def begin():
        monkeypatch.setattr(batched, "_rules", lambda name: Stepped(load(name)))

    return begin


def path(name, seed, moves=12):
    """Positions, with each episode's history, of random play that never ends."""
    simulator, rng = OpenSpielSimulator(name), np.random.default_rng(seed)
    numbers = torch.from_numpy(rng.random((2, 7, 1)))
    position = simulator.start(numbers)
    seen = [position]
    for _ in range(moves):
        some = torch.from_numpy(rng.random((2, 7)) < 0.8)
        position = simulator.step(position, pick(position, rng), some)
        seen.append(position)
        numbers = torch.from_numpy(rng.random((2, 7, 1)))
        again = position.done & torch.from_numpy(rng.random((2, 7)) < 0.7)
        position = simulator.restart(position, again, numbers)
        seen.append(position)
    shown = [
        {f.name: getattr(one, f.name) for f in fields(one) if f.name != "states"}
        for one in seen
    ]
    played = [
        [simulator.history(one, s, b) for s, b in np.ndindex(2, 7)] for one in seen
    ]
    return shown, played


@pytest.mark.parametrize("name", GAMES)
def test_episodes_are_those_of_the_loop(name, stepping):
    assert isinstance(batched._rules(name), Tabled)
    quick = [path(name, seed) for seed in range(2)]
    stepping()
    for seed, (shown, played) in enumerate(quick):
        expected, histories = path(name, seed)
        assert played == histories
        for one, two in zip(shown, expected, strict=True):
            for part in two:
                assert one[part].dtype == two[part].dtype
                assert torch.equal(one[part], two[part]), part


@pytest.mark.parametrize(
    "settings",
    [
        replace(DDQN.budget(400), games=8, batch=8, rate=1e-3),
        PPOResponse(decisions=128, games=8, rounds=8, minibatch=32, width=8),
    ],
    ids=lambda learner: learner.name,
)
def test_learners_learn_the_same(settings, stepping):
    simulator = OpenSpielSimulator("leduc_poker")
    network = MLP.of(simulator, 16)
    rivals = np.random.default_rng(0).standard_normal((3, network.size))
    rivals = Pool.of(rivals.astype(np.float32), "sampled")
    tasks = [
        Task(
            simulator=simulator,
            network=network,
            settings=settings,
            player=player,
            pools=(rivals, rivals),
            co_play=np.array([0.5, 0.2, 0.3]),
            seed=(seed,),
        )
        for player, seed in ((0, 1), (1, 2))
    ]
    quick = train(tasks)
    stepping()
    for one, two in zip(quick, train(tasks), strict=True):
        assert one.updates == two.updates > 0 and one.episodes == two.episodes
        for part in ("policy", "returns", "losses"):
            assert np.array_equal(getattr(one, part), getattr(two, part), True), part


def test_a_large_tree_is_not_walked():
    game = Stepped(load("tic_tac_toe"))
    assert tabled(game) is None
    assert isinstance(batched._rules("tic_tac_toe"), Stepped)


@pytest.mark.parametrize("limit", ["_NODES", "_NUMBERS"])
def test_a_walk_ends_at_its_limits(limit, monkeypatch):
    game = Stepped(load("leduc_poker"))
    small = tabled(game)
    # Ranks of actions are twice as wide as inputs.
    seen = small.inputs[1:].size + 2 * small.rank[1:].size
    size = len(small.first) if limit == "_NODES" else seen
    monkeypatch.setattr(f"metaspiel.games.tabled.{limit}", size)
    assert len(_Walk(game).table().first) == len(small.first)
    monkeypatch.setattr(f"metaspiel.games.tabled.{limit}", size - 1)
    assert _Walk(game).table() is None
