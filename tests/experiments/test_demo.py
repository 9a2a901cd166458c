"""The demo in small: it compares, ranks by tests alone, and can be finished later."""

import json

import numpy as np

from experiments import demo
from experiments.lab.page import main
from experiments.lab.verdict import Verdict


def call(*words):
    return main(demo.page, demo.Config, [str(word) for word in words])


def test_demo_compares_and_resumes(tmp_path, capsys):
    out = tmp_path / "demo"
    words = ("--solvers", "mgcce", "uniform", "--iterations", 2)
    assert call(*words, "--out", out) == 0
    text = capsys.readouterr().out
    for title in demo.GAMES:
        assert f"{title}: " in text
    assert "nothing is ranked" in text and "report.html" in text
    report = (out / "report.html").read_text()
    assert report.index("<table") < report.index("<figure")  # opens with the comparison
    assert report.count('class="panels"') == len(demo.GAMES)
    first = json.loads((out / "comparison.json").read_text())
    assert len(first) == 2 * len(demo.GAMES)

    folder = next(p for p in out.iterdir() if p.name.endswith("-uniform-s0"))
    (folder / "summary.json").unlink()  # as if killed before the end of this run
    assert call("--resume", "--out", out, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    for one, two in zip(first, again, strict=True):
        one.pop("cpu_seconds"), two.pop("cpu_seconds")
    assert first == again


def results(solver, gaps):
    return [
        demo.Result(title="game", solver=solver, seed=i, gap=gap, support_share=0.5)
        for i, gap in enumerate(gaps)
    ]


def test_one_seed_ranks_nothing():
    runs = [*results("a", [0.2]), *results("b", [0.0])]
    assert demo.compared(runs, 0) == []
    lines = demo.sentences(runs, [])
    assert "a ends at a gap of 0.2" in lines[0] and "nothing is ranked" in lines[1]
    assert not any(word in " ".join(lines) for word in ("best", "because", "Why"))


def test_seeds_that_tie_decide_nothing():
    """Gaps of exact equilibria differ by rounding alone."""
    rng = np.random.default_rng(0)
    runs = [*results("a", [0.0] * 8), *results("b", (1e-9 * rng.random(8)).tolist())]
    (claim,) = demo.compared(runs, 0)
    assert claim.verdict is Verdict.UNDECIDED and claim.trials == 8
    assert "decided: nothing" in demo.sentences(runs, [claim])[0]


def test_what_seeds_decide_is_said_with_its_test():
    runs = [*results("a", np.linspace(0.5, 0.6, 7).tolist()), *results("b", [0.0] * 7)]
    (claim,) = demo.compared(runs, 0)
    assert claim.verdict is Verdict.HOLDS and claim.text.startswith("b ends at a lower")
    assert "corrected p" in claim.evidence and "[" in claim.evidence
    few = [*results("a", [0.5, 0.6, 0.7]), *results("b", [0.0] * 3)]
    (claim,) = demo.compared(few, 0)
    assert claim.verdict is Verdict.UNDECIDED and "too few trials" in claim.remark


def test_bad_solver_is_one_sentence(tmp_path, capsys):
    assert call("--solvers", "mgcc", "--out", tmp_path / "r") == 2
    assert "did you mean 'mgcce'" in capsys.readouterr().err
