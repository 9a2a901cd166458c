"""Counts of the meta-games that MATRL solves."""

import numpy as np
import pytest

from matrl.counts import count_meta_games, with_pure
from matrl.dynamics import BOX, MATRL, path
from matrl.matrix_games import Games, draw
from meta_solvers import Game, solve


def test_meta_games_are_counted_until_convergence():
    games = Games.of(draw("cyclic", 20))
    rule = MATRL(alpha=0.3, beta=0.3)
    counts = count_meta_games(rule, games, 50, 0)
    points = path(rule, games, 50)
    inside = (np.abs(points - games.equilibria[:, 0]) < BOX).all(axis=2)
    before = ~np.logical_or.accumulate(inside, axis=0)
    assert counts.meta_games == before.sum()
    assert counts.pure == 100 and counts.several == counts.mixed == 0
    assert 0 < counts.switch < 100 and 0 < counts.mean_rho < 0.5
    assert counts.regret <= 1e-9


def test_large_steps_have_several_meta_equilibria():
    games = Games.of(draw("coordination", 50))
    counts = count_meta_games(MATRL(alpha=4.0, beta=4.0), games, 50, 0)
    assert counts.several > counts.mixed > 0 and counts.pure == 100


def test_only_two_agents_always_have_a_pure_equilibrium():
    assert with_pure(2, 5000) == 5000
    shares = [with_pure(agents, 5000) / 50 for agents in (3, 4, 6)]
    assert shares == pytest.approx([87, 78, 67], abs=2)
    assert with_pure(3, 500, 1) == with_pure(3, 500, 1) != with_pure(3, 500, 2)


def test_a_pure_equilibrium_is_one_that_the_solver_finds():
    # The games of with_pure, drawn as it draws them, one by one.
    games = 40
    drawn = np.random.default_rng([5, 3]).normal(size=(3, games, 2, 2, 2))
    alone = [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    found = 0
    for number in range(games):
        payoffs = drawn[:, number]
        for agent, moved in enumerate(alone):
            two = sorted([payoffs[agent, 0, 0, 0], payoffs[(agent, *moved)]])
            payoffs[agent, 0, 0, 0], payoffs[(agent, *moved)] = two
        found += bool(solve("two_action", Game(payoffs)).diagnostics["pure"])
    assert found == with_pure(3, games, 5)


def test_without_meta_games_there_are_no_shares():
    games = Games.of(draw("cyclic", 3))
    where = Games(
        games.payoffs, games.own, games.cross, games.equilibria * 0 + [0.9, 0.2]
    )
    counts = count_meta_games(MATRL(), where, 5, 0)
    assert counts.meta_games == 0 and counts.regret == 0
    assert counts.pure is counts.mean_rho is None
