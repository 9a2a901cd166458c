"""States that policies visit: all of them, uniform samples, and against whom."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.recalling import Recalling
from metaspiel.learn.evaluate import Matches, against, moves, prepared
from metaspiel.learn.mlp import MLP
from metaspiel.learn.policies import Pool
from metaspiel.learn.visits import Tour, Visits, visit
from metaspiel.nfg.errors import UserError
from psro.executor import InProcess

KUHN = OpenSpielSimulator("kuhn_poker(players=3)")


def matches(profiles, game=KUHN, **more):
    network = MLP.of(game, 8)
    drawn = torch.Generator().manual_seed(3)
    weights = torch.stack([3 * network.initial(drawn) for _ in range(2)]).numpy()
    pool = Pool.of(weights, "sampled") + Pool.uniform(network)
    return Matches(
        simulator=game,
        network=network,
        pools=(pool,) * game.players,
        profiles=profiles,
        seed=(7,),
        **more,
    )


def mixed(episodes, player=1, policies=(0, 2)):
    co_play = np.full((3, 3), 1 / 9)
    rng = np.random.default_rng(0)
    return against(co_play, player, policies, episodes=episodes, rng=rng)


def counted(visits):
    rows = zip(visits.inputs, visits.legal, visits.policy, strict=True)
    return Counter((x.tobytes(), m.tobytes(), int(k)) for x, m, k in rows)


@pytest.mark.parametrize("window", [None, 2])
def test_all_states_are_those_of_the_episodes(window):
    game = KUHN if window is None else Recalling(KUHN, window)
    match = matches(mixed(30), game)
    (visits,) = visit([Tour(match, 1)])
    assert isinstance(visits, Visits) and visits.visited == len(visits.inputs)
    wanted = Counter()
    for position, _, live, _ in moves(game, *prepared(match)):
        for row in np.flatnonzero(live[0] & (position.mover[0] == 1)):
            inputs, legal = position.inputs[0, row], position.legal[0, row]
            assert legal.any()
            number = int(match.profiles.reshape(-1, 3)[row, 1])
            key = inputs.numpy().tobytes(), legal.numpy().tobytes(), number
            wanted[key] += 1
    assert counted(visits) == wanted and {k for *_, k in wanted} == {0, 2}


def test_wide_windows_are_played_a_few_profiles_at_a_time():
    profiles = np.repeat(mixed(100), 20, axis=0)
    assert matches(profiles).at_once == 400
    assert matches(profiles, rows=1000).at_once == 10
    assert matches(profiles, Recalling(KUHN, 2500)).at_once == 10


@given(limit=st.integers(1, 60), more=st.integers(0, 60))
@settings(max_examples=10, deadline=None)
def test_a_smaller_sample_is_the_beginning_of_a_larger_one(limit, more):
    match = matches(mixed(12))
    small, large = visit([Tour(match, 1, n) for n in (limit, limit + more)])
    assert len(small.inputs) == min(limit, small.visited)
    assert small.visited == large.visited
    for part in ("inputs", "legal", "policy"):
        first = getattr(large, part)[: len(small.inputs)]
        np.testing.assert_array_equal(getattr(small, part), first)


def test_every_state_is_as_likely_to_be_kept():
    """Over seeds: policies that decide as often are sampled as often."""
    match, kept, share = matches(mixed(10, policies=(0, 1, 2))), [], []
    for seed in range(25):
        again = replace(match, seed=(seed,))
        some, whole = visit([Tour(again, 1, 5), Tour(again, 1)])
        kept.append((some.policy == 2).sum())
        share.append((whole.policy == 2).mean())
    spread = np.sqrt(5 * len(share) * np.mean(share) * (1 - np.mean(share)))
    assert abs(np.sum(kept) - 5 * np.sum(share)) < 4 * spread


def test_co_players_are_drawn_once_an_episode_and_as_correlated_as_they_are():
    co_play = np.diag([0.5, 0.0, 0.5])
    rng = np.random.default_rng(1)
    profiles = against(co_play, 0, [1, 2], episodes=200, rng=rng)
    assert profiles.shape == (2, 200, 3)
    np.testing.assert_array_equal(profiles[..., 1], profiles[..., 2])
    np.testing.assert_array_equal(profiles[0, :, 1:], profiles[1, :, 1:])
    assert set(profiles[..., 1].ravel()) == {0, 2}
    assert [set(row) for row in profiles[..., 0]] == [{1}, {2}]
    assert 70 < (profiles[0, :, 1] == 0).sum() < 130
    alone = against(np.array(1.0), 0, [2], episodes=3, rng=rng)
    np.testing.assert_array_equal(alone, np.full((1, 3, 1), 2))


def test_the_same_bits_wherever_and_however_often():
    tours = [Tour(matches(mixed(20)), player, 16) for player in (0, 1)]
    here = visit(tours)
    with InProcess() as executor:
        there = executor.answer(visit, pickle.loads(pickle.dumps(tours)))
    for one, two in zip(here, there, strict=True):
        assert one.inputs.tobytes() == two.inputs.tobytes()
        assert one.policy.tobytes() == two.policy.tobytes()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"player": 3}, "player must be one of 0 to 2; got 3"),
        ({"player": 0, "limit": 0}, "limit must be at least 1; got 0"),
    ],
)
def test_impossible_tours_are_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        Tour(matches(mixed(2)), **asked)
