"""A game, and the oracle and evaluator that it needs, in one value."""

import numpy as np
import pytest

from meta_solvers import Game, get, solve
from metaspiel.games import named_simulator, sequence_form
from metaspiel.games.bargaining import Bargaining
from metaspiel.games.sequence import from_normal_form
from metaspiel.learn.settings import DDQN, PPOResponse
from metaspiel.nfg.errors import UserError
from psro import InProcess, Setup, exact_arena, learned_arena, run, start


def played(arena, solver, iterations):
    oracle, evaluator = arena.parts(0, InProcess())
    setup = Setup(oracle=oracle, evaluator=evaluator, solver=get(solver), concept="cce")
    return list(run(setup, start(setup), iterations))


def test_an_exact_arena_is_played_to_an_equilibrium():
    arena = exact_arena(sequence_form("kuhn_poker"), tie_break="first")
    assert arena.name.startswith("kuhn_poker") and arena.caveats == ()
    assert arena.facts["tie_break"] == "first" and arena.facts["infosets"] == [6, 6]
    assert played(arena, "mgcce", 15)[-1].gap("cce") < 1e-9


def test_arenas_of_different_games_can_be_told_apart():
    one, two = (exact_arena(sequence_form("kuhn_poker", n)) for n in (2, 3))
    again = exact_arena(sequence_form("kuhn_poker", 2), tie_break="uniform")
    assert one.fingerprint == again.fingerprint != two.fingerprint


def test_the_probe_is_a_meta_game_of_the_arena():
    for arena, players in (
        (exact_arena(sequence_form("kuhn_poker", 3)), 3),
        (learned_arena(Bargaining(), DDQN.budget(100)), 2),
    ):
        assert arena.probe.payoffs.shape == (players, *(2,) * players)
        assert solve("mgcce", arena.probe).status.name == "OK"


def test_a_solver_that_must_refuse_does_so_before_a_run():
    arena = exact_arena(sequence_form("kuhn_poker", 3))
    arena.require(get("rrd:final=0"), horizon=5)
    with pytest.raises(UserError, match="knows no horizon"):
        arena.require(get("rrd:final=0"))
    with pytest.raises(UserError, match="exactly 2 players; got 3"):
        arena.require(get("nash_lp"))


def test_a_shared_pool_needs_a_symmetric_game():
    game = Game(np.random.default_rng(0).normal(size=(2, 3, 3)))
    with pytest.raises(UserError, match="exchanging players"):
        exact_arena(from_normal_form(game, "random"), shared=True)


def test_a_learned_arena_shares_the_pool_of_a_symmetric_game():
    settings = DDQN.budget(100)
    arena = learned_arena(Bargaining(), settings, episodes=20)
    state = played(arena, "rd", 1)[-1]
    assert arena.facts["shared_pool"] and state.population.shared
    other = learned_arena(named_simulator("kuhn_poker"), settings, episodes=20)
    assert not other.facts["shared_pool"]
    with pytest.raises(UserError, match="chance must act at the root only"):
        learned_arena(named_simulator("kuhn_poker"), settings, every_instance=True)


def test_players_of_a_learned_arena_may_remember():
    settings = PPOResponse(decisions=256, games=16, rounds=8, minibatch=64, epochs=1)
    game, form = named_simulator("kuhn_poker"), sequence_form("kuhn_poker")
    arena = learned_arena(
        game, settings, episodes=20, width=8, memory=2, network="gru", form=form
    )
    assert arena.facts["policies_see"] == (
        "the last 2 own information states and actions"
    )
    assert arena.name == "kuhn_poker" != arena.fingerprint
    state = played(arena, "nash", 1)[-1]
    assert state.population.sizes == (2, 2)
    gap, _ = arena.referee.judge(state.population, state.train.joint, "ne")
    assert 0 < gap < 2


def test_what_policies_see_is_said():
    settings = PPOResponse(decisions=100)
    boxes = named_simulator("coop_box_pushing")
    facts = learned_arena(boxes, settings).facts
    assert facts["policies_see"] == "observations, which need not hold the history"
    facts = learned_arena(boxes, settings, memory=200).facts
    assert facts["policies_see"] == "all own observations and actions"
    facts = learned_arena(Bargaining(), DDQN.budget(100)).facts
    assert facts["policies_see"] == "information states"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"network": "lstm"}, "'lstm' reads a memory"),
        ({"memory": 0}, "window must be at least 1; got 0"),
        ({"memory": 2, "network": "gru"}, "must be an MLP, whose update is written"),
    ],
)
def test_networks_that_cannot_be_are_refused(asked, sentence):
    with pytest.raises(UserError, match=sentence):
        learned_arena(Bargaining(), DDQN.budget(100), **asked)
