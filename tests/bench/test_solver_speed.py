"""Benchmarks of single solves: `make bench`. Nothing here fails for being slow."""

import numpy as np
import pytest

from meta_solvers import Game, get, solve
from metaspiel.games.openspiel import sequence_form
from psro.exact import ExactEvaluator, ExactOracle
from psro.loop import run, start
from psro.setup import Setup


def random_game(*actions):
    rng = np.random.default_rng(0)
    return Game(rng.random((len(actions), *actions)))


@pytest.fixture(scope="module")
def kuhn_table():
    """A real 11x11x11 meta-game of three-player Kuhn poker."""
    form = sequence_form("kuhn_poker(players=3)")
    setup = Setup(
        oracle=ExactOracle(form),
        evaluator=ExactEvaluator(form),
        solver=get("mgcce"),
        concept="cce",
    )
    state = list(run(setup, start(setup), 10))[-1]
    return Game(state.table.values[0][:, :11, :11, :11])


@pytest.mark.parametrize(
    ("spec", "actions"),
    [
        ("mwcce", (50, 50)),
        ("mwcce", (100, 100)),
        ("mwcce", (200, 200)),
        ("mwcce", (20, 20, 20)),
        ("mwce", (50, 50)),
        ("mgcce", (50, 50)),
        ("mgcce", (100, 100)),
        ("mgcce", (10, 10, 10)),
        ("mgce", (10, 10)),
        ("rd", (40, 40)),
        ("prd", (40, 40)),
        ("nash", (50, 50)),
    ],
)
def test_random_game(benchmark, spec, actions):
    solver, game = get(spec), random_game(*actions)
    solution = benchmark.pedantic(
        lambda: solve(solver, game, throw=False), rounds=3, warmup_rounds=1
    )
    benchmark.extra_info["status"] = solution.status.name
    assert np.isfinite(solution.joint).all()


def test_gini_on_a_real_kuhn_table(benchmark, kuhn_table):
    solution = benchmark(lambda: solve(get("mgcce"), kuhn_table))
    assert solution.gaps.cce.max() < 1e-8


def test_openspiel_projected_replicator(benchmark):
    """The peer of `rd` and `prd` at its defaults."""
    prd = pytest.importorskip(
        "open_spiel.python.algorithms.projected_replicator_dynamics"
    )
    game = random_game(40, 40)
    benchmark.pedantic(
        lambda: prd.projected_replicator_dynamics(list(game.payoffs)), rounds=2
    )
