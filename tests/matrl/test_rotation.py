"""The rotational differential game: closed forms, and what MATRL does there."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matrl import meta_2x2
from matrl.rotation import METHODS, Rotation, first_within, run
from metaspiel.nfg.errors import UserError

START = np.array([[1.0, 1.0]])
RATE = 0.02


def complex_factor(method):
    """One step multiplies x + iy by this: the gradient is (c - ki)(x + iy)."""
    slope = 1 - 10j
    if method == "gd":
        return 1 - RATE * slope
    if method == "eg":
        return 1 - RATE * slope * (1 - RATE * slope)
    return 1 - RATE * (1 - 10j * (1 - RATE * slope))  # own gradient, the other ahead


@pytest.mark.parametrize(
    ("method", "factor"), [("gd", 1.0002), ("eg", 0.95980), ("la", 0.96022)]
)
def test_every_step_multiplies_by_the_known_factor(method, factor):
    assert abs(complex_factor(method)) == pytest.approx(factor, abs=5e-6)
    trace = run(method, START, steps=50, rate=RATE)
    turned = trace.points[:, 0] @ [1, 1j]
    np.testing.assert_allclose(turned[1:] / turned[:-1], complex_factor(method))
    assert np.isnan(trace.rho).all()


@pytest.mark.parametrize(
    ("method", "steps"),
    [("gd", None), ("eg", 121), ("la", 122), ("matrl", 123), ("matrl-wo-br", None)],
)
def test_steps_to_a_hundredth(method, steps):
    trace = run(method, START, steps=1000, rate=RATE)
    assert first_within(trace.norms(), 0.01) == [steps]
    if steps is not None and method != "matrl":
        exact = math.log(0.01 / math.sqrt(2)) / math.log(abs(complex_factor(method)))
        assert steps == math.ceil(exact)
    if method == "matrl":
        assert (trace.rho == 0).all(axis=2).mean() == pytest.approx(0.87, abs=0.01)


def test_matrl_is_look_ahead_where_both_switch_and_descent_where_nobody_does():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(200, 2))
    after = {m: run(m, start, 1, RATE).points[1] for m in METHODS}
    rho = run("matrl", start, 1, RATE).rho[0]
    both = (rho == 0).all(axis=1)
    assert 100 < both.sum() < 200
    np.testing.assert_allclose(after["matrl"][both], after["la"][both], atol=1e-15)
    np.testing.assert_allclose(after["matrl-wo-br"][both], after["gd"][both])
    assert not np.allclose(after["matrl"][~both], after["la"][~both])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_meta_game_is_brute_force_falls_of_the_losses(seed):
    rng = np.random.default_rng(seed)
    game = Rotation(float(rng.normal()), float(rng.normal(scale=10)))
    point, predicted = rng.normal(size=(2, 3, 2))
    meta = game.meta_game(point, predicted)
    for r in (0, 1):
        for c in (0, 1):
            there = np.stack(
                [(point, predicted)[r][:, 0], (point, predicted)[c][:, 1]], axis=1
            )
            fall = game.losses(point) - game.losses(there)
            np.testing.assert_allclose(meta.payoffs[:, :, r, c], fall, atol=1e-9)
    listed = meta_2x2.equilibria(meta)
    for select in meta_2x2.SELECT:
        rho = meta_2x2.choose(meta, listed, select, rng.random(3))
        assert meta_2x2.regret(meta, rho).max() <= 1e-9


def test_starts_are_independent_and_seeds_reproduce():
    start = np.random.default_rng(1).normal(size=(5, 2))
    first = run("matrl", start, 100, RATE, seed=3)
    again = run("matrl", start, 100, RATE, seed=3)
    np.testing.assert_array_equal(first.points, again.points)
    alone = run("la", start[2:3], 100, RATE)
    together = run("la", start, 100, RATE)
    np.testing.assert_array_equal(alone.points[:, 0], together.points[:, 2])


def test_the_origin_stays():
    for method in METHODS:
        assert not run(method, np.zeros((1, 2)), 5, RATE).points.any()


def test_refusals():
    with pytest.raises(UserError, match=r"rate must be positive.*got 0.0"):
        run("gd", START, rate=0.0)
    with pytest.raises(UserError, match=r"points must stay finite.*'gd' overflows"):
        run("gd", START, rate=5.0)
    with pytest.raises(UserError, match="steps at least 1"):
        run("gd", START, steps=0)
    with pytest.raises(UserError, match="unknown method 'ge'"):
        run("ge", START)
    with pytest.raises(UserError, match="unknown selection 'best'"):
        run("matrl", START, select="best")
