"""Means, shares and their intervals; and tests of groups and of pairs."""

import math
from itertools import combinations

import numpy as np
import pytest

from experiments.lab.estimates import estimate, trailing, wilson
from experiments.lab.statistics import mcnemar
from experiments.lab.verdict import Higher, several


def test_an_estimate_says_its_interval_where_it_has_one():
    made = estimate([1.0, 2.0, 3.0], 0)
    assert made.mean == 2.0 and made.values == [1.0, 2.0, 3.0]
    assert 1 <= made.low < 2 < made.high <= 3
    assert made.shown(2) == f"2.00 [{made.low:.2f}, {made.high:.2f}]"
    assert estimate([1.5], 0).shown() == "1.5"
    assert estimate([], 0).mean is None and estimate([], 0).shown() == "-"


def test_trailing_means():
    values = np.random.default_rng(0).normal(size=(2, 25))
    means = trailing(values, 10)
    for t in range(25):
        mean = values[:, max(0, t - 9) : t + 1].mean(1)
        assert means[:, t] == pytest.approx(mean)


def test_wilson_against_its_equation():
    for hits, trials in ((0, 10), (3, 10), (10, 10), (843, 1000)):
        low, high = (end / 100 for end in wilson(hits, trials))
        share = hits / trials
        for end in (low, high):
            if 1e-9 < end < 1 - 1e-9:  # |share - end| is 1.96 standard errors at end
                error = math.sqrt(end * (1 - end) / trials)
                assert abs(share - end) == pytest.approx(1.959964 * error, rel=1e-5)
        assert 0 <= low <= share <= high <= 1
    assert wilson(0, 10)[1] == pytest.approx(27.75, abs=0.01)


def test_mcnemar_is_the_sign_test_of_the_discordant_pairs():
    assert mcnemar(0, 0) == mcnemar(2, 1) == 1.0
    assert mcnemar(10, 0) == mcnemar(0, 10) == pytest.approx(2 / 2**10)
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 2**6)


def test_higher_is_the_permutation_test_both_ways():
    mixed, other = [1.0, 5.0, 6.0], [2.0, 3.0, 0.5]
    sums = [sum(three) for three in combinations(mixed + other, 3)]
    test = Higher.of(mixed, other, 0)
    assert test.p == pytest.approx(np.mean([total >= sum(mixed) for total in sums]))
    assert test.p_reverse == pytest.approx(np.mean([t <= sum(mixed) for t in sums]))
    assert test.smallest_p == 1 / 20 and test.decided == ("undecided", "")
    assert test.words.startswith("p 0.") and "least possible 0.05" in test.words


def test_several_tests_are_corrected_for_their_number():
    alone = Higher(p=0.02, p_reverse=0.99, smallest_p=0.004)
    assert several([alone]) == [alone]
    assert alone.decided == ("holds", "")
    none = Higher(p=None, p_reverse=None, smallest_p=None)
    other = Higher(p=0.3, p_reverse=0.7, smallest_p=0.004)
    low = Higher(p=1.0, p_reverse=0.004, smallest_p=0.004)
    one, two, three, four = several([alone, other, none, low])
    assert one.corrected == pytest.approx((0.06, 1.0))  # Holm: the least of three
    assert one.decided == ("undecided", "holds before correction only")
    assert "corrected 0.06, 1" in one.words
    assert two.corrected == pytest.approx((0.6, 1.0)) and three == none
    assert four.decided == ("fails", "") and four.corrected[1] == pytest.approx(0.012)
    few = several([Higher(p=0.05, p_reverse=1.0, smallest_p=0.05)] * 3)[0]
    assert few.decided == ("undecided", "too few trials: the least possible p is 0.15")
