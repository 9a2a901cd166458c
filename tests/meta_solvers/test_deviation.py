"""Deviation ratings: what they are, and the laws that they must keep."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from meta_solvers import Game, Status, UserError, deviation, measure, solve
from meta_solvers.deviation import deviation_ratings, gains
from meta_solvers.rating import nash_averaging
from metaspiel.nfg.scores import agents_agents_tasks

laws = settings(max_examples=8, deadline=None, derandomize=True)
SHAPES = [(3,), (2, 2), (3, 4), (5, 3), (2, 3, 2), (3, 3, 3), (2, 2, 2, 2)]
CLOSE = {"rtol": 0, "atol": 1e-7}
# Few whole numbers make games with many ties.
games = st.tuples(
    st.sampled_from(SHAPES), st.integers(0, 10**6), st.sampled_from([1, 3, None])
)
pairs = games.filter(lambda drawn: len(drawn[0]) == 2)


def built(drawn):
    """A game of a shape, and a generator for what a test draws."""
    shape, seed, most = drawn
    rng = np.random.default_rng(seed)
    size = (len(shape), *shape)
    whole = rng.normal(size=size) if most is None else rng.integers(0, most + 1, size)
    return Game(whole.astype(float)), rng


def rated(game):
    answer = deviation_ratings(game)
    assert answer.status is Status.OK
    return answer.ratings


def same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)


def least(cost, below, below_to):
    """The least of ``cost . x`` over distributions with ``below @ x <= below_to``."""
    size = cost.size
    bounds = [(0, None)] * size
    answer = linprog(cost, below, below_to, np.ones((1, size)), [1.0], bounds)
    assert answer.status == 0
    return answer.fun


@given(games)
@laws
def test_no_rating_can_be_lower_while_those_above_it_stay(drawn):
    """The definition, by one linear program for each action: no dual is read."""
    game, _ = built(drawn)
    rows, unit = gains(game)
    ratings = np.concatenate(rated(game)) / unit
    for row, rating in zip(rows, ratings, strict=True):
        held = ratings >= rating - 1e-7
        room = 1e-10
        assert least(row, rows[held], ratings[held] + room) >= rating - 1e-6


@given(games)
@laws
def test_ratings_are_the_gains_of_a_strictest_equilibrium(drawn):
    game, _ = built(drawn)
    answer = deviation_ratings(game)
    rows, unit = gains(game)
    ratings = np.concatenate(answer.ratings)
    np.testing.assert_allclose(rows @ answer.joint.ravel() * unit, ratings, **CLOSE)
    assert ratings.max() <= 1e-9
    assert measure(game, answer.joint).cce.max() <= 1e-8
    # No joint deters every deviation more.
    size, lead = rows.shape[1], np.full((len(rows), 1), -1.0)
    cost = np.append(np.zeros(size), 1.0)
    bounds = [(0, None)] * size + [(None, None)]
    whole = np.append(np.ones(size), 0.0)[None]
    below = np.hstack([rows, lead])
    best = linprog(cost, below, np.zeros(len(rows)), whole, [1.0], bounds)
    assert ratings.max() / unit == pytest.approx(best.fun, abs=1e-8)


@given(games)
@laws
def test_the_order_of_actions_and_of_players_decides_nothing(drawn):
    game, rng = built(drawn)
    orders = [rng.permutation(size) for size in game.actions]
    moved = rated(game.restrict([order.tolist() for order in orders]))
    known = rated(game)
    same(moved, [own[order] for own, order in zip(known, orders, strict=True)])
    turned = game.payoffs[::-1].transpose(0, *range(game.players, 0, -1))
    same(rated(Game(turned)), known[::-1])


@given(games, st.integers(1, 3))
@laws
def test_clones_leave_the_ratings_of_all_others(drawn, copies):
    game, rng = built(drawn)
    player = int(rng.integers(game.players))
    action = int(rng.integers(game.actions[player]))
    keep = [list(range(size)) for size in game.actions]
    keep[player] += [action] * copies
    known = list(rated(game))
    known[player] = np.append(known[player], [known[player][action]] * copies)
    same(rated(game.restrict(keep)), known)


@given(games)
@laws
def test_repeats_are_clones(drawn):
    game, rng = built(drawn)
    repeats = [rng.integers(1, 3, size) for size in game.actions]
    same(rated(Game(game.payoffs, repeats=repeats)), rated(game))


@given(games)
@laws
def test_a_mixture_that_joins_is_rated_by_the_same_mixture(drawn):
    """Of the ratings beside it: other than a clone it may move them."""
    game, rng = built(drawn)
    player = int(rng.integers(game.players))
    mixture = rng.dirichlet(np.ones(game.actions[player]))
    mixed = np.tensordot(mixture, game.payoffs, (0, player + 1))
    payoffs = np.insert(game.payoffs, game.actions[player], mixed, axis=player + 1)
    own = rated(Game(payoffs))[player]
    assert own[-1] == pytest.approx(mixture @ own[:-1], abs=1e-7)


@given(games)
@laws
def test_what_a_player_gets_whatever_they_do_changes_nothing(drawn):
    game, rng = built(drawn)
    payoffs = game.payoffs.copy()
    for player in range(game.players):
        shape = list(game.actions)
        shape[player] = 1
        payoffs[player] += rng.integers(-5, 6, shape)
    same(rated(Game(payoffs)), rated(game))


@given(games, st.sampled_from([1e-6, 0.3, 1e6]))
@laws
def test_ratings_are_in_units_of_payoff(drawn, unit):
    game, _ = built(drawn)
    same([own / unit for own in rated(Game(game.payoffs * unit))], rated(game))


@given(games)
@laws
def test_an_action_that_is_better_everywhere_is_not_rated_lower(drawn):
    game, rng = built(drawn)
    player = int(rng.integers(game.players))
    first = np.take(game.payoffs, [0], axis=player + 1)
    better = first.copy()
    better[player] += rng.integers(0, 3, better[player].shape)
    own = rated(Game(np.concatenate([game.payoffs, better], axis=player + 1)))[player]
    assert own[-1] >= own[0] - 1e-8


@given(pairs)
@laws
def test_zero_sum_ratings_group_by_the_support_of_nash_averaging(drawn):
    """0 is what some equilibrium plays, and no other action can be a best reply to all.

    Nash averaging may give the value of the game to one that no equilibrium plays.
    """
    drawn_game, _ = built(drawn)
    game = Game.zero_sum(drawn_game.payoffs[0])
    joint = solve("mecce", game).joint  # of largest entropy: it plays all that any does
    averages = nash_averaging(game).ratings
    for player, (own, averaged) in enumerate(zip(rated(game), averages, strict=True)):
        best = own >= -1e-6
        assert best[joint.sum(1 - player) > 1e-4].all()
        assert (averaged[best] >= averaged.max() - 1e-5).all()


def test_nash_averaging_may_not_tell_a_reply_that_no_equilibrium_plays():
    game = Game.zero_sum([[1, 2, 3], [3, 0, 0], [3, 3, 0], [1, 3, 1], [1, 3, 1]])
    _, columns = rated(game)
    np.testing.assert_allclose(columns, [0, -0.6, 0], atol=1e-7)
    _, averaged = nash_averaging(game).ratings
    np.testing.assert_allclose(averaged, [-1.8] * 3, atol=1e-5)


def test_closed_forms():
    dilemma = Game([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    same(rated(dilemma), [[-1.0, 0.0]] * 2)  # both defect
    meeting = Game([np.eye(3)] * 2)  # each place with probability 1/3, together
    same(rated(meeting), [[-2 / 3] * 3] * 2)
    scissors = Game.zero_sum([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    same(rated(scissors), [[0.0] * 3] * 2)
    same(rated(Game(np.zeros((3, 2, 1, 3)))), [[0.0] * 2, [0.0], [0.0] * 3])
    same(rated(Game(np.array([[1.0, 4.0, 2.0]]))), [[-3.0, 0.0, -2.0]])


def test_two_agents_and_a_task_that_tells_them_apart():
    """The agent who is best at everything ends alone on the task with the most room."""
    game = agents_agents_tasks(np.array([[1.0, 2.0], [0.0, 2.0]]))
    ratings = rated(game)
    same(ratings[0], ratings[1])
    assert ratings[0][0] > ratings[0][1]
    assert ratings[2][0] >= ratings[2][1]


def test_a_dual_that_is_positive_by_rounding_fixes_nothing(monkeypatch):
    """The multipliers of slack rows may not be exactly 0; the certificate tells."""
    game = Game(np.random.default_rng(3).normal(size=(2, 4, 5)))
    known = rated(game)
    honest = deviation.minimise

    def noisy(*words, **more):
        optimum = honest(*words, **more)
        return replace(optimum, prices=optimum.prices + 1e-7)

    monkeypatch.setattr(deviation, "minimise", noisy)
    same(rated(game), known)


def test_what_is_not_certain_is_said(monkeypatch):
    honest = deviation.minimise

    def vague(*words, **more):
        optimum = honest(*words, **more)
        loose = {**optimum.diagnostics, "optimality_gap": 1e-4}
        return replace(optimum, diagnostics=loose)

    monkeypatch.setattr(deviation, "minimise", vague)
    answer = deviation_ratings(Game(np.random.default_rng(3).normal(size=(2, 4, 5))))
    assert answer.status is Status.INACCURATE and answer.error >= 1e-4


def test_a_game_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(deviation, "MOST_ENTRIES", 20)
    with pytest.raises(UserError, match="must be at most 20; got 48"):
        deviation_ratings(Game(np.zeros((2, 2, 4))))
    monkeypatch.setattr("metaspiel.nfg.scores.MOST", 20)
    with pytest.raises(UserError, match="at most 20 payoffs; got 24 of 2 agents"):
        agents_agents_tasks(np.zeros((2, 2)))
