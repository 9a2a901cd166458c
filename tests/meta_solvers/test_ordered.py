"""Compiled loops and numpy give the same bits, whatever the shape of the game."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Progress, get, ordered, solve
from metaspiel.nfg.simplex import project

numba = pytest.importorskip("numba")
compiled = pytest.importorskip("meta_solvers.compiled")
compiled_flow = pytest.importorskip("meta_solvers.compiled_flow")
compiled_sums = pytest.importorskip("meta_solvers.compiled_sums")

SPECS = (
    *("shor:steps=25", "shor_eval:steps=25", "shor:steps=9,iterate=last,scale=10"),
    *("rd:steps=40", "prd:steps=41", "rrd:steps=40", "rd_lower:steps=30"),
    *("rd:step=fixed,dt=0.05,steps=20", "prd:step=fixed,dt=0.05,iterate=best,steps=20"),
    *("rd:iterate=average,steps=20", "rd:update=euclidean,floor=0.005,steps=20"),
    *("fp:steps=60", "fp:steps=33,iterate=best"),
    *("rm:steps=40", "rm:steps=30,variant=rm+"),
    *("rm:steps=40,alternating=true", "rm:steps=40,variant=rm+,alternating=true"),
    *("r2d:steps=30,dt=0.02", "r2d:steps=20,dt=0.02,bounds=mixture,mass=centred"),
    *("r3d:steps=20,dt=0.02,bounds=member", "r2d:own=inclusive,steps=20,dt=0.02"),
    "r2d:bounds=member,update=multiplicative,floor=0,step=adaptive,steps=20",
)
KINDS = ("generic", "ties", "symmetric", "large", "small", "repeats", "ensemble")
SHAPES = st.one_of(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.lists(st.integers(1, 40), min_size=2, max_size=2),
)


def drawn(shape, seed, kind):
    """A game of one of ``KINDS``."""
    payoffs = np.random.default_rng(seed).normal(size=(len(shape), *shape))
    if kind == "ties":
        payoffs = np.round(payoffs)
    if kind == "symmetric" and len(shape) == 2:
        square = payoffs[0, : min(shape), : min(shape)]
        return Game(np.stack([square, square.T]), symmetric=True)
    rng, repeats = np.random.default_rng(seed), None
    if kind in ("repeats", "ensemble"):
        repeats = [rng.integers(1, 5 if seed % 3 else 2, size) for size in shape]
    if kind == "ensemble":
        members = payoffs + rng.normal(size=(3, *payoffs.shape)).round(1)
        if seed % 2 and len(shape) == 2:
            square = members[:, 0, : min(shape), : min(shape)]
            both = np.stack([square, square.transpose(0, 2, 1)], axis=1)
            return Game.ensemble(both, None, True)
        return Game.ensemble(members, repeats)
    payoffs = payoffs * {"large": 1e4, "small": 1e-4}.get(kind, 1.0)
    return Game(payoffs, repeats=repeats)


def facts(solution):
    """All of a solution but what computed it, and how long that took."""
    told = {k: v for k, v in solution.diagnostics.items() if k != "kernel"}
    return solution.status, told, solution.joint.tobytes()


@settings(max_examples=25, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    shape=SHAPES,
    seed=st.integers(0, 2**20),
    kind=st.sampled_from(KINDS),
)
def test_numba_changes_no_bit(spec, shape, seed, kind):
    game, progress = drawn(shape, seed, kind), Progress(iteration=seed % 90)
    quick = solve(spec, game, progress=progress, throw=False)
    assert quick.diagnostics["kernel"] == ordered.kernel() == "numba"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordered, "compiled", lambda *_: None)
        plain = solve(spec, game, progress=progress, throw=False)
    assert plain.diagnostics["kernel"] == "numpy"
    assert facts(quick) == facts(plain)


@pytest.mark.parametrize("size", [1e20, 1e100])
@pytest.mark.parametrize(
    "spec", [s for s in SPECS if s[:2] in ("rd", "r2", "r3", "pr")]
)
def test_an_overflow_is_found_with_and_without_numba(spec, size, monkeypatch):
    members = size * np.random.default_rng(0).normal(size=(3, 2, 3, 3))
    quick = solve(spec, Game.ensemble(members), throw=False)
    monkeypatch.setattr(ordered, "compiled", lambda *_: None)
    plain = solve(spec, Game.ensemble(members), throw=False)
    assert quick.status == plain.status
    np.testing.assert_array_equal(quick.joint, plain.joint)


def test_compiled_code_needs_no_place_to_be_kept(monkeypatch):
    def nowhere(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available")
        return numba.njit(**options)

    monkeypatch.setattr(compiled_sums, "njit", nowhere)
    assert compiled_sums.loop(lambda x: x + 1)(2.0) == 3.0


def test_numba_that_is_told_not_to_compile_is_not_asked(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert ordered.compiled.__wrapped__("compiled") is None


def test_a_batch_of_games_has_the_bits_of_each_alone(monkeypatch):
    monkeypatch.setattr(ordered, "compiled", lambda *_: None)
    games = [drawn((4, 3, 2), seed, "generic") for seed in range(3)]
    solver = get("prd:steps=50")
    for game, answer in zip(games, solver.distributions(games), strict=True):
        assert answer.joint.tobytes() == solver.distributions([game])[0].joint.tobytes()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_sums_and_exponentials_are_right(size):
    rng = np.random.default_rng(size)
    x = rng.normal(size=size)
    assert ordered.total(x) == pytest.approx(math.fsum(x), abs=1e-13)
    assert compiled_sums.total(x) == ordered.total(x)
    y = rng.normal(size=size)
    assert compiled_sums.dot(x, y) == ordered.total(x * y)
    assert compiled_sums.highest(x) == x.max()
    lowered = y - x[0]
    compiled_sums.lower(y, x[0])
    compiled_sums.write(y, x)
    assert lowered.tobytes() == y.tobytes() == x.tobytes()
    logs = -rng.exponential(100, size)
    powers = ordered.exponential(logs, -708.0)
    np.testing.assert_allclose(powers, np.exp(logs), rtol=3e-16, atol=1e-307)
    compiled_sums.exponentials(logs, -708.0)
    assert logs.tobytes() == powers.tobytes()


def test_exponentials_at_the_ends():
    x = np.array([0.0, -50.0, np.nextafter(-50.0, -51), -1e300, -np.inf])
    with np.errstate(all="raise"):
        assert ordered.exponential(x, -50.0).tolist() == [1, math.exp(-50), 0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 2**20))
def test_deviations_are_expected_payoffs(shape, seed):
    payoffs = np.random.default_rng(seed).normal(size=(1, len(shape), *shape))
    rng = np.random.default_rng(seed + 1)
    profile = [rng.dirichlet(np.ones(size))[None] for size in shape]
    axes = "abcd"[: len(shape)]
    tables = ordered.own_last(payoffs, len(shape))
    row, (flat, sizes, bounds) = (
        np.concatenate(profile, axis=1)[0],
        ordered.in_a_row(tables, shape),
    )
    for player, table in enumerate(tables):
        others = [q for q in range(len(shape)) if q != player]
        terms = ",".join([axes, *(axes[q] for q in others)])
        mixed = (profile[q][0] for q in others)
        wanted = np.einsum(f"{terms}->{axes[player]}", payoffs[0, player], *mixed)
        got = ordered.deviations(table, profile, player)[0]
        np.testing.assert_allclose(got, wanted, atol=1e-13)
        out = np.empty(shape[player])
        compiled.deviations((flat, sizes, bounds), row, player, out)
        assert out.tobytes() == got.tobytes()


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 20),
    seed=st.integers(0, 2**20),
    floor=st.sampled_from([0.0, 1e-6, 0.04, 0.05]),
)
def test_projections_keep_their_order_and_their_bits(size, seed, floor):
    rng, order = np.random.default_rng(seed), np.arange(size)
    for _ in range(3):  # the order of one is where the next begins
        point = rng.normal(size=size).round(seed % 3)
        copies = rng.integers(1, 2 + seed % 2, size).astype(float)
        least = min(floor, 1.0 / copies.sum())
        wanted = project(point, least, copies)
        compiled_flow.project(point, copies, order, least)
        assert point.tobytes() == wanted.tobytes()
