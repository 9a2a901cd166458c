"""Speed and accuracy of the solvers of entropy equilibria, in small."""

import json
from functools import partial

import numpy as np
import pytest

from experiments.lab.page import main
from experiments.speed import equilibria, references
from meta_solvers.exact.references import conic


def call(*words):
    return main(equilibria.page, equilibria.Config, [str(word) for word in words])


SMALL = (
    *("--solvers", "clarabel", "lbfgs", "interior", "interior_batch"),
    *("--sizes", "3x3", "2x2x2", "--games", 3, "--batch", 8),
)


def test_all_solvers_agree_and_resume_runs_only_what_is_missing(tmp_path, capsys):
    out = tmp_path / "r"
    assert call(*SMALL, "--out", out, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 8
    for row in rows:
        assert row["games"] == (8 if row["solver"] == "interior_batch" else 3)
        assert row["solved"] == 1.0 and row["max_gap"] <= 1e-6
        assert row["mean_distance"] <= 1e-4
        assert row["ms"] > 0 and row["note"] == ""
    assert [row["speed_up"] for row in rows if row["solver"] == "clarabel"] == [1, 1]
    assert "| lbfgs | 3x3 | 3 | 1 |" in (out / "table.md").read_text()
    report = (out / "report.html").read_text()
    able = [row for row in rows if row["size"] == "3x3"]
    best = min(able, key=lambda row: row["ms"])
    assert f"by size: 3x3: {best['solver']}, {best['ms']:.3g} ms" in report
    assert "<table" in report and 'class="panels"' in report

    kept = out / "cells" / "3x3-clarabel.json"
    first = kept.read_bytes()
    (out / "cells" / "3x3-lbfgs.json").unlink()
    assert call("--resume", "--out", out, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert kept.read_bytes() == first
    for old, new in zip(rows, again, strict=True):
        timed = {"ms", "speed_up"} if old["solver"] == "lbfgs" else set()
        assert {k: old[k] for k in old if k not in timed} == {
            k: new[k] for k in new if k not in timed
        }


def test_ce(tmp_path, capsys):
    words = ("--concept", "ce", "--solvers", "clarabel", "lbfgs", "interior")
    assert call(*words, "--sizes", "3x2", "--quick", "--out", tmp_path, "--json") == 0
    for row in json.loads(capsys.readouterr().out):
        assert row["games"] == 4 and row["max_gap"] <= 1e-6
        assert row["mean_distance"] <= 1e-4


def test_time_is_up_after_the_first_game(tmp_path, capsys):
    words = ("--solvers", "interior", "--sizes", "3x3", "--seconds", 1e-9)
    assert call(*words, "--out", tmp_path, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["games"] == 1 and row["solved"] == 1.0 and row["speed_up"] is None


def test_missing_and_failing_solvers_say_so(tmp_path, capsys, monkeypatch):
    def fails(payoffs, concept):
        return np.full((1, 3, 3), np.nan), np.array([False])

    gone = references.one_game(partial(conic, solver="no_such_package"))
    solvers = {"ecos": gone, "scs": references.Reference(fails)}
    monkeypatch.setattr(references, "SOLVERS", solvers)
    assert call("--sizes", "3x3", "--quick", "--out", tmp_path, "--json") == 0
    ecos, scs = json.loads(capsys.readouterr().out)
    assert ecos["games"] == 0 and ecos["note"] == "no_such_package is not installed"
    assert scs["solved"] == 0.0 and scs["note"] == "4 without an answer"
    assert not (tmp_path / "cells" / "3x3-ecos.json").exists()  # resume tries again


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--solvers", "clarabell"), "did you mean 'clarabel'"),
        (("--sizes", "4by4"), "like 4x4"),
        (("--sizes", "4"), "two players"),
        (("--sizes", "1x1"), "two actions"),
        (("--games", 0), "--games must be"),
        (("--batch", 0), "--batch must be"),
        (("--seconds", 0), "--seconds must be"),
        (("--seed", -1), "--seed must be"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()
