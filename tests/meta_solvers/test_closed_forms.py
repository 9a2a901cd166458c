"""Equilibria known by hand, or from flat programs written a second time in cvxpy."""

import itertools

import cvxpy as cp
import numpy as np
import pytest
import scipy.optimize

from meta_solvers import Game, Status, get, lp, solve
from meta_solvers.polytope import deviations, vertices
from metaspiel.nfg.catalogue import catalogue, named
from metaspiel.nfg.sample import sample

TIGHT = {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}
SHAPES = [(2, 2), (3, 4), (5, 5), (2, 3, 2), (3, 3, 3)]


def flat_rows(game, concept):
    """Gains of all deviations ``[D, profiles]``, one joint action after the other."""
    rows = []
    for player, size in enumerate(game.actions):
        pairs = itertools.permutations(range(size), 2)
        if concept == "cce":
            pairs = ((None, played) for played in range(size))
        for recommended, played in pairs:
            row = np.zeros(game.actions)
            for joint in np.ndindex(*game.actions):
                if recommended is None or joint[player] == recommended:
                    other = (*joint[:player], played, *joint[player + 1 :])
                    payoff = game.payoffs[player]
                    row[joint] = payoff[other] - payoff[joint]
            rows.append(row.ravel())
    return np.array(rows)


def flat_program(game, concept, goal, epsilon=0.0, options=TIGHT):
    """Maximises ``goal(x)`` over the flat polytope; the value and x."""
    x = cp.Variable(game.profiles, nonneg=True)
    rows = flat_rows(game, concept)
    problem = cp.Problem(cp.Maximize(goal(x)), [cp.sum(x) == 1, rows @ x <= epsilon])
    problem.solve(solver=cp.CLARABEL, **options)
    assert problem.status == cp.OPTIMAL
    return float(problem.value), x.value.reshape(game.actions)


def random_game(seed, shape):
    return sample("gaussian", shape, np.random.default_rng([seed, *shape]))


# Known by hand.


@pytest.mark.parametrize("spec", ["mgce", "mgcce"])
def test_chicken_has_its_maximum_gini_equilibrium(spec):
    # Uniform play breaks "after swerving is told to the other, 2 dd <= dc" alone; on
    # that face minimise c^2 + 2 t^2 + t^2 / 4 with c + 5 t / 2 = 1: t = 5 / 17.
    joint = solve(get(spec), named("chicken").game).joint
    np.testing.assert_allclose(joint, np.array([[9, 10], [10, 5]]) / 34, atol=1e-12)


@pytest.mark.parametrize("spec", ["mwce", "mwcce", "rmwce"])
def test_chicken_has_aumanns_mediator(spec):
    joint = solve(get(spec), named("chicken").game).joint
    np.testing.assert_allclose(joint, [[1 / 2, 1 / 4], [1 / 4, 0]], atol=1e-9)


@pytest.mark.parametrize("name", list(catalogue()))
def test_largest_welfare_of_a_correlated_equilibrium(name):
    entry = named(name)
    if "ce_welfare" not in entry.facts:
        pytest.skip("not known by hand")
    solution = solve(get("mwce"), entry.game)
    assert solution.values.sum() == pytest.approx(entry.facts["ce_welfare"], abs=1e-8)


@pytest.mark.parametrize(
    "name",
    [
        *("matching_pennies", "rock_paper_scissors", "coordination", "shapley"),
        *("three_player_majority", "jordan_matching_pennies", "dispersion"),
        *("anti_coordination", "one_action", "constant"),
    ],
)
@pytest.mark.parametrize("spec", ["mgce", "mgcce", "half_mgcce"])
def test_where_uniform_is_an_equilibrium_it_has_the_largest_gini(name, spec):
    joint = solve(get(spec), named(name).game).joint
    np.testing.assert_allclose(joint, 1 / joint.size, atol=1e-12)


@pytest.mark.parametrize(
    "spec", ["mgce", "mwce", "minwce", "mgcce", "min_epsilon_mgce"]
)
def test_dilemmas_are_solved_by_dominance(spec):
    joint = solve(get(spec), named("prisoners_dilemma").game).joint
    np.testing.assert_allclose(joint, [[0, 0], [0, 1]], atol=1e-8)


@pytest.mark.parametrize("spec", ["nash_lp", "nash"])
@pytest.mark.parametrize("name", ["matching_pennies", "biased_rps", "morra"])
def test_values_of_zero_sum_games(spec, name):
    entry = named(name)
    solution = solve(get(spec), entry.game)
    np.testing.assert_allclose(solution.values, entry.values, atol=1e-9)
    if len(entry.nash) == 1:
        for reached, known in zip(solution.marginals, entry.nash[0], strict=True):
            np.testing.assert_allclose(reached, known, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_zero_sum_values_of_random_matrices(seed):
    game = sample("zero_sum", (4, 6), np.random.default_rng(seed))
    x, value = cp.Variable(4, nonneg=True), cp.Variable()
    rules = [cp.sum(x) == 1, game.payoffs[0].T @ x >= value]
    cp.Problem(cp.Maximize(value), rules).solve(solver=cp.CLARABEL, **TIGHT)
    solution = solve(get("nash_lp"), game)
    np.testing.assert_allclose(solution.values, [value.value, -value.value], atol=1e-8)
    constant = Game(game.payoffs + np.array([3.0, 1.0]).reshape(2, 1, 1))
    again = solve(get("nash_lp"), constant)
    np.testing.assert_allclose(
        again.values, solution.values + np.array([3, 1]), atol=1e-8
    )


# Against flat programs.


def linear(spec, game):
    """A solver's objective, as a number of its values and as a cvxpy expression."""
    payoffs = game.payoffs.reshape(game.players, -1)
    if spec.startswith("egal"):
        return np.min, lambda x: cp.min(payoffs @ x)
    sign = -1.0 if spec.startswith("min") else 1.0
    return (lambda v: sign * v.sum()), lambda x: sign * (payoffs.sum(axis=0) @ x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "spec",
    ["mwce", "mwcce", "rmwce", "rmwcce", "minwce", "minwcce", "egalce", "egalcce"],
)
def test_corners_reach_the_flat_programs_optimum(spec, shape):
    for seed in range(2):
        game = random_game(seed, shape)
        solver = get(spec)
        score, goal = linear(spec.removeprefix("r"), game)
        best, _ = flat_program(game, solver.concept, goal)
        reached = score(solve(solver, game).values)
        slack = 1e-4 if spec.startswith("r") else 1e-7  # its noise is 1e-6
        assert reached == pytest.approx(best, abs=slack)


@pytest.mark.parametrize("spec", ["rvce", "rvcce"])
def test_random_vertices_are_vertices(spec):
    # At a vertex, constraints of full rank are tight.
    for seed in range(4):
        game = random_game(seed, (3, 3))
        joint = solve(get(spec), game, seed).joint.ravel()
        rows = flat_rows(game, get(spec).concept)
        tight = [rows[rows @ joint > -1e-9], np.eye(9)[joint < 1e-9], np.ones((1, 9))]
        assert np.linalg.matrix_rank(np.concatenate(tight), tol=1e-7) == 9


def gini(game):
    counts = game.copies.ravel()
    return lambda x: 1 - cp.sum_squares(cp.multiply(x, 1 / np.sqrt(counts)))


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spec", ["mgce", "mgcce", "mgcce:epsilon=0.1"])
def test_gini_reaches_the_flat_programs_optimum(spec, shape, repeated):
    for seed in range(2):
        game = random_game(seed, shape)
        if repeated:
            rng = np.random.default_rng(seed)
            counts = [rng.integers(1, 4, size) for size in shape]
            game = Game(game.payoffs, repeats=counts)
        solver = get(spec)
        best, joint = flat_program(game, solver.concept, gini(game), solver.epsilon)
        solution = solve(solver, game)
        assert solution.diagnostics["gini"] == pytest.approx(best, abs=1e-7)
        np.testing.assert_allclose(solution.joint, joint, atol=1e-3)


@pytest.mark.parametrize("shape", [*SHAPES, (8, 8), (4,)])
@pytest.mark.parametrize(
    "name", ["mgce", "mgcce", "half_mgce", "approx_mgcce", "min_epsilon_mgcce"]
)
def test_projection_agrees_with_clarabel(name, shape):
    for seed in range(2):
        game = random_game(seed, shape)
        ours, theirs = (
            solve(get(f"{name}:method={method}"), game)
            for method in ("projection", "clarabel")
        )
        one, two = ours.diagnostics["gini"], theirs.diagnostics["gini"]
        assert one == pytest.approx(two, abs=1e-6)
        np.testing.assert_allclose(ours.joint, theirs.joint, atol=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("spec", "fraction"),
    [
        ("approx_mgce", 0.01),
        ("approx_mgcce", 0.01),
        ("half_mgce", 0.5),
        ("half_mgcce", 0.5),
        ("approx_mgcce:fraction=0.2", 0.2),
    ],
)
def test_approximate_gini_allows_a_fraction_of_uniform_gains(spec, fraction, shape):
    game, solver = random_game(7, shape), get(spec)
    allowed = fraction * flat_rows(game, solver.concept).mean(axis=1).max()
    solution = solve(solver, game)
    assert solution.diagnostics["allowed_gain"] == pytest.approx(allowed, rel=1e-9)
    best, _ = flat_program(game, solver.concept, gini(game), allowed)
    assert solution.diagnostics["gini"] == pytest.approx(best, abs=1e-7)
    gains = flat_rows(game, solver.concept) @ solution.joint.ravel()
    assert gains.max() <= allowed + 1e-9


@pytest.mark.parametrize("kind", ["ce", "cce"])
def test_the_whole_fraction_is_uniform_play(kind):
    game = random_game(3, (3, 4))
    joint = solve(get(f"approx_mg{kind}:fraction=1"), game).joint
    np.testing.assert_allclose(joint, 1 / 12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spec", ["min_epsilon_mgce", "min_epsilon_mgcce"])
def test_min_epsilon_makes_every_deviation_lose_the_most(spec, shape):
    for seed in range(3):
        game, solver = random_game(seed, shape), get(spec)
        rows = flat_rows(game, solver.concept)
        x, epsilon = cp.Variable(game.profiles, nonneg=True), cp.Variable()
        rules = [cp.sum(x) == 1, rows @ x <= epsilon, epsilon <= 0]
        cp.Problem(cp.Minimize(epsilon), rules).solve(solver=cp.CLARABEL, **TIGHT)
        solution = solve(solver, game)
        least = float(epsilon.value)
        assert (rows @ solution.joint.ravel()).max() == pytest.approx(least, abs=1e-7)
        if least < -1e-6:  # else it is the maximum-Gini equilibrium, tested above
            # Of all such joints, none has more Gini impurity.
            goal, slack = gini(game), least + 1e-6
            best, _ = flat_program(game, solver.concept, goal, slack, {})
            assert solution.diagnostics["gini"] == pytest.approx(best, abs=1e-3)


def test_an_impossible_epsilon_is_infeasible():
    for method in ("projection", "clarabel", "auto"):
        spec = f"mgcce:epsilon=-100,method={method}"
        solution = solve(get(spec), named("shapley").game, throw=False)
        assert solution.status is Status.INFEASIBLE
        assert np.isnan(solution.joint).all()


@pytest.mark.parametrize("family", ["gaussian", "l2_invariant", "congestion"])
def test_thin_polytopes_of_larger_games_are_solved_too(family):
    # Some of these once ended with the projection's Newton method standing still.
    for seed in range(8):
        for shape, spec in (((8, 8), "mgce"), ((5,), "approx_mgce")):
            game = sample(family, shape, np.random.default_rng([7, seed, *shape]))
            assert solve(get(spec), game, throw=False).status is Status.OK


@pytest.mark.parametrize(
    ("name", "corners"), [("prisoners_dilemma", 1), ("chicken", 5), ("stag_hunt", 5)]
)
def test_a_small_polytope_has_the_known_corners(name, corners):
    rows, _ = deviations(named(name).game, "ce")
    joints = vertices(rows)
    assert len(joints) == corners
    np.testing.assert_allclose(joints.sum(1), 1)
    assert joints.min() > -1e-9 and (joints @ rows.T).max() < 1e-9
    unit = 10.0 ** -np.arange(len(rows))[:, None] * 1e-4
    np.testing.assert_allclose(vertices(unit * rows), joints, atol=1e-9)


# Where the least gain is small beside payoffs, or one player's beside another's.


@pytest.mark.parametrize("name", ["min_epsilon_mgce", "min_epsilon_mgcce"])
def test_the_least_gain_of_players_with_units_far_apart(name):
    rng = np.random.default_rng(2)
    for _ in range(4):
        payoffs = rng.normal(size=(2, 3, 4))
        alone = solve(name, np.stack([payoffs[0], 0 * payoffs[1]]))
        least = alone.diagnostics.get("allowed_gain", 0.0)
        units = np.array([5e-6, 1e7]).reshape(2, 1, 1)
        both = solve(name, payoffs * units)
        assert both.status is Status.OK
        # The second player's own limit only makes the first one's harder to meet.
        assert both.diagnostics["allowed_gain"] >= 5e-6 * least - 1e-11


def test_the_least_gain_may_be_met_by_one_joint_alone():
    shape = (6, 6)
    rng = np.random.default_rng([2, *b"grab_the_dollar", *shape])
    game = sample("grab_the_dollar", shape, rng)
    solution = solve("min_epsilon_mgce", game)
    assert solution.status is Status.OK
    least = solution.diagnostics["allowed_gain"]
    assert least == pytest.approx(-4.27344e-4, rel=1e-5)
    gains = flat_rows(game, "ce") @ solution.joint.ravel()
    assert gains.max() <= least + 1e-8 * game.scale.max()
    assert solution.diagnostics["gini"] == pytest.approx(0.834356, abs=1e-5)


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_small_losses_that_nobody_can_be_asked_for_are_infeasible(concept):
    rng = np.random.default_rng(5)
    answers = set()
    for _ in range(12):
        game = Game(rng.integers(-10_000, 10_001, (2, 3, 3)))
        least = solve(f"min_epsilon_mg{concept}", game).diagnostics["allowed_gain"]
        for epsilon in (least - 0.01, 0.5 * least - 0.005):
            spec = f"mg{concept}:epsilon={epsilon!r}"
            solution = solve(spec, game, throw=False)
            if epsilon < least - 1e-3:
                assert solution.status is Status.INFEASIBLE
                continue
            assert solution.status is Status.OK
            gains = flat_rows(game, concept) @ solution.joint.ravel()
            assert gains.max() <= epsilon + 1e-8 * game.scale.max()
            answers.add(solution.status)
    assert answers or concept == "ce"


def test_welfare_of_payoffs_close_together_is_not_lost_in_them():
    rng = np.random.default_rng(9)
    drawn = rng.normal(size=(2, 3, 3))
    for level in (1.0, -1e7):
        game = Game(level + np.abs(level) * 1e-11 * np.round(drawn * 64) / 64)
        small = Game(game.moved)
        for name in ("mwcce", "rmwcce", "minwce"):
            here, there = solve(name, game).joint, solve(name, small).joint
            welfare = small.payoffs.sum(axis=0)
            apart = abs(float((welfare * (here - there)).sum()))
            assert apart <= 1e-5 * np.ptp(welfare)


# What a linear program is worth is bounded by its own multipliers.


def program(matrix):
    """Von Neumann's program of a matrix game in [0, 1], as ``minimise`` takes it."""
    own, other = matrix.shape
    return {
        "cost": np.append(np.zeros(own), -1.0),
        "below": np.hstack([-matrix.T, np.ones((other, 1))]),
        "below_to": np.zeros(other),
        "equal": np.append(np.ones(own), 0.0)[None],
        "equal_to": np.ones(1),
        "positive": own,
    }


def test_an_optimum_is_certified_and_a_bad_one_is_not(monkeypatch):
    matrix = np.array([[0.5, 0.0, 1.0], [1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
    optimum = lp.minimise(**program(matrix))
    assert optimum.status is Status.OK
    assert optimum.values[-1] == pytest.approx(0.5)
    assert abs(optimum.diagnostics["optimality_gap"]) < 1e-9
    assert optimum.tight.all()
    whole = scipy.optimize.linprog

    def careless(*args, **options):
        answer = whole(*args, **options)
        answer.x = np.array([1.0, 0.0, 0.0, 0.0])  # feasible, and worth 0
        return answer

    monkeypatch.setattr(scipy.optimize, "linprog", careless)
    bad = lp.minimise(**program(matrix))
    assert bad.status is Status.INACCURATE
    assert bad.diagnostics["optimality_gap"] == pytest.approx(0.5)
    assert len(bad.diagnostics["tried"]) == 2


def test_corners_of_games_with_a_huge_range_inside_are_optimal_or_say_so():
    rng = np.random.default_rng(0)
    for _ in range(25):
        shape = (2, *rng.integers(2, 6, 2))
        game = Game(rng.normal(size=shape) * 10.0 ** rng.uniform(-6, 6, shape))
        for name in ("mwcce", "mwce", "minwce", "egalce"):
            solution = solve(name, game, throw=False)
            gap = solution.diagnostics.get("optimality_gap", np.inf)
            assert (gap <= lp.CERTAIN) == (solution.status is Status.OK)
