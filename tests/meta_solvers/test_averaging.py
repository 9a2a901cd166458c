"""The average of a solver's answer with the loop's last meta-strategies."""

import numpy as np
import pytest

from meta_solvers import Game, Progress, UserError, get, solve
from metaspiel.games.openspiel import sequence_form
from metaspiel.nfg.simplex import marginals, product
from psro import checkpoint
from psro.arena import exact_arena
from psro.loop import run, start
from psro.setup import Setup

PAST = (np.ones((1, 1)), np.array([[0.5, 0.5]]), np.array([[0.0, 1], [0, 0]]))


def averaged(spec, past=PAST):
    game = Game(np.zeros((2, 2, 3)))
    return solve(get(spec), game, progress=Progress(iteration=3, past=past))


def test_independent_play_stays_independent():
    solution = averaged("average(nash)")
    now = solve("nash", np.zeros((2, 2, 3)))
    first, second = now.marginals
    before = [np.array([3.0, 0]), np.array([1.5, 1.5, 0])]
    wanted = product([(before[0] + first) / 4, (before[1] + second) / 4])
    np.testing.assert_allclose(solution.joint, wanted, atol=1e-15)
    assert solution.diagnostics["averaged"] == 4


def test_joints_of_correlated_play_are_averaged():
    solution = averaged("average(mgcce):last=3")
    wanted = np.full((2, 3), 1 / 6)
    wanted[0, 0] += 0.5
    wanted[0, 1] += 0.5 + 1
    np.testing.assert_allclose(solution.joint, wanted / 3, atol=1e-12)


@pytest.mark.parametrize("spec", ["average(mgcce):last=1", "average(mgcce)"])
def test_with_nothing_to_average_it_is_the_solver_inside(spec):
    solution = averaged(spec, past=PAST if "last=1" in spec else ())
    np.testing.assert_allclose(solution.joint, 1 / 6, atol=1e-12)


def test_impossible_pasts_and_fields_are_refused():
    for joint in (np.ones((3, 3)), np.ones((1, 1, 1))):
        with pytest.raises(UserError, match="joints of the past must have at most"):
            averaged("average(mgcce)", past=(joint,))
    with pytest.raises(UserError, match="last must be at least 1; got 0"):
        get("average(mgcce):last=0")
    with pytest.raises(UserError, match="over must be none outside of a loop"):
        solve("average(shor)", np.zeros((2, 2)))


def loop(solver, evaluation=None):
    arena = exact_arena(sequence_form("kuhn_poker"), tie_break="uniform")
    oracle, evaluator = arena.parts(0, None)
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=get(solver),
        concept="ne",
        evaluation=None if evaluation is None else get(evaluation),
    )


def test_beside_its_solver_it_is_the_mean_of_the_last_targets():
    parts = loop("shor:steps=50", "average(shor:steps=50):last=3")
    states = [*run(parts, start(parts), 5)]
    for at, state in enumerate(states[2:], 2):
        each = [marginals(s.train.joint) for s in states[at - 2 : at + 1]]
        for player, own in enumerate(marginals(state.evaluation.joint)):
            wanted = np.zeros(len(own))
            for profile in each:
                wanted[: len(profile[player])] += profile[player] / 3
            np.testing.assert_allclose(own, wanted, atol=1e-7)  # of what is pruned


@pytest.mark.parametrize(
    "parts", [("average(shor:steps=50):last=3",), ("shor:steps=50", "average(rm)")]
)
def test_it_resumes_bit_for_bit(parts, tmp_path):
    parts = loop(*parts)
    whole = [*run(parts, start(parts), 5)]
    half = checkpoint.load(checkpoint.save(whole[2], tmp_path))
    again = [*run(parts, half, 5)]
    for one, two in zip(whole[3:], again, strict=True):
        assert one.train.joint.tobytes() == two.train.joint.tobytes()
        assert one.evaluation.joint.tobytes() == two.evaluation.joint.tobytes()
