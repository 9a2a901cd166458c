"""The comparison of solvers in small, through its command line."""

import json

import pytest

from experiments.lab.page import main
from experiments.speed import solvers


def call(*words):
    return main(solvers.page, solvers.Config, [str(word) for word in words])


SMALL = (
    *("--solvers", "mgcce", "nash_lp", "uniform"),
    *("--families", "uniform", "zero_sum"),
    *("--sizes", "2x2", "2x2x2", "--games", 2),
)


def test_compare_and_resume(tmp_path, capsys):
    out = tmp_path / "r"
    assert call(*SMALL, "--out", out, "--json") == 0
    strict = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    by_solver = {row["solver"]: row for row in strict}
    assert by_solver["mgcce"]["ok"] == 1.0 and by_solver["mgcce"]["worst_gap"] < 1e-6
    assert by_solver["mgcce"]["games"] == 6  # zero_sum has two players
    assert by_solver["nash_lp"]["games"] == 2  # refused games are not counted
    assert by_solver["uniform"]["worst_gap"] is None  # it promises nothing
    assert "| mgcce | cce | 6 | 1 |" in (out / "table.md").read_text()
    report = (out / "report.html").read_text()
    assert "<table" in report
    assert f"of {len(strict)} solvers are OK on all of their games" in report

    first = (out / "cells" / "00.json").read_bytes()
    (out / "cells" / "01.json").unlink()
    assert call("--resume", "--out", out) == 0
    assert "nash_lp" in capsys.readouterr().out
    assert (out / "cells" / "00.json").read_bytes() == first  # not run again


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--solvers", "mgcc"), "did you mean 'mgcce'"),
        (("--families", "unifrom"), "did you mean 'uniform'"),
        (("--sizes", "4by4"), "like 4x4"),
        (("--games", 0), "--games must be"),
        (("--seed", -1), "--seed must be"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    assert sentence in capsys.readouterr().err
