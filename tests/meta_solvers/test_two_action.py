import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import get
from meta_solvers.base import Status
from meta_solvers.multilinear import isolate, slopes, value
from meta_solvers.patterns import enumerate_all, gains, regrets
from meta_solvers.solving import solve
from meta_solvers.two_action import (
    TwoActionNash,
    equilibria,
    equilibria_2x2,
    listing,
)
from metaspiel.nfg.catalogue import named
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from metaspiel.nfg.sample import families, sample
from metaspiel.nfg.simplex import product

seeds = st.integers(0, 2**32 - 1)


def random_game(players: int, seed: int) -> Game:
    return sample("gaussian", (2,) * players, np.random.default_rng(seed))


def ones(game: Game) -> np.ndarray:
    """All equilibria as probabilities of action 1, ``[E, N]``."""
    listed = listing(game).profiles
    return np.array([[s[1] for s in profile] for profile in listed])


def same_set(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-7) -> bool:
    if a.shape != b.shape:
        return False
    distance = np.abs(a[:, None] - b[None]).max(axis=2)
    return bool((distance.min(axis=1) < tolerance).all())


@pytest.mark.parametrize(
    ("players", "games"), [(1, 20), (2, 200), (3, 200), (4, 100), (5, 20), (6, 5)]
)
def test_generic_games_have_an_odd_number_and_none_has_regret(players, games):
    # Wilson 1971: almost every game has an odd number of equilibria.
    for seed in range(games):
        game = random_game(players, seed)
        listed = equilibria(game)
        assert len(listed) % 2 == 1
        for profile in listed:
            gaps = measure(game, product(list(profile)))
            assert (gaps.ne <= 1e-9 * game.scale).all()


@pytest.mark.parametrize("players", [2, 3])
def test_no_grid_point_with_small_regret_is_far_from_all_equilibria(players):
    axis = np.linspace(0, 1, 101 if players == 2 else 41)
    grid = np.stack(np.meshgrid(*[axis] * players), axis=-1).reshape(-1, players)
    for seed in range(20):
        game = random_game(players, seed)
        table = gains(game)
        x = ones(game)
        close = grid[regrets(table, grid).max(axis=1) < 1e-3]
        for point in close:
            # Steep enough unless two equilibria nearly meet; those seeds are generic.
            assert np.abs(x - point).max(axis=1).min() < 0.15


def test_three_players_against_the_quadratic():
    # All mixing: D_1(y, z) = D_2(x, z) = D_3(x, y) = 0 leaves a quadratic in z.
    checked = 0
    for seed in range(300):
        game = random_game(3, seed)
        table = gains(game).reshape(3, 2, 2, 2)
        d1, d2, d3 = table[0][0], table[1][:, 0], table[2][:, :, 0]

        def line(d, z):  # root of the first variable given z, as numerator, denominator
            a, b = d[0] @ [1 - z, z], d[1] @ [1 - z, z]
            return a, a - b

        def quadratic(z, d1=d1, d2=d2, d3=d3):
            (py, qy), (px, qx) = line(d1, z), line(d2, z)
            x, y = np.array([qx - px, px]), np.array([qy - py, py])
            return x @ d3 @ y

        values = [quadratic(z) for z in (0.0, 0.5, 1.0)]
        roots = np.roots(np.polyfit([0, 0.5, 1], values, 2))
        wanted = []
        for z in roots[np.isreal(roots)].real:
            (py, qy), (px, qx) = line(d1, z), line(d2, z)
            point = np.array([px / qx, py / qy, z])
            if ((point > 0) & (point < 1)).all():
                wanted.append(point)
        x = ones(game)
        inside = x[((x > 0) & (x < 1)).all(axis=1)]
        assert len(inside) == len(wanted)
        checked += len(wanted)
        if wanted:
            assert same_set(inside, np.array(wanted), 1e-6)
    assert checked > 20


@pytest.mark.parametrize("size", [4, 5, 6])
def test_planted_roots_of_larger_systems_are_found(size):
    rng = np.random.default_rng(size)
    at = (np.arange(2**size)[:, None] >> np.arange(size - 1, -1, -1)) & 1
    for _ in range(10):
        root = rng.uniform(0.05, 0.95, size)
        values = rng.standard_normal((size, 2**size))
        weight = np.prod(np.where(at, root, 1 - root), axis=1)
        values -= (values @ weight)[:, None]  # weight sums to 1
        listed = isolate(values[None], np.ones((1, size), dtype=bool))
        assert not listed.unresolved.any()
        assert np.abs(listed.points - root).max(axis=1).min() < 1e-9


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 4), st.sampled_from([1e-6, 1e-3, 1e3, 1e6]))
def test_scale_and_shift_do_not_matter(seed, players, scale):
    game = random_game(players, seed)
    shift = np.random.default_rng(seed).normal(size=(players,) + (1,) * players)
    moved = Game(scale * (game.payoffs + shift))
    assert same_set(ones(game), ones(moved))


@settings(max_examples=30, deadline=None)
@given(
    seeds, st.permutations(range(3)), st.lists(st.booleans(), min_size=3, max_size=3)
)
def test_renaming_players_and_actions_renames_equilibria(seed, order, flips):
    game = random_game(3, seed)
    payoffs = game.payoffs[order].transpose([0, *(1 + p for p in order)])
    x = ones(game)[:, order]
    for player, flip in enumerate(flips):
        if flip:
            payoffs = np.flip(payoffs, axis=1 + player)
            x[:, player] = 1 - x[:, player]
    assert same_set(x, ones(Game(payoffs)))


@pytest.mark.parametrize("players", range(1, 5))
@pytest.mark.parametrize("family", families())
def test_every_family_is_solved(family, players):
    if family not in families(players):
        return
    for seed in range(3):
        game = sample(family, (2,) * players, np.random.default_rng(seed))
        for select in ("first", "random", "max_welfare", "risk_dominant"):
            solver = TwoActionNash(select=select)
            solution = solve(solver, game, rng=seed, throw=False)
            if solution.status is Status.INCOMPLETE:
                assert select == "max_welfare" and players > 2
                assert solution.diagnostics["continua"]
            else:
                assert solution.status is Status.OK
            assert (solution.gaps.ne <= 1e-9 * game.scale).all()


def test_constant_games_list_the_pure_profiles():
    for players in range(1, 7):
        x = ones(Game(np.zeros((players,) + (2,) * players)))
        assert [tuple(r) for r in x] == list(itertools.product((0, 1), repeat=players))


def test_vertices_of_a_continuum_by_hand():
    # Row's actions are copies; column prefers 1 once row plays 1 at least 1/4.
    column = np.array([[1.0, 0.0], [0.0, 3.0]])
    game = Game(np.stack([np.zeros((2, 2)), column]))
    assert same_set(ones(game), np.array([[0, 0], [1, 1], [0.25, 0], [0.25, 1]]))
    profiles, mask = equilibria_2x2(game.payoffs[None])
    assert same_set(ones(game), profiles[0, mask[0], :, 1])


def test_vertices_with_a_third_player_who_does_not_care():
    # Player 2 is indifferent throughout; its mixture decides what 0 and 1 play.
    x2 = np.array([0.0, 1.0])
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[0, 1] = x2 - 0.25  # 0 likes action 1 when x2 > 1/4
    payoffs[1, :, 1] = x2 - 0.75
    x = ones(Game(payoffs))
    wanted = [
        [0, 0, 0],
        [1, 1, 1],
        [0, 0, 0.25],
        [1, 0, 0.25],
        [1, 0, 0.75],
        [1, 1, 0.75],
    ]
    assert same_set(x, np.array(wanted))


def ranks(table: np.ndarray, x: np.ndarray) -> list[int]:
    """Independent conditions that hold with equality at each profile."""
    listed = []
    for point in x:
        gain = value(table[None], point[None])[0]
        tight = [
            *np.eye(len(point))[(point == 0) | (point == 1)],
            *slopes(table[None], point[None])[0][np.abs(gain) < 1e-9],
        ]
        listed.append(np.linalg.matrix_rank(np.array(tight), tol=1e-7))
    return listed


@pytest.mark.parametrize(
    ("players", "seeds"), [(3, (*range(12), 72, 179)), (4, (0, 1, 5, 20, 45))]
)
def test_only_vertices_of_continua_are_listed(players, seeds):
    # Payoffs of -1, 0 and 1: nearly every such game has a continuum of equilibria.
    for seed in seeds:
        rng = np.random.default_rng(seed)
        game = Game(rng.integers(-1, 2, (players, *(2,) * players)))
        assert set(ranks(gains(game), ones(game))) == {players}


def test_points_inside_an_edge_are_no_vertices():
    rng = np.random.default_rng(179)
    game = Game(rng.integers(-1, 2, (3, 2, 2, 2)))
    third = 1 / 3
    edges = [[0, 0, 0], [0, 0, 1], [1, 0, 0], [0.5, 0, 1], [1, 0, third], [1, 1, third]]
    assert same_set(ones(game), np.array(edges))


def test_a_double_root_is_an_equilibrium_of_its_own():
    # The first two players want all three alike, and then the third gains (x - 1/2)^2.
    x, y, z = np.indices((2, 2, 2)).astype(float)
    payoffs = np.stack([x * (y - z), y * (x - z), z * (x - 0.5) * (y - 0.5)])
    wanted = np.array([[0, 0, 1], [1, 1, 1], [0.5, 0.5, 0.5]])
    assert same_set(ones(Game(payoffs)), wanted)
    assert not listing(Game(payoffs)).complete
    with pytest.raises(
        UserError, match=r"the list must be complete .*; got 3 profiles"
    ):
        equilibria(Game(payoffs))


def test_the_best_beside_a_continuum_is_ok_only_where_nothing_is_better():
    solver = TwoActionNash(select="max_welfare")
    game = Game(np.random.default_rng(2).integers(-1, 2, (3, 2, 2, 2)))
    solution = solve(solver, game, throw=False)
    assert solution.values.sum() < game.payoffs.sum(axis=0).max()
    assert solution.status is Status.INCOMPLETE
    assert "continuum" in solution.diagnostics["missing"]
    constant = solve(solver, Game(np.zeros((3, 2, 2, 2))))
    assert constant.status is Status.OK


def test_the_best_of_many_players_is_not_called_the_best():
    game = random_game(7, 4)
    for solver in (TwoActionNash("max_welfare"), TwoActionNash("risk_dominant")):
        solution = solve(solver, game, throw=False)
        assert (solution.status is Status.OK) == (solver.select == "risk_dominant")


def test_order_is_pure_then_by_number_mixing():
    for seed in range(30):
        x = ones(random_game(4, seed))
        mixing = ((x > 0) & (x < 1)).sum(axis=1)
        assert (np.diff(mixing) >= 0).all()
        pure = [tuple(r) for r in x[mixing == 0]]
        assert pure == sorted(pure)


def test_a_thousand_games_at_once_agree_with_one_at_a_time():
    rng = np.random.default_rng(0)
    payoffs = rng.normal(size=(5000, 2, 2, 2))
    payoffs[::3] = np.round(payoffs[::3])
    start = time.process_time()
    profiles, mask = equilibria_2x2(payoffs)
    assert time.process_time() - start < 2  # .01 s, and what checking calls costs
    assert mask.any(axis=1).all()
    assert np.isnan(profiles[~mask]).all()
    np.testing.assert_allclose(profiles[mask].sum(axis=-1), 1)
    for b in range(300):
        assert same_set(profiles[b, mask[b], :, 1], ones(Game(payoffs[b])))


@settings(max_examples=50, deadline=None)
@given(seeds, st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_batch_is_exact_at_every_scale(seed, scale):
    payoffs = scale * np.random.default_rng(seed).integers(-2, 3, (4, 2, 2, 2))
    profiles, mask = equilibria_2x2(payoffs)
    for game, listed in zip(
        map(Game, payoffs), map(np.compress, mask, profiles, [0] * 4), strict=True
    ):
        assert len(listed)
        for profile in listed:
            assert (measure(game, product(list(profile))).ne <= 1e-9 * game.scale).all()


def test_the_batch_counts_payoffs_that_differ_in_their_last_digits():
    stag_hunt = named("stag_hunt").game.payoffs
    wanted = equilibria_2x2(stag_hunt[None])[1]
    close = equilibria_2x2(1.0 + 2.0**-50 * stag_hunt[None])[1]
    assert (close == wanted).all() and wanted.sum() == 3


def test_selection_on_the_stag_hunt():
    game = named("stag_hunt").game
    first = solve(TwoActionNash(), game)
    assert first.joint[0, 0] == 1 and first.diagnostics["used"] == "pure"
    assert solve(get("two_action:select=max_welfare"), game).joint[0, 0] == 1
    assert solve(get("two_action:select=risk_dominant"), game).joint[1, 1] == 1
    drawn = {
        tuple(
            np.round(solve(TwoActionNash(select="random"), game, rng=s).marginals[0], 6)
        )
        for s in range(30)
    }
    assert drawn == {(1, 0), (0, 1), (0.75, 0.25)}
    picky = TwoActionNash(select="random", pure_first=True)
    assert all(solve(picky, game, rng=s).joint.max() == 1 for s in range(20))


@pytest.mark.parametrize("players", [4, 5, pytest.param(6, marks=pytest.mark.slow)])
def test_risk_dominance_with_several_players_and_small_losses(players):
    # All at 0 or all at 1; leaving 1 costs twice as much as leaving 0.
    same = np.indices((2,) * players).sum(axis=0)
    worth = np.where(same == 0, 1e-3, np.where(same == players, 2e-3, 0.0))
    payoffs = worth * np.ones((players, *same.shape))
    payoffs[(slice(None), *np.arange(players) % 2)] = -1.0  # sets the range of payoffs
    solution = solve(TwoActionNash(select="risk_dominant"), Game(payoffs))
    assert solution.joint[(1,) * players] == 1


def test_selection_depends_on_no_scale():
    game = named("stag_hunt").game
    for scale in (1e-6, 1e6):
        for select in ("max_welfare", "risk_dominant"):
            solver = TwoActionNash(select=select)
            moved = solve(solver, Game(scale * game.payoffs)).joint
            assert np.array_equal(moved, solve(solver, game).joint)


@pytest.mark.parametrize("players", [7, 8])
def test_many_players_pure_or_descent(players):
    descents = 0
    for seed in range(6):
        game = random_game(players, seed)
        solution = solve(TwoActionNash(), game, rng=seed, throw=False)
        descents += solution.diagnostics["used"] == "descent"
        small = (solution.gaps.ne <= 1e-9 * game.scale).all()
        assert small == (solution.status is Status.OK)
        assert solution.status in (Status.OK, Status.INACCURATE)
    assert descents


def test_too_little_descent_is_called_inaccurate():
    listed = []
    for seed in range(40):
        game = random_game(8, seed)
        solution = solve(TwoActionNash(starts=1), game, rng=seed, throw=False)
        listed.append(solution.status)
        if solution.status is not Status.OK:
            assert solution.diagnostics["regret"] > 1e-9
            break
    assert Status.INACCURATE in listed


def test_refusals():
    with pytest.raises(UserError, match=r"two actions; got \[2, 3\]"):
        solve(TwoActionNash(), np.zeros((2, 2, 3)))
    with pytest.raises(UserError, match=r"two actions; got \[3, 2\]"):
        equilibria(Game(np.zeros((2, 3, 2))))
    with pytest.raises(UserError, match="at most 6 players can be enumerated; got 7"):
        equilibria(Game(np.zeros((7,) + (2,) * 7)))
    with pytest.raises(UserError, match="tolerance must be positive; got 0"):
        TwoActionNash(tolerance=0.0)
    with pytest.raises(UserError, match="starts must be at least 1; got 0"):
        TwoActionNash(starts=0)


def test_integer_games_with_many_ties_finish_and_count_their_continua():
    for players, count in ((3, 10), (4, 10), (5, 4)):
        rng = np.random.default_rng(players)
        for _ in range(count):
            game = Game(rng.integers(-1, 2, (players,) + (2,) * players))
            listed = enumerate_all(gains(game))
            assert len(listed.x)
            assert (regrets(gains(game), listed.x) <= 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 5))
def test_dominated_actions_are_set_aside_without_loss(seed, players):
    from meta_solvers.patterns import _enumerated

    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(players, *(2,) * players))
    for player in np.flatnonzero(rng.random(players) < 0.7):
        better = payoffs[player].swapaxes(0, player)
        better[1] = better[0] + rng.choice([-1, 1]) * rng.uniform(0.1, 2)
    table = gains(Game(payoffs))
    listed, plain = enumerate_all(table), _enumerated(table)
    np.testing.assert_allclose(listed.x, plain.x, atol=1e-9)
    assert listed.continua == plain.continua
