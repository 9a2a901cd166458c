"""The demo in small: it compares, says why, and can be finished later."""

import json

from experiments import demo
from experiments.lab.page import main


def call(*words):
    return main(demo.page, demo.Config, [str(word) for word in words])


def test_demo_compares_and_resumes(tmp_path, capsys):
    out = tmp_path / "demo"
    words = ("--solvers", "mgcce", "uniform", "--iterations", 2)
    assert call(*words, "--out", out) == 0
    text = capsys.readouterr().out
    for title in demo.GAMES:
        assert f"{title}: " in text
    assert "did best" in text and "report.html" in text
    report = (out / "report.html").read_text()
    assert report.index("<table") < report.index("<svg")  # opens with the comparison
    assert report.count("<svg") == len(demo.GAMES)
    first = json.loads((out / "comparison.json").read_text())
    assert len(first) == 2 * len(demo.GAMES)

    folder = next(p for p in out.iterdir() if p.name.endswith("-uniform"))
    (folder / "summary.json").unlink()  # as if killed before the end of this run
    assert call("--resume", "--out", out, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    for one, two in zip(first, again, strict=True):
        one.pop("cpu_seconds"), two.pop("cpu_seconds")
    assert first == again


def test_verdict_reads_the_numbers():
    def run(solver, gap, first, welfare, share, meta=0.0):
        return demo.Result(
            title="game",
            solver=solver,
            gap=gap,
            first_solved=first,
            best_welfare=welfare,
            support_share=share,
            meta_gap=meta,
        )

    wide, narrow = run("wide", 0.0, 9, 2.0, 0.9), run("narrow", 0.0, 5, 1.0, 0.1)
    (sentence,) = demo.verdict({"game": [narrow, wide]})
    assert "wide did best" in sentence and "narrow plays fewer profiles" in sentence
    rough = run("rough", 0.5, None, None, 0.9, meta=0.5)
    (sentence,) = demo.verdict({"game": [rough, wide]})
    assert "its own meta-solver's error" in sentence
    (sentence,) = demo.verdict({"game": [run("a", 0.2, None, None, 0.5)]})
    assert sentence == "game: a did best: it ends at a gap of 0.2."


def test_bad_solver_is_one_sentence(tmp_path, capsys):
    assert call("--solvers", "mgcc", "--out", tmp_path / "r") == 2
    assert "did you mean 'mgcce'" in capsys.readouterr().err
