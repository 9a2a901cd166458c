"""Sizes of trees that are estimated before they are walked."""

import time
from dataclasses import dataclass

import numpy as np
import pytest

from metaspiel.games.estimate import estimate
from metaspiel.games.openspiel import load, sequence_form
from metaspiel.games.walk import TreeTooBig

FITS = 4.5e7  # terminal histories in 4 GB


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("kuhn_poker", 30),
        ("tiny_hanabi", 36),
        ("trade_comm(num_items=2)", 256),
        ("goofspiel(num_cards=3)", 216),
    ],
)
def test_narrow_trees_are_counted(name, ends):
    size = estimate(load(name), fits=FITS)
    assert (size.ends, size.spread) == (ends, 0)
    assert 1 <= size.least_ends <= ends


@pytest.mark.parametrize(
    ("name", "states", "ends"),
    [
        ("leduc_poker", 9457, 5520),
        ("tic_tac_toe", 549946, 255168),
        ("liars_dice", 294883, 147420),
        ("goofspiel(num_cards=4)", 26773, 13824),
    ],
)
def test_estimates_are_near_the_truth(name, states, ends):
    size = estimate(load(name), fits=FITS)
    assert size.states == pytest.approx(states, rel=0.5)
    assert size.ends == pytest.approx(ends, rel=0.5)
    assert size.least_ends <= ends
    assert estimate(load(name), fits=FITS) == size  # the same seed, the same probes


@dataclass(frozen=True)
class Comb:
    """At each depth one of many ways goes on, so that most probes see little."""

    depth: int
    width: int = 50
    over: bool = False

    def new_initial_state(self):
        return self

    def is_terminal(self):
        return self.over or self.depth == 0

    def is_chance_node(self):
        return False

    def legal_actions(self):
        return list(range(self.width))

    def child(self, action):
        return Comb(self.depth - 1, self.width, over=action > 1)


def test_the_lower_bound_holds_where_the_mean_is_too_low():
    # Two of fifty go on: a probe of two states mostly ends at once.
    ends = 48 * sum(2**d for d in range(12)) + 2**12
    sizes = [estimate(Comb(12), fits=FITS, seed=seed) for seed in range(40)]
    assert all(size.least_ends <= ends for size in sizes)
    mean = np.mean([size.ends for size in sizes])
    assert mean == pytest.approx(ends, rel=0.5)


@pytest.mark.parametrize("name", ["battleship", "go", "oshi_zumo", "bargaining"])
def test_games_that_are_far_too_big_are_refused_at_once(name):
    begun = time.process_time()
    with pytest.raises(TreeTooBig, match="must fit in 4 GB, where 4"):
        sequence_form(name)
    assert time.process_time() - begun < 5


def test_what_fits_is_walked_with_progress():
    heard = []
    form = sequence_form("leduc_poker", progress=lambda *told: heard.append(told))
    assert form.histories == 5520
    seen, of = zip(*heard, strict=True)
    assert of[0] == pytest.approx(9457, rel=0.5)
    assert list(seen) == sorted(seen) and all(np.greater_equal(of, seen))
