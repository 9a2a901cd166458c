"""Tests over several data sets, against closed forms, SciPy and plain ones."""

import numpy as np
import pytest

from experiments.bargaining.strata import compared, correlated
from experiments.lab.statistics import permutation


def numbered(values, first=0):
    return dict(enumerate(values, first))


def test_stratified_tests():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=4).tolist(), rng.normal(1, 1, 5).tolist()
    alone = compared({"one": (numbered(one), numbered(two))})
    assert not alone.paired
    assert alone.p == pytest.approx(permutation(one, two, 0).p)
    assert alone.p_reverse == pytest.approx(permutation(two, one, 0).p)
    assert alone.p_smallest == pytest.approx(1 / 126)
    # Shifts of whole strata change nothing; many splits are drawn.
    shifted = {
        str(s): (numbered([v + s for v in one]), numbered([v + s for v in two]))
        for s in (0, 100)
    }
    twice = compared(shifted)
    assert twice.difference == pytest.approx(alone.difference)
    assert twice.p < alone.p
    many = compared(
        dict.fromkeys("ab", (numbered([0.0] * 10), numbered([1.0] * 10, 10)))
    )
    assert many.p == many.p_smallest == pytest.approx(1 / 20001)


def test_stratified_pairs():
    # Differences -3, -1 and 2 / 2, 4 / 2 of a second stratum: sums of all signs.
    strata = {
        "a": (numbered([0.0]), numbered([4.0])),
        "b": (numbered([0.0, 4.0]), numbered([2.0, 0.0])),
    }
    sums = [a + b + c for a in (-4, 4) for b in (-1, 1) for c in (-2, 2)]
    result = compared(strata)
    assert result.paired and result.difference == (-4 - 1 + 2) / 2
    assert result.p == np.mean([s <= -3 for s in sums])
    assert result.p_reverse == np.mean([s >= -3 for s in sums])
    assert result.p_smallest == 1 / 8
    # The same numbers of trials with other names are no pairs.
    others = {
        name: (a, {key + 9: v for key, v in b.items()})
        for name, (a, b) in strata.items()
    }
    assert not compared(others).paired


def test_rank_correlation_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    x = rng.integers(0, 8, 20).astype(float)
    y = x + rng.normal(0, 3, 20)
    x, y = x.tolist(), y.tolist()
    result = correlated([(x, y)])
    peer = spearmanr(x, y, alternative="greater")
    assert result.rho == pytest.approx(peer.statistic)
    assert result.p == pytest.approx(peer.pvalue, abs=0.01)
    assert correlated([([1.0] * 20, y)]) is None and correlated([]) is None
    # Blocks of one run, or without differences, say nothing; others stay themselves.
    more = [
        (x, [value + 50 for value in y]),
        ([3.0], [-90.0]),
        ([1.0, 1.0], [2.0, 3.0]),
    ]
    assert correlated(more).rho == pytest.approx(peer.statistic)
    assert correlated(more).blocks == 1
    # Three runs have six orders, of which one rises as much; twice that, 36.
    three = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert correlated([three]).p == pytest.approx(1 / 6, abs=0.01)
    twice = correlated([three, three])
    assert twice.p == pytest.approx(1 / 36, abs=0.004)
    assert twice.p_smallest == pytest.approx(1 / 36)
