"""PSRO without the tensor: the same as with it, resumable, and small."""

import functools
import json

import numpy as np
import pytest

from meta_solvers import get, names
from meta_solvers.solving import solve
from meta_solvers.values import Status
from meta_solvers.without_tensor import KNOWN, solve_product
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.population import population_game
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import measure
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.simplex import marginals, product
from psro import loop
from psro.exact import ExactEvaluator, ExactOracle
from psro.setup import Setup
from psro.without_tensor import ProductSetup, load, run, save, start


@functools.cache
def kuhn(players):
    return sequence_form(f"kuhn_poker(players={players})")


def setup(solver, players=3, **more):
    oracle = ExactOracle(kuhn(players), tie_break="first")
    return ProductSetup(oracle=oracle, solver=get(solver), selection="all", **more)


def mixed(rng, actions):
    return [rng.dirichlet(np.ones(size)) for size in actions]


def pools(form, sizes, rng):
    return [
        np.stack([tree.plan(tree.random_deterministic(rng)) for _ in range(size)])
        for tree, size in zip(form.trees, sizes, strict=True)
    ]


@pytest.mark.parametrize("players", [2, 3, 4])
def test_worth_values_and_gaps_are_those_of_the_tensor(players):
    form, rng = kuhn(players), np.random.default_rng(players)
    plans = pools(form, (3, 4, 2, 5)[:players], rng)
    dense = Game(form.tensor(plans))
    without = population_game(form, plans)
    written = ImplicitGame.of(dense)
    assert without.actions == dense.actions
    for _ in range(3):
        profile = mixed(rng, dense.actions)
        joint = product(profile)
        for player in range(players):
            one, two = (g.worth(player, profile) for g in (without, written))
            np.testing.assert_allclose(one, two, atol=1e-12)
        np.testing.assert_allclose(
            without.gaps(profile), measure(dense, joint).ne, atol=1e-12
        )
        value = dense.payoffs.reshape(players, -1) @ joint.ravel()
        np.testing.assert_allclose(without.values(profile), value, atol=1e-12)


@pytest.mark.parametrize("repeats", [None, [[2, 1, 3], [1, 4], [1, 1, 1, 2]]])
@pytest.mark.parametrize(
    "solver", ["uniform", "last", "rd:steps=40", "prd:steps=40", "rrd:steps=40"]
)
def test_solvers_answer_as_they_do_with_the_tensor(solver, repeats):
    rng = np.random.default_rng(4)
    game = Game(rng.normal(size=(3, 3, 2, 4)), repeats=repeats)
    dense = solve(solver, game, throw=False)
    without = solve_product(solver, ImplicitGame.of(game))
    for one, two in zip(marginals(dense.joint), without.profile, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-10)
    np.testing.assert_allclose(without.gaps, dense.gaps.ne, atol=1e-10)
    assert without.status is dense.status


@pytest.mark.parametrize("solver", ["rm", "rm:variant=rm+,alternating=true"])
def test_regret_matching_finds_an_equilibrium_of_a_zero_sum_game(solver):
    rng = np.random.default_rng(1)
    game = ImplicitGame.of(Game.zero_sum(rng.normal(size=(5, 6))))
    answer = solve_product(solver, game)
    assert answer.status is Status.OK
    assert (answer.gaps <= 1e-3 * game.scale).all() and answer.gaps.max() > 0


def test_solvers_that_need_the_tensor_say_so():
    game = ImplicitGame.of(Game(np.zeros((2, 2, 2))))
    assert set(KNOWN) <= set(names())
    for name in ("mgcce", "mwcce", "nash_lp", "alpharank", "r2d", "mecce"):
        with pytest.raises(UserError, match="tensor") as error:
            solve_product(name, game)
        assert "\n" not in str(error.value)


def test_runs_are_those_of_the_loop_with_the_tensor():
    """Uniform play needs no scale, so nothing but rounding may differ."""
    one = setup("uniform")
    two = Setup(
        oracle=one.oracle,
        evaluator=ExactEvaluator(kuhn(3)),
        solver=one.solver,
        concept="ne",
        selection="all",
    )
    pairs = zip(
        run(one, start(one), 12), loop.run(two, loop.start(two), 12), strict=True
    )
    for without, dense in pairs:
        assert without.population.sizes == dense.population.sizes
        np.testing.assert_allclose(without.gap, dense.gap("ne"), atol=1e-10)
        np.testing.assert_allclose(
            without.solution.values, dense.train.values, atol=1e-10
        )


def test_a_resumed_run_has_the_same_bits_and_damage_is_told(tmp_path):
    parts = setup("rm:steps=50", seed=3)
    visited = list(run(parts, start(parts), 5))
    place = save(visited[2], tmp_path)
    *_, resumed = run(parts, load(place), 5)
    for one, two in zip(
        visited[-1].solution.profile, resumed.solution.profile, strict=True
    ):
        assert one.tobytes() == two.tobytes()
    assert visited[-1].gaps.tobytes() == resumed.gaps.tobytes()
    assert visited[-1].population.uids == resumed.population.uids
    text = json.loads((place / "state.json").read_text())
    text["iteration"] += 1
    (place / "state.json").write_text(json.dumps(text))
    with pytest.raises(UserError, match="checksum"):
        load(place)
    (place / "arrays.npz").unlink()
    with pytest.raises(UserError, match=r"arrays\.npz is missing"):
        load(place)


def test_four_players_grow_past_what_a_tensor_would_hold():
    parts = setup("uniform", players=4)
    *_, last = run(parts, start(parts), 30)
    assert 4 * np.prod(last.population.sizes, dtype=float) > 1e5
    assert last.gap < 0.3
