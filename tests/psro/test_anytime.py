"""What a population guarantees in its tree: the solver ``anytime``, and selection."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from meta_solvers import UserError, get, solve
from meta_solvers.base import Progress
from metaspiel.games.openspiel import sequence_form
from metaspiel.games.zero_sum import equilibrium
from metaspiel.nfg.simplex import marginals, product
from psro import checkpoint
from psro.arena import exact_arena
from psro.exact import ExactEvaluator, ExactOracle
from psro.loop import respond, run, start
from psro.selection import select
from psro.setup import Setup

GOOFSPIEL_3 = "goofspiel(imp_info=True,num_cards=3,points_order=descending)"


def setup(game, solver, evaluation=None, **more):
    form = sequence_form(game)
    return Setup(
        oracle=ExactOracle(form, initial_policies=more.pop("initial", "uniform")),
        evaluator=ExactEvaluator(form),
        solver=get(solver),
        evaluation=None if evaluation is None else get(evaluation),
        concept=more.pop("concept", "ne"),
        **more,
    )


@pytest.mark.parametrize(
    ("game", "solver", "iterations"),
    [
        ("kuhn_poker", "anytime", 12),
        ("kuhn_poker", "uniform", 12),
        ("leduc_poker", "anytime", 8),
        ("leduc_poker", "nash_lp", 8),
        (GOOFSPIEL_3, "anytime", 6),
        (GOOFSPIEL_3, "rd:steps=50", 6),
    ],
)
def test_what_it_plays_never_grows_more_exploitable(game, solver, iterations):
    initial = "random_deterministic"
    parts = setup(game, solver, "anytime", seed=1, prune=0.0, initial=initial)
    first = start(parts)
    visited = [first, *run(parts, first, iterations)]
    gaps = np.array([state.evaluation_gap for state in visited])
    assert np.all(np.diff(gaps) <= 1e-9)
    for state, gap in zip(visited[::4], gaps[::4], strict=True):
        least = parts.evaluator.pools(state.population).exploitability
        assert gap / 2 == pytest.approx(least, abs=1e-9)
        assert gap <= state.gap("ne") + 1e-9
    value = equilibrium(parts.evaluator.form).values
    drawn = visited[-1].evaluation.values
    assert np.all(np.abs(drawn - value) <= gaps[-1] + 1e-9)


def test_a_resumed_run_has_the_same_bits(tmp_path):
    parts = setup("kuhn_poker", "anytime:nash=0.5", "anytime")
    whole = list(run(parts, start(parts), 6))[-1]
    half = list(run(parts, start(parts), 3))[-1]
    loaded = checkpoint.load(checkpoint.save(half, tmp_path))
    again = list(run(parts, loaded, 6))[-1]
    assert again.train.joint.tobytes() == whole.train.joint.tobytes()
    assert again.evaluation.joint.tobytes() == whole.evaluation.joint.tobytes()


def test_it_promises_what_best_responses_gain():
    parts = setup("leduc_poker", "nash_lp", "anytime", prune=0.0)
    state = list(run(parts, start(parts), 3))[-1]
    promised = np.array(state.evaluation.diagnostics["epsilon"])
    assert promised == pytest.approx(state.evaluation_gaps, abs=1e-9)
    assert np.all(state.evaluation.gaps.ne <= promised + 1e-9)


def test_with_a_whole_share_it_is_the_restricted_equilibrium():
    parts = setup("leduc_poker", "anytime:nash=1", prune=0.0)
    state = list(run(parts, start(parts), 3))[-1]
    game = state.table.game(state.population, repeats=True)
    nash = product(marginals(solve("nash_lp", game).joint))
    np.testing.assert_allclose(state.train.joint, nash, atol=1e-9)


@dataclass(frozen=True)
class Payoffs:
    """An evaluator that knows no tree."""

    inside: ExactEvaluator
    ensemble: int = 1

    def fill(self, population, table, rng):
        return self.inside.fill(population, table, rng)


def test_without_the_tree_it_is_refused():
    parts = setup("kuhn_poker", "anytime")
    blind = replace(parts, evaluator=Payoffs(parts.evaluator))
    sentence = "Anytime: the policies must be known in the tree"
    with pytest.raises(UserError, match=sentence):
        start(blind)
    with pytest.raises(UserError, match=sentence):
        solve("anytime", [[1.0, -1.0], [-1.0, 1.0]])
    with pytest.raises(UserError, match="after elimination, " + sentence):
        start(replace(parts, solver=get("undominated(anytime)")))
    with pytest.raises(UserError, match=r"nash must be in \[0, 1\]; got 2"):
        get("anytime:nash=2")


@pytest.mark.parametrize(
    ("game", "sentence"),
    [
        ("kuhn_poker(players=3)", "exactly 2 players; got 3"),
        ("first_sealed_auction", "Anytime: the game must be zero-sum"),
        ("goofspiel(num_cards=4)", "Anytime: players must remember"),
    ],
)
def test_other_games_are_refused_before_a_run(game, sentence):
    arena = exact_arena(sequence_form(game))
    with pytest.raises(UserError, match=sentence):
        arena.require(get("anytime"))


def test_selection_takes_the_candidate_that_makes_the_pool_hold_most():
    parts = setup("leduc_poker", "mgce", concept="ce")
    parts = replace(parts, selection="population_exploitability")
    state = list(run(parts, start(parts), 4))[-1]
    pools, rng = parts.evaluator.pools(state.population), np.random.default_rng(0)
    counts = []
    for player in range(2):
        (taken,) = select(
            parts.selection, state.population, state.responses, [player], rng,
            pools=pools,
        )  # fmt: skip
        own = [r for r in state.responses if r.player == player]
        held = [pools.guarantee(player, r.policy[None]).value for r in own]
        assert pools.guarantee(player, taken.policy[None]).value == max(held)
        counts.append(len(own))
    assert max(counts) > 1


def test_selection_needs_the_tree_of_a_zero_sum_game():
    parts = setup("kuhn_poker", "nash", selection="population_exploitability")
    blind = replace(parts, evaluator=Payoffs(parts.evaluator))
    with pytest.raises(UserError, match="must be known in the tree of their game"):
        list(run(blind, start(blind), 1))
    three = setup("kuhn_poker(players=3)", "nash", concept="ne")
    three = replace(three, selection="population_exploitability")
    with pytest.raises(UserError, match="exactly 2 players"):
        list(run(three, start(three), 1))


def test_progress_has_the_tree_only_for_those_who_ask():
    parts = setup("kuhn_poker", "nash_lp")
    population = respond(parts, start(parts)).population
    assert parts.pools(population) is None
    assert Progress(iteration=0).pools is None
    asking = replace(parts, evaluation=get("fallback(anytime,nash_lp)"))
    assert asking.pools(population) is not None
