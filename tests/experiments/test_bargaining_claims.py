"""Claims on regrets: their verdicts on rows whose answers are known."""

import sys
from pathlib import Path

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
from experiments.bargaining.rivals import lower
from experiments.bargaining.tables import comparisons

CLAIMS = (
    "lowest", "consistent", "margin", "small", "large", "online", "final", "uncertain",
    "conservative", "moderate",
)  # fmt: skip


def judged(rows, fidelity=()):
    return dict(zip(CLAIMS, judge(sort_out(rows, fidelity)), strict=True))


def verdicts(rows, fidelity=()):
    claims = judged(rows, fidelity)
    return {name: said(claim) for name, claim in claims.items()}


def said(claim):
    return str(claim.verdict), claim.numbers["leaning"]


def of(rows, behaviour, size):
    return [r for r in rows if r.data == (behaviour, size)]


def settings_of(error):
    """Fidelity of COffeE at nine settings of five trials."""
    return [
        fidelity_row(1.0, error(p, c) + t, penalty=p, coverage=c, trial=t)
        for p in (2.0, 4.0, 6.0)
        for c in (0.1, 0.2, 0.3)
        for t in range(5)
    ]


def test_a_world_in_which_the_paper_is_right():
    for_it, untested = ("holds", "for"), ("not tested", "none")
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
    assert claims["small"].verdict == "holds"
    assert "Lowest mean on 3 of 4 data sets" in claims["lowest"].evidence


def test_a_world_in_which_the_paper_is_wrong():
    def opposite(*cell):
        return 5.0 - claimed(*cell)

    points = [fidelity_row(i, -1.0 * i, trial=i) for i in range(8)]
    # Ten trials: the reverse tests of eight pairs are corrected.
    claims = judged(world(opposite, trials=10), points)
    for name in ("lowest", "margin", "small", "large", "online", "final", "uncertain"):
        assert claims[name].verdict == "fails", name
    assert claims["moderate"].verdict == "not tested"


def test_a_world_in_which_nothing_matters():
    # All decidable, so that it is not for want of trials.
    claims = judged(world(lambda *cell: 1.0))
    assert {claims[name].judged for name in CLAIMS[:7]} == {"undecided"}


def test_two_trials_cannot_tell():
    rows = world(claimed, trials=2, data=[("psro", 1000)], evaluations=("r2d",))
    claims = judged(rows)
    lowest = claims["lowest"]
    assert said(lowest) == ("undecided", "for")
    assert lowest.remark == "too few trials: the least possible p is 0.25"
    assert lowest.numbers["rivals"]["OEF+R2D"]["p"] == pytest.approx(1 / 4)
    assert "least possible p 0.25" in lowest.evidence
    assert claims["margin"].verdict == claims["consistent"].verdict == "not tested"


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
        assert claim.remark.startswith("too few trials")
        assert "R2D lower in 3 of 3 trials" in claim.evidence
        (test,) = claim.numbers["rivals"].values()
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
    assert said(claim) == ("fails", "against")
    assert claim.numbers["rivals"]["uncertainty"]["rho"] == pytest.approx(-1.0)
    assert "12 runs pooled: rho +0.5" in claim.evidence
    # The same between trials, whose runs share a model.
    points = [
        fidelity_row(10.0 * t + i, 10.0 * t - i, trial=t, approach=a, exploration=x)
        for t in range(4)
        for i, (a, x) in enumerate(LINES[:4])
    ]
    claim = judged([], points)["uncertain"]
    assert said(claim) == ("fails", "against")
    # Rising within one data set and falling within the other.
    points = [
        fidelity_row(i, (1 if b == "psro" else -0.5) * i, trial=i, behaviour=b)
        for b in ("psro", "uniform")
        for i in range(5 + 5 * (b == "psro"))
    ]
    assert verdicts([], points)["uncertain"] == ("undecided", "mixed")


def test_missing_rivals_are_counted():
    rows = [r for r in world(claimed) if r.approach == "coffee"]
    claim = judged(rows)["lowest"]
    assert claim.judged == "not tested: 1 of 5 rivals"
    assert claim.numbers["leaning"] == "for" and "COffeE+RD -0.299" in claim.evidence
    # One rival without one data set; then the reference without one.
    where = [("psro", 1000), ("uniform", 1000)]
    whole = world(claimed, data=where)
    gone = [r for r in of(whole, "psro", 1000) if r.approach == "oef"]
    claim = judged([r for r in whole if r not in gone])["lowest"]
    assert claim.judged == "not tested: 3 of 5 rivals"
    assert "none on 1000 PSRO" in claim.evidence
    rows = [r for r in whole if (r.approach, r.behaviour) != ("coffee", "psro")]
    claims = judged(rows)
    assert claims["lowest"].judged == "not tested: 0 of 5 rivals"
    assert claims["online"].judged == "not tested: 4 of 8 rivals"


def test_losing_on_one_data_set_is_mixed():
    def cell(approach, exploration, evaluation, behaviour, size):
        lost = 0.3 * (approach == "oef" and behaviour == "psro")
        return claimed_anywhere(approach) - 4 * lost + 0.1 * (exploration == "rd")

    where = [("psro", 1000), ("uniform", 1000), ("uniform", 2000)]
    claim = judged(world(cell, data=where))["lowest"]
    assert max(test["p"] for test in claim.numbers["rivals"].values()) < 0.05
    assert said(claim) == ("undecided", "mixed")
    assert claim.remark == "data sets disagree"
    assert "1000 PSRO +0.2" in claim.evidence
    # Against likewise: a rival that is lower on average, but not everywhere.
    claim = judged(world(lambda *c: 4 - cell(*c), data=where))["lowest"]
    numbers = claim.numbers["rivals"]["OEF+R2D"]["differences"]
    assert numbers["1000 PSRO"] < 0 < numbers["1000 uniform"]
    assert claim.verdict == "fails"  # COffeE with RD is lower everywhere
    # Without that one it would be mixed.
    pair = {t: 1.0 + t for t in range(6)}
    down, up = ({t: v + shift for t, v in pair.items()} for shift in (-1, 0.1))
    strata = {"a": (pair, down), "b": (pair, down), "c": (pair, up)}
    one = lower("", {"one": strata}, "")
    assert one.numbers["rivals"]["one"]["p_reverse"] < 0.05
    assert one.judged == "undecided: data sets disagree"
    assert lower("", {"one": {"a": (pair, down)}}, "").verdict == "fails"


def test_trials_are_paired():
    # What trials share is forty times the difference.
    claim = judged(world(claimed, shared=40.0))["online"]
    assert claim.verdict == "holds" and "sign flips" in claim.test
    rows = world(claimed, data=[("psro", 1000)], shared=40.0)
    table = {
        c.line: c
        for c in comparisons(sort_out(rows).main, None)
        if c.evaluation == "r2d"
    }
    one = table["oef", "r2d"]
    assert one.p_permutation > 0.3
    assert one.p_paired == one.p_paired_smallest == 1 / 32
    # Without one trial of one side nothing is paired, and that is said.
    rows = [r for r in rows if (r.approach, r.trial) != ("oef", 4)]
    claim = judged(rows)["lowest"]
    assert "permutation" in claim.test
    tests = claim.numbers["rivals"]
    assert not tests["OEF+R2D"]["paired"] and tests["COffeE+RD"]["paired"]
    gaps = comparisons(sort_out(rows).main, None)
    assert {c.p_paired for c in gaps if c.approach == "oef"} == {None}


def test_the_most_consistent():
    def spread(wide):
        return [
            row(5.0 + SHARED[t] * (wide if (a, x) == ("coffee", "r2d") else 1), a, x,
                trial=t, behaviour=b)
            for a, x in LINES
            for b in ("psro", "uniform")
            for t in range(6)
        ]  # fmt: skip

    assert verdicts(spread(0.2))["consistent"] == ("holds", "for")
    assert verdicts(spread(3.0))["consistent"] == ("fails", "against")
    two = [r for r in spread(0.2) if r.trial < 2]
    assert verdicts(two)["consistent"] == ("not tested", "none")


def test_larger_settings_and_the_error():
    claims = verdicts([], settings_of(lambda p, c: 9 - p - 10 * c))
    assert claims["conservative"] == ("holds", "for")
    claims = verdicts([], settings_of(lambda p, c: p + 10 * c))
    assert claims["conservative"] == ("fails", "against")
    claims = verdicts([], settings_of(lambda p, c: 10 * c - p))
    assert claims["conservative"] == ("fails", "mixed")
    one = [p for p in settings_of(lambda p, c: c) if p.penalty == 2]
    assert judged([], one)["conservative"].judged == "not tested: 1 of 2 rivals"


@pytest.mark.parametrize(
    ("regret", "verdict"),
    [
        (lambda p, c: 1.0 + (p in (2, 6) and c in (0.1, 0.3)), "holds"),
        (lambda p, c: 2.0 - (p in (2, 6) and c in (0.1, 0.3)), "fails"),
    ],
)
def test_moderate_conservatism(regret, verdict):
    claim = judge(sort_out(sweep(regret)))[-1]
    assert claim.verdict == verdict
    # A trial counts once, however many moderate settings it has.
    assert claim.numbers["rivals"]["the least conservative"]["p_smallest"] == 1 / 64
