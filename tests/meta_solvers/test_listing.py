"""Lists of equilibria are complete, whatever the unit of payoff."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import solve
from meta_solvers.base import Status
from meta_solvers.nash import Nash, equilibria, listing
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from tests.helpers.exact_equilibria import extreme_equilibria

UNITS = [1e-6, 1e-3, 0.1, 3.0, 1e6]


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
