"""Adapters to and from OpenSpiel's psro_v2 and jpsro."""

import subprocess
import sys
import textwrap
import time
from unittest.mock import patch

import numpy as np
import pytest

from meta_solvers import Status, get, solve
from metaspiel.games.openspiel import load
from metaspiel.nfg.catalogue import catalogue
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.simplex import marginals, product
from psro.openspiel import (
    JPSRO_CONCEPTS,
    LP_SOLVERS,
    PSRO_V2_CONCEPTS,
    JPSROSolver,
    PSROv2Solver,
    as_jpsro,
    as_psro_v2,
    linear_programs_by,
    register_in_jpsro,
)

# scipy's notice about integer diagonals is about OpenSpiel's own code.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Input has data type int64"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:open_spiel"),
]


def tensor(seed: int, *actions: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(actions), *actions))


class Trainer:
    """A PSROSolver as far as a meta-strategy method looks at it."""

    def __init__(self, payoffs: np.ndarray) -> None:
        self.payoffs = payoffs

    def get_meta_game(self) -> list[np.ndarray]:
        return list(self.payoffs)


@pytest.fixture
def table():
    """OpenSpiel's table of meta-solvers, put back afterwards."""
    from open_spiel.python.algorithms import jpsro

    before = dict(jpsro.FLAG_TO_FUNC)
    yield jpsro.FLAG_TO_FUNC
    jpsro.FLAG_TO_FUNC.clear()
    jpsro.FLAG_TO_FUNC.update(before)


# ---- ours inside psro_v2


@pytest.mark.parametrize("actions", [(1, 1), (3, 2), (2, 3, 4)])
def test_psro_v2_gets_marginals_and_an_n_dimensional_joint(actions):
    method = as_psro_v2("mgcce")
    own, joint = method(solver=Trainer(tensor(0, *actions)), return_joint=True)
    assert joint.shape == actions
    assert joint.sum() == pytest.approx(1.0, abs=1e-12)
    assert [m.shape for m in own] == [(a,) for a in actions]
    for marginal, expected in zip(own, marginals(joint), strict=True):
        np.testing.assert_allclose(marginal, expected, atol=1e-15)
    np.testing.assert_allclose(
        joint, solve(get("mgcce"), tensor(0, *actions)).joint, atol=1e-12
    )
    assert method.solution.status is Status.OK
    only = as_psro_v2("mgcce")(solver=Trainer(tensor(0, *actions)))
    assert isinstance(only, list)
    np.testing.assert_array_equal(only[0], own[0])


def test_psro_v2_calls_differ_and_can_be_repeated():
    trainer = Trainer(tensor(0, 4, 4))
    one, two, other = (as_psro_v2("rdirichlet", seed) for seed in (3, 3, 4))
    draws = [one(solver=trainer, return_joint=True)[1] for _ in range(3)]
    again = [two(solver=trainer, return_joint=True)[1] for _ in range(3)]
    np.testing.assert_array_equal(draws, again)
    assert np.abs(draws[0] - draws[1]).max() > 0.01
    assert np.abs(draws[0] - other(solver=trainer, return_joint=True)[1]).max() > 0.01


def psro_v2_nash_convs(method: str, iterations: int) -> list[float]:
    """NashConv of OpenSpiel's own PSRO on Kuhn poker with our meta-solver."""
    import random

    from open_spiel.python.algorithms import exploitability, policy_aggregator
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  OpenSpiel's selectors draw from it
    game = load("kuhn_poker")
    trainer = psro_v2.PSROSolver(
        game,
        best_response_oracle.BestResponseOracle(game=game),
        sims_per_entry=200,
        training_strategy_selector="probabilistic",
        meta_strategy_method=as_psro_v2(method),
        sample_from_marginals=True,
    )
    convs = []
    for iteration in range(iterations + 1):
        if iteration:
            trainer.iteration()
        mixed = policy_aggregator.PolicyAggregator(game).aggregate(
            range(2), trainer.get_policies(), trainer.get_meta_strategies()
        )
        convs.append(exploitability.nash_conv(game, mixed))
    return convs


# The sampled payoffs sum to zero cell by cell, so nash_lp accepts them.
@pytest.mark.parametrize("method", ["nash_lp", "mgcce"])
def test_openspiels_psro_improves_with_our_solvers(method):
    convs = psro_v2_nash_convs(method, 6)
    assert convs[0] == pytest.approx(11 / 12, abs=1e-9)  # uniform play
    assert min(convs[4:]) < 0.4
    assert convs == psro_v2_nash_convs(method, 6)


# ---- ours inside jpsro


def run_loop(
    train: str, evaluation: str, iterations: int, target: str = "cce", players: int = 3
):
    from open_spiel.python.algorithms import jpsro

    rows = []

    def callback(iteration, repeats, policies, joint_policies, returns, *rest):
        _, train_dists, _, train_values, _, train_gaps, eval_gaps, _, kept = rest
        gap = sum(train_gaps[-1]), sum(eval_gaps[-1])
        rows.append((gap, train_values[-1].tolist(), train_dists[-1]))
        return kept

    jpsro.run_loop(
        game=load(f"kuhn_poker(players={players})"),
        game_name="kuhn",
        iterations=iterations,
        target_equilibrium=target,
        train_meta_solver=train,
        eval_meta_solver=evaluation,
        callback=callback,
    )
    return rows


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_jpsro_runs_with_our_solvers(table, concept):
    names = register_in_jpsro(f"mg{concept}", f"mw{concept}", prefix="our_")
    assert names == (f"our_mg{concept}", f"our_mw{concept}")
    rows = run_loop(*names, iterations=6, target=concept)
    assert len(rows) == 7
    first, last = rows[0], rows[-1]
    assert last[0][0] < 0.35 * first[0][0]
    assert last[0][1] < first[0][1]
    for _, values, joint in rows:
        assert sum(values) == pytest.approx(0.0, abs=1e-9)
        assert joint.ndim == 3 and joint.sum() == pytest.approx(1.0)
    assert joint.shape[0] > 3


@pytest.mark.parametrize("spec", ["nes", "nes:refine=2", "mecce"])
def test_openspiels_jpsro_goes_as_far_with_our_solvers_as_with_its_own(table, spec):
    ours, evaluation = register_in_jpsro(spec, "mwcce", prefix="entropic_")
    gaps = [
        run_loop(train, evaluation, iterations=14, players=2)[-1][0][0]
        for train in (ours, "mgcce")
    ]
    assert gaps[0] <= gaps[1] + 0.05


def test_jpsro_function_counts_repeats_as_clones():
    payoffs = tensor(0, 3, 2)
    repeats = [[1, 3, 1], [2, 1]]
    joint, meta = as_jpsro("mgcce")(payoffs, repeats)
    np.testing.assert_allclose(
        joint, solve(get("mgcce"), Game(payoffs, repeats=repeats)).joint, atol=1e-9
    )
    assert meta["solution"].status is Status.OK
    plain, _ = as_jpsro("mgcce")(payoffs, repeats, ignore_repeats=True)
    np.testing.assert_allclose(plain, solve(get("mgcce"), payoffs).joint, atol=1e-9)
    assert np.abs(joint - plain).max() > 1e-3
    uniform, _ = as_jpsro("uniform")(payoffs, repeats)
    np.testing.assert_allclose(
        uniform, product([np.array([0.2, 0.6, 0.2]), np.array([2 / 3, 1 / 3])])
    )


def test_jpsro_calls_differ_and_can_be_repeated():
    ones = [[1] * 3, [1] * 3]
    one, two = as_jpsro("rvcce", 5), as_jpsro("rvcce", 5)
    draws = [one(tensor(0, 3, 3), ones)[0] for _ in range(4)]
    again = [two(tensor(0, 3, 3), ones)[0] for _ in range(4)]
    np.testing.assert_array_equal(draws, again)
    assert np.abs(draws[0] - np.array(draws[1:])).max() > 1e-3


def test_a_name_that_openspiel_has_is_refused(table):
    before = dict(table)
    with pytest.raises(UserError, match="replicator dynamics here and a random Diri"):
        register_in_jpsro("minwcce", "rd")
    assert table == before  # nothing was registered by halves
    assert register_in_jpsro("rd", prefix="our_") == ("our_rd",)
    with pytest.raises(UserError, match="'our_rd'"):
        register_in_jpsro("rd", prefix="our_")
    with pytest.raises(UserError, match="unknown name 'mgcc'"):
        register_in_jpsro("mgce", "mgcc", prefix="x_")
    assert "x_mgce" not in table


@patch.dict("psro.openspiel_solvers.overwritten", clear=True)
def test_overwriting_leaves_the_wrapper_its_own_solver(table):
    theirs = solve(JPSROSolver("uni"), tensor(0, 3, 3)).joint
    register_in_jpsro("rd", overwrite=True)
    assert table["rd"].__module__ == "psro.openspiel"
    solution = solve(JPSROSolver("rd"), tensor(0, 3, 3))
    assert solution.joint.min() > 0  # a Dirichlet joint, not a product
    assert np.abs(solution.joint - product(solution.marginals)).max() > 1e-3
    assert theirs.shape == (3, 3)


# ---- theirs inside our front door


@pytest.mark.parametrize("concept", ["cce", "ce"])
@pytest.mark.parametrize("actions", [(2, 2), (3, 3), (4, 2), (2, 2, 2), (2, 3, 2)])
def test_openspiels_gini_optimum_is_ours(concept, actions):
    for seed in range(3):
        game = Game(tensor(seed, *actions))
        theirs = solve(JPSROSolver(f"mg{concept}"), game, throw=False)
        ours = solve(get(f"mg{concept}"), game)
        if theirs.status is Status.OK:  # where OSQP converged
            assert 0.5 * np.abs(theirs.joint - ours.joint).sum() < 1e-3
        gini = 1 - np.sum(theirs.joint**2)
        assert 1 - np.sum(ours.joint**2) > gini - 1e-4 or theirs.status is not Status.OK


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_openspiels_welfare_optimum_is_ours(concept):
    for seed in range(4):
        game = Game(tensor(seed, 3, 2, 2))
        for lp in ("CLARABEL", "HIGHS"):
            theirs = solve(JPSROSolver(f"mw{concept}", lp), game)
            ours = solve(get(f"mw{concept}"), game)
            assert theirs.values.sum() == pytest.approx(ours.values.sum(), abs=1e-6)
            assert theirs.diagnostics["lp"] == lp


def test_openspiels_repeats_are_ours():
    repeats = [[1, 2, 3], [2, 1]]
    game = Game(tensor(5, 3, 2), repeats=repeats)
    pairs = [(JPSROSolver("uni"), "uniform"), (JPSROSolver("mgcce"), "mgcce")]
    pairs += [(PSROv2Solver("uniform"), "uniform")]
    for theirs, ours in pairs:
        joint, expected = solve(theirs, game).joint, solve(get(ours), game).joint
        assert 0.5 * np.abs(joint - expected).sum() < 1e-3


STEPPED = {"prd", "rm"}
FAST = [JPSROSolver(name) for name in JPSRO_CONCEPTS if name not in STEPPED]
FAST += [PSROv2Solver(name) for name in PSRO_V2_CONCEPTS if name not in STEPPED]
FAST += [PSROv2Solver(name, steps=500) for name in sorted(STEPPED)]


@pytest.mark.parametrize("solver", FAST, ids=lambda s: f"{type(s).__name__}-{s.name}")
def test_every_solver_of_openspiel_answers_validly(solver):
    zero_sum = np.stack([tensor(1, 3, 3)[0], -tensor(1, 3, 3)[0]])
    games = [Game(zero_sum), Game(np.zeros((2, 1, 1)))]
    if solver.players[1] > 2:
        games.append(Game(tensor(1, 2, 3, 2)))
    for game in games:
        before = game.payoffs.copy()
        one, two = (solve(solver, game, 7, throw=False) for _ in range(2))
        assert one.status in (Status.OK, Status.INACCURATE), one.diagnostics
        assert one.joint.min() >= 0 and one.joint.sum() == pytest.approx(1.0)
        np.testing.assert_array_equal(one.joint, two.joint)
        np.testing.assert_array_equal(game.payoffs, before)
        gap = one.gaps.of(solver.concept).max()
        assert gap < 1e-5 or one.status is Status.INACCURATE
    other = solve(solver, games[0], 8, throw=False).joint
    assert solver.stochastic == bool(np.abs(other - solve_7(solver, games[0])).max())


def solve_7(solver, game):
    return solve(solver, game, 7, throw=False).joint


SMALL = np.array([[[0.0, 7.0], [2.0, 6.0]], [[0.0, 2.0], [7.0, 6.0]]]) * 1e-6


@pytest.mark.parametrize("name", ["mgce", "mgcce", "mwce", "min_epsilon_mgcce"])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e13, 1e-290])
def test_openspiels_programs_get_payoffs_of_a_scale_that_they_can_do(name, scale):
    usual = solve(JPSROSolver(name), Game(SMALL * 1e6), throw=False)
    assert "factor" not in usual.diagnostics
    solution = solve(JPSROSolver(name), Game(SMALL * scale), throw=False)
    assert solution.status is Status.OK
    exponent = np.log2(solution.diagnostics["factor"])
    assert exponent == round(exponent)
    if name.startswith("mgc"):  # the others have a continuum of answers
        np.testing.assert_allclose(solution.joint, usual.joint, atol=1e-5)


def test_a_program_of_openspiel_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("psro.openspiel_solvers._RANGES", (0, np.inf))
    begin = time.process_time()
    solution = solve(JPSROSolver("mgcce", seconds=0.3), Game(SMALL), throw=False)
    assert time.process_time() - begin < 10
    assert solution.status is Status.MAX_STEPS
    assert "may be inaccurate" in solution.diagnostics["warnings"][0]


def test_numpys_global_generator_is_left_alone():
    np.random.seed(11)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(11)  # noqa: NPY002
    solve(JPSROSolver("rd"), tensor(0, 3, 3))
    solve(JPSROSolver("rvcce"), tensor(0, 3, 3))
    np.testing.assert_array_equal(np.random.random(3), expected)  # noqa: NPY002


def test_openspiels_lp_solver_is_changed_for_the_call_only():
    from open_spiel.python.algorithms import jpsro, lp_solver

    def state():
        return dict(jpsro.DEFAULT_ECOS_SOLVER_KWARGS), (
            lp_solver.LinearProgram.solve.__defaults__
        )

    before = state()
    assert before[0]["solver"] == "ECOS"
    solve(JPSROSolver("mwcce"), tensor(0, 3, 3))
    assert state() == before
    with pytest.raises(ZeroDivisionError), linear_programs_by("HIGHS"):
        assert state()[0]["solver"] == state()[1][0] == "HIGHS"
        raise ZeroDivisionError
    assert state() == before
    with linear_programs_by("ECOS"):
        assert state() == before


def test_what_openspiel_throws_is_in_the_diagnostics():
    import cvxpy

    if "ECOS" in cvxpy.installed_solvers():
        pytest.skip("needs an OpenSpiel without ECOS")
    solution = solve(JPSROSolver("mwcce", "ECOS"), tensor(0, 3, 3), throw=False)
    assert solution.status is Status.NUMERICAL
    assert "ECOS" in solution.diagnostics["reason"]
    zero_sum = np.stack([tensor(1, 3, 3)[0], -tensor(1, 3, 3)[0]])
    solution = solve(PSROv2Solver("nash", "ECOS"), zero_sum, throw=False)
    assert solution.status is Status.NUMERICAL
    assert "TypeError" in solution.diagnostics["reason"]
    assert "ECOS" in solution.diagnostics["printed"]


def test_openspiels_nash_is_ours():
    for name in ("rock_paper_scissors", "matching_pennies"):
        game = catalogue()[name].game
        theirs = solve(PSROv2Solver("nash"), game).joint
        np.testing.assert_allclose(theirs, solve(get("nash_lp"), game).joint, atol=1e-6)


def test_concepts_and_capabilities_follow_the_name():
    assert JPSROSolver("mwce").concept == "ce" and not JPSROSolver("mwce").stochastic
    assert JPSROSolver("rvcce").concept == "cce" and JPSROSolver("rvcce").stochastic
    assert JPSROSolver("uni").concept == "none"
    assert PSROv2Solver("nash").players == (2, 2)
    with pytest.raises(UserError, match="exactly 2 players; got 3"):
        solve(PSROv2Solver("nash"), tensor(0, 2, 2, 2))
    with pytest.raises(UserError, match="zero-sum"):
        solve(PSROv2Solver("nash"), tensor(0, 2, 2))


def test_wrong_names_and_fields_are_one_sentence():
    with pytest.raises(UserError, match="did you mean 'mgcce'"):
        JPSROSolver("mgccce")
    with pytest.raises(UserError, match="known: alpharank, nash, prd"):
        PSROv2Solver("replicator")
    with pytest.raises(UserError, match="known: CLARABEL, ECOS, HIGHS"):
        JPSROSolver("mwcce", "GUROBI")
    with pytest.raises(UserError, match="solves no linear program"):
        JPSROSolver("mgcce", "HIGHS")
    with pytest.raises(UserError, match="only 'prd' and 'rm' take steps"):
        PSROv2Solver("nash", steps=5)
    with pytest.raises(UserError, match="LP solver 'GLPK'"), linear_programs_by("GLPK"):
        pass
    assert LP_SOLVERS[0] == "CLARABEL"


def test_specs_reach_the_wrappers():
    assert get("openspiel_jpsro") == JPSROSolver()
    assert get("openspiel_jpsro:name=mwce,lp=HIGHS") == JPSROSolver("mwce", "HIGHS")
    assert get("openspiel_jpsro:seconds=2") == JPSROSolver(seconds=2.0)
    assert get("openspiel_psro_v2:name=rm,steps=9") == PSROv2Solver("rm", steps=9)


# ---- without OpenSpiel, or without what it needs


@pytest.mark.parametrize(
    ("hidden", "call", "sentence"),
    [
        ("matplotlib", "register_in_jpsro('mgcce')", "'pip install matplotlib'"),
        ("cvxpy", "solve(JPSROSolver(), game)", "'pip install cvxpy'"),
        ("cvxpy", "solve(PSROv2Solver(), game)", "'pip install cvxpy'"),
        ("pyspiel", "solve(PSROv2Solver(), game)", "'pip install open_spiel'"),
        ("open_spiel", "register_in_jpsro('minwcce')", "'pip install open_spiel'"),
    ],
)
def test_a_missing_package_is_named_when_it_is_needed(hidden, call, sentence):
    code = f"""
        import sys
        sys.modules[{hidden!r}] = None
        import numpy as np
        from meta_solvers import solve
        from metaspiel.nfg.errors import UserError
        from psro.openspiel import *

        game = np.ones((2, 2, 2))
        as_jpsro("uniform")(game, [[1, 1], [1, 1]])
        as_psro_v2("uniform")
        try:
            {call}
        except UserError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sentence in done.stdout
    assert "must be installed" in done.stdout


def test_importing_the_adapters_loads_nothing_heavy():
    code = """
        import sys
        import psro.openspiel
        heavy = {"pyspiel", "cvxpy", "matplotlib", "open_spiel", "torch"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
