"""Speed and accuracy of the solvers of entropy equilibria, in small."""

import json
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array

from experiments.lab.page import main
from experiments.speed import equilibria, gradients, references
from meta_solvers.exact import moreau_batch
from meta_solvers.exact.references import conic
from meta_solvers.polytope import _lifted
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game


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


@pytest.mark.parametrize("actions", [(2, 3), (3, 3), (2, 3, 2)])
def test_moreau_is_given_the_polytope_of_every_game(actions):
    """Its rows for a batch, beside those that our own programs are made of."""
    games = np.random.default_rng(0).normal(size=(2, len(actions), *actions))
    program = moreau_batch.Program.of(actions)
    size = int(np.prod(actions))
    for game, values in zip(games, program.values(games), strict=True):
        shape = (len(program.sides), len(program.cost))
        rows = csr_array((values, program.columns, program.ends), shape).toarray()
        known = _lifted(Game(game))
        wide = known.variables
        equal, below = known.equal.toarray(), known.below.toarray()
        np.testing.assert_allclose(rows[: len(equal), :wide], equal, atol=1e-12)
        inside = rows[program.equations : -3 * size]
        np.testing.assert_allclose(inside[:, :wide], below, atol=1e-12)
        assert not rows[: -3 * size, wide:].any()
        # (entropy, probability, 1) is in the exponential cone.
        cones = (program.sides - rows @ np.arange(shape[1]))[-3 * size :]
        expected = [np.arange(wide, shape[1]), np.arange(size), np.ones(size)]
        np.testing.assert_allclose(cones.reshape(-1, 3).T, expected)


def test_moreau_answers_what_it_was_asked(monkeypatch):
    """With a package of its name that solves nothing."""
    statuses = SimpleNamespace(Solved="solved", Failed="failed")

    class Solver:
        info = SimpleNamespace(status=["solved", "failed"])

        def __init__(self, **asked):
            self.size = asked["n"]

        def setup(self, quadratic, values):
            assert quadratic.shape == (2, 0) and len(values) == 2

        def solve(self, costs, sides):
            return SimpleNamespace(x=np.ones((2, self.size)))

    fake = SimpleNamespace(
        SolverStatus=statuses, CompiledSolver=Solver, Cones=dict, Settings=dict
    )
    monkeypatch.setitem(sys.modules, "moreau", fake)
    moreau_batch._compiled.cache_clear()
    games = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    joints, solved = moreau_batch.equilibria(games, "cce")
    moreau_batch._compiled.cache_clear()
    np.testing.assert_allclose(joints, 1 / 6)
    assert solved.tolist() == [True, False]
    with pytest.raises(UserError, match="that of the CCE; got ce"):
        moreau_batch.equilibria(games, "ce")


def test_gradients_are_those_of_central_differences(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "moreau", None)
    words = ["--sizes", "3x3", "--batch", "2", "--repeats", "1"]
    out = ["--out", str(tmp_path), "--json"]
    assert main(gradients.page, gradients.Config, [*words, *out]) == 0
    ours, theirs = json.loads(capsys.readouterr().out)
    assert ours["solver"] == "equilibrium" and ours["ms"] > 0
    assert ours["off_exact"] <= 1e-8 and ours["off_differences"] <= 1e-5
    assert theirs["ms"] is None and theirs["note"] == "moreau is not installed"
    bad = ["--sizes", "3", "--out", str(tmp_path / "b")]
    assert main(gradients.page, gradients.Config, bad) == 2
    assert "at least two players" in capsys.readouterr().err


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
