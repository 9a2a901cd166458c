"""Claims on regrets: their verdicts on rows whose answers are known."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bargaining_worlds import (
    LINES,
    SHARED,
    claimed,
    claimed_anywhere,
    fidelity_row,
    row,
    sweep,
    world,
)

from experiments.bargaining.claims import judge
from experiments.bargaining.results import sort_out
from experiments.bargaining.strata import correlated, stratified
from experiments.bargaining.tables import comparisons
from experiments.bargaining.verdicts import lower
from experiments.lab.statistics import permutation

CLAIMS = (
    "lowest", "consistent", "margin", "small", "large", "online", "final", "uncertain",
    "conservative", "moderate",
)  # fmt: skip


def judged(rows, fidelity=()):
    return dict(zip(CLAIMS, judge(sort_out(rows), fidelity), strict=True))


def verdicts(rows, fidelity=()):
    claims = judged(rows, fidelity)
    return {name: (c["verdict"], c["leaning"]) for name, c in claims.items()}


def of(rows, behaviour, size):
    return [r for r in rows if (r["behaviour"], r["trajectories"]) == (behaviour, size)]


def settings_of(error):
    """Fidelity of COffeE at nine settings of five trials."""
    return [
        fidelity_row(1.0, error(p, c) + t, penalty=p, coverage=c, trial=t)
        for p in (2.0, 4.0, 6.0)
        for c in (0.1, 0.2, 0.3)
        for t in range(5)
    ]


def test_a_world_in_which_the_paper_is_right():
    for_it, untested = ("for", "for"), ("not tested", "none")
    points = [fidelity_row(i, 2.0 * i + i % 2, trial=i) for i in range(8)]
    rows = [*of(world(claimed), "psro", 1000), *of(world(claimed), "uniform", 1000)]
    claims = verdicts(rows, points)
    assert {claims[name] for name in ("conservative", "moderate", "small")} == {
        untested
    }
    for name in ("lowest", "margin", "large", "online", "final", "uncertain"):
        assert claims[name] == for_it, name
    assert claims["consistent"][0] == "undecided"
    # Small uniform data added: OEF-BC is lowest there, and COffeE no longer everywhere.
    claims = judged(world(claimed), points)
    assert claims["small"]["verdict"] == "for"
    assert "Lowest mean on 3 of 4 data sets" in claims["lowest"]["evidence"]


def test_a_world_in_which_the_paper_is_wrong():
    def opposite(*cell):
        return 5.0 - claimed(*cell)

    points = [fidelity_row(i, -1.0 * i, trial=i) for i in range(8)]
    # Ten trials: the reverse tests of eight pairs are corrected.
    claims = judged(world(opposite, trials=10), points)
    for name in ("lowest", "margin", "small", "large", "online", "final", "uncertain"):
        assert claims[name]["verdict"] == "against", name
    assert claims["moderate"]["verdict"] == "not tested"


def test_a_world_in_which_nothing_matters():
    # All decidable, so that it is not for want of trials.
    claims = verdicts(world(lambda *cell: 1.0))
    assert {v for n, (v, _) in claims.items() if n in CLAIMS[:7]} == {"undecided"}


def test_two_trials_cannot_tell():
    rows = world(claimed, trials=2, data=[("psro", 1000)], evaluations=("r2d",))
    claims = judged(rows)
    lowest = claims["lowest"]
    assert (lowest["verdict"], lowest["leaning"]) == ("too few trials", "for")
    assert lowest["numbers"]["OEF+R2D"]["p"] == pytest.approx(1 / 4)
    assert "least possible p 0.25" in lowest["evidence"]
    assert (
        claims["margin"]["verdict"] == claims["consistent"]["verdict"] == "not tested"
    )


def test_the_final_solver_counts_a_trial_once():
    # Three trials of OEF; then the same rows again as OEF-BC, and as other runs.
    def grid(*names):
        return [
            row(value + 0.2 * t, a, x, evaluation=e, trial=t)
            for a, x in names
            for t in range(3)
            for e, value in (("r2d", 1.0), ("rd", 2.0))
        ]

    alone = judged(grid(("oef", "r2d")))["final"]
    more = judged(grid(*LINES))["final"]
    for claim in (alone, more):
        assert claim["verdict"] == "too few trials"
        assert "R2D lower in 3 of 3 trials" in claim["evidence"]
        (test,) = claim["numbers"].values()
        assert test["p"] == test["p_smallest"] == 1 / 8
        assert test["difference"] == pytest.approx(-1.0)


def test_a_relation_between_data_sets_is_none_within_them():
    # Falling within both data sets, rising from one to the other.
    points = [
        fidelity_row(10.0 * s + i, 10.0 * s - i, trial=i, behaviour=b)
        for s, b in enumerate(("psro", "uniform"))
        for i in range(6)
    ]
    claim = judged([], points)["uncertain"]
    assert (claim["verdict"], claim["leaning"]) == ("against", "against")
    assert claim["numbers"]["uncertainty"]["rho"] == pytest.approx(-1.0)
    assert "12 runs pooled: rho +0.5" in claim["evidence"]
    # The same between trials, whose runs share a model.
    points = [
        fidelity_row(10.0 * t + i, 10.0 * t - i, trial=t, approach=a, exploration=x)
        for t in range(4)
        for i, (a, x) in enumerate(LINES[:4])
    ]
    claim = judged([], points)["uncertain"]
    assert (claim["verdict"], claim["leaning"]) == ("against", "against")
    # Rising within one data set and falling within the other.
    points = [
        fidelity_row(i, (1 if b == "psro" else -0.5) * i, trial=i, behaviour=b)
        for b in ("psro", "uniform")
        for i in range(5 + 5 * (b == "psro"))
    ]
    assert verdicts([], points)["uncertain"] == ("mixed", "mixed")


def test_missing_rivals_are_counted():
    rows = [r for r in world(claimed) if r["approach"] == "coffee"]
    claim = judged(rows)["lowest"]
    assert claim["verdict"] == "not tested (1 of 5 rivals)"
    assert claim["leaning"] == "for" and "COffeE+RD -0.299" in claim["evidence"]
    # One rival without one data set; then the reference without one.
    where = [("psro", 1000), ("uniform", 1000)]
    whole = world(claimed, data=where)
    gone = [r for r in of(whole, "psro", 1000) if r["approach"] == "oef"]
    claim = judged([r for r in whole if r not in gone])["lowest"]
    assert claim["verdict"] == "not tested (3 of 5 rivals)"
    assert "none on 1000 PSRO" in claim["evidence"]
    rows = [r for r in whole if (r["approach"], r["behaviour"]) != ("coffee", "psro")]
    claims = judged(rows)
    assert claims["lowest"]["verdict"] == "not tested (0 of 5 rivals)"
    assert claims["online"]["verdict"] == "not tested (4 of 8 rivals)"


def test_losing_on_one_data_set_is_mixed():
    def cell(approach, exploration, evaluation, behaviour, size):
        lost = 0.3 * (approach == "oef" and behaviour == "psro")
        return claimed_anywhere(approach) - 4 * lost + 0.1 * (exploration == "rd")

    where = [("psro", 1000), ("uniform", 1000), ("uniform", 2000)]
    claim = judged(world(cell, data=where))["lowest"]
    assert max(test["p"] for test in claim["numbers"].values()) < 0.05
    assert (claim["verdict"], claim["leaning"]) == ("mixed", "mixed")
    assert "1000 PSRO +0.2" in claim["evidence"]
    # Against likewise: a rival that is lower on average, but not everywhere.
    claim = judged(world(lambda *c: 4 - cell(*c), data=where))["lowest"]
    numbers = claim["numbers"]["OEF+R2D"]["differences"]
    assert numbers["1000 PSRO"] < 0 < numbers["1000 uniform"]
    assert claim["verdict"] == "against"  # COffeE with RD is lower everywhere
    # Without that one it would be mixed.
    pair = {t: 1.0 + t for t in range(6)}
    down, up = ({t: v + shift for t, v in pair.items()} for shift in (-1, 0.1))
    strata = {"a": (pair, down), "b": (pair, down), "c": (pair, up)}
    one = lower("", {"one": strata}, "")
    assert one["numbers"]["one"]["p_reverse"] < 0.05 and one["verdict"] == "mixed"
    assert lower("", {"one": {"a": (pair, down)}}, "")["verdict"] == "against"


def test_trials_are_paired():
    # What trials share is forty times the difference.
    claim = judged(world(claimed, shared=40.0))["online"]
    assert claim["verdict"] == "for" and "sign flips" in claim["test"]
    rows = world(claimed, data=[("psro", 1000)], shared=40.0)
    table = {
        (c["approach"], c["exploration"]): c
        for c in comparisons(sort_out(rows).main, None)
        if c["evaluation"] == "r2d"
    }
    one = table["oef", "r2d"]
    assert one["p_permutation"] > 0.3
    assert one["p_paired"] == one["p_paired_smallest"] == 1 / 32
    # Without one trial of one side nothing is paired, and that is said.
    rows = [r for r in rows if (r["approach"], r["trial"]) != ("oef", 4)]
    claim = judged(rows)["lowest"]
    assert "permutation" in claim["test"]
    tests = claim["numbers"]
    assert not tests["OEF+R2D"]["paired"] and tests["COffeE+RD"]["paired"]
    gaps = comparisons(sort_out(rows).main, None)
    assert {c["p_paired"] for c in gaps if c["approach"] == "oef"} == {None}


def test_the_most_consistent():
    def spread(wide):
        return [
            row(5.0 + SHARED[t] * (wide if (a, x) == ("coffee", "r2d") else 1), a, x,
                trial=t, behaviour=b)
            for a, x in LINES
            for b in ("psro", "uniform")
            for t in range(6)
        ]  # fmt: skip

    assert verdicts(spread(0.2))["consistent"] == ("for", "for")
    assert verdicts(spread(3.0))["consistent"] == ("against", "against")
    two = [r for r in spread(0.2) if r["trial"] < 2]
    assert verdicts(two)["consistent"] == ("not tested", "none")


def test_larger_settings_and_the_error():
    claims = verdicts([], settings_of(lambda p, c: 9 - p - 10 * c))
    assert claims["conservative"] == ("for", "for")
    claims = verdicts([], settings_of(lambda p, c: p + 10 * c))
    assert claims["conservative"] == ("against", "against")
    claims = verdicts([], settings_of(lambda p, c: 10 * c - p))
    assert claims["conservative"] == ("against", "mixed")
    one = [p for p in settings_of(lambda p, c: c) if p["penalty"] == 2]
    assert verdicts([], one)["conservative"][0] == "not tested (1 of 2 rivals)"


@pytest.mark.parametrize(
    ("regret", "verdict"),
    [
        (lambda p, c: 1.0 + (p in (2, 6) and c in (0.1, 0.3)), "for"),
        (lambda p, c: 2.0 - (p in (2, 6) and c in (0.1, 0.3)), "against"),
    ],
)
def test_moderate_conservatism(regret, verdict):
    claim = judge(sort_out(sweep(regret)), [])[-1]
    assert claim["verdict"] == verdict
    # A trial counts once, however many moderate settings it has.
    assert claim["numbers"]["the least conservative"]["p_smallest"] == 1 / 64


def numbered(values, first=0):
    return dict(enumerate(values, first))


def test_stratified_tests():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=4).tolist(), rng.normal(1, 1, 5).tolist()
    alone = stratified([(numbered(one), numbered(two))])
    assert not alone["paired"]
    assert alone["p"] == pytest.approx(permutation(one, two, 0).p)
    assert alone["p_reverse"] == pytest.approx(permutation(two, one, 0).p)
    assert alone["p_smallest"] == pytest.approx(1 / 126)
    # Shifts of whole strata change nothing; many splits are drawn.
    shifted = [
        (numbered([v + s for v in one]), numbered([v + s for v in two]))
        for s in (0, 100)
    ]
    twice = stratified(shifted)
    assert twice["difference"] == pytest.approx(alone["difference"])
    assert twice["p"] < alone["p"]
    many = stratified([(numbered([0.0] * 10), numbered([1.0] * 10, 10))] * 2)
    assert many["p"] == many["p_smallest"] == pytest.approx(1 / 20001)


def test_stratified_pairs():
    # Differences -3, -1 and 2 / 2, 4 / 2 of a second stratum: sums of all signs.
    strata = [
        (numbered([0.0]), numbered([4.0])),
        (numbered([0.0, 4.0]), numbered([2.0, 0.0])),
    ]
    sums = [a + b + c for a in (-4, 4) for b in (-1, 1) for c in (-2, 2)]
    result = stratified(strata)
    assert result["paired"] and result["difference"] == (-4 - 1 + 2) / 2
    assert result["p"] == np.mean([s <= -3 for s in sums])
    assert result["p_reverse"] == np.mean([s >= -3 for s in sums])
    assert result["p_smallest"] == 1 / 8
    # The same numbers of trials with other names are no pairs.
    others = [(a, {key + 9: v for key, v in b.items()}) for a, b in strata]
    assert not stratified(others)["paired"]


def test_rank_correlation_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    x = rng.integers(0, 8, 20).astype(float)
    y = x + rng.normal(0, 3, 20)
    x, y = x.tolist(), y.tolist()
    result = correlated([(x, y)])
    peer = spearmanr(x, y, alternative="greater")
    assert result["rho"] == pytest.approx(peer.statistic)
    assert result["p"] == pytest.approx(peer.pvalue, abs=0.01)
    assert correlated([([1.0] * 20, y)]) is None and correlated([]) is None
    # Blocks of one run, or without differences, say nothing; others stay themselves.
    more = [
        (x, [value + 50 for value in y]),
        ([3.0], [-90.0]),
        ([1.0, 1.0], [2.0, 3.0]),
    ]
    assert correlated(more)["rho"] == pytest.approx(peer.statistic)
    assert correlated(more)["blocks"] == 1
    # Three runs have six orders, of which one rises as much; twice that, 36.
    three = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert correlated([three])["p"] == pytest.approx(1 / 6, abs=0.01)
    twice = correlated([three, three])
    assert twice["p"] == pytest.approx(1 / 36, abs=0.004)
    assert twice["p_smallest"] == pytest.approx(1 / 36)
