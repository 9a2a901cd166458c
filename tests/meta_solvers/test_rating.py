"""Nash averaging, Alpha-Rank, Elo and mean payoffs as ratings; ranks of them."""

import numpy as np
import pytest
from scipy.optimize import minimize

from meta_solvers import Game, UserError, rating
from meta_solvers.standings import ranks, standings
from metaspiel.nfg.scores import agents_agents_tasks

SCORES = np.array([[0.9, 0.2, 0.5], [0.3, 0.8, 0.5], [0.1, 0.1, 0.2]])
SCISSORS = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])


def test_nash_averaging_is_the_payoff_against_the_most_even_equilibrium():
    agents, tasks = rating.nash_averaging(Game.zero_sum(SCORES)).ratings
    # The third task is in no equilibrium but for one of value 1/2; it ties.
    np.testing.assert_allclose(agents, [0.5, 0.5, 0.2], atol=1e-6)
    assert tasks.max() == pytest.approx(-0.5, abs=1e-6)
    clones = Game.zero_sum(SCISSORS[np.ix_([0, 0, 1, 2], [0, 0, 1, 2])])
    np.testing.assert_allclose(rating.nash_averaging(clones).ratings, 0.0, atol=1e-6)


def test_mean_payoff_and_alpha_rank_rate_every_player():
    game = agents_agents_tasks(SCORES)
    first, second, tasks = rating.mean_payoff(game).ratings
    np.testing.assert_allclose(first, second)
    np.testing.assert_allclose(first, SCORES.mean(axis=1) - SCORES.mean())
    assert tasks.argsort().tolist() == [2, 1, 0]
    shares = [own.sum() for own in rating.alpha_rank(game).ratings]
    assert shares == pytest.approx([1.0] * 3)


def test_elo_of_two_is_the_logarithm_of_their_odds():
    wins = np.array([[0.0, 3.0], [1.0, 0.0]])
    assert np.ptp(rating.bradley_terry(wins)) == pytest.approx(400 * np.log10(3))


def test_elo_is_most_likely():
    """Beside a general optimiser of the same likelihood."""
    wins = np.random.default_rng(0).integers(0, 9, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0.0)
    prior = 0.5

    def loss(points):
        apart = (points[:, None] - points) * np.log(10) / 400
        return float(((wins + prior / 2) * np.logaddexp(0, -apart)).sum())

    known = minimize(loss, np.zeros(5), tol=1e-12).x
    ours = rating.bradley_terry(wins, prior)
    np.testing.assert_allclose(ours, known - known.mean(), atol=0.05)
    assert loss(ours) <= loss(known) + 1e-9


def test_elo_of_a_table_counts_the_columns_that_are_won():
    agents, tasks = rating.elo(Game.zero_sum(SCORES), prior=0.0001).ratings
    assert tasks is None
    # The first two win a task each and draw one; the third loses all.
    assert agents[0] == pytest.approx(agents[1])
    assert agents[2] < agents[0] - 1000
    cheered = rating.elo(Game.zero_sum(SCORES), prior=10.0).ratings[0]
    assert np.ptp(cheered) < 200


def test_elo_of_interchangeable_players_reads_payoffs_as_shares_of_a_game():
    both = rating.elo(Game.zero_sum(SCISSORS)).ratings
    np.testing.assert_allclose(both, 0.0, atol=1e-9)
    ladder = np.array([[0.0, 0.5], [-0.5, 0.0]])  # half the range: all of a game
    with pytest.raises(UserError, match="prior must be positive where some win all"):
        rating.elo(Game.zero_sum(ladder), prior=0.0)
    first = rating.elo(Game.zero_sum(ladder), prior=1.0).ratings[0]
    assert np.ptp(first) == pytest.approx(400 * np.log10(3))


def test_what_does_not_apply_is_refused():
    for method in (rating.nash_averaging, rating.elo):
        with pytest.raises(UserError, match="two-player zero-sum; got 3 players"):
            method(Game(np.zeros((3, 2, 2, 2))))
        with pytest.raises(UserError, match="do not add up to one number"):
            method(Game(np.random.default_rng(0).normal(size=(2, 2, 2))))
    with pytest.raises(UserError, match="only a chain with one closed class, not 70"):
        rating.alpha_rank(Game(np.stack([np.eye(70)] * 2)))
    with pytest.raises(UserError, match="prior must be a number of at least 0"):
        rating.elo(Game.zero_sum(SCORES), prior=-1.0)


def test_ratings_that_differ_by_rounding_share_a_rank():
    assert ranks([1.0, 3.0, 1.0 + 1e-12, 2.0], 1e-9) == [3, 1, 3, 2]
    assert ranks([0.0, -1e-17, 0.0], 1e-9) == [1, 1, 1]
    assert ranks([5.0], 0.0) == [1]
    assert standings(Game.zero_sum(SCISSORS)).ranks(0)["nash_averaging"] == [1] * 3


def test_standings_have_all_methods_or_say_why_not():
    table = Game.zero_sum(SCORES)
    three = standings(agents_agents_tasks(SCORES), table=table, seats=(0, 0, 1))
    assert not three.absent
    assert set(three.of(2)) == {"deviation", "nash_averaging", "alpha_rank",
                                "mean_payoff"}  # fmt: skip
    assert three.order(0)[-1] == 2
    alone = standings(agents_agents_tasks(SCORES))
    assert set(alone.absent) == {"nash_averaging", "elo"}
