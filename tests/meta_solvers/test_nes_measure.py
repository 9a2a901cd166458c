"""What a network is worth beside the exact solver."""

from dataclasses import asdict

import numpy as np
import pytest

from meta_solvers.exact.build import build
from meta_solvers.nes.measure import Comparison, apart, compare, gap
from metaspiel.nfg.sample import sample


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_gap_and_distance(concept):
    game = np.array([[[[-1.0, -3.0], [0.0, -2.0]], [[-1.0, 0.0], [-3.0, -2.0]]]])
    problem, _ = build(game, concept)
    joints = np.zeros((1, 2, 2))
    joints[0, 0, 0] = 1.0  # both would rather confess, and gain 1 each
    assert gap(problem, joints) == pytest.approx([2 / game[0, 0].std()])
    assert gap(problem, joints[:, ::-1, ::-1]) == pytest.approx([0.0])
    assert apart(joints, joints[:, ::-1]) == pytest.approx([1.0])


@pytest.mark.parametrize("concept", ["cce", "ce"])
def test_more_steps_are_nearer_to_exact(concept, monkeypatch):
    rng = np.random.default_rng(0)
    games = [sample("l2_invariant", (4, 4), rng).payoffs for _ in range(6)]
    payoffs = np.stack(games)
    measured = compare(payoffs, concept)
    stored = asdict(measured)
    assert list(stored) == ["uniform", "nes", "refined", "exact"]
    assert Comparison.of(stored) == measured
    for what in ("gap", "solver_gap"):
        # What is refined may be solved: then rounding is all that is left.
        means = [max(np.mean(one[what]), 1e-9) for one in stored.values()]
        assert means == sorted(means, reverse=True)
    assert measured.solved == measured.games == 6
    assert max(measured.exact.gap) < 1e-9
    monkeypatch.setattr("meta_solvers.nes.measure._AT_ONCE", 32)  # two games at once
    parts = compare(payoffs, concept)
    np.testing.assert_allclose(parts.nes.gap, measured.nes.gap, atol=1e-5)
