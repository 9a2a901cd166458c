"""The check of robust meta-solvers, in small."""

import json
import re

import numpy as np
import pytest

from experiments import robust_check
from experiments.lab.page import main


def call(*words):
    config = robust_check.Config
    return main(robust_check.page, config, [str(word) for word in words])


def ensemble(actions, **fields):
    fields = {"actions": actions, **fields}
    return [word for k, v in fields.items() for word in (f"--ensemble.{k}", v)]


def test_a_small_run(tmp_path, capsys):
    words = (
        "--games",
        3,
        "--ensemble.actions",
        4,
        "--steps",
        400,
        "--ensemble.width",
        2,
    )
    assert call(*words, "--out", tmp_path / "a", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    rows = summary["rows"]
    names = list(robust_check.SOLVERS)
    assert [(r["block"], r["solver"]) for r in rows] == [
        (block, name) for block in robust_check.BLOCKS for name in names
    ]
    kept = json.loads((tmp_path / "a" / "games.json").read_text())
    for row in rows:
        figures = kept[row["block"]][row["solver"]]
        assert len(figures["bound"]) == len(figures["true_regret"]) == 3
        for key in ("bound", "true_regret"):
            values = np.array(figures[key])
            assert (values > -1e-9).all()
            assert row[key] == pytest.approx(values.mean())
            error = values.std(ddof=1) / np.sqrt(3)
            assert row[f"{key}_error"] == pytest.approx(error)
        direct = kept[row["block"]][names[-1]]["bound"]
        assert (np.array(direct) <= np.array(figures["bound"]) + 1e-9).all()
        assert 0 <= row["settled"] <= 1
    assert len({row["bound"] for row in rows}) >= len(rows) - 2
    assert rows[0]["settled"] < 1  # 400 steps are few
    report = (tmp_path / "a" / "report.html").read_text()
    assert "<table" in report and 'class="panels"' in report
    assert re.search(
        r"Least mean true regret with unbiased means: .* ± .*, next ", report
    )
    assert "| unbiased | R2D |" in (tmp_path / "a" / "table.md").read_text()

    assert call(*words, "--out", tmp_path / "b", "--quiet") == 0
    assert "R2D" in capsys.readouterr().out
    again = json.loads((tmp_path / "b" / "games.json").read_text())
    assert again == kept


def test_one_game_has_no_standard_error(tmp_path, capsys):
    words = (
        "--games",
        1,
        "--ensemble.actions",
        2,
        "--ensemble.members",
        1,
        "--steps",
        5,
    )
    assert call(*words, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "±" not in printed and "| upward-biased | R2D, centred |" in printed


def test_without_uncertainty_the_bound_is_the_true_regret(tmp_path):
    words = (
        "--games",
        2,
        "--ensemble.actions",
        3,
        "--ensemble.width",
        0,
        "--steps",
        200,
    )
    assert call(*words, "--out", tmp_path, "--quiet") == 0
    for row in json.loads((tmp_path / "summary.json").read_text())["rows"]:
        assert row["bound"] == pytest.approx(row["true_regret"], abs=1e-9)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--games", 0), "--games must be at least 1"),
        (("--ensemble.actions", 1), "actions must be a number of at least 2"),
        (("--ensemble.width", -1), "width must be a number"),
        (("--ensemble.bias", "nan"), "bias must be a number"),
        (("--seed", -1), "--seed must be"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()
