import warnings

import nashpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import bimatrix, get
from meta_solvers.base import Status
from meta_solvers.nash import Nash, equilibria
from meta_solvers.solving import solve
from metaspiel.nfg.catalogue import named
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected, measure
from metaspiel.nfg.sample import families, sample
from metaspiel.nfg.simplex import product

seeds = st.integers(0, 2**32 - 1)


def random_game(m: int, n: int, seed: int, family: str = "gaussian") -> Game:
    return sample(family, (m, n), np.random.default_rng(seed))


def flat(profiles) -> np.ndarray:
    return np.array([np.concatenate(p) for p in profiles])


def same_set(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    return bool((np.abs(a[:, None] - b[None]).max(axis=2).min(axis=1) < 1e-7).all())


@pytest.mark.parametrize(
    ("size", "games"), [(1, 5), (2, 200), (5, 200), (10, 200), (20, 200), (50, 40)]
)
def test_random_games_are_solved_without_a_second_path(size, games):
    for seed in range(games):
        game = random_game(size, size, seed)
        solution = solve(Nash(), game)
        assert (solution.gaps.ne <= 1e-9 * game.scale).all()
        assert solution.diagnostics["tried"] == []


@pytest.mark.parametrize("family", families(2))
@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_every_family_is_solved(family, size):
    for seed in range(5):
        game = sample(family, (size, size), np.random.default_rng(seed))
        for select in ("first", "max_welfare", "random"):
            solver = Nash(method="lemke_howson", select=select)
            solution = solve(solver, game, rng=seed, throw=False)
            best = solver.select == "max_welfare"  # of ends of paths only
            assert solution.status is (Status.INCOMPLETE if best else Status.OK)
            assert (solution.gaps.ne <= 1e-9 * game.scale).all()
            assert solution.diagnostics["used"] == "lemke_howson"


@pytest.mark.parametrize(
    "family", ["gaussian", "zero_sum", "integer", "duplicated_actions"]
)
def test_a_hundred_actions(family):
    solution = solve(Nash(), random_game(100, 100, 0, family))
    assert (solution.gaps.ne <= 1e-8).all()


@pytest.mark.parametrize("noise", [1e-6, 1e-9, 1e-12])
def test_nearly_duplicated_actions(noise):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        game = random_game(20, 20, seed, "duplicated_actions")
        payoffs = game.payoffs + noise * rng.standard_normal(game.payoffs.shape)
        solution = solve(Nash(), Game(payoffs))
        assert (solution.gaps.ne <= 1e-9 * game.scale).all()


def test_payoffs_of_very_different_size():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        payoffs = rng.standard_normal((2, 20, 20))
        payoffs[rng.random(payoffs.shape) < 0.1] = -1e6
        game = Game(payoffs)
        assert (solve(Nash(), game).gaps.ne <= 1e-9 * game.scale).all()


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2, 4), (4, 4)])
def test_the_same_equilibria_as_nashpy(shape):
    compared = 0
    for seed in range(15):
        # Whole numbers from a wide range: generic, and exact for nashpy.
        rng = np.random.default_rng(seed)
        payoffs = rng.integers(-1000, 1001, (2, *shape)).astype(float)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            theirs = list(nashpy.Game(*payoffs).vertex_enumeration())
        mine = flat(equilibria(Game(payoffs)))
        if not caught:
            assert same_set(mine, flat(theirs))
            compared += 1
        else:  # an even count: nashpy lost some to rounding
            for profile in theirs:
                assert np.abs(mine - np.concatenate(profile)).max(axis=1).min() < 1e-7
    assert compared >= 10


@pytest.mark.parametrize("size", [2, 3, 4, 6, 8])
def test_generic_games_have_an_odd_number(size):
    for seed in range(15):
        profiles = equilibria(random_game(size, size, seed))
        assert len(profiles) % 2 == 1
        supports = [sum(int((s > 0).sum()) for s in p) for p in profiles]
        assert supports == sorted(supports)


def test_every_path_ends_at_a_listed_equilibrium():
    for seed in range(20):
        game = random_game(4, 5, seed)
        row, column = bimatrix.positive(game)
        listed = flat(equilibria(game))
        for label in range(9):
            path = bimatrix.lemke_howson(row, column, label, 1000)
            end = np.concatenate(path.profile)
            assert np.abs(listed - end).max(axis=1).min() < 1e-9


def test_lemke_howson_meets_the_degenerate_extreme_points():
    for seed in range(30):
        game = random_game(3, 3, seed, "integer")
        listed = flat(equilibria(game))
        profiles = solve(Nash(), game)
        end = np.concatenate(profiles.marginals)
        assert np.abs(listed - end).max(axis=1).min() < 1e-9


def test_long_doubles_follow_the_same_path():
    for seed in range(10):
        row, column = bimatrix.positive(random_game(8, 8, seed))
        short = bimatrix.lemke_howson(row, column, 0, 1000)
        long = bimatrix.lemke_howson(row, column, 0, 1000, long=True)
        assert short.pivots == long.pivots
        np.testing.assert_allclose(short.profile[0], long.profile[0], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from([1e-6, 1e-3, 1e3, 1e6]))
def test_scale_and_shift_do_not_matter(seed, scale):
    game = random_game(3, 4, seed)
    shift = np.random.default_rng(seed).normal(size=(2, 1, 1))
    moved = Game(scale * (game.payoffs + shift))
    assert same_set(flat(equilibria(game)), flat(equilibria(moved)))
    one, two = solve(Nash(), game), solve(Nash(), moved)
    np.testing.assert_allclose(one.joint, two.joint, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(seeds, st.permutations(range(3)), st.permutations(range(4)))
def test_renaming_players_and_actions_renames_equilibria(seed, rows, columns):
    game = random_game(3, 4, seed)
    renamed = Game(game.payoffs[:, rows][:, :, columns])
    wanted = flat([(x[rows], y[columns]) for x, y in equilibria(game)])
    assert same_set(wanted, flat(equilibria(renamed)))
    swapped = Game(game.payoffs[::-1].transpose(0, 2, 1))
    wanted = flat([(y, x) for x, y in equilibria(game)])
    assert same_set(wanted, flat(equilibria(swapped)))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_dominated_action_is_never_played(seed):
    game = random_game(3, 3, seed)
    payoffs = np.pad(game.payoffs, [(0, 0), (0, 1), (0, 0)])
    payoffs[0, 3] = game.payoffs[0].min() - 1.0
    profiles = equilibria(Game(payoffs))
    assert all(x[3] == 0 for x, _ in profiles)
    assert same_set(flat([(x[:3], y) for x, y in profiles]), flat(equilibria(game)))


def test_zero_sum_value_against_a_linear_program():
    from scipy.optimize import linprog

    game = random_game(7, 9, 0, "zero_sum")
    result = linprog(
        [*[0.0] * 7, -1.0],
        A_ub=np.hstack([-game.payoffs[0].T, np.ones((9, 1))]),
        b_ub=np.zeros(9),
        A_eq=[[*[1.0] * 7, 0.0]],
        b_eq=[1],
        bounds=[(0, None)] * 7 + [(None, None)],
    )
    assert solve(Nash(), game).values[0] == pytest.approx(-result.fun)


def test_selection_on_chicken():
    game = named("chicken").game
    ends = {
        tuple(np.round(solve(get("nash:select=random"), game, rng=s).marginals[0], 3))
        for s in range(20)
    }
    assert ends == {(1, 0), (0, 1)}  # paths from the artificial point reach these two
    every = Nash(method="support", select="random")
    drawn = {
        tuple(np.round(solve(every, game, rng=s).marginals[0], 3)) for s in range(40)
    }
    assert drawn == {(1, 0), (0, 1), (0.667, 0.333)}
    best = solve(Nash(method="support", select="max_welfare"), game)
    assert best.values.sum() == pytest.approx(28 / 3)
    assert best.diagnostics["equilibria"] == 3


def test_max_welfare_is_the_best_of_all():
    for seed in range(15):
        game = random_game(5, 5, seed)
        best = max(expected(game, product(p)).sum() for p in equilibria(game))
        profiles = solve(Nash(method="support", select="max_welfare"), game)
        assert profiles.values.sum() == pytest.approx(best)
        first = solve(Nash(method="support"), game)
        assert (first.gaps.ne <= 1e-9 * game.scale).all()
        paths = Nash(method="lemke_howson", select="max_welfare")
        some = solve(paths, game, throw=False).values.sum()
        assert solve(Nash(), game).values.sum() <= some + 1e-12 <= best + 1e-9


@pytest.mark.parametrize("family", ["gaussian", "integer", "constant", "zero_sum"])
def test_the_integer_program_alone(family):
    for seed in range(3):
        game = random_game(4, 5, seed, family)
        profile = bimatrix.integer_program(*bimatrix.positive(game), seconds=20.0)
        gaps = measure(game, product(profile))
        assert (gaps.ne <= 1e-9 * game.scale).all()


def test_what_was_tried_is_recorded():
    game = named("shapley").game
    solution = solve(Nash(steps=1), game)  # no path is that short
    assert solution.status is Status.OK
    assert solution.diagnostics["used"] == "integer_program"
    assert len(solution.diagnostics["tried"]) == 12
    assert "label 0, double: 1 pivots were not enough" in solution.diagnostics["tried"]


def test_same_seed_same_bits():
    game = random_game(6, 6, 1)
    for solver in (Nash(), Nash(select="random"), Nash(method="support")):
        assert np.array_equal(
            solve(solver, game, 5).joint, solve(solver, game, 5).joint
        )


def test_refusals():
    with pytest.raises(UserError, match="exactly 2 players; got 1"):
        equilibria(Game(np.zeros((1, 2))))
    with pytest.raises(UserError, match="steps must be positive; got 0"):
        Nash(steps=0)
