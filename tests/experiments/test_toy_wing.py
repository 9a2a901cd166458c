"""What a new page costs: the toy wing is short, and does what users expect."""

import json
import sys
from pathlib import Path

import pytest

from experiments.lab.page import main

sys.path.insert(0, str(Path(__file__).parent))  # worker processes find it too
import toy_wing


def run(*words: object) -> int:
    return main(toy_wing.page, toy_wing.Config, [str(word) for word in words])


def test_it_is_short():
    lines = Path(toy_wing.__file__).read_text("utf-8").splitlines()
    assert len(lines) <= 120


def test_a_grid_a_table_a_figure_and_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    assert run("--out", out) == 0
    text = capsys.readouterr().out
    assert "| prd has a smaller gap than uniform |" in text
    assert "too few trials: the least possible p is 0.12" in text  # of three pairs
    assert len(list((out / "cells").glob("*.json"))) == 6
    assert (out / "plots" / "gaps.png").stat().st_size > 1000
    assert 'class="panels"' in (out / "report.html").read_text("utf-8")
    assert run("--resume", "--out", out, "--seeds", 5, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["method"], row["seed"]) for row in rows[:2]] == [
        ("prd", 0),
        ("uniform", 0),
    ]
    assert "holds" in (out / "table.md").read_text("utf-8")  # 1/32 with five pairs


def test_resumed_in_two_processes_it_has_the_same_bits(tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run("--out", whole, "--quiet") == 0
    assert run("--out", killed, "--quiet", "--seeds", 1) == 0
    (killed / "cells" / "prd-0.json").unlink()
    again = ("--resume", "--out", killed, "--quiet", "--jobs", 2)
    assert run(*again, "--seeds", 3) == 0
    cells = sorted(place.name for place in (whole / "cells").iterdir())
    for name in cells:
        first, second = ((room / "cells" / name) for room in (whole, killed))
        assert first.read_bytes() == second.read_bytes()
    assert (whole / "table.md").read_bytes() == (killed / "table.md").read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--methods", "prdd"), "did you mean 'prd'"),
        (("--seeds", 0), "--seeds must be at least 1; got 0"),
        (("--jobs", 0), "--jobs must be at least 1; got 0"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[object, ...], sentence: str, tmp_path: Path, capsys
):
    assert run("--out", tmp_path / "r", *words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()
