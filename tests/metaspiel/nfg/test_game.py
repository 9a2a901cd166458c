"""Games, simplex points and the gap meter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaspiel.nfg.catalogue import named
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected, measure
from metaspiel.nfg.simplex import entropy, marginals, product, project, support

CHICKEN = named("chicken").game


@pytest.mark.parametrize(
    ("payoffs", "sentence"),
    [
        (np.zeros(3), "must have shape"),
        (np.zeros((3, 2, 2)), "first axis must be 2"),
        (np.zeros((2, 2, 0)), "at least one action"),
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], "rectangular array"),
        ([["a"]], "real numbers"),
        (np.zeros((1, 2), dtype=complex), "real numbers"),
        (np.full((1, 2), np.nan), "finite; got nan at index"),
        (np.full((1, 2), -np.inf), "finite; got -inf"),
        (None, "finite; got nan|must have shape|real numbers"),
    ],
)
def test_bad_payoffs(payoffs, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        Game(payoffs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"members": np.zeros((2, 2, 3))}, "members must have shape"),
        ({"members": np.zeros((0, 2, 2, 2))}, "at least one tensor"),
        ({"members": np.full((1, 2, 2, 2), np.nan)}, "members must be finite"),
        ({"repeats": [[1, 1]]}, "one list for each of the 2"),
        ({"repeats": [[1, 1], [1, 0]]}, "integers >= 1"),
        ({"repeats": [[1, 1], [1, 1.5]]}, "integers >= 1"),
        ({"repeats": [[1, 1], [1]]}, "integers >= 1"),
    ],
)
def test_bad_parts(more, sentence):
    with pytest.raises(UserError, match=sentence):
        Game(CHICKEN.payoffs, **more)


def test_symmetry_is_checked():
    assert Game(CHICKEN.payoffs, symmetric=True).symmetric
    with pytest.raises(UserError, match="exchanging players 0 and 1"):
        Game(named("battle_of_the_sexes").game.payoffs + 0.0, symmetric=True)
    with pytest.raises(UserError, match="the same actions"):
        Game(np.zeros((2, 2, 3)), symmetric=True)


def test_arrays_are_read_only_copies():
    mine = np.ones((2, 2, 2))
    game = Game(mine)
    mine[:] = 7
    assert game.payoffs.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        game.payoffs[0, 0, 0] = 3


def test_bounds_and_ensembles():
    members = np.stack([CHICKEN.payoffs - 1, CHICKEN.payoffs + 3])
    game = Game.ensemble(members)
    assert game.payoffs == pytest.approx(CHICKEN.payoffs + 1)
    assert game.lower == pytest.approx(CHICKEN.payoffs - 1)
    assert game.upper == pytest.approx(CHICKEN.payoffs + 3)
    assert CHICKEN.lower is CHICKEN.payoffs
    kept = game.restrict([[1], [0, 1]])
    assert kept.members.shape == (2, 2, 1, 2)
    with pytest.raises(UserError, match="E >= 1"):
        Game.ensemble(np.zeros((2, 2)))


def test_expanding_and_folding():
    game = Game(CHICKEN.payoffs, repeats=[[2, 1], [1, 3]])
    wide = game.expanded()
    assert wide.actions == (3, 4)
    assert wide.payoffs[0, 0].tolist() == wide.payoffs[0, 1].tolist()
    folded = game.folded(np.full((3, 4), 1 / 12))
    assert folded == pytest.approx(game.copies / game.copies.sum())


def test_normalised_survives_scale_and_constants():
    for scale in (1e-6, 1.0, 1e6):
        game = Game(scale * CHICKEN.payoffs + 5 * scale)
        assert game.normalised == pytest.approx(CHICKEN.normalised, abs=1e-9)
    flat = Game(np.full((2, 2, 2), 0.1))
    assert flat.normalised.tolist() == np.zeros((2, 2, 2)).tolist()
    assert flat.scale.tolist() == [1.0, 1.0]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0, 0.1))
def test_projection_is_the_nearest_point(seed, size, floor):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, size))
    y = project(x, floor)
    assert y.min() >= floor - 1e-12
    assert y.sum(axis=1) == pytest.approx(1.0)
    for _ in range(20):  # no other point of the set is nearer
        z = floor + (1 - size * floor) * rng.dirichlet(np.ones(size), size=3)
        nearer = np.linalg.norm(z - x, axis=1) < np.linalg.norm(y - x, axis=1) - 1e-9
        assert not nearer.any()


def test_simplex_helpers():
    joint = product([np.array([0.25, 0.75]), np.array([1.0, 0.0])])
    assert [m.tolist() for m in marginals(joint)] == [[0.25, 0.75], [1.0, 0.0]]
    assert entropy(np.full((2, 2), 0.25)) == pytest.approx(np.log(4))
    assert support(joint) == 2


def brute_force(game, joint):
    """Gaps by their definitions, with loops."""
    ce, cce, ne = [], [], []
    single = marginals(joint)
    for p, size in enumerate(game.actions):
        value = float(np.sum(game.payoffs[p] * joint))
        cce_best, ce_total, ne_best = -np.inf, 0.0, -np.inf
        for a in range(size):
            gains = np.zeros(size)
            deviate = mixed = 0.0
            for profile in np.ndindex(*game.actions):
                swapped = list(profile)
                swapped[p] = a
                u = game.payoffs[(p, *swapped)]
                deviate += joint[profile] * u
                mixed += np.prod([single[q][i] for q, i in enumerate(profile)]) * u
                if profile[p] == a:
                    for b in range(size):
                        swapped[p] = b
                        gains[b] += joint[profile] * game.payoffs[(p, *swapped)]
            cce_best, ne_best = max(cce_best, deviate), max(ne_best, mixed)
            ce_total += gains.max() - gains[a]
        alone = float(np.sum(game.payoffs[p] * product(single)))
        ce.append(ce_total)
        cce.append(max(cce_best - value, 0))
        ne.append(ne_best - alone)
    return ce, cce, ne


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_measure_equals_the_definitions(seed, players):
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(1, 4, players))
    game = Game(rng.normal(size=(players, *sizes)))
    joint = rng.dirichlet(np.full(np.prod(sizes), 0.5)).reshape(sizes)
    gaps = measure(game, joint)
    ce, cce, ne = brute_force(game, joint)
    assert gaps.ce == pytest.approx(ce, abs=1e-9)
    assert gaps.cce == pytest.approx(cce, abs=1e-9)
    assert gaps.ne == pytest.approx(ne, abs=1e-9)
    assert np.all(gaps.ce >= gaps.cce - 1e-12)
    assert gaps.of("none").tolist() == [0.0] * players


def test_measure_refuses_another_shape():
    with pytest.raises(UserError, match="must have shape"):
        measure(CHICKEN, np.ones((3, 3)) / 9)


def test_expected():
    joint = np.array([[0.0, 0.5], [0.5, 0.0]])
    assert expected(CHICKEN, joint) == pytest.approx([4.5, 4.5])


def test_unknown_suggests_and_shortens():
    assert "did you mean 'apple'" in str(unknown("here", "fruit", "appel", ["apple"]))
    many = [f"name{i}" for i in range(200)]
    assert "195 others" in str(unknown("here", "thing", "zzz", many))
    assert "known: none" in str(unknown("here", "thing", "x", []))
