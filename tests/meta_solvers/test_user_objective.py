import subprocess
import sys

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payoffs import drawn

from meta_solvers import Game, Status, UserError, get, solve
from meta_solvers.user_objective import UserObjective
from metaspiel.nfg.simplex import entropy

CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6.0, 7], [2, 0]]])
PRISONERS = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])
ROCK = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
HERE = "tests_user_objectives"


def random_game(seed, shape):
    return np.random.default_rng(seed).normal(size=(len(shape), *shape))


def spread_out(joint, game):
    return -cp.max(joint)


def test_welfare_of_chicken_is_aumanns():
    # Aumann (1974): the best CE of chicken pays 5.25 each.
    solution = solve(UserObjective("welfare", "ce"), CHICKEN)
    assert solution.values.sum() == pytest.approx(10.5, abs=1e-6)
    np.testing.assert_allclose(solution.joint, [[0.5, 0.25], [0.25, 0]], atol=1e-6)


@pytest.mark.parametrize("equilibrium", ["ce", "cce"])
@pytest.mark.parametrize("objective", ["entropy", "gini", "welfare", "egalitarian"])
def test_closed_forms(objective, equilibrium):
    solver = UserObjective(objective, equilibrium)
    assert solver.concept == equilibrium
    assert solve(solver, PRISONERS).joint[1, 1] == pytest.approx(1, abs=1e-5)
    if objective in ("entropy", "gini"):
        joint = solve(solver, np.stack([ROCK, -ROCK])).joint
        np.testing.assert_allclose(joint, 1 / 9, atol=1e-5)


@pytest.mark.parametrize("equilibrium", ["ce", "cce"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2)])
def test_as_the_solvers_made_for_it(shape, equilibrium):
    payoffs = random_game(1, shape)
    gini = solve(UserObjective("gini", equilibrium), payoffs)
    made = solve(get("mg" + equilibrium), payoffs)
    np.testing.assert_allclose(gini.joint, made.joint, atol=1e-5)
    welfare = solve(UserObjective("welfare", equilibrium), payoffs)
    made = solve(get("mw" + equilibrium), payoffs)
    assert welfare.values.sum() == pytest.approx(made.values.sum(), abs=1e-6)
    worst = solve(UserObjective("egalitarian", equilibrium), payoffs)
    made = solve(get("egal" + equilibrium), payoffs)
    assert worst.values.min() == pytest.approx(made.values.min(), abs=1e-6)
    most = solve(UserObjective("entropy", equilibrium), payoffs)
    assert entropy(most.joint) >= max(entropy(s.joint) for s in (gini, welfare, worst))


def test_an_objective_of_the_users_own():
    payoffs = random_game(2, (3, 3))
    solution = solve(UserObjective(spread_out), payoffs)
    assert solution.status is Status.OK
    assert solution.diagnostics["objective"] == pytest.approx(-solution.joint.max())
    assert solution.solver["parameters"]["objective"] == "spread_out"
    for other in ("entropy", "gini", "welfare"):
        joint = solve(UserObjective(other), payoffs).joint
        assert solution.joint.max() <= joint.max() + 1e-6


def test_the_joint_comes_flat_in_c_order():
    payoffs = random_game(3, (2, 3))

    def first_player(joint, game):
        assert joint.shape == (6,)
        return game.payoffs[0].ravel() @ joint

    solution = solve(UserObjective(first_player, "ce"), payoffs)
    assert solution.diagnostics["objective"] == pytest.approx(solution.values[0])


@pytest.fixture
def module(tmp_path, monkeypatch):
    text = (
        "import cvxpy as cp\n"
        "number = 3\n"
        "def norm(joint, game):\n    return -cp.norm(joint, 2)\n"
    )
    (tmp_path / f"{HERE}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield HERE
    sys.modules.pop(HERE, None)


def test_an_objective_by_its_name(module):
    payoffs = random_game(4, (3, 3))
    named = solve(get(f"cvx:objective={module}:norm,equilibrium=ce"), payoffs)
    gini = solve(get("cvx:objective=gini,equilibrium=ce"), payoffs)
    np.testing.assert_allclose(named.joint, gini.joint, atol=1e-4)
    with pytest.raises(UserError, match="must name a function that can be imported"):
        solve(get(f"cvx:objective={module}:nrom"), payoffs)
    with pytest.raises(UserError, match=r"must name a function; got .*a int"):
        solve(get(f"cvx:objective={module}:number"), payoffs)
    with pytest.raises(UserError, match="No module named 'not_there'"):
        solve(get("cvx:objective=not_there:f"), payoffs)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("objective", ["entropy", "gini", "egalitarian", "welfare"])
def test_units_of_payoff_do_not_matter(objective, scale):
    payoffs = random_game(5, (3, 3))
    one = solve(UserObjective(objective), payoffs).joint
    two = solve(UserObjective(objective), payoffs * scale + scale).joint
    np.testing.assert_allclose(one, two, atol=1e-5)


@given(seed=st.integers(0, 2**20), equilibrium=st.sampled_from(["ce", "cce"]))
@settings(max_examples=20, deadline=None)
def test_answers_are_equilibria(seed, equilibrium):
    rng = np.random.default_rng(seed)
    payoffs = drawn(rng)
    before = payoffs.copy()
    solver = UserObjective("entropy", equilibrium)
    one, two = (solve(solver, Game(payoffs), rng=s) for s in (0, 1))
    assert one.status is Status.OK
    np.testing.assert_array_equal(one.joint, two.joint)
    np.testing.assert_array_equal(payoffs, before)


@pytest.mark.parametrize("objective", ["entropy", "gini"])
@pytest.mark.parametrize("equilibrium", ["ce", "cce"])
def test_repeats_count_as_copies(objective, equilibrium):
    game = Game(random_game(6, (2, 3)), repeats=[[2, 1], [1, 1, 3]])
    solver = UserObjective(objective, equilibrium)
    spread = solve(solver, game.expanded()).joint
    np.testing.assert_allclose(
        solve(solver, game).joint, game.folded(spread), atol=1e-5
    )


def test_an_objective_without_a_domain_is_infeasible():
    def hopeless(joint, game):
        return cp.sum(cp.log(joint - 1.0))

    solution = solve(UserObjective(hopeless), CHICKEN, throw=False)
    assert solution.status is Status.INFEASIBLE
    assert np.isnan(solution.joint).all()


def test_an_unbounded_objective_has_no_answer():
    def endless(joint, game):
        return cp.Variable() + cp.sum(joint)

    solution = solve(UserObjective(endless), CHICKEN, throw=False)
    assert solution.status is Status.NUMERICAL
    assert "unbounded" in solution.diagnostics["cvxpy_status"]


def test_a_solver_without_the_cones_says_so():
    solver = UserObjective("entropy", solver="OSQP")
    solution = solve(solver, CHICKEN, throw=False)
    assert solution.status is Status.NUMERICAL
    assert "OSQP" in solution.diagnostics["reason"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: UserObjective("entropie"), "unknown objective 'entropie' .*'entropy'"),
        (lambda: get("cvx:equilibrium=ne"), "unknown value 'ne'"),
        (lambda: get("cvx:concept=ce"), "unknown field 'concept'"),
        (
            lambda: solve(UserObjective(solver="GUROBY"), CHICKEN),
            "UserObjective: solver must be one .* installed: .*CLARABEL.* got 'GUROBY'",
        ),
        (
            lambda: solve(UserObjective(lambda x, g: cp.max(x)), CHICKEN),
            r"must be concave by cvxpy's rules \(DCP\).*CONVEX",
        ),
        (
            lambda: solve(UserObjective(lambda x, g: x), CHICKEN),
            r"must return one number; got an expression of shape \[4\]",
        ),
        (
            lambda: solve(UserObjective(lambda x, g: 3.0), CHICKEN),
            "must return a cvxpy Expression; got float",
        ),
    ],
)
def test_bad_input_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_cvxpy_is_not_loaded_before_it_is_used():
    code = (
        "import sys, meta_solvers.user_objective as u; u.UserObjective('gini');"
        "sys.exit('cvxpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
