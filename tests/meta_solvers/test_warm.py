"""Warm starts: the answer of the whole game, whatever a solver starts from."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import get
from meta_solvers.base import Progress
from meta_solvers.gains import LARGE, Gains
from meta_solvers.polytope import deviations
from meta_solvers.projection import Dense, project_onto_cone
from meta_solvers.solving import solve
from metaspiel.games.openspiel import sequence_form
from metaspiel.nfg.game import Game
from psro.checkpoint import load, save
from psro.exact import ExactEvaluator, ExactOracle
from psro.loop import run, start
from psro.setup import Setup


def random_game(seed, shape, repeats=None):
    rng = np.random.default_rng(seed)
    return Game(rng.normal(size=(len(shape), *shape)), repeats=repeats)


def thin_game(seed, shape, repeats=None):
    """Two players in a zero-sum game, and others who care for their own action only.

    Few joint actions are played in its equilibria.
    """
    rng = np.random.default_rng(seed)
    payoffs = np.zeros((len(shape), *shape))
    payoffs[0] = rng.normal(size=shape)
    payoffs[1] = -payoffs[0]
    for player in range(2, len(shape)):
        own = [size if p == player else 1 for p, size in enumerate(shape)]
        payoffs[player] = rng.normal(size=own)
    return Game(payoffs, repeats=repeats)


def first(game, fewer):
    """The game of the first actions, as it was some iterations ago."""
    return game.restrict([range(size - fewer) for size in game.actions])


def after(warm):
    return Progress(iteration=1, warm=warm)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.sampled_from(["cce", "ce"]),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_products_are_those_with_the_matrix_written_out(shape, concept, seed):
    game, rng = random_game(seed, shape), np.random.default_rng(seed)
    gains = Gains(game, concept)
    everything = np.arange(gains.deviations), np.arange(game.profiles)
    matrix = gains.entries(*everything)
    written, _ = deviations(game, concept)
    live = np.abs(matrix).max(axis=1, initial=0.0) > 1e-13
    told = {tuple(row.round(9)) for row in matrix[live]}
    assert told == {tuple(row.round(9)) for row in written}
    joint, duals = rng.random(game.profiles), rng.random(gains.deviations)
    np.testing.assert_allclose(gains.of(joint), matrix @ joint, atol=1e-10)
    np.testing.assert_allclose(gains.tilt(duals), duals @ matrix, atol=1e-10)
    rows = everything[0]
    np.testing.assert_array_equal(gains.row(gains.named(rows).astype(np.int32)), rows)
    if concept == "cce":
        free = duals < 0.5
        both = matrix[free] * joint @ matrix[free].T
        np.testing.assert_allclose(gains.gram(joint, free), both, atol=1e-10)
        length = np.linalg.norm(matrix, axis=1)
        np.testing.assert_allclose(gains.lengths, length, atol=1e-10)


@pytest.mark.parametrize(
    ("solver", "family", "shape"),
    [
        ("mgcce", thin_game, (42, 40)),
        ("mgcce:epsilon=0.01", thin_game, (42, 40)),
        ("mgcce", thin_game, (15, 15, 15)),
        ("min_epsilon_mgcce", random_game, (42, 40)),
        ("mwcce", random_game, (42, 40)),
        ("mwcce", random_game, (15, 15, 15)),
    ],
)
def test_a_warm_start_gets_the_answer_of_a_cold_one(solver, family, shape):
    game = family(len(shape), shape)
    assert Gains(game, get(solver).concept).entries_in_all >= LARGE
    kept = solve(solver, first(game, 1)).warm
    warm = solve(solver, game, progress=after(kept))
    cold = solve(solver, game)
    if solver in ("mgcce", "mwcce"):
        assert not warm.diagnostics.get("restarts")
        assert warm.diagnostics["rounds"] >= 1
    np.testing.assert_allclose(warm.joint, cold.joint, atol=1e-9)


def test_repeats_count_in_a_warm_start():
    rng = np.random.default_rng(5)
    counts = [rng.integers(1, 5, size=size) for size in (42, 40)]
    game = thin_game(5, (42, 40), counts)
    warm = solve("mgcce", first(game, 1)).warm
    answers = [solve("mgcce", game, progress=after(w)).joint for w in (warm, {})]
    np.testing.assert_allclose(*answers, atol=1e-9)
    plain = solve("mgcce", thin_game(5, (42, 40)))
    assert np.abs(plain.joint - answers[0]).max() > 1e-6


def test_a_game_with_many_optima_keeps_its_objective():
    rng = np.random.default_rng(3)
    game = Game.zero_sum(rng.integers(-2, 3, size=(41, 43)))
    warm = solve("mwcce", first(game, 2)).warm
    answer = solve("mwcce", game, progress=after(warm))
    assert answer.diagnostics["rounds"] >= 1
    assert answer.gaps.cce.max() < 1e-9
    np.testing.assert_allclose(answer.values.sum(), 0.0, atol=1e-9)


@pytest.mark.parametrize("solver", ["mgcce", "mwcce"])
def test_whatever_a_solver_starts_from_the_answer_is_the_same(solver):
    family = thin_game if solver == "mgcce" else random_game
    game = family(8, (42, 40))
    cold = solve(solver, game)
    elsewhere = solve(solver, family(9, (41, 40))).warm
    nonsense = [
        elsewhere,
        {"rows": elsewhere["rows"]},
        elsewhere | {"actions": np.array([-1, 40], dtype=np.int32)},
        elsewhere
        | {
            "actions": np.array([42, 40], dtype=np.int32),
            "columns": np.zeros((0, 2), dtype=np.int32),
        },
        elsewhere | {"columns": elsewhere["columns"] + 1000},
        elsewhere | {"rows": -elsewhere["rows"] - 1},
        elsewhere | {"rows": elsewhere["rows"][:, :2]},
        elsewhere | {"actions": elsewhere["actions"] + 100},
        elsewhere | {"actions": elsewhere["actions"][:1]},
    ]
    for warm in nonsense:
        answer = solve(solver, game, progress=after(warm))
        np.testing.assert_allclose(answer.joint, cold.joint, atol=1e-9)


def test_rows_that_are_not_written_out_give_the_projection():
    game = random_game(11, (42, 40))
    assert Gains(game, "cce").entries_in_all >= LARGE
    rows, _ = deviations(game, "cce")
    written = project_onto_cone(Dense.scaled(rows), np.ones(game.profiles)).point
    joint = solve("mgcce", game).joint.ravel()
    np.testing.assert_allclose(joint, written / written.sum(), atol=1e-12)


@pytest.mark.parametrize("solver", ["mgcce", "mwcce"])
def test_a_resumed_run_starts_from_what_its_checkpoint_holds(tmp_path, solver):
    leduc = sequence_form("leduc_poker")
    setup = Setup(
        oracle=ExactOracle(leduc, tie_break="first"),
        evaluator=ExactEvaluator(leduc),
        solver=get(solver),
        concept="cce",
        evaluation=get("mgcce"),
    )
    visited = list(run(setup, start(setup), 43))
    assert visited[-1].train.diagnostics["rounds"] >= 1
    read = load(save(visited[40], tmp_path))
    assert read.train.warm and read.evaluation.warm
    *_, resumed = run(setup, read, 43)
    for name in ("train", "evaluation"):
        one, two = getattr(visited[-1], name), getattr(resumed, name)
        assert one.joint.tobytes() == two.joint.tobytes()
        assert one.warm.keys() == two.warm.keys()
        for part, array in one.warm.items():
            assert array.tobytes() == two.warm[part].tobytes()


def test_who_else_asks_highs_for_more_threads_does_not_stop_it():
    x = cvxpy.Variable(2)
    cvxpy.Problem(cvxpy.Minimize(cvxpy.sum(x)), [x >= 1]).solve(solver="HIGHS")
    game = random_game(2, (42, 40))
    kept = solve("mwcce", first(game, 1)).warm
    warm = solve("mwcce", game, progress=after(kept))
    assert warm.diagnostics["rounds"] >= 1 and "restarts" in warm.diagnostics
    assert warm.diagnostics["restarts"] == 0


@pytest.mark.parametrize("spec", ["average(mgcce)", "mix(mgcce)", "fallback(mgcce)"])
def test_wrappers_keep_what_the_solver_inside_left(spec):
    game = thin_game(2, (42, 40))
    kept = solve("mgcce", first(game, 1)).warm
    around = solve(spec, first(game, 1), throw=False).warm
    assert {key: value.tolist() for key, value in kept.items()} == {
        key: value.tolist() for key, value in around.items()
    }
    assert kept
