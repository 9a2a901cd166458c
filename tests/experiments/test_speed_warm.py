"""Cold and warm starts in small, through the page's command line."""

import json

import pytest

from experiments.lab.page import main
from experiments.speed import warm


def call(*words):
    return main(warm.page, warm.Config, [str(word) for word in words])


@pytest.mark.slow
def test_both_starts_are_measured_on_the_same_games(tmp_path, capsys):
    out = tmp_path / "r"
    words = ("--solvers", "mgcce", "mwcce", "--sizes", 4, 38)
    assert call(*words, "--out", out, "--json") == 0
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [row["size"] for row in rows] == ["4 x 4", "38 x 38"] * 2
    assert all(row["warm_seconds"] > 0 and row["cold_seconds"] > 0 for row in rows)
    assert {row["warm_status"] for row in rows} == {"OK"}
    assert all(row["objective_apart"] < 1e-9 for row in rows)
    assert all(row["joint_apart"] < 1e-9 for row in rows if row["solver"] == "mgcce")
    report = (out / "report.html").read_text()
    assert "of 4 meta-games; objectives are at most" in report

    kept = (out / "cells" / "00.json").read_bytes()
    (out / "cells" / "01.json").unlink()
    assert call("--resume", "--out", out) == 0
    assert (out / "cells" / "00.json").read_bytes() == kept
    assert (out / "cells" / "01.json").exists()


def test_a_run_that_is_too_short_says_so(tmp_path, capsys):
    words = ("--game", "kuhn_poker", "--sizes", 90, "--iterations", 2)
    assert call(*words, "--out", tmp_path / "r") == 0
    assert "No run reached a size" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--sizes", 1), "--sizes must be from 2 to 5000"),
        (("--sizes", 3, 3), "--sizes must"),
        (("--iterations", 0), "--iterations must be at least 1"),
        (("--solvers", "nash_lp"), "--solvers must have concept ce or cce"),
        (("--game", "kuhn_pokr"), "kuhn_pokr"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    said = capsys.readouterr().err
    assert sentence in said and len(said.splitlines()) == 1
