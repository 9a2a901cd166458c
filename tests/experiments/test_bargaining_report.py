"""The report of the bargaining grid, on rows whose answers are known."""

import csv
import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from dataclasses import asdict, replace

from bargaining_worlds import (
    DATA,
    LINES,
    claimed,
    claimed_anywhere,
    fidelity_row,
    row,
    sweep,
    world,
)

from experiments.bargaining import report
from experiments.bargaining.config import Config
from experiments.bargaining.notes import PAPER, Facts
from experiments.bargaining.results import sort_out
from experiments.bargaining.run import _told
from experiments.bargaining.tables import comparisons, regret_cells, tuning_cells

RESULTS = Path(__file__).parents[2] / "results" / "bargaining"


def test_the_main_setting_has_most_rows_else_the_lowest_regret():
    sorted_out = sort_out(sweep(lambda p, c: 1 + abs(p - 4) + abs(c - 0.2)))
    assert sorted_out.settings[("coffee", "r2d")] == (4.0, 0.2, 0.0)
    assert len(sorted_out.main) == 6 and len(sorted_out.final) == 54
    assert "biased low" in sorted_out.notes[0]
    more = [
        row(9.0, penalty=6.0, coverage=0.3, behaviour="psro", trial=t) for t in (0, 1)
    ]
    sorted_out = sort_out([*sweep(lambda p, c: 1 + p), *more])
    assert sorted_out.settings[("coffee", "r2d")] == (6.0, 0.3, 0.0)
    assert "most rows" in sorted_out.notes[0]


def test_cells_by_hand():
    rows = [row(v, trial=t, error=0.1 * t) for t, v in enumerate((1.0, 2.0, 6.0))]
    rows += [row(2.5, "oef", trial=0, k=2)]
    first, second = regret_cells(sort_out(rows).main)
    assert (first.n, first.mean, first.k) == (3, 3.0, [1])
    assert first.standard_error == pytest.approx(math.sqrt(7 / 3))
    assert 1.0 <= first.low < 3.0 < first.high <= 6.0
    assert first.estimation_error == pytest.approx(0.1)
    assert first.screened == pytest.approx(3.2)
    assert first.welfare_share == pytest.approx(18 / 22.2)
    assert not second.best and not first.best  # one trial ranks nothing
    assert second.standard_error is second.low is None


def test_what_is_left_out_is_said():
    late = row(1.0, iteration=20, iterations=20)
    bad = row(math.nan, trial=1)
    sorted_out = sort_out([row(5.0), late, bad, row(2.0, "oef", k=3)])
    assert [r.regret for r in sorted_out.main if r.approach == "coffee"] == [1.0]
    notes = " ".join(sorted_out.notes)
    for part in (
        "1 rows without",
        "1 final rows",
        "different k",
        "different iterations",
    ):
        assert part in notes


def test_p_values_stand_beside_the_published_ones():
    compared = comparisons(world(claimed, trials=3), None)
    assert len(compared) == 10 * len(DATA)
    published = {
        ("rd", "coffee", "rd", "psro", 500): 0.01,
        ("rd", "oef-bc", "rd", "uniform", 500): 0.89,
        ("r2d", "oef", "rd", "psro", 1000): 0.92,
        ("r2d", "coffee", "rd", "uniform", 1000): 0.02,
    }
    keys = ("evaluation", "approach", "exploration", "behaviour", "trajectories")
    table = {tuple(getattr(one, k) for k in keys): one for one in compared}
    for key, value in published.items():
        assert table[key].published == value
    one = table["rd", "oef", "r2d", "psro", 500]
    assert one.reference_evaluation == "rd"
    assert one.p_permutation == pytest.approx(0.05)
    assert one.p_smallest == pytest.approx(0.05) and one.p_holm == 1.0
    assert one.p_paired == one.p_paired_smallest == 1 / 8
    assert one.difference == pytest.approx(1.0, abs=0.05)
    cloned = table["rd", "oef-bc", "rd", "uniform", 500]
    assert cloned.p_permutation == 1.0 and cloned.weight == 0.4

    against = comparisons(world(claimed, trials=3), "r2d")
    assert len(against) == 11 * len(DATA)
    assert {one.reference_evaluation for one in against} == {"r2d"}
    assert {one.published for one in against} == {None}


def test_other_data_sets_have_no_published_value():
    for where in (("file", 1000), ("uniform", 750)):
        compared = comparisons(world(claimed_anywhere, 2, [where]), None)
        assert compared and all(one.published is None for one in compared)


def whole():
    """A grid with a sweep, curves and fidelity."""
    rows = world(claimed, trials=3)
    for t in range(3):
        rows += [
            row(1.0 + abs(p - 2) + 0.1 * t, penalty=p, coverage=c, trial=t)
            for p, c in ((4.0, 0.1), (2.0, 0.3))
        ]
        rows += [row(1.4, "oef-bc", weight=0.2, trial=t)]
    early = [replace(r, iteration=5, judged="curve", regret=r.regret + 1) for r in rows]
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


def test_the_lowest_cell_is_marked_where_intervals_are_apart():
    low = [row(1.0 + 0.1 * t, trial=t) for t in range(5)]
    high = [row(3.0 + 0.1 * t, "oef", trial=t) for t in range(5)]
    near = [row(1.2 + 0.1 * t, "oef", trial=t) for t in range(5)]
    assert [c.best for c in regret_cells(sort_out(low + high).main)] == [True, False]
    assert not any(c.best for c in regret_cells(sort_out(low + near).main))
    four = [r for r in low + high if r.trial < 4]
    assert not any(c.best for c in regret_cells(sort_out(four).main))


def test_a_whole_report(tmp_path):
    rows, points = whole()
    facts = Facts(
        config=Config(),
        command="python -m experiments.bargaining --grid",
        cpu_seconds=1234.0,
        missing=("judged/one", "judged/two"),
    )
    summary = report.write(tmp_path, rows, points, facts)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["sizes"]["trials_a_cell"] == "3"
    config = summary["sizes"]["config"]
    assert config["ddqn"]["decisions"] == 30_000 and config["episodes"] == 1000
    assert not {"run", "plan", "report"} & config.keys()
    assert len(summary["claims"]) == 10
    names = {"figure_2ab", "figure_2c", "figure_3", "figure_5"}
    assert {p.stem for p in (tmp_path / "plots").glob("*.png")} == names
    page = (tmp_path / "report.html").read_text()
    assert page.count('class="panels"') == 4 and "http-equiv" not in page
    for text in (
        "lower bound, which grows with k",
        "no copy of the paper with its tables",
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
    for place in sorted(RESULTS.glob("*.csv")):
        same = (place, tmp_path / place.name)
        before, now = (one.read_text("utf-8").split("\n")[0] for one in same)
        assert now == before, place.name
    text = (tmp_path / "regret_table.md").read_text()
    lowest = [line for line in text.splitlines() if " * |" in line]
    assert not lowest  # what all approaches of a trial share makes intervals overlap
    assert "| 500 PSRO | 500 uniform | 1000 PSRO | 1000 uniform |" in text
    assert "; 0.89 |" in (tmp_path / "p_values.md").read_text()
    tuned = (tmp_path / "tuning.md").read_text()
    assert "| w 0 | w 0.2 | w 0.4 |" in tuned and "| λ | α 0.1 | α 0.3 |" in tuned
    assert "| holds | for |" in (tmp_path / "claims.md").read_text()


def notes_of(folder, rows, fidelity=(), **config):
    facts = Facts(config=replace(PAPER, **config), command="page")
    summary = report.write(folder, rows, list(fidelity), facts)
    return " | ".join(summary["notes"])


def test_what_is_not_as_in_the_paper_is_said(tmp_path):
    rows = world(claimed, trials=3, data=[("psro", 1000)])
    notes = notes_of(
        tmp_path,
        rows,
        iterations=10,
        ddqn=replace(PAPER.ddqn, decisions=20_000, minimum=5000),
        shared_behaviour=True,
    )
    for text in (
        "10 iterations of PSRO in the model, where the paper has 40",
        "20,000 decisions of the learner a response, where the paper has 200,000",
        "trials on PSRO data share five behaviour runs",
        "3 trials a cell at most, where the paper has 10",
        "COffeE was not tuned: only λ 2, α 0.1 was tried",
        "OEF-BC was not tuned: only w 0.4",
        "and the settings are not the paper's",
    ):
        assert text in notes, text
    assert "games side by side" not in notes and "members" not in notes
    # As in the paper, tuned, on other data: nothing to say of these.
    rows = world(claimed, trials=10, data=[("uniform", 1000)])
    rows += [row(9.0, trial=t, penalty=4.0) for t in range(3)]
    rows += [row(9.0, "oef-bc", trial=t, weight=0.2) for t in range(3)]
    notes = notes_of(tmp_path, rows, shared_behaviour=True)
    for text in ("where the paper", "share five", "not tuned", "settings are not"):
        assert text not in notes, text
    rows = [row(1.0, behaviour="file", trajectories=20, trial=t) for t in range(2)]
    assert "all trials share the given data set" in notes_of(tmp_path, rows)


def test_agreement_counts_what_could_agree(tmp_path):
    rows = world(claimed, trials=2, data=[("psro", 1000)])
    assert "none of 10 p-values of the table could reach 0.05" in notes_of(
        tmp_path, rows
    )
    rows = world(claimed, trials=10, data=[("psro", 1000)])
    # All ten are at most .05 here, and .01, .01, .01, .04 .. are below it there.
    published = (0.09, 0.05, 0.29, 0.01, 0.01, 0.26, 0.78, 0.92, 0.01, 0.01)
    same = sum(p <= 0.05 for p in published)
    assert f"{same} of 10 p-values that could reach 0.05" in notes_of(tmp_path, rows)
    assert "(trials here 10 v 10, there 10 v 10)" in notes_of(tmp_path, rows)


def test_unmixed_deviations_are_counted(tmp_path):
    won = {"best": ["response 0", "unmixed 3"]}
    rows = [row(1.0, "oef-bc", **won), row(1.0, "oef-bc", trial=1), row(2.0, "oef")]
    assert "in 1 of 2 profiles of OEF-BC" in notes_of(tmp_path, rows)
    assert "unmixed policy" not in notes_of(tmp_path, rows[2:])
    assert "about twice as many" in (tmp_path / "report.html").read_text()


def test_models_and_clones_are_shown_where_they_were_measured(tmp_path):
    def model(x, **changes):
        parts = {"hits": x, "slope": None, "state_error_3": 9.0}
        own = {"one_step": parts, "roll_outs": {"u": x}}
        return fidelity_row(1.0, 2.0, model=own, **changes)

    clone = {"clone": {"trained": 1.5, "held_out": 1.75, "uniform": 3.0}}
    rows = [row(1.0), row(2.0, "oef-bc", **clone)]
    # Two runs of one trial share its model.
    fidelity = [model(0.5), model(0.7, approach="oef"), model(1.0, trial=1)]
    fidelity.append(model(0.25, behaviour="psro"))
    notes_of(tmp_path, rows, fidelity)
    text = (tmp_path / "model_and_clone.md").read_text().splitlines()
    assert "|  | 1000 PSRO | 1000 uniform |" in text
    assert "| model one step hits | 0.25 n=1 | 0.75 [0.5, 1] n=2 |" in text
    assert "| clone held out | - | 1.75 n=1 |" in text
    assert len(text) == 4 + 5  # no slope, no single entry of a state
    assert "Model and clone" in (tmp_path / "report.html").read_text()
    with open(tmp_path / "model_and_clone.csv") as file:
        assert len(list(csv.DictReader(file))) == 2 + 2 + 3
    (tmp_path / "empty").mkdir()
    notes_of(tmp_path / "empty", [row(1.0)], [fidelity_row(1.0, 2.0)])
    assert not (tmp_path / "empty" / "model_and_clone.md").exists()
    assert "Model and clone" not in (tmp_path / "empty" / "report.html").read_text()


def test_cells_are_those_of_each_run(tmp_path):
    def run(x, **changes):
        return fidelity_row(1.0, 2.0, cells={"coverage": x, "slope": None}, **changes)

    fidelity = [run(0.5), run(0.7, approach="oef"), run(1.0, trial=1)]
    notes_of(tmp_path, [row(1.0)], fidelity)
    text = (tmp_path / "model_and_clone.md").read_text().splitlines()
    about = "cells of COffeE, λ 2, α 0.1, explored with R2D: coverage"
    assert f"| {about} | 0.75 [0.5, 1] n=2 |" in text
    assert "| cells of OEF, explored with R2D: coverage | 0.7 n=1 |" in text
    assert not any("slope" in line for line in text)


def test_tuning_takes_oef_for_weight_0():
    rows = [row(1.0, "oef"), row(2.0, "oef-bc"), row(3.0, "oef-bc", weight=0.2)]
    cells = tuning_cells(rows, "oef-bc")
    assert [(c.weight, c.mean) for c in cells] == [
        (0, 1.0),
        (0.2, 3.0),
        (0.4, 2.0),
    ]
    # Where weight 0 was run itself, it stands; one weight alone is no sweep.
    rows.append(row(1.5, "oef-bc", weight=0.0))
    assert tuning_cells(rows, "oef-bc")[0].mean == 1.5
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
    facts = Facts(config=Config(), command="page")
    fidelity = [fidelity_row(1.0, 2.0)] if rows else []
    summary = report.write(tmp_path, rows, fidelity, facts)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    for claim in summary["claims"]:
        few = claim.get("remark", "").startswith("too few trials")
        assert claim["verdict"] == "not tested" or few, claim
    page = (tmp_path / "report.html").read_text()
    ended = any(r.judged == "final" for r in rows)
    assert ("No final profile has been judged yet" in page) != ended
    for name in ("regret_table", "p_values", "tuning", "claims"):
        assert (tmp_path / f"{name}.md").exists() and (
            tmp_path / f"{name}.csv"
        ).exists()
    if len(rows) == 1 and ended:
        assert any("one trial a cell" in note for note in summary["notes"])


def test_what_draws_waits_until_it_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, experiments.bargaining.report; print('vl_convert' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_run_says_its_regrets_and_not_only_its_folder():
    cells = regret_cells(sort_out([row(1.0 + t, trial=t) for t in range(5)]).main)
    claims = [{"verdict": "holds"}, {"verdict": "undecided"}, {"verdict": "holds"}]
    said = _told({"regret": [asdict(cell) for cell in cells], "claims": claims})
    assert said.startswith(
        "regret (lower bound) of coffee with r2d, evaluated with r2d"
    )
    assert "on uniform 1000: 3.00 [" in said and "trials 5" in said
    assert said.endswith("claims of the paper: 2 holds, 1 undecided\n")
