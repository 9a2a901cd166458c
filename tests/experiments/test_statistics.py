"""Tests, corrections and intervals: against scipy, by hand, and when tiny."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.bargaining.published import PUBLISHED
from experiments.lab.censoring import first_time
from experiments.lab.ranks import mean_ranks
from experiments.lab.statistics import (
    holm,
    interval,
    mann_whitney,
    permutation,
    sign_flips,
    standard_error,
)
from experiments.nes.numbers import Spread
from metaspiel.nfg.errors import UserError


def trials(seed, *sizes, shift=0.5):
    rng = np.random.default_rng(seed)
    return [rng.normal(shift * i, 1, size).tolist() for i, size in enumerate(sizes)]


def test_permutation_by_hand():
    # Sums of two of (1, 2, 3, 4): 3, 4, 5, 5, 6, 7; the observed one is 4.
    result = permutation([1, 3], [2, 4], seed=0)
    assert result.p == pytest.approx(2 / 6) and result.smallest == pytest.approx(1 / 6)
    assert result.note == "exact, 6 splits"
    assert permutation([1, 2], [3, 4], seed=0).p == pytest.approx(1 / 6)
    assert permutation([3, 4], [1, 2], seed=0).p == 1.0
    # Equal sums by another order of rounding count as equal.
    assert permutation([0.1, 0.2, 0.3], [0.3, 0.2, 0.1], seed=0).p >= 0.5


@pytest.mark.parametrize("sizes", [(3, 4), (6, 5), (10, 10)])
@pytest.mark.parametrize("seed", [0, 1])
def test_exact_tests_are_scipys(seed, sizes):
    one, two = trials(seed, *sizes)
    theirs = stats.mannwhitneyu(one, two, alternative="less", method="exact")
    assert mann_whitney(one, two, seed=0).p == pytest.approx(theirs.pvalue)
    if math.comb(sum(sizes), sizes[0]) < 1000:
        peer = stats.permutation_test(
            (one, two),
            lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
            alternative="less",
            vectorized=True,
            n_resamples=np.inf,
        )
        assert permutation(one, two, seed=0).p == pytest.approx(peer.pvalue)
    result = permutation(one, two, seed=0)
    assert result.note.startswith("exact")
    welch = stats.ttest_ind(one, two, equal_var=False, alternative="less").pvalue
    assert result.p == pytest.approx(welch, abs=0.08)


def test_many_trials_are_drawn_by_the_seed():
    one, two = trials(3, 30, 25, shift=0.3)
    result = permutation(one, two, seed=1)
    assert result.note == "100000 drawn splits"
    assert result == permutation(one, two, seed=1)
    assert result != permutation(one, two, seed=2)
    welch = stats.ttest_ind(one, two, equal_var=False, alternative="less").pvalue
    assert result.p == pytest.approx(welch, abs=0.02)
    apart = permutation([0.0] * 30, [1.0] * 30, seed=0)
    assert apart.p == apart.smallest == pytest.approx(1 / 100001)


def test_ties_need_no_approximation():
    # Midranks (1.5, 1.5) of (1.5, 1.5, 3, 4): one split of six has as low a sum.
    assert mann_whitney([1, 1], [2, 3], seed=0).p == pytest.approx(1 / 6)
    # Midranks (1, 2.5) of (1, 2.5, 2.5, 4): the sum 3.5 twice, none lower.
    assert mann_whitney([1, 2], [2, 3], seed=0).p == pytest.approx(2 / 6)
    assert mann_whitney([5, 5, 5], [5, 5], seed=0).p == 1.0
    assert permutation([0.1] * 3, [0.1] * 3, seed=0).p == 1.0


@pytest.mark.parametrize("test", [permutation, mann_whitney])
def test_tiny_samples(test):
    for sizes in ((1, 1), (1, 2), (2, 2), (3, 3), (1, 3)):
        lower, other = np.arange(sizes[0]) / 10, 5 + np.arange(sizes[1])
        result = test(lower.tolist(), other.tolist(), seed=0)
        assert result.p == result.smallest == 1 / math.comb(sum(sizes), sizes[0])
    for lower, other in (([], [1.0]), ([1.0], []), ([], [])):
        result = test(lower, other, seed=0)
        assert result.p is None and result.smallest is None
        assert result.note == "no trials on one side"
    with pytest.raises(UserError, match="finite numbers"):
        test([math.nan], [1.0], seed=0)


def test_sign_flips_by_hand():
    # Sums of (3, 1, 2) with all signs: -6, -4, -2, 0, 0, 2, 4, 6; the observed is -2.
    result = sign_flips([-3.0, -1.0, 2.0], seed=0)
    assert result.p == 3 / 8 and result.smallest == 1 / 8
    assert result.note == "exact, 8 signs"
    assert sign_flips([3.0, 1.0, -2.0], seed=0).p == 6 / 8
    assert sign_flips([-1.0] * 5, seed=0).p == 1 / 32
    assert sign_flips([0.0, 0.0], seed=0).p == 1.0
    # Equal sums by another order of rounding count as equal.
    assert sign_flips([0.1, 0.2, -0.3], seed=0).p >= 0.5
    none = sign_flips([], seed=0)
    assert (none.p, none.smallest, none.note) == (None, None, "no pairs")
    with pytest.raises(UserError, match="finite numbers"):
        sign_flips([math.nan], seed=0)


def test_sign_flips_are_scipys():
    (values,) = trials(4, 12, shift=0.0)
    peer = stats.permutation_test(
        (np.array(values),),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        alternative="less",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flips(values, seed=0).p == pytest.approx(peer.pvalue)
    (many,) = trials(5, 40, shift=0.0)
    result = sign_flips(many, seed=1)
    assert result.note == "100000 drawn signs" and result == sign_flips(many, seed=1)
    test = stats.ttest_1samp(many, 0.0, alternative="less").pvalue
    assert result.p == pytest.approx(test, abs=0.02)
    apart = sign_flips([-1.0] * 40, seed=0)
    assert apart.p == apart.smallest == pytest.approx(1 / 100001)


def test_holm_by_hand():
    # Times 4, 3, 2, 1 in order, never below the one before, at most 1.
    table = [[0.01, 0.04], [0.03, 0.005]]
    np.testing.assert_allclose(holm(table), [[0.03, 0.06], [0.06, 0.02]])
    np.testing.assert_allclose(holm([[0.9, 0.6]]), [[1.0, 1.0]])
    assert holm([[0.02, None], [None, 0.3]]) == [[0.04, None], [None, 0.3]]
    assert holm([]) == [] and holm([[None]]) == [[None]]
    with pytest.raises(UserError, match=r"\[0, 1\]; got 1.5"):
        holm([[1.5]])


def test_standard_error():
    assert standard_error([1, 3]) == pytest.approx(1.0)
    assert standard_error([2, 2, 2]) == 0.0
    assert standard_error([1]) is None and standard_error([]) is None


def test_interval_is_scipys_bca():
    values = np.random.default_rng(0).exponential(size=12)
    rng = np.random.default_rng(1)
    peer = stats.bootstrap((values,), np.mean, n_resamples=50_000, rng=rng)
    theirs = peer.confidence_interval
    bounds = interval(values.tolist(), seed=0, draws=50_000)
    assert bounds.note == "BCa"
    np.testing.assert_allclose((bounds.low, bounds.high), theirs, atol=0.06)
    plain = np.quantile(values, [0, 1])
    assert plain[0] < bounds.low < values.mean() < bounds.high < plain[1]
    # Skewness to the right moves both ends to the right of the percentiles.
    index = np.random.default_rng(0).integers(0, 12, (50_000, 12))
    ends = np.quantile(values[index].mean(axis=1), [0.025, 0.975])
    assert bounds.low > ends[0] and bounds.high > ends[1]
    assert bounds == interval(values.tolist(), seed=0, draws=50_000)
    narrow = interval(values.tolist(), seed=0, level=0.5)
    assert bounds.low < narrow.low < narrow.high < bounds.high


def test_intervals_cover_the_mean():
    rng = np.random.default_rng(5)
    hits = 0
    for number in range(200):
        bounds = interval(rng.normal(2, 1, 15).tolist(), seed=number, draws=1000)
        hits += bounds.low <= 2 <= bounds.high
    assert 0.86 <= hits / 200 <= 0.98


def test_intervals_of_few_values():
    assert interval([1.0], seed=0).low is None
    assert interval([], seed=0).note == "at least 2 values are needed; got 0"
    assert interval([2.0, 2.0], seed=0).note == "all values are equal"
    for values in ([1.0, 2.0], [1.0, 2.0, 4.0]):
        bounds = interval(values, seed=0)
        assert min(values) <= bounds.low < bounds.high <= max(values)
        assert "too narrow" in bounds.note
    # Bias and acceleration of five values of which four are equal.
    bounds = interval([0.0, 0, 0, 0, 1], seed=0)
    assert 0 <= bounds.low < bounds.high <= 1
    with pytest.raises(UserError, match="level must be"):
        interval([1.0, 2.0], seed=0, level=1.0)


def test_the_published_table():
    keys = [*PUBLISHED]
    assert len(keys) == 60 and len({key[:3] for key in keys}) == 10
    assert {key[3:] for key in keys} == {
        (size, who) for size in (500, 1000, 2000) for who in ("psro", "uniform")
    }
    assert keys[1][3:] == (500, "uniform")
    assert PUBLISHED["rd", "oef-bc", "rd", 500, "uniform"] == 0.89
    row = [p for key, p in PUBLISHED.items() if key[:3] == ("r2d", "coffee", "rd")]
    assert row == [0.17, 0.76, 0.26, 0.02, 0.01, 0.05]
    assert PUBLISHED["r2d", "oef", "rd", 1000, "psro"] == 0.92
    # The 60 tests are uncorrected: after Holm's correction none is below .05.
    assert min(holm([[*PUBLISHED.values()]])[0]) > 0.05


def test_a_spread_leaves_out_what_is_not_known():
    spread = Spread.of([3.0, None, 1.0])
    assert (spread.mean, spread.best, spread.worst) == (2.0, 1.0, 3.0)
    assert spread.error == pytest.approx(1.0)
    assert Spread.of([None]) == Spread()
    assert Spread.of([2.0]).error is None


def test_medians_of_first_times_are_censored():
    whole = first_time([3, 5, 4, 9, 5], seed=0)
    assert (whole.reached, whole.runs, whole.median) == (5, 5, 5)
    assert whole.low is not None and 3 <= whole.low <= 5 <= whole.high <= 9
    some = first_time([3, None, 4, 9, None], seed=0)
    assert (some.reached, some.median, some.high) == (3, 9, None)
    assert (
        some.shown.startswith("9 [") and "later], not reached by 2 of 5" in some.shown
    )
    few = first_time([3, None, None], seed=0)
    assert few.median is None and few.shown == "not reached by 2 of 3"
    assert first_time([7], seed=0).shown == "7"
    with pytest.raises(UserError, match="at least 1 run"):
        first_time([], seed=0)


def test_mean_ranks_by_hand():
    first = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    second = np.array([[5.0, 5.0, 9.0]] * 2)
    one, two, three = mean_ranks([first, second], seed=0)
    assert [one.mean, two.mean, three.mean] == [1.25, 2.0, 2.75]
    assert (one.low, one.high) == (1.25, 1.25)  # the same of every seed
    assert two.low == 1.75 and two.high == 2.25
    alone = mean_ranks([first[:1]], seed=0)
    assert [r.mean for r in alone] == [1, 2, 3] and alone[0].low is None
    with pytest.raises(UserError, match="a finite value"):
        mean_ranks([np.array([[np.nan, 1.0]])], seed=0)


@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 99))
def test_mean_ranks_share_out_their_sum(methods, seeds, seed):
    """Whatever the values, ranks of n methods have the mean (n + 1) / 2."""
    values = np.random.default_rng(seed).integers(0, 3, (seeds, methods)).astype(float)
    ranks = mean_ranks([values, values[:2]], seed)
    assert np.mean([r.mean for r in ranks]) == pytest.approx((methods + 1) / 2)
    assert all(r.low <= r.mean + 1e-9 and r.mean <= r.high + 1e-9 for r in ranks)
