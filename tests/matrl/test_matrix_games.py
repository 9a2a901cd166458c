"""The random classes and named games of two actions."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matrl.matrix_games import CLASSES, NAMED, Games, draw, gather, named
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from metaspiel.nfg.simplex import product


def ordinal(payoffs):
    """Best replies: row's to columns 0 and 1, column's to rows 0 and 1."""
    row = payoffs[:, 0].argmax(axis=1)
    column = payoffs[:, 1].argmax(axis=2)
    return np.concatenate([row, column], axis=1)


def test_the_classes_are_what_they_are_called():
    for kind, count in zip(CLASSES, (3, 3, 1), strict=True):
        payoffs = draw(kind, 300)
        games = Games.of(payoffs)
        assert games.count == 300 and games.equilibria.shape == (300, count, 2)
        assert np.isfinite(games.equilibria).all()  # of none are there fewer
        replies = ordinal(payoffs)
        if kind == "coordination":
            assert (replies == [0, 1, 0, 1]).all()
        elif kind == "anti_coordination":
            assert (replies == [1, 0, 1, 0]).all()
        else:  # the row player wants to match and the column player not, or reversed
            turns = {tuple(r) for r in replies.tolist()}
            assert turns == {(0, 1, 1, 0), (1, 0, 0, 1)}
            assert 90 < (replies[:, 0] == 0).sum() < 210
        assert len(np.unique(payoffs, axis=0)) == 300


def test_draws_are_those_of_the_authors_script():
    # One word seeds a Mersenne Twister; numbers come in the order of the definition.
    u = np.random.RandomState(7).random_sample(8)
    b, d = u[0], u[0] + u[1]
    c = d + u[2]
    row = [[c + u[3], b], [c, d]]
    column = [[u[4] + u[5], u[4]], [u[6], u[6] + u[7]]]
    np.testing.assert_array_equal(draw("coordination", 1, 7)[0], [row, column])


def test_a_seed_is_a_game_whatever_is_drawn_beside_it():
    for kind in CLASSES:
        many = draw(kind, 20, first=5)
        np.testing.assert_array_equal(many[3:7], draw(kind, 4, first=8))


def test_degenerate_games_are_replaced(monkeypatch):
    from matrl import matrix_games

    def odd(u):
        value = round(float(u()))
        return [[[value, 0.0], [0.0, value]], [[1.0, 0.0], [0.0, 1.0]]]

    monkeypatch.setitem(matrix_games._CLASSES, "coordination", odd)
    payoffs = draw("coordination", 10)
    assert len(payoffs) == 10 and (payoffs[:, 0, 0, 0] == 1).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_values_and_derivatives_are_those_of_the_matrices(seed):
    rng = np.random.default_rng(seed)
    games = Games.of(rng.normal(size=(3, 2, 2, 2)))
    point = rng.random((3, 2))
    step = 1e-3
    for b in range(3):
        (x, y), (row, column) = point[b], games.payoffs[b]
        a, c = np.array([x, 1 - x]), np.array([y, 1 - y])
        np.testing.assert_allclose(
            games.values(point)[b], [a @ row @ c, a @ column @ c]
        )
    for player in (0, 1):
        move = np.zeros(2)
        move[player] = step
        slope = (games.values(point + move) - games.values(point - move)) / (2 * step)
        np.testing.assert_allclose(games.gradient(point)[:, player], slope[:, player])
        other = 1 - player
        np.testing.assert_allclose(games.influence(point)[:, other], slope[:, other])


def test_equilibria_are_listed_pure_first_and_the_mixed_one_last():
    rng = np.random.default_rng(0)
    games = Games.of(rng.normal(size=(300, 2, 2, 2)))
    counts = (~np.isnan(games.equilibria[..., 0])).sum(axis=1)
    assert set(counts) == {1, 3}
    for b in range(games.count):
        equilibria = games.equilibria[b, : counts[b]]
        assert np.isnan(games.equilibria[b, counts[b] :]).all()
        inside = ((equilibria > 0) & (equilibria < 1)).all(axis=1)
        assert (np.diff(inside.astype(int)) >= 0).all()
        for point in equilibria:
            joint = product([np.array([p, 1 - p]) for p in point])
            game = Game(games.payoffs[b])
            assert (measure(game, joint).ne <= 1e-9 * game.scale).all()
        np.testing.assert_array_equal(games.mixed()[b], equilibria[-1])


def test_named_games_have_the_equilibria_they_are_known_for():
    games = gather(NAMED)
    for b, name in enumerate(NAMED):
        entry = named(name)
        known = np.array([[s[0] for s in profile] for profile in entry.nash])
        equilibria = games.equilibria[b]
        equilibria = equilibria[~np.isnan(equilibria[:, 0])]
        assert equilibria.shape == known.shape, name
        apart = np.abs(equilibria[:, None] - known[None]).max(axis=2)
        assert (apart.min(axis=1) < 1e-12).all(), name
        for profile in entry.nash:
            gaps = measure(entry.game, product(list(profile)))
            assert (gaps.ne <= 1e-9 * entry.game.scale).all()
    pennies = named("matching_pennies")
    np.testing.assert_array_equal(pennies.game.payoffs[0], [[1, -1], [-1, 1]])
    assert named("harmony").values == (3.0, 3.0)


def test_games_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        gather(["chicken"]).payoffs = np.zeros((1, 2, 2, 2))  # type: ignore[misc]


def test_refusals():
    with pytest.raises(
        UserError, match=r"unknown game 'chiken' .did you mean 'chicken"
    ):
        named("chiken")
    with pytest.raises(UserError, match=r"count must be at least 1 .* got 0 games"):
        draw("cyclic", 0)
    with pytest.raises(UserError, match=r"seeds must lie in 0 to .* from seed -1"):
        draw("cyclic", 1, -1)
    with pytest.raises(UserError, match="of at least one game; got 0 games"):
        Games.of(np.zeros((0, 2, 2, 2)))
    with pytest.raises(UserError, match=r"finite.*1 entries"):
        Games.of(np.where(np.arange(8) == 3, np.nan, 1.0).reshape(1, 2, 2, 2))
    with pytest.raises(UserError, match=r"unknown class 'cycle'.*cyclic"):
        draw("cycle", 1)
