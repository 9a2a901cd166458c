"""The report of the bargaining grid, on rows whose answers are known."""

import csv
import json
import math

import numpy as np
import pytest

from experiments import _bargaining_report as report
from experiments._bargaining_claims import judge
from experiments._bargaining_rows import sort_out
from experiments._bargaining_strata import spearman, stratified
from experiments._bargaining_tables import comparisons, regret_cells, tuning_cells
from experiments._statistics import permutation

SETTINGS = {"coffee": (2.0, 0.1, 0.0), "oef": (0.0, 0.0, 0.0), "oef-bc": (0, 0, 0.4)}
LINES = [(a, x) for a in SETTINGS for x in ("r2d", "rd")]
DATA = [(b, n) for n in (500, 1000) for b in ("psro", "uniform")]
SPREAD = (-0.02, 0.03, -0.01, 0.01, -0.03, 0.02)


def row(regret, approach="coffee", exploration="r2d", **changes):
    penalty, coverage, weight = SETTINGS[approach]
    return {
        "approach": approach,
        "exploration": exploration,
        "evaluation": "r2d",
        "behaviour": "uniform",
        "trajectories": 1000,
        "trial": 0,
        "seed": 7,
        "iteration": 10,
        "iterations": 10,
        "penalty": penalty,
        "coverage": coverage,
        "weight": weight,
        "regret": regret,
        "error": 0.05,
        "screened": regret + 0.2,
        "values": [9.0, 9.0],
        "welfare": 18.0,
        "best": ["response 0", "response 0"],
        "responses": [0.5, 0.5],
        "k": 1,
        "judged": "final",
        "cpu_seconds": 2.0,
        **changes,
    }


def fidelity_row(x, y, **changes):
    return {
        **{k: row(0.0, **changes)[k] for k in ("approach", "exploration", "trial")},
        **{k: row(0.0, **changes)[k] for k in ("behaviour", "trajectories")},
        **{k: row(0.0, **changes)[k] for k in ("penalty", "coverage")},
        "uncertainty": x,
        "utility_error": y,
        "utility_error_on_true": y,
    }


def world(mean, trials=5, data=DATA, evaluations=("rd", "r2d")):
    """Rows of the whole grid, of which ``mean`` says what regrets are."""
    rows = []
    for approach, exploration in LINES:
        for behaviour, size in data:
            for evaluation in evaluations:
                base = mean(approach, exploration, evaluation, behaviour, size)
                # Trials of each cell in another order, so that nothing is paired.
                turn = len(rows) % 5
                rows += [
                    row(
                        base + SPREAD[(t + turn) % len(SPREAD)],
                        approach,
                        exploration,
                        evaluation=evaluation,
                        behaviour=behaviour,
                        trajectories=size,
                        trial=t,
                    )
                    for t in range(trials)
                ]
    return rows


def claimed(approach, exploration, evaluation, behaviour, size):
    """A world in which the paper is right."""
    base = {"coffee": 1.0, "oef": 2.0, "oef-bc": 3.0}[approach]
    if approach == "oef" and behaviour == "uniform":
        base = 2.5
    if approach == "oef-bc" and behaviour == "uniform":
        base = 0.5 if size == 500 else 1.5
    rest = 0.3 * (exploration == "rd" and approach != "oef-bc")
    return base + rest + 0.2 * (evaluation == "rd")


def verdicts(rows, fidelity=()):
    return [(c["verdict"], c["leaning"]) for c in judge(sort_out(rows), fidelity)]


def test_a_world_in_which_the_paper_is_right():
    for_it, untested = ("for", "for"), ("not tested", "none")
    points = [fidelity_row(i, 2.0 * i + i % 2, trial=i) for i in range(8)]
    rows = [r for r in world(claimed) if data_is(r, "psro", 1000)]
    rows += [r for r in world(claimed) if data_is(r, "uniform", 1000)]
    found = verdicts(rows, points)
    assert found == [for_it, for_it, untested, for_it, for_it, for_it, for_it, untested]
    # Small uniform data added: COffeE is no longer lowest everywhere, OEF-BC is there.
    found = judge(sort_out(world(claimed)), points)
    assert found[2]["verdict"] == "for"
    assert "Lowest mean on 3 of 4 data sets" in found[0]["evidence"]


def data_is(row, behaviour, size):
    return (row["behaviour"], row["trajectories"]) == (behaviour, size)


def test_a_world_in_which_the_paper_is_wrong():
    def opposite(*cell):
        return 5.0 - claimed(*cell)

    points = [fidelity_row(i, -1.0 * i, trial=i) for i in range(8)]
    found = verdicts(world(opposite), points)
    assert found[0] == ("against", "against")
    assert [verdict for verdict, _ in found] == ["against"] * 7 + ["not tested"]


def test_a_world_in_which_nothing_matters():
    found = judge(sort_out(world(lambda *cell: 1.0)), [])
    assert {c["verdict"] for c in found[:6]} == {"too few trials to say"}


def test_two_trials_cannot_tell():
    rows = world(claimed, trials=2, data=[("psro", 1000)], evaluations=("r2d",))
    found = judge(sort_out(rows), [])
    lowest, margin, *_ = found
    assert (lowest["verdict"], lowest["leaning"]) == ("too few trials to say", "for")
    assert lowest["numbers"]["OEF+R2D"]["p"] == pytest.approx(1 / 6)
    assert "least possible p 0.17" in lowest["evidence"]
    assert margin["verdict"] == "not tested"


def sweep(rows_of):
    """COffeE at nine settings."""
    return [
        row(rows_of(p, c) + SPREAD[t], penalty=p, coverage=c, trial=t)
        for p in (2.0, 4.0, 6.0)
        for c in (0.1, 0.2, 0.3)
        for t in range(4)
    ]


@pytest.mark.parametrize(
    ("regret", "verdict"),
    [
        (lambda p, c: 1.0 + (p in (2, 6) and c in (0.1, 0.3)), "for"),
        (lambda p, c: 2.0 - (p in (2, 6) and c in (0.1, 0.3)), "against"),
    ],
)
def test_moderate_conservatism(regret, verdict):
    found = judge(sort_out(sweep(regret)), [])[-1]
    assert found["verdict"] == verdict
    assert found["numbers"]["the least conservative"]["p_smallest"] < 0.01


def test_the_main_setting_has_most_rows_else_the_lowest_regret():
    judged = sort_out(sweep(lambda p, c: 1 + abs(p - 4) + abs(c - 0.2)))
    assert judged.settings[("coffee", "r2d")] == (4.0, 0.2, 0.0)
    assert len(judged.main) == 4 and len(judged.final) == 36
    assert "biased low" in judged.notes[0]
    more = [
        row(9.0, penalty=6.0, coverage=0.3, behaviour="psro", trial=t) for t in (0, 1)
    ]
    judged = sort_out([*sweep(lambda p, c: 1 + p), *more])
    assert judged.settings[("coffee", "r2d")] == (6.0, 0.3, 0.0)
    assert "most rows" in judged.notes[0]


def test_cells_by_hand():
    rows = [row(v, trial=t, error=0.1 * t) for t, v in enumerate((1.0, 2.0, 6.0))]
    rows += [row(2.5, "oef", trial=0, k=2)]
    first, second = regret_cells(sort_out(rows).main)
    assert (first["n"], first["mean"], first["k"]) == (3, 3.0, [1])
    assert first["standard_error"] == pytest.approx(math.sqrt(7 / 3))
    assert 1.0 <= first["low"] < 3.0 < first["high"] <= 6.0
    assert first["estimation_error"] == pytest.approx(0.1)
    assert first["screened"] == pytest.approx(3.2)
    assert first["welfare_share"] == pytest.approx(18 / 22.2)
    assert second["best"] and not first["best"]
    assert second["standard_error"] is second["low"] is None


def test_what_is_left_out_is_said():
    late = row(1.0, iteration=20, iterations=20)
    bad = row(1.0, trial=1) | {"regret": None}
    judged = sort_out([row(5.0), late, bad, row(2.0, "oef", k=3)])
    assert [r["regret"] for r in judged.main if r["approach"] == "coffee"] == [1.0]
    told = " ".join(judged.notes)
    for part in (
        "1 rows without",
        "1 final rows",
        "different k",
        "different iterations",
    ):
        assert part in told


def test_p_values_stand_beside_the_published_ones():
    found = comparisons(world(claimed, trials=3), None)
    assert len(found) == 10 * len(DATA)
    published = {
        ("rd", "coffee", "rd", "psro", 500): 0.01,
        ("rd", "oef-bc", "rd", "uniform", 500): 0.89,
        ("r2d", "oef", "rd", "psro", 1000): 0.92,
        ("r2d", "coffee", "rd", "uniform", 1000): 0.02,
    }
    keys = ("evaluation", "approach", "exploration", "behaviour", "trajectories")
    table = {tuple(one[k] for k in keys): one for one in found}
    for key, value in published.items():
        assert table[key]["published"] == value
    one = table["rd", "oef", "r2d", "psro", 500]
    assert one["reference_evaluation"] == "rd"
    assert one["p_permutation"] == pytest.approx(0.05)
    assert one["p_smallest"] == pytest.approx(0.05) and one["p_holm"] == 1.0
    assert one["difference"] == pytest.approx(1.0, abs=0.05)
    cloned = table["rd", "oef-bc", "rd", "uniform", 500]
    assert cloned["p_permutation"] == 1.0 and cloned["weight"] == 0.4

    against = comparisons(world(claimed, trials=3), "r2d")
    assert len(against) == 11 * len(DATA)
    assert {one["reference_evaluation"] for one in against} == {"r2d"}
    assert {one["published"] for one in against} == {None}


def test_other_data_sets_have_no_published_value():
    for where in (("file", 1000), ("uniform", 750)):
        found = comparisons(world(claimed_anywhere, 2, [where]), None)
        assert found and all(one["published"] is None for one in found)


def claimed_anywhere(approach, *_):
    return {"coffee": 1.0, "oef": 2.0, "oef-bc": 3.0}[approach]


def test_stratified_tests():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=4).tolist(), rng.normal(1, 1, 5).tolist()
    alone = stratified([(one, two)])
    assert alone["p"] == pytest.approx(permutation(one, two, 0).p)
    assert alone["p_reverse"] == pytest.approx(permutation(two, one, 0).p)
    assert alone["p_smallest"] == pytest.approx(1 / 126)
    # Pairs: sign flips. Differences -3, -1, 2 sum to -2; of eight sums -6, -4, -2,
    # -2, 2, 2, 4, 6 (in some order) those as low as -2 count.
    pairs = [([0.0], [3.0]), ([0.0], [1.0]), ([2.0], [0.0])]
    flips = [a + b + c for a in (-3, 3) for b in (-1, 1) for c in (-2, 2)]
    assert stratified(pairs)["p"] == np.mean([f <= -2 for f in flips])
    # Shifts of whole strata change nothing; many splits are drawn.
    shifted = [([v + 100 * i for v in one], [v + 100 * i for v in two]) for i in (0, 1)]
    twice = stratified(shifted)
    assert twice["difference"] == pytest.approx(alone["difference"])
    assert twice["p"] < alone["p"]
    many = stratified([([0.0] * 10, [1.0] * 10)] * 2)
    assert many["p"] == many["p_smallest"] == pytest.approx(1 / 20001)


def test_spearman_is_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    x = rng.integers(0, 8, 20).astype(float)
    y = x + rng.normal(0, 3, 20)
    found = spearman([fidelity_row(a, b) for a, b in zip(x, y, strict=True)])
    peer = spearmanr(x, y, alternative="greater")
    assert found["rho"] == pytest.approx(peer.statistic)
    assert found["p"] == pytest.approx(peer.pvalue, abs=0.01)
    assert spearman([fidelity_row(1.0, b) for b in y]) is None


def whole():
    """A grid with a sweep, curves and fidelity."""
    rows = world(claimed, trials=3)
    for t in range(3):
        rows += [
            row(1.0 + abs(p - 2) + 0.1 * t, penalty=p, coverage=c, trial=t)
            for p, c in ((4.0, 0.1), (2.0, 0.3))
        ]
        rows += [row(1.4, "oef-bc", weight=0.2, trial=t)]
    early = [
        {**r, "iteration": 5, "judged": "curve", "regret": r["regret"] + 1}
        for r in rows
    ]
    points = [
        fidelity_row(
            0.5 + 0.1 * t + 0.01 * i,
            1 + 0.2 * t + 0.02 * i,
            approach=a,
            exploration=x,
            behaviour=b,
            trajectories=n,
            trial=t,
        )
        for i, (a, x) in enumerate(LINES[:4])
        for b, n in DATA
        for t in range(3)
    ]
    return rows + early, points


def test_a_whole_report(tmp_path):
    rows, points = whole()
    facts = {
        "config": {"decisions": 30_000, "episodes": 1000, "out": "x", "quiet": False},
        "env": {"command": "python -m experiments.bargaining --grid"},
        "cpu_seconds": 1234.0,
        "missing": ["judged/one", "judged/two"],
    }
    summary = report.write(tmp_path, rows, points, facts)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["sizes"]["trials_a_cell"] == "3"
    assert summary["sizes"]["config"] == {"decisions": 30_000, "episodes": 1000}
    assert len(summary["claims"]) == 8
    names = {"figure_2ab", "figure_2c", "figure_3", "figure_5"}
    assert {p.stem for p in (tmp_path / "plots").glob("*.png")} == names
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4 and "http-equiv" not in page
    for text in (
        "lower bound, which grows with k",
        "published regrets are lost",
        "our inference",
        "python -m experiments.bargaining --grid",
        "1234",
        "30000",
        "2 units of work are unfinished",
        "10 iterations, k = 1",
    ):
        assert text in page, text
    with open(tmp_path / "regret_table.csv") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 12 * len(DATA)
    first = next(
        c for c in cells if c["approach"] == "oef" and c["evaluation"] == "r2d"
    )
    assert float(first["mean"]) == pytest.approx(2.0, abs=0.03) and first["k"] == "1"
    text = (tmp_path / "regret_table.md").read_text()
    lowest = [line for line in text.splitlines() if " * |" in line]
    assert len(lowest) == 2  # COffeE with R2D thrice, OEF-BC on 500 uniform
    assert "| 500 PSRO | 500 uniform | 1000 PSRO | 1000 uniform |" in text
    assert "; 0.89 |" in (tmp_path / "p_values.md").read_text()
    tuned = (tmp_path / "tuning.md").read_text()
    assert "| w 0 | w 0.2 | w 0.4 |" in tuned and "| λ | α 0.1 | α 0.3 |" in tuned
    assert "| for | for |" in (tmp_path / "claims.md").read_text()


def test_tuning_takes_oef_for_weight_0():
    rows = [row(1.0, "oef"), row(2.0, "oef-bc"), row(3.0, "oef-bc", weight=0.2)]
    found = tuning_cells(rows, "oef-bc")
    assert [(c["weight"], c["mean"]) for c in found] == [
        (0, 1.0),
        (0.2, 3.0),
        (0.4, 2.0),
    ]
    # Where weight 0 was run itself, it stands; one weight alone is no sweep.
    rows.append(row(1.5, "oef-bc", weight=0.0))
    assert tuning_cells(rows, "oef-bc")[0]["mean"] == 1.5
    assert tuning_cells(rows[:2], "oef-bc") == []
    assert tuning_cells(rows, "coffee") == []


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(1.0)],
        [row(1.0, evaluation="rd")],
        [row(1.0, judged="curve", iteration=3)],
        [row(1.0, "oef-bc", behaviour="file", trajectories=20)],
        [row(1.0, exploration="robust:starts=2"), row(2.0, "oef", "rd", trial=3)],
        [row(1.0, trial=t) for t in range(3)],
        [row(1.0), row(2.0, iteration=5, judged="curve")],
    ],
)
def test_small_reports_are_honest(rows, tmp_path):
    summary = report.write(tmp_path, rows, [fidelity_row(1.0, 2.0)] if rows else [], {})
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    allowed = {"not tested", "too few trials to say"}
    assert {c["verdict"] for c in summary["claims"]} <= allowed
    page = (tmp_path / "report.html").read_text()
    ended = any(r["judged"] == "final" for r in rows)
    assert ("No final profile has been judged yet" in page) != ended
    for name in ("regret_table", "p_values", "tuning", "claims"):
        assert (tmp_path / f"{name}.md").exists() and (
            tmp_path / f"{name}.csv"
        ).exists()
    if len(rows) == 1 and ended:
        assert any("one trial a cell" in note for note in summary["notes"])


def test_matplotlib_waits_until_it_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, experiments._bargaining_report; print('matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
