"""Runs that end for a reason."""

import pytest

from meta_solvers import get
from metaspiel.games.openspiel import sequence_form
from psro import InProcess, Setup, Stop, exact_arena, run, start, until


@pytest.fixture(scope="module")
def setup():
    oracle, evaluator = exact_arena(sequence_form("kuhn_poker")).parts(0, InProcess())
    return Setup(oracle=oracle, evaluator=evaluator, solver=get("mgcce"), concept="cce")


def test_it_is_the_loop_with_its_start(setup):
    first = start(setup)
    whole = [first, *run(setup, first, 3)]
    made = list(until(Stop(iterations=3), setup))
    assert [reason for _, reason in made] == [None, None, None, "3 iterations"]
    for one, (two, _) in zip(whole, made, strict=True):
        assert one.gap("cce") == two.gap("cce")
        assert one.table.values.tobytes() == two.table.values.tobytes()
    middle, last = made[1][0], made[3][0]
    *_, (resumed, _) = until(Stop(iterations=3), setup, middle)
    *_, (_, reason) = until(Stop(iterations=1), setup)
    assert reason == "1 iteration"
    assert resumed.table.values.tobytes() == last.table.values.tobytes()


@pytest.mark.parametrize(
    ("stop", "sentence"),
    [
        (Stop(iterations=99, gap=0.5), "is at most 0.5"),
        (Stop(iterations=99, no_novel=True), "no novel policy"),
        (Stop(iterations=99, seconds=0.0), "0 seconds"),
        (Stop(iterations=0, gap=1e-9), "0 iterations"),
    ],
)
def test_it_ends_at_the_first_reason(setup, stop, sentence):
    *before, (state, reason) = until(stop, setup)
    assert sentence in reason and state.iteration < 40
    assert all(other is None for _, other in before)
    assert stop.reason(state, "cce", passed=1.0) is not None
