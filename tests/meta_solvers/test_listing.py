"""Lists of equilibria are complete, whatever the unit of payoff."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import nash, solve
from meta_solvers.base import Status
from meta_solvers.integers import whole_numbers
from meta_solvers.nash import Nash, equilibria, listing
from metaspiel.nfg.catalogue import named
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from tests.helpers.exact_equilibria import extreme_equilibria


def uniform(rng, m, n):
    return rng.integers(-10_000, 10_001, (2, m, n))


def ties(rng, m, n):
    return rng.integers(-1, 2, (2, m, n))


def zero_sum(rng, m, n):
    row = rng.integers(-(10 ** rng.integers(1, 5)), 10 ** rng.integers(1, 5), (m, n))
    return np.stack([row, -row])


def cyclic(rng, m, n):
    """A circle of actions and one that is far worse, or far better when shared."""
    size = min(m, n)
    steps = (np.arange(size)[None] - np.arange(size)[:, None]) % size
    row = np.where(steps == 0, 0, np.where(2 * steps < size, 1, -1))
    if 2 * (size // 2) == size:
        row[steps == size // 2] = 0
    payoffs = np.stack([row, rng.choice([-1, 1]) * row])
    worst = rng.integers(1, 10_001)
    payoffs[0, -1], payoffs[1, :, -1] = -worst, -worst
    if rng.random() < 0.5:
        payoffs[0, :, -1], payoffs[1, -1] = worst, worst
    payoffs[:, -1, -1] = rng.integers(-1, 2)
    return payoffs


def coordination(rng, m, n):
    payoffs = np.zeros((2, m, n), dtype=np.int64)
    for k in range(min(m, n)):
        payoffs[:, k, k] = rng.integers(1, 10 ** rng.integers(1, 5), 2)
    return payoffs


def rank_one(rng, m, n):
    left, right = rng.integers(-99, 100, (2, m, 1)), rng.integers(-99, 100, (2, 1, n))
    return left * right


def duplicates(rng, m, n):
    payoffs = rng.integers(-100, 101, (2, m, n))
    payoffs = payoffs[:, rng.integers(0, m, m)]
    return payoffs[:, :, rng.integers(0, n, n)]


def constants(rng, m, n):
    payoffs = rng.integers(-100, 101, (2, m, n))
    payoffs[rng.integers(2)] = 7
    return payoffs


def near_singular(rng, m, n):
    """Rank one but for one unit in one entry."""
    payoffs = rank_one(rng, m, n)
    payoffs[:, rng.integers(m), rng.integers(n)] += rng.choice([-1, 1])
    return payoffs


def wide(rng, m, n):
    """Entries of every size side by side."""
    return rng.choice([-1, 1], (2, m, n)) * 10 ** rng.integers(0, 5, (2, m, n))


KINDS = [uniform, ties, zero_sum, cyclic, coordination, rank_one, duplicates,
         constants, near_singular, wide]  # fmt: skip


def flat(profiles):
    return [np.concatenate(profile) for profile in profiles]


def same(mine, wanted):
    """The same profiles, each once, in any order."""
    if len(mine) != len(wanted):
        return False
    distance = np.abs(np.array(mine)[:, None] - np.array(wanted)[None]).max(axis=2)
    nearest = distance.argmin(axis=1)
    return len(set(nearest)) == len(mine) and bool(distance.min(axis=1).max() < 1e-9)


def agrees(payoffs, rng):
    """Holds the list against brute force, in whole numbers and in another unit."""
    wanted = extreme_equilibria(payoffs)
    here = listing(Game(payoffs))
    assert here.complete and here.regrets.max() <= 1e-12
    assert same(flat(here.profiles), wanted), payoffs.tolist()
    unit = np.ones((2, 1, 1))
    unit[rng.integers(2)] = 10 ** rng.uniform(-6, 6)
    shift = rng.normal(size=(2, 1, 1)) * np.abs(payoffs).max()
    for moved in (unit * payoffs, unit * (payoffs + shift)):
        there = listing(Game(moved))
        assert there.complete and there.regrets.max() <= 1e-9
        pairs = zip(flat(here.profiles), flat(there.profiles), strict=True)
        assert all(np.abs(a - b).max() < 1e-9 for a, b in pairs), payoffs.tolist()
    return len(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_game_agrees_with_brute_force(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(8):
        m, n = rng.integers(2, 5, 2)
        agrees(kind(rng, m, n), rng)
    agrees(kind(rng, 5, 5), rng)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_hundreds_of_games_of_every_kind_agree_with_brute_force(kind):
    rng = np.random.default_rng((1, KINDS.index(kind)))
    for _ in range(220):
        m, n = rng.integers(2, 7, 2)
        agrees(kind(rng, m, n), rng)


CIRCLE = np.array(
    [
        [0, 1, 1, -1, -1],
        [-1, 0, 1, 1, -1],
        [-1, -1, 0, 1, 1],
        [1, -1, -1, 0, 1],
        [1, 1, -1, -1, 0],
    ]
)


@pytest.mark.parametrize("worst", [3, 3e3, 3e5, 3e8, 3e12])
def test_an_action_that_is_far_worse_hides_no_equilibrium(worst):
    row = np.pad(CIRCLE.astype(float), ((0, 1), (0, 1)), constant_values=worst)
    row[5] = [-worst] * 5 + [0]
    (x, y), *others = equilibria(Game.zero_sum(row))
    assert not others
    np.testing.assert_allclose([x, y], [[0.2] * 5 + [0]] * 2, rtol=1e-15)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_best_of_all_is_the_best_where_a_shared_penalty_is_large(unit):
    row = np.pad(1.0 + CIRCLE, ((0, 1), (0, 1)), constant_values=-3e4)
    row[5, 5] = 0.5
    game = Game(np.stack([row, unit * row.T]))
    solution = solve(Nash(method="support", select="max_welfare"), game)
    assert solution.diagnostics["equilibria"] == 3
    np.testing.assert_allclose(solution.values, [1.0, unit], rtol=1e-12)
    np.testing.assert_allclose(solution.marginals, [[0.2] * 5 + [0]] * 2, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-6, 6), st.integers(0, 1))
def test_one_players_unit_changes_no_list(seed, power, player):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(2, *rng.integers(1, 6, 2)))
    if seed % 2:  # a copy of an action, as a population that found one twice
        payoffs[:, 0] = payoffs[:, -1]
    unit = np.ones((2, 1, 1))
    unit[player] = 10**power
    pairs = zip(
        flat(equilibria(Game(payoffs))),
        flat(equilibria(Game(unit * payoffs + unit))),
        strict=True,
    )
    assert all(np.abs(a - b).max() < 1e-7 for a, b in pairs)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-10_000, 10_000), min_size=2, max_size=9),
    st.floats(-6, 6),
    st.floats(-10, 10),
)
def test_whole_numbers_come_back_from_any_unit(numbers, power, shift):
    exact = np.array(numbers) - min(numbers)
    unit = np.gcd.reduce(exact) or 1
    moved = 10**power * (exact.astype(float) + shift * exact.max())
    assert whole_numbers(moved).tolist() == (exact // unit).tolist()


def test_numbers_that_are_multiples_of_nothing_are_kept_as_they_are():
    values = np.random.default_rng(0).normal(size=50)
    whole = whole_numbers(values)
    shares = np.array([part / max(whole) for part in whole])
    low, spread = values.min(), np.ptp(values)
    np.testing.assert_allclose(shares, (values - low) / spread, rtol=1e-15, atol=1e-16)
    close = np.append(values, np.nextafter(values, np.inf))
    assert (whole_numbers(close)[:50] == whole_numbers(close)[50:]).all()


@pytest.mark.parametrize("unit", [2.0**-50, 2.0**-40, 2.0**-30])
def test_payoffs_that_differ_in_their_last_digits_count_as_they_are(unit):
    rng = np.random.default_rng(5)
    for _ in range(20):
        payoffs = rng.integers(-3, 4, (2, 3, 3)).astype(float)
        wanted = listing(Game(payoffs))
        payoffs[0] = 1.0 + unit * payoffs[0]
        close = listing(Game(payoffs))
        assert close.complete and close.regrets.max() <= 1e-12
        assert same(flat(close.profiles), flat(wanted.profiles))


def test_a_list_that_is_not_finished_says_so():
    game = Game(np.random.default_rng(0).normal(size=(2, 7, 7)))
    every, some = listing(game), listing(game, budget=500)
    assert every.complete and not some.complete
    assert "7 x 7 actions takes more than 500 table entries" in some.missing
    whole, part = np.array(flat(every.profiles)), np.array(flat(some.profiles))
    assert len(part)
    assert np.abs(whole[:, None] - part[None]).max(axis=2).min(axis=0).max() < 1e-9
    with pytest.raises(UserError, match=r"must be complete .* got \d+ profiles: to"):
        some.require()


@pytest.mark.parametrize("select", ["first", "max_welfare", "random"])
def test_nothing_chosen_from_a_part_of_the_list_is_called_solved(select, monkeypatch):
    game = Game(np.random.default_rng(1).normal(size=(2, 7, 7)))
    monkeypatch.setattr(nash, "MOST_ENTRIES", 500)
    solver = Nash(method="support", select=select)
    solution = solve(solver, game, throw=False)
    assert solution.status is Status.INCOMPLETE
    assert "500 table entries" in solution.diagnostics["missing"]
    assert solution.gaps.ne.max() < 1e-9


def test_the_best_end_of_a_path_is_not_called_the_best():
    game = named("chicken").game  # its paths reach two of three equilibria
    paths = Nash(method="lemke_howson", select="max_welfare")
    solution = solve(paths, game, throw=False)
    assert solution.status is Status.INCOMPLETE
    assert "method=support" in solution.diagnostics["missing"]
    by_itself = solve(Nash(select="max_welfare"), game)
    assert by_itself.diagnostics["used"] == "support"
    assert by_itself.diagnostics["equilibria"] == 3


def test_games_with_few_actions_of_one_player_are_listed_whatever_the_other_has():
    payoffs = np.random.default_rng(2).normal(size=(2, 2, 300))
    wide, tall = listing(Game(payoffs)), listing(Game(payoffs[::-1].swapaxes(1, 2)))
    assert wide.complete and tall.complete and len(wide.profiles) % 2
    swapped = [np.concatenate([y, x]) for x, y in tall.profiles]
    assert same(flat(wide.profiles), swapped)
