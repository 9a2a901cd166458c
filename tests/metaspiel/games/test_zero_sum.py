"""Two-player zero-sum trees by linear programs, against values that are known."""

from functools import cache

import numpy as np
import pyspiel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python.algorithms import exploitability

from meta_solvers import solve
from metaspiel.games import zero_sum
from metaspiel.games.openspiel import sequence_form, to_tabular
from metaspiel.games.sequence import from_normal_form
from metaspiel.games.strategies import normal_form
from metaspiel.games.zero_sum import Pools, equilibrium
from metaspiel.nfg import Game, UserError

small = cache(sequence_form)
SMALL = ["kuhn_poker", "liars_dice(dice_sides=3)"]
GOOFSPIEL = "goofspiel(imp_info=True,num_cards={},points_order=descending)"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kuhn_poker", -1 / 18),
        ("leduc_poker", -0.085606),
        (GOOFSPIEL.format(4), 0.0),
        ("liars_dice(dice_sides=4)", 1 / 16),
    ],
)
def test_values_of_known_games(name, value):
    form = sequence_form(name)
    made = equilibrium(form)
    assert made.values == pytest.approx([value, -value], abs=1e-6)
    assert made.gap <= 1e-12 and made.exploitability == made.gap / 2
    low, high = made.bounds
    assert low - 1e-15 <= made.values[0] <= high + 1e-15
    assert high - low == pytest.approx(made.gap, abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["liars_dice", GOOFSPIEL.format(5)])
def test_values_of_larger_games(name):
    assert equilibrium(sequence_form(name)).gap <= 1e-12


def test_openspiel_agrees_that_nobody_gains():
    form = sequence_form("kuhn_poker")
    game = pyspiel.load_game("kuhn_poker")
    policy = to_tabular(form, equilibrium(form).behaviours)
    assert exploitability.exploitability(game, policy) <= 1e-12


def test_a_tree_and_its_normal_form_have_one_value():
    form = sequence_form("kuhn_poker")
    matrix = solve("nash_lp", normal_form(form))
    assert equilibrium(form).values == pytest.approx(matrix.values, abs=1e-9)


MATRICES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))


def matrix_form(rows, columns, seed, scale=1.0):
    matrix = scale * np.random.default_rng(seed).integers(-3, 4, (rows, columns))
    return from_normal_form(Game(np.stack([matrix, -matrix]).astype(float)))


@settings(max_examples=12, deadline=None)
@given(MATRICES, st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_unit_of_payoff_changes_nothing(size, scale):
    one, other = matrix_form(*size), matrix_form(*size, scale)
    first, second = equilibrium(one), equilibrium(other)
    assert second.gap <= 1e-9 * scale
    assert second.values / scale == pytest.approx(first.values, abs=1e-9)


def random_pools(form, sizes, rng):
    return tuple(
        tree.plan(np.stack([tree.random_deterministic(rng) for _ in range(size)]))
        for tree, size in zip(form.trees, sizes, strict=True)
    )


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(SMALL),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.integers(0, 2**32 - 1),
)
def test_laws_of_what_pools_guarantee(name, sizes, seed):
    rng = np.random.default_rng(seed)
    form = small(name)
    pools = Pools(form, random_pools(form, sizes, rng))
    value = equilibrium(form).values
    for player, one in enumerate(pools.guarantees):
        assert one.weights.shape == (sizes[player],)
        assert np.all(one.weights >= 0) and one.weights.sum() == pytest.approx(1.0)
        assert one.value <= value[player] + 1e-9
        assert one.value == pytest.approx(one.bound, abs=1e-9)
        more = random_pools(form, (1, 1), rng)[player]
        assert pools.guarantee(player, more).value >= one.value - 1e-9
        known = pools.guarantee(player, pools.plans[player][:1])
        assert known.value == pytest.approx(one.value, abs=1e-9)
    drawn = [rng.dirichlet(np.ones(size)) for size in sizes]
    gap = form.cce_gap(pools.plans, np.outer(*drawn)).sum()
    assert 0 <= pools.exploitability <= gap / 2 + 1e-9
    least = np.outer(*(one.weights for one in pools.guarantees))
    attained = form.cce_gap(pools.plans, least).sum() / 2
    assert pools.exploitability == pytest.approx(attained, abs=1e-9)
    assert abs(pools.uncertain) <= 1e-9


def test_a_pool_with_an_equilibrium_is_not_exploitable():
    form = sequence_form("leduc_poker")
    rng = np.random.default_rng(0)
    played = equilibrium(form).behaviours
    plans = tuple(
        np.concatenate([pool, tree.plan(own)[None]])
        for tree, pool, own in zip(
            form.trees, random_pools(form, (3, 3), rng), played, strict=True
        )
    )
    pools = Pools(form, plans)
    assert pools.exploitability == pytest.approx(0.0, abs=1e-9)
    assert pools.guarantees[0].weights[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("kuhn_poker(players=3)", "exactly 2 players; got 3"),
        ("first_sealed_auction", "must be zero-sum"),
        ("goofspiel(num_cards=4)", "must remember"),
    ],
)
def test_what_has_no_value_is_refused(name, sentence):
    with pytest.raises(UserError, match=sentence):
        equilibrium(sequence_form(name))


def test_pools_say_why_they_guarantee_nothing():
    forgetful = sequence_form("goofspiel(num_cards=4)")
    pools = Pools(forgetful, random_pools(forgetful, (1, 1), np.random.default_rng(0)))
    assert "must remember" in pools.objection
    with pytest.raises(UserError, match="must remember"):
        pools.guarantee(0)


def test_large_trees_are_refused():
    reason = zero_sum.objection(sequence_form("leduc_poker"), most=2000)
    assert "at most 2,000 together; got 2,186" in reason
