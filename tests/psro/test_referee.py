"""Exact gaps of learned policies, beside what play and the tree say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from meta_solvers import get
from metaspiel.games import sequence_form
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.batched import OpenSpielSimulator
from metaspiel.games.recalling import Recalling
from metaspiel.learn.evaluate import Matches, play, pure
from metaspiel.learn.mlp import MLP
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro import InProcess, Setup, learned_arena, run, start
from psro.exploiting import by_learning
from psro.parts import Population
from psro.referee import Referee
from psro.sampled import pools_of

PLAYS = ("uniform", "greedy", "sampled")


def drawn_population(network, players, scale=3):
    population = Population(((),) * players)
    for player in range(players):
        for number, mode in enumerate(PLAYS):
            seed = torch.Generator().manual_seed(10 * player + number)
            weights = scale * network.initial(seed).numpy()
            population = population.add(player, weights, mode)
    return population


@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("name", ["kuhn_poker", "kuhn_poker(players=3)", "matrix_rps"])
def test_the_tree_pays_what_play_pays(name, window):
    game, form = OpenSpielSimulator(name), sequence_form(name)
    game = game if window is None else Recalling(game, window)
    network = MLP.of(game, 8)
    # Milder policies where inputs are more: what is never drawn has no standard error.
    population = drawn_population(network, game.players, 3 if window is None else 1)
    plans = Referee.of(game, form, network).plans(population)
    for tree, pool in zip(form.trees, plans, strict=True):
        np.testing.assert_allclose(pool[0], tree.plan(tree.uniform()))
        assert set(np.unique(pool[1])) <= {0, 1}
    cells = np.array([[m, (m + 1) % 3, 2][: game.players] for m in range(3)])
    match = Matches(
        simulator=game,
        network=network,
        pools=pools_of(population),
        profiles=pure(cells, 3000),
        seed=(4,),
    )
    (scores,) = play([match])
    exact = form.tensor(plans)[(slice(None), *cells.T)]  # [N, C]
    apart = np.abs(scores.mean[0].T - exact)
    assert np.all(apart <= 4.5 * scores.error[0].T + 1e-6)


def test_a_run_is_measured_exactly_beside_what_it_learns():
    name = "kuhn_poker"
    settings = PPOResponse(decisions=3000, games=32, rounds=16, width=16)
    form = sequence_form(name)
    arena = learned_arena(
        OpenSpielSimulator(name), settings, episodes=300, width=16, form=form
    )
    oracle, evaluator = arena.parts(0, InProcess())
    setup = Setup(
        oracle=oracle, evaluator=evaluator, solver=get("nash"), concept="ne", seed=0
    )
    first = start(setup)
    exact, worth = arena.referee.judge(first.population, first.train.joint, "ne")
    conv = form.nash_conv([tree.uniform() for tree in form.trees]).sum()
    assert exact == pytest.approx(conv) and worth == pytest.approx(0)
    state = list(run(setup, first, 3))[-1]
    plays = {m.play for pool in state.population.pools for m in pool}
    assert plays == {"uniform", "sampled"}
    assert arena.referee.judge(state.population, state.train.joint, "ne")[0] < exact
    assert arena.facts["oracle"].startswith("ppo")


@pytest.mark.parametrize("how", ["last", "mixture"])
def test_a_warm_start_begins_with_a_policy_of_the_pool(how):
    game = OpenSpielSimulator("kuhn_poker")
    still = DDQN(decisions=320, games=16, capacity=100, minimum=100, rate=0.0)
    arena = learned_arena(game, still, episodes=20, width=16, start=how)
    oracle, evaluator = arena.parts(0, InProcess())
    setup = Setup(oracle=oracle, evaluator=evaluator, solver=get("last"), concept="ne")
    state = list(run(setup, start(setup), 3))[-1]
    # Nothing is learned, so what begins with the newest policy is that policy again;
    # ``last`` is all that is played.
    assert state.population.sizes == (2, 2)
    assert [m.repeats for m in state.population.pools[0]] == [1, 3]


def test_what_a_gpu_learned_is_exploited_without_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    game = OpenSpielSimulator("kuhn_poker")
    here = DDQN(decisions=320, games=16, capacity=100, minimum=100)
    parts = learned_arena(game, here, episodes=20, width=16).parts(0, InProcess())
    oracle, evaluator = parts
    setup = Setup(
        oracle=oracle, evaluator=evaluator, solver=get("uniform"), concept="ne"
    )
    state = list(run(setup, start(setup), 1))[-1]
    arena = learned_arena(game, replace(here, device="cuda"), episodes=20, width=16)
    found = by_learning(arena, state, "ne", settings=here)
    assert np.isfinite(found.gap).all() and not found.exact
    with pytest.raises(UserError, match="torch sees no CUDA device"):
        by_learning(arena, state, "ne")


def test_what_cannot_be_judged_is_refused():
    form = sequence_form("kuhn_poker")
    with pytest.raises(UserError, match="the game must be one of OpenSpiel"):
        learned_arena(Bargaining(), DDQN.budget(100), form=form)
    with pytest.raises(UserError, match="only greedy policies can play every instance"):
        learned_arena(Bargaining(), PPOResponse(), every_instance=True)
    game = OpenSpielSimulator("kuhn_poker")
    with pytest.raises(UserError, match="the network must have 11 inputs"):
        Referee.of(game, form, MLP(3, 4, 2))
    remembering = Recalling(Bargaining(), 2)
    with pytest.raises(UserError, match="the game must be one of OpenSpiel"):
        Referee.of(remembering, form, MLP.of(remembering))
    arena = learned_arena(game, DDQN.budget(100))
    assert arena.referee is None
    oracle, _ = arena.parts(0, InProcess())
    assert oracle.start == "scratch"
