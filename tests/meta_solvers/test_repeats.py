"""Actions that are there several times: played alike, and worked out once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Progress, get, solve
from metaspiel.nfg.simplex import project

# Few steps: regret matching is chaotic and the sizes of steps are chosen, so that
# rounding would show after many.
SPECS = (
    *("rd:steps=6", "rd:step=fixed,dt=0.05,steps=30", "rd:iterate=average,steps=6"),
    *("prd:steps=6,floor=0.004", "prd:step=fixed,dt=0.05,steps=30,floor=0.01"),
    *("rrd:steps=6", "rd_lower:steps=6", "r2d:steps=30,dt=0.02"),
    *("r2d:own=inclusive,mass=centred,steps=20", "r3d:steps=20,dt=0.02"),
    *("r2d:bounds=member,steps=20,dt=0.02", "r2d:update=multiplicative,floor=0,dt=0.1"),
    *("rm:steps=12", "rm:steps=12,variant=rm+,alternating=true", "fp:steps=40"),
    "alpharank",
)


@settings(max_examples=30, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 2**20),
    uncertain=st.booleans(),
)
def test_repeats_are_copies(spec, shape, seed, uncertain):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(len(shape), *shape))
    members = payoffs + 0.1 * rng.normal(size=(3, *payoffs.shape))
    repeats = [rng.integers(1, 4, size) for size in shape]
    game = Game(payoffs, members if uncertain else None, repeats)
    asked = {"progress": Progress(iteration=3), "throw": False}
    joint = solve(spec, game, **asked).joint
    whole = solve(spec, game.expanded(), **asked).joint
    np.testing.assert_allclose(joint, game.folded(whole), atol=1e-9)


@pytest.mark.parametrize("spec", ["rd:steps=30", "prd:steps=30", "r2d:steps=20"])
@pytest.mark.parametrize("alike", [True, False])
def test_interchangeable_players_need_the_same_repeats(spec, alike):
    payoff = np.random.default_rng(4).normal(size=(3, 3))
    repeats = [[1, 3, 2], [1, 3, 2] if alike else [2, 2, 1]]
    game = Game(np.stack([payoff, payoff.T]), repeats=repeats, symmetric=True)
    assert game.interchangeable is alike
    one, other = solve(spec, game, throw=False).marginals
    assert np.array_equal(one, other) is alike
    whole = solve(spec, game.expanded(), throw=False).joint
    folded = game.folded(whole)
    np.testing.assert_allclose(np.outer(one, other), folded, atol=1e-9)


def test_a_batch_may_have_other_repeats_in_each_game():
    solver = get("prd:steps=30")
    payoffs = np.random.default_rng(1).normal(size=(2, 3, 4))
    counts = ([[1, 2, 3], [1, 1, 1, 4]], None, [[2, 2, 2], [5, 1, 1, 1]])
    games = [Game(payoffs, repeats=repeats) for repeats in counts]
    for game, answer in zip(games, solver.distributions(games), strict=True):
        alone = solver.distribution(game, np.random.default_rng(0))
        np.testing.assert_allclose(answer.joint, alone.joint, atol=1e-12)


@given(seed=st.integers(0, 2**20), floor=st.floats(0.0, 0.02))
def test_a_projection_of_copies_is_that_of_all_written_out(seed, floor):
    rng = np.random.default_rng(seed)
    x, copies = rng.normal(size=(3, 5)), rng.integers(1, 6, 5)
    some = project(x, floor, copies.astype(float))
    whole = project(np.repeat(x, copies, axis=1), floor)
    np.testing.assert_allclose(np.repeat(some, copies, axis=1), whole, atol=1e-12)
    np.testing.assert_array_equal(project(x, floor), project(x, floor, np.ones(5)))


def test_copies_cost_nothing():
    repeats = [[10_000] * 3, [1, 1, 50_000]]
    game = Game(np.random.default_rng(2).normal(size=(2, 3, 3)), repeats=repeats)
    for spec in ("prd:floor=0", "rm:steps=100", "fp:steps=100", "rd:steps=50"):
        assert solve(spec, game, throw=False).joint.shape == (3, 3)
