"""Answers that are as exact as the population deserves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_solvers import Game, Progress, Status, UserError, get, solve
from metaspiel.games.openspiel import sequence_form
from psro.arena import exact_arena
from psro.loop import run, start
from psro.setup import Setup


def game(seed, shape=(3, 4)):
    rng = np.random.default_rng(seed)
    return Game(rng.normal(size=(len(shape), *shape)))


def gap(solution):
    return float(solution.gaps.ne.sum())


@settings(deadline=None, max_examples=40)  # numba loads in the first
@given(st.integers(0, 99), st.floats(1e-3, 3.0), st.floats(0.0, 1.0))
def test_the_first_exact_enough_answers(seed, last_gap, enough):
    parts = ("fp:steps=3", "fp:steps=50", "nash")
    spec = f"matched({','.join(parts)}):enough={enough!r}"
    asked = Progress(iteration=2, gap=last_gap)
    solution = solve(get(spec), game(seed), throw=False, progress=asked)
    alone = [solve(get(one), game(seed), throw=False) for one in parts]
    gaps = [gap(one) for one in alone]
    good = [n for n, one in enumerate(gaps) if one <= enough * last_gap]
    chosen = good[0] if good else int(np.argmin(gaps))
    np.testing.assert_allclose(solution.joint, alone[chosen].joint, atol=1e-15)
    asked_of = chosen + 1 if good else len(parts)
    assert len(solution.diagnostics["tried"]) == asked_of
    exact = gaps[chosen] <= 1e-6 * game(seed).scale.sum()
    wanted = Status.OK if good or exact else Status.INACCURATE
    assert solution.status is wanted


def test_what_allows_itself_a_gap_is_not_good_enough():
    asked = {"throw": False, "progress": Progress(iteration=1, gap=0.1)}
    solution = solve(get("matched(mgcce:epsilon=0.3):enough=0.001"), game(0), **asked)
    assert solution.gaps.cce.sum() > 1e-3
    assert solution.status is Status.INACCURATE


def test_the_first_answers_where_no_gap_is_known():
    for progress in (None, Progress(iteration=0)):
        solution = solve(
            get("matched(fp:steps=3,nash)"), game(1), throw=False, progress=progress
        )
        assert solution.diagnostics["chosen"] == "FictitiousPlay"
        assert solution.status is Status.MAX_STEPS


def test_who_refuses_is_passed_over_and_said():
    solution = solve(get("matched(shor:scale=1000,nash)"), game(2))
    refused, taken = solution.diagnostics["tried"]
    assert refused["status"] == "REFUSED" and "over must be none" in str(refused)
    assert taken["solver"] == "Nash" and solution.status is Status.OK


@pytest.mark.parametrize("enough", ["-1", "inf", "nan"])
def test_refuses_a_share_that_is_none(enough):
    with pytest.raises(UserError, match=r"enough must be a finite number >= 0; got"):
        get(f"matched(nash):enough={enough}")


def test_rough_play_while_responses_gain_and_exact_play_when_the_pools_close():
    arena = exact_arena(sequence_form("kuhn_poker(players=3)"), tie_break="uniform")
    oracle, evaluator = arena.parts(0, None)
    solver = get("matched(shor:scale=1000,nash)")
    setup = Setup(oracle=oracle, evaluator=evaluator, solver=solver, concept="ne")
    states = list(run(setup, start(setup), 25, final_gap=True))
    chosen = [state.train.diagnostics["chosen"] for state in states]
    assert chosen[0] == "Shor" and chosen[-1] == "Nash"
    assert states[-1].gap("ne") < 1e-9
