"""The pages of NeuPL as a user runs them: small real runs through command lines."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments import contents, neupl
from experiments.lab.page import main
from experiments.neupl_grid import __main__ as neupl_grid
from experiments.neupl_grid import controls
from experiments.neupl_grid.cells import measured
from experiments.neupl_grid.config import GAMES, VARIANTS, Case
from experiments.neupl_grid.results import Line, claims
from experiments.psro import __main__ as psro

SMALL = ("--game", "kuhn_poker", "--codes.width", "32", "--quiet")


def call(page, *words):
    return main(page.page, page.Config, [str(word) for word in words])


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    parsed = [json.loads(line) for line in lines]
    for row in parsed:
        row.pop("cpu_seconds")
    return parsed


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three iterations."""
    folder = tmp_path_factory.mktemp("neupl") / "whole"
    assert call(neupl, *SMALL, "--iterations", 3, "--out", folder) == 0
    return folder


def test_it_is_psro_with_another_oracle(whole, tmp_path):
    out = tmp_path / "psro"
    words = ("--oracle", "neupl", "--iterations", 3, "--out", out)
    assert call(psro, *SMALL, *words) == 0
    assert rows(out) == rows(whole)
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["oracle"] == "neupl"
    assert summary["gap_is"] == "exact"
    assert summary["distil_unreached"] == 0
    assert 0 < summary["distil_worst_error"] <= 1e-3
    assert "distil_worst_error" in (whole / "report.html").read_text()


def test_resumes_bit_for_bit(whole, tmp_path):
    out = tmp_path / "half"
    assert call(neupl, *SMALL, "--iterations", 1, "--out", out) == 0
    assert call(neupl, "--iterations", 3, "--quiet", "--out", out, "--resume") == 0
    assert rows(out) == rows(whole)
    one, two = (sorted((f / "checkpoint").iterdir())[-1] for f in (out, whole))
    with np.load(one / "arrays.npz") as first, np.load(two / "arrays.npz") as second:
        assert first["common"].tobytes() == second["common"].tobytes()


LEARNED = [
    *("--game", "kuhn_poker", "--teacher", "ppo", "--decisions", 128, "--referee"),
    *("--episodes", 30, "--ppo.width", 8, "--ppo.games", 8, "--ppo.rounds", 8),
    *("--codes.width", 8, "--codes.size", 4, "--states.own", 64, "--states.old", 32),
    *("--distil.batch", 32, "--distil.steps", 20, "--quiet"),
]


def test_learned_teachers_resume_bit_for_bit(tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert call(neupl, *LEARNED, "--iterations", 2, "--out", whole) == 0
    assert call(neupl, *LEARNED, "--iterations", 1, "--out", half) == 0
    assert call(neupl, "--iterations", 2, "--quiet", "--out", half, "--resume") == 0
    assert rows(half) == rows(whole)
    last = rows(whole)[-1]
    assert last["exact_gap"] > 0
    assert last["unique_policies"] == [3, 3]
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["gap_is"] == "learned, lower bound"


def test_a_tolerance_that_was_not_reached_is_told(tmp_path, capsys):
    out = tmp_path / "run"
    words = ("--game", "kuhn_poker", "--codes.width", 32, "--iterations", 1)
    assert call(neupl, *words, "--distil.steps", 3, "--out", out) == 0
    assert "tolerance not reached" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    assert summary["distil_unreached"] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--codes.size", 0), "--codes.size must be at least 1; got 0"),
        (("--distil.tolerance", 1e-20), "--distil.tolerance must be in [1e-12, 1)"),
        (("--game", "tic_tac_toe"), "information states"),
        (("--game", "tree.efg"), "shows no tensors"),
        (("--decisions", 100), "it must go with --teacher ddqn or --teacher ppo"),
        (("--oracle", "exact", "--codes.size", 4), "must go with --oracle neupl"),
        (
            ("--head.blank",),
            "--oracle neupl --teacher ddqn or ppo; got --teacher exact",
        ),
        (("--teacher", "ppo", "--ties", 0.1), "with --oracle neupl --teacher exact"),
        (("--teacher", "ppo", "--width", 9), "--width: it must go with --oracle ddqn"),
        (("--teacher", "ddqn", "--all-instances"), "of --oracle neupl are sampled"),
        (("--teacher", "ddqn", "--head.prior", "half"), "with prior sigma"),
    ],
)
def test_refuses(words, sentence, capsys):
    assert call(neupl, *words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_another_network_than_the_checkpoint_has_loses_nothing(whole, capsys):
    before = (whole / "metrics.jsonl").read_bytes()
    words = ("--codes.width", 16, "--iterations", 4, "--out", whole, "--resume")
    assert call(neupl, *words) == 2
    assert "--codes.width" in capsys.readouterr().err
    assert (whole / "metrics.jsonl").read_bytes() == before


def test_the_contents_list_both_pages():
    listed = contents.pages()
    assert {"neupl", "neupl_grid"} <= listed.keys()


def test_a_grid_is_run_judged_and_widened(tmp_path, capsys):
    out = tmp_path / "grid"
    words = ("--games", "kuhn", "--seeds", 2, "--iterations", 2, "--out", out)
    grid = ("--variants", "jpsro", "neupl", "no-regulariser")
    assert call(neupl_grid, *words, *grid, "--quiet") == 0
    summary = json.loads((out / "summary.json").read_text())
    *_, robust = summary["claims"]
    assert (robust["about"], robust["verdict"]) == ("all runs", "holds")
    assert len(summary["claims"]) == 6
    kept = {p.name: p.read_bytes() for p in (out / "cells").iterdir()}
    assert len(kept) == 6
    more = ("--variants", "jpsro", "neupl", "no-regulariser", "concurrent")
    assert call(neupl_grid, *words, *more, "--resume") == 0
    assert "concurrent" in capsys.readouterr().out
    again = {p.name: p.read_bytes() for p in (out / "cells").iterdir()}
    assert len(again) == 8
    assert all(again[name] == one for name, one in kept.items())
    assert (out / "plots" / "gaps.png").exists()


@pytest.mark.parametrize("name", ["naive", "concurrent", "one-network"])
def test_every_control_runs(name, monkeypatch):
    monkeypatch.setattr(controls, "NAIVE_STEPS", 20)
    case = Case(GAMES["kuhn"].game, 1)
    result = measured(case, VARIANTS[name], solver="mgcce", seed=0)
    assert len(result.gaps) == 1
    assert result.policies == [2, 2]
    assert result.forgetting[0] == 0.0


def test_claims_are_decided_by_tests_of_all_together():
    case = Case(GAMES["kuhn"].game, 1)
    made = measured(case, VARIANTS["neupl"], solver="mgcce", seed=0)

    def line(variant, gaps):
        runs = {s: replace(made, gaps=[gap]) for s, gap in enumerate(gaps)}
        return Line.of("kuhn", variant, runs)

    def verdicts(ours, theirs):
        judged = claims([line("neupl", ours), line("jpsro", theirs)])
        return {claim.text: claim.verdict for claim in judged}

    small, large = [0.0, 1e-5, 2e-5], [0.5, 0.51, 0.52]
    lower = "gap lower than that of JPSRO"
    assert verdicts(small, large)[lower] == "holds"
    assert verdicts(large, small)[lower] == "fails"
    assert verdicts(small, small)[lower] == "undecided"
    assert verdicts(small[:1], large[:1])[lower] == "undecided"
    assert "gap at most that of JPSRO and 0.001" in verdicts(small, large)


def test_the_grid_refuses_a_solver_of_another_concept(capsys):
    assert call(neupl_grid, "--solver", "nash") == 2
    assert "must be one for CCE; got 'nash'" in capsys.readouterr().err
