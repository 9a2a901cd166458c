"""Pages with a solver of the user's own: its faults, and what a change of it does."""

import csv
import json
import sys
from pathlib import Path

import pytest

from experiments.compare import __main__ as compare
from experiments.lab.page import main
from experiments.psro import __main__ as psro

OWN = """\
from dataclasses import dataclass
import numpy as np
from meta_solvers import Answer, MetaSolver

@dataclass(frozen=True)
class Mine(MetaSolver):
    def distribution(self, game, rng):
        {fault}
        return Answer(np.full(game.actions, 1 / np.prod(game.actions)))
"""
LATE = "assert game.actions[0] < 3, 'too many'"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes the solver, as a new process would find it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(fault: str) -> None:
        sys.modules.pop("mine_here", None)
        compare_cells_code_cache()
        (tmp_path / "mine_here.py").write_text(OWN.format(fault=fault))

    yield write
    sys.modules.pop("mine_here", None)


def compare_cells_code_cache() -> None:
    from experiments.compare import cells

    cells._code.cache_clear()


def call(page, *words) -> int:
    return main(page.page, page.Config, [*map(str, words)])


def outcomes(folder: Path) -> dict[str, str]:
    places = (folder / "cells").glob("*.json")
    rows = [json.loads(place.read_text()) for place in places]
    return {f"{row['solver']} {row['seed']}": row["outcome"] for row in rows}


def test_runs_are_made_again_when_their_solver_has_changed(own, tmp_path, capsys):
    folder = tmp_path / "run"
    words = ["--games", "kuhn_poker", "--solvers", "mine_here:Mine", "uniform"]
    words += ["--seeds", "2", "--iterations", "4", "--out", folder]
    own(LATE)
    assert call(compare, *words) == 0
    ours = {"uniform 0": "finished", "uniform 1": "finished"}
    failed = {f"mine_here:Mine {seed}": "failed" for seed in (0, 1)}
    assert outcomes(folder) == ours | failed
    assert "too many (mine_here.py, line 8)" in (folder / "table.md").read_text()
    own("pass")
    before = {p: p.stat().st_mtime_ns for p in (folder / "cells").glob("*uniform*")}
    capsys.readouterr()
    assert call(compare, *words, "--resume") == 0
    assert "2 runs are made again: the code of their" in capsys.readouterr().out
    assert outcomes(folder) == ours | dict.fromkeys(failed, "finished")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    rows = [*csv.DictReader((folder / "table.csv").read_text().splitlines())]
    assert {row["solver"] for row in rows} == {"uniform", "mine_here:Mine"}


def test_a_comparison_in_which_nothing_ran_is_not_ok(own, tmp_path, capsys):
    own("raise ValueError('my own bug')")
    words = ["--games", "kuhn_poker", "--solvers", "mine_here:Mine", "--quiet"]
    assert call(compare, *words, "--iterations", "3", "--out", tmp_path / "run") == 3
    error = capsys.readouterr().err
    assert "must have runs that finish; none of 5 did" in error
    assert "my own bug (mine_here.py, line 8)" in error and error.count("\n") == 1


def test_a_run_is_not_resumed_with_another_solver(own, tmp_path, capsys):
    folder = tmp_path / "run"
    words = ["--game", "kuhn_poker", "--solver", "mine_here:Mine", "--quiet"]
    words += ["--out", folder, "--iterations"]
    own("pass")
    assert call(psro, *words, "2") == 0
    assert call(psro, *words, "3", "--resume") == 0
    own("pass  # otherwise")
    rows = (folder / "metrics.jsonl").read_bytes()
    assert call(psro, *words, "4", "--resume") == 2
    error = capsys.readouterr().err
    assert "the code of 'mine_here:Mine' must be as it was" in error
    assert (folder / "metrics.jsonl").read_bytes() == rows
    own(LATE)
    assert call(psro, *words, "4", "--out", tmp_path / "other") == 3
    assert "AssertionError: too many (mine_here.py, line 8)" in capsys.readouterr().err
