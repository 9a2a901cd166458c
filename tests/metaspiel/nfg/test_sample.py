import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.sample import (
    FAMILIES,
    covariant,
    families,
    fits,
    player_range,
    sample,
)


def draw(name: str, actions: tuple[int, ...], seed: int = 0) -> Game:
    return sample(name, actions, np.random.default_rng(seed))


def shapes(name: str):
    for players in range(1, 5):
        if name in families(players):
            yield from ((1,) * players, (2,) * players, (3,) * players)
            if not FAMILIES[name].square:
                yield tuple(range(2, 2 + players))


@pytest.mark.parametrize("name", families())
def test_same_seed_same_game_and_the_shape_asked_for(name):
    for shape in shapes(name):
        assert fits(name, shape)
        game = draw(name, shape, 3)
        assert game.actions == shape
        assert np.array_equal(game.payoffs, draw(name, shape, 3).payoffs)


@pytest.mark.parametrize("name", [f for f in families() if f != "dispersion"])
def test_another_seed_gives_another_game(name):
    assert not np.array_equal(
        draw(name, (3, 3), 1).payoffs, draw(name, (3, 3), 2).payoffs
    )


def test_families_by_number_of_players():
    assert "zero_sum" in families(2) and "zero_sum" not in families(3)
    assert "location" not in families(1)
    assert set(families(2)) == set(families()) == set(FAMILIES)
    assert player_range("zero_sum") == (2, 2)
    assert player_range("uniform") == (1, math.inf)


@pytest.mark.parametrize(
    ("name", "actions", "words"),
    [
        ("unifrom", (2, 2), "did you mean 'uniform'"),
        ("zero_sum", (2, 2, 2), "exactly 2 players; got 3"),
        ("war_of_attrition", (2,), "at least 2 players; got 1"),
        ("symmetric", (2, 3), r"same number of actions; got \(2, 3\)"),
        ("uniform", (2, 0), r"whole number >= 1 for each player; got \(2, 0\)"),
        ("uniform", (), r"got \(\)"),
    ],
)
def test_refusals_say_what_must_hold(name, actions, words):
    with pytest.raises(UserError, match=words):
        draw(name, actions)
    assert name not in FAMILIES or not fits(name, actions)


def test_unknown_family_has_no_player_range():
    with pytest.raises(UserError, match="unknown family 'x'"):
        player_range("x")


def test_l2_invariant_has_zero_mean_and_unit_variance():
    payoffs = draw("l2_invariant", (3, 4, 2)).payoffs.reshape(3, -1)
    np.testing.assert_allclose(payoffs.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(payoffs.std(axis=1), 1)
    assert not draw("l2_invariant", (1, 1)).payoffs.any()


def test_zero_sum_and_common_interest():
    assert not draw("zero_sum", (3, 4)).payoffs.sum(axis=0).any()
    payoffs = draw("common_interest", (3, 2, 2)).payoffs
    assert (payoffs == payoffs[0]).all()
    assert draw("symmetric", (3, 3, 3)).symmetric


@pytest.mark.parametrize("rho", [None, -0.5, 0.9])
def test_covariant_correlation(rho):
    payoffs = covariant((30, 30, 30), np.random.default_rng(0), rho=rho)
    measured = np.corrcoef(payoffs.reshape(3, -1))[np.triu_indices(3, 1)]
    np.testing.assert_allclose(measured, -0.25 if rho is None else rho, atol=0.02)
    np.testing.assert_allclose(payoffs.std(axis=(1, 2, 3)), 1, atol=0.02)


def test_covariant_refuses_impossible_correlation():
    with pytest.raises(UserError, match=r"rho must be in \[-0.5, 1\]"):
        covariant((2, 2, 2), np.random.default_rng(0), rho=-0.6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_congestion_has_a_potential_so_cycles_of_four_cancel(seed, sizes):
    # Monderer & Shapley 1996: exact potential iff every two-player 4-cycle sums to 0.
    payoffs = draw("congestion", tuple(sizes), seed).payoffs
    for p in range(len(sizes)):
        for q in range(p):
            own = np.diff(payoffs[p], axis=p)
            other = np.diff(payoffs[q], axis=q)
            np.testing.assert_allclose(
                np.diff(own, axis=q), np.diff(other, axis=p), atol=1e-12
            )


def test_dispersion_counts_entropy():
    payoffs = draw("dispersion", (2, 3)).payoffs
    expected = np.log(2) * np.array([[0.0, 1, 1], [1, 0, 1]])
    np.testing.assert_allclose(payoffs, [expected, expected])


def test_majority_voting_ignores_a_lost_vote():
    payoffs = draw("majority_voting", (3, 3, 3)).payoffs
    assert (payoffs[:, 2, 2, 0] == payoffs[:, 2, 2, 1]).all()
    assert (payoffs[:, 0, 1, 2] == payoffs[:, 0, 0, 0]).all()  # a tie: the first wins


def test_minimum_effort_has_every_common_effort_as_equilibrium():
    payoffs = draw("minimum_effort", (4, 4)).payoffs
    own, other = payoffs[0], payoffs[1].T
    for payoff in (own, other):
        assert (np.argmax(payoff, axis=0) == np.arange(4)).all()


def test_travellers_dilemma_by_hand():
    payoffs = draw("travellers_dilemma", (3, 3)).payoffs
    reward = payoffs[0, 0, 1] - 1
    assert 1 <= reward <= 3
    expected = [
        [1, 1 + reward, 1 + reward],
        [1 - reward, 2, 2 + reward],
        [1 - reward, 2 - reward, 3],
    ]
    np.testing.assert_allclose(payoffs[0], expected)
    np.testing.assert_allclose(payoffs[1], np.transpose(expected))


def test_war_of_attrition_by_hand():
    payoffs = draw("war_of_attrition", (3, 3)).payoffs
    prize = payoffs[:, 0, 0] * 2
    rate = np.array([-payoffs[0, 1, 2], -payoffs[1, 2, 1]])
    np.testing.assert_allclose(payoffs[:, 2, 1], [prize[0] - rate[0], -rate[1]])
    np.testing.assert_allclose(payoffs[:, 2, 2], prize / 2 - 2 * rate)
    np.testing.assert_allclose(payoffs[:, 0, 2], [0, prize[1]])


def test_bertrand_gives_the_dearer_nothing():
    payoffs = draw("bertrand", (3, 3, 3)).payoffs
    assert payoffs[0, 1, 0, 2] == payoffs[2, 1, 0, 2] == 0 != payoffs[1, 1, 0, 2]
    np.testing.assert_allclose(payoffs[:, 1, 1, 1], payoffs[0, 1, 1, 1])


def test_grab_the_dollar_orders_its_three_outcomes():
    payoffs = draw("grab_the_dollar", (3, 3)).payoffs
    for time in range(2):
        alone, late = payoffs[:, time, time + 1]
        assert alone > late > payoffs[0, time, time]


def test_location_shops_share_the_street_when_prices_are_equal():
    # Not exactly half each: each keeps its own end of the street.
    payoffs = draw("location", (1, 1)).payoffs
    assert (payoffs > 0).all()


def test_random_graphical_and_polymatrix_are_local():
    payoffs = draw("polymatrix", (2, 2, 2)).payoffs[0]
    mixed = np.diff(np.diff(payoffs, axis=1), axis=2)  # no three-way interaction
    np.testing.assert_allclose(mixed, 0, atol=1e-14)
    seen = set()
    for seed in range(20):
        payoffs = draw("random_graphical", (2, 2, 2, 2), seed).payoffs
        for player in range(4):
            moves = [np.diff(payoffs[player], axis=q).any() for q in range(4)]
            assert moves[player] and sum(moves) >= 2
            seen.add(sum(moves))
    assert seen == {2, 3, 4}


def test_degenerate_families():
    assert not np.ptp(draw("constant", (2, 3)).payoffs, axis=(1, 2)).any()
    payoffs = draw("duplicated_actions", (4, 3)).payoffs
    assert (payoffs[:, 0] == payoffs[:, 2]).all()
    assert (payoffs[:, :, 0] == payoffs[:, :, 2]).all()
    payoffs = draw("integer", (5, 5)).payoffs
    assert (payoffs == np.round(payoffs)).all() and np.abs(payoffs).max() == 2
    assert np.abs(draw("tiny_scale", (3, 3)).payoffs).max() <= 1e-6
    assert np.abs(draw("huge_scale", (3, 3)).payoffs).max() > 1e5
