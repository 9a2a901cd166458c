"""No solver is OK and wrong on sampled games; ``sampled_games.py`` is the judge."""

import itertools
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import sampled_games as judge

from meta_solvers import names, solve


def wrong(games, each):
    """Wrong answers, and the solvers that were asked, without foreign warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = itertools.chain(
            judge.in_batches(games), judge.one_at_a_time(games, each)
        )
        ended = list(runs)
    asked = {name for name, *_ in ended}
    return [f"{n} on {k}: {trouble}" for n, k, _, trouble in ended if trouble], asked


def test_a_few_games_of_every_kind():
    troubles, _ = wrong(list(judge.sampled(len(judge.KINDS), seed=3)), each=1)
    assert not troubles


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_games():
    troubles, asked = wrong(list(judge.sampled(10_200)), each=2)
    assert not troubles
    assert asked >= set(names())


def exact_gap(payoff, joint, player, concept):
    """A CE or CCE gap in rational numbers, one joint action after the other."""
    size, gain = payoff.shape[player], {}
    for index in np.ndindex(*payoff.shape):
        mass = Fraction(float(joint[index]))
        for played in range(size):
            other = (*index[:player], played, *index[player + 1 :])
            advice = index[player] if concept == "ce" else 0
            more = Fraction(float(payoff[other])) - Fraction(float(payoff[index]))
            gain[advice, played] = gain.get((advice, played), 0) + mass * more
    rows = {advice for advice, _ in gain}
    best = [max(gain[advice, played] for played in range(size)) for advice in rows]
    return float(sum(max(g, 0) for g in best))


@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_the_judge_counts_as_rational_numbers_do(concept):
    for kind, raw in judge.sampled(2 * len(judge.KINDS), seed=7):
        joint = np.random.default_rng(1).dirichlet(np.ones(raw[0].size))
        joint = joint.reshape(raw.shape[1:])
        for player, table in enumerate(judge.gains(raw, joint, concept)):
            ours = float(table.max(axis=1).clip(0).sum())
            theirs = exact_gap(raw[player], joint, player, concept)
            size = judge.ranges(raw)[player]
            assert abs(ours - theirs) <= 1e-9 * size, kind


def test_the_judge_sees_what_is_wrong():
    raw = np.array([[[3.0, 0.0], [5.0, 1.0]], [[3.0, 5.0], [0.0, 1.0]]])
    uniform, split = np.full((2, 2), 0.25), np.eye(2) / 2
    assert judge.no_distribution(uniform * (1 + 1e-9))
    assert judge.no_distribution(np.array([[1.5, -0.5], [0.0, 0.0]]))
    assert judge.too_much_gain(raw, uniform, "cce")
    assert judge.too_much_gain(raw, uniform, "cce", allowed=2.0) is None
    assert judge.somebody_gains(raw, np.array([[0.0, 0], [0, 1]]), "cce", -0.1)
    chicken = np.array([[[6.0, 2.0], [7.0, 0.0]], [[6.0, 7.0], [2.0, 0.0]]])
    worst = solve("minwce", chicken)
    assert judge.worse_than_highs(chicken, worst, "mw")
    assert judge.worse_than_highs(chicken, worst, "minw") is None
    corner = solve("mwce", chicken)
    assert judge.worse_than_clarabel(chicken, corner, "entropy")
    assert judge.worse_than_clarabel(chicken, solve("mece", chicken), "entropy") is None
    assert judge.too_much_gain(chicken, split, "ne")
