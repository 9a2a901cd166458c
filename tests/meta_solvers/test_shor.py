"""SHOR against the plain loop that its authors describe, and what it is told."""

import numpy as np
import pytest
from scipy.special import softmax

from meta_solvers import Game, Progress, Status, UserError, get, solve
from metaspiel.nfg.gaps import against

ROCK_PAPER_SCISSORS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def plain_shor(payoffs, steps, *, mix, temperature, bonus, momentum):
    """The rule as written: the last profile and the mean one."""
    profile = [np.full(size, 1 / size) for size in payoffs.shape[1:]]
    regrets = [np.zeros_like(own) for own in profile]
    before, mean = [0.0] * len(profile), [0.0] * len(profile)
    for _ in range(steps):
        values = [against(payoffs[p], profile, p) for p in range(len(profile))]
        for p, u in enumerate(values):
            c = u - np.mean(u)
            gain = (1 + momentum) * c - momentum * before[p] + bonus * (1 - profile[p])
            if np.max(np.abs(gain)) > 1e-8:
                gain = gain / np.max(np.abs(gain))
            before[p] = c
            regrets[p] = np.maximum(regrets[p] + gain, 0)
            mass = regrets[p].sum()
            matched = (
                regrets[p] / mass if mass >= 1e-12 else np.full(len(u), 1 / len(u))
            )
            profile[p] = (1 - mix) * matched + mix * softmax(u / temperature)
            mean[p] = mean[p] + profile[p] / steps
    return profile, mean


@pytest.mark.parametrize("shape", [(5,), (6, 4), (1, 3), (3, 2, 4), (2, 2, 2, 2)])
@pytest.mark.parametrize("iteration", [0, 1, 30, 75, 200])
def test_shor_is_the_plain_loop(shape, iteration):
    payoffs = np.random.default_rng(iteration).normal(size=(len(shape), *shape))
    part = min(1, iteration / 75)
    constants = {
        "mix": 0.3 + part * (0.05 - 0.3),
        "temperature": 0.5 + part * (0.01 - 0.5),
        "bonus": 0.05 + part * (0.001 - 0.05),
    }
    steps = 300 + 20 * (shape[0] - 1)
    progress = Progress(iteration=iteration)
    got = solve("shor:steps=300", Game(payoffs), progress=progress, throw=False)
    _, mean = plain_shor(payoffs, steps, momentum=0.5, **constants)
    for ours, theirs in zip(got.marginals, mean, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert got.diagnostics["steps"] == steps
    for name, value in constants.items():
        assert got.diagnostics[name] == pytest.approx(value, abs=1e-15)

    got = solve("shor_eval:steps=300", Game(payoffs), throw=False)
    steps = 300 + 50 * (shape[0] - 1)
    constants = {"mix": 0.01, "temperature": 0.001, "bonus": 0.0, "momentum": 0.2}
    last, _ = plain_shor(payoffs, steps, **constants)
    for ours, theirs in zip(got.marginals, last, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_steps_grow_with_the_first_players_policies_up_to_a_limit():
    payoffs = np.zeros((2, 300, 2))
    for spec, steps in (("shor", 5000), ("shor_eval", 15_000)):
        solution = solve(spec, payoffs, progress=Progress(iteration=1))
        assert solution.diagnostics["steps"] == steps
        np.testing.assert_allclose(solution.joint, 1 / 600, atol=1e-12)


def test_shor_comes_close_in_a_zero_sum_game():
    game = Game.zero_sum(ROCK_PAPER_SCISSORS + 0.3 * np.eye(3)[0])
    solution = solve("shor", game, progress=Progress(iteration=75), throw=False)
    assert solution.status is Status.INACCURATE  # honest: it promises "ne"
    assert 1e-6 < solution.gaps.ne.sum() < 0.1


def test_dominated_actions_keep_only_their_share_of_the_softmax():
    payoffs = np.array([[[3.0, 0], [5, 1]], [[3.0, 5], [0, 1]]])  # prisoners
    solution = solve("shor_eval", payoffs)
    assert solution.status is Status.OK
    assert solution.joint[1, 1] > 1 - 1e-6


def test_payoffs_are_read_in_their_unit():
    payoffs = np.random.default_rng(0).normal(size=(2, 4, 4))
    progress = Progress(iteration=3)

    def joint(spec, payoffs):
        return solve(spec, payoffs, progress=progress, throw=False).joint

    scaled = joint("shor:scale=8", payoffs)
    assert scaled.tobytes() == joint("shor", 8 * payoffs).tobytes()
    assert np.abs(scaled - joint("shor", payoffs)).max() > 0.01


def test_outside_of_a_loop_it_must_be_told_not_to_anneal():
    with pytest.raises(UserError, match="over must be none outside of a loop"):
        solve("shor", ROCK_PAPER_SCISSORS)
    alone = solve("shor:over=none", ROCK_PAPER_SCISSORS)
    first = solve("shor", ROCK_PAPER_SCISSORS, progress=Progress(iteration=0))
    assert alone.joint.tobytes() == first.joint.tobytes()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("shor:steps=0", "Shor(): steps must be at least 1; got 0"),
        ("shor:mix=1.5", "Shor(): mix must be from 0 to 1; got 1.5"),
        ("shor_eval:temperature=0", "ShorEvaluation(): temperature must be a finite"),
        ("shor:final_bonus=-1", "Shor(): final_bonus must be a finite number >= 0"),
        ("shor:momentum=nan", "Shor(): momentum must be a finite number >= 0"),
        ("shor:over=0", "Shor(): over must be at least 1; got 0"),
        ("shor:iterate=best", "iterate"),
    ],
)
def test_impossible_fields_are_refused(spec, sentence):
    with pytest.raises(UserError) as refusal:
        get(spec)
    assert sentence in str(refusal.value)
