"""A page of many cells that is interrupted reports those that are finished."""

import itertools
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import metaspiel
from experiments import contents
from experiments.lab import work
from experiments.psro import trial
from psro.stopping import until

LEARNER = (
    "--learner.ppo.batch 100 --learner.ppo.envs 10 --learner.ppo.width 8 "
    "--learner.ppo.steps 2"
)
PAGES = {
    "matrl_grid": (
        1,
        f"--games switch2 --methods il matrl --seeds 2 --iterations 4 {LEARNER}",
    ),
    "matrl_steps": (
        1,
        "--game pennies --methods il matrl --rates .1 --clips .5 --seeds 2 "
        f"--iterations 4 {LEARNER}",
    ),
    "neupl_grid": (
        1,
        "--games kuhn --seeds 1 --iterations 1 --variants jpsro neupl",
    ),
    "mra grid": (3, "--budget tiny --seeds 1 --turns 2 --arms mra single"),
    "bargaining": (
        5,
        "--grid --size tiny --behaviours uniform --explorations r2d --approaches "
        "coffee oef --evaluations rd r2d --trials 1 --ddqn.decisions 300 "
        "--trajectories 40 --training.steps 60 --episodes 30 --screen 30 --fresh 60 "
        "--fidelity-episodes 20",
    ),
}


def call(page: str, *words: object) -> int:
    command = [*page.split(), *map(str, words), "--quiet"]
    return contents.main("metaspiel", command)


@pytest.mark.parametrize("page", PAGES)
def test_what_is_finished_is_reported(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    count, words = PAGES[page]
    out = tmp_path / "run"
    command = [*shlex.split(words), "--out", out]
    real: Callable[..., list[work.Outcome]] = work.run

    def stopped(pieces, report, **how):
        assert len(pieces) > count
        real(pieces[:count], report, **how)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, "run", stopped)
        assert call(page, *command) == 130
    reports, kept = capsys.readouterr().err.splitlines()
    assert reports.startswith("interrupted: writing a report of what is finished")
    assert kept.endswith(f"is kept; --out {out} --resume goes on")
    cut = "The run was interrupted: of what was asked for, this is what was finished"
    assert cut in (out / "report.html").read_text("utf-8")
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert not summary.get("failed")
    assert "nan" not in (out / "report.html").read_text("utf-8").partition("<script")[0]
    if page == "matrl_steps":  # the quickest
        assert call(page, *command, "--resume") == 0
        assert cut not in (out / "report.html").read_text("utf-8")
        whole = json.loads((out / "summary.json").read_text("utf-8"))
        assert summary["interrupted"] and "interrupted" not in whole
        first, second = summary["rows"]
        assert (first["n"], second["n"], second["rho"]) == (1, 0, None)
        assert [one["undecided"] for one in summary["claims"]] == [0]


@pytest.mark.parametrize("page", PAGES)
def test_where_nothing_is_finished_there_is_no_report(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    def stopped(*given, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "run", stopped)
    out = tmp_path / "run"
    assert call(page, *shlex.split(PAGES[page][1]), "--out", out) == 130
    assert capsys.readouterr().err.startswith("interrupted: what is finished is kept")
    assert not (out / "report.html").exists()


def test_a_report_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    count, words = PAGES["matrl_steps"]
    out = tmp_path / "run"
    real: Callable[..., list[work.Outcome]] = work.run

    def stopped(pieces, report, **how):
        real(pieces[:count], report, **how)
        (out / "report.html").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "run", stopped)
    assert call("matrl_steps", *shlex.split(words), "--out", out) == 130
    writes, why, kept = capsys.readouterr().err.splitlines()
    assert writes.startswith("interrupted: writing a report")
    assert why.startswith("no report: ") and "report.html" in why
    assert kept.endswith(f"is kept; --out {out} --resume goes on")


def test_psro_reports_as_far_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    out, straight = tmp_path / "run", tmp_path / "straight"
    command = [
        "--game",
        "kuhn_poker",
        "--solver",
        "prd",
        "--iterations",
        "4",
        "--trials",
        "3",
    ]
    assert call("psro", *command, "--out", straight) == 0
    trials = iter((None, 3))  # states until Ctrl-C; None for all

    def stopped(*given, **how):
        count = next(trials)
        yield from itertools.islice(until(*given, **how), count)
        if count is not None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trial, "until", stopped)
        assert call("psro", *command, "--out", out) == 130
    reports, kept = capsys.readouterr().err.splitlines()[-2:]
    assert reports.startswith("interrupted: writing a report of what is finished")
    assert kept.endswith(f"is kept; --out {out} --resume goes on")

    cut = "The run was interrupted"
    whole = json.loads((out / "summary.json").read_text("utf-8"))
    assert whole["interrupted"] and whole["gap"] is None  # of trials cut anywhere
    ends = [(one["iterations"], one["stopped"]) for one in whole["trials"]]
    assert ends == [(4, "4 iterations"), (2, "interrupted")]
    assert cut in (out / "report.html").read_text("utf-8")
    assert cut not in (out / "trial_0" / "report.html").read_text("utf-8")
    assert cut in (out / "trial_1" / "report.html").read_text("utf-8")
    assert not (out / "trial_2").exists()
    assert (
        metaspiel.load_run(out / "trial_1").summary["gap"] == whole["trials"][1]["gap"]
    )

    assert call("compare", "--merge", out / "trial_1", "--out", tmp_path / "cmp") == 2

    def killed(*given, **how):
        yield from itertools.islice(until(*given, **how), 2)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(trial, "until", killed)
        with pytest.raises(SystemExit):
            call("psro", *command, "--out", out, "--resume")
    ends = ("summary.json", "report.html", "meta_game.npz", "*.png")
    assert not [*itertools.chain(*map(out.rglob, ends))]  # they were of another state

    assert call("psro", *command, "--out", out, "--resume") == 0
    assert cut not in (out / "report.html").read_text("utf-8")
    ended = json.loads((out / "summary.json").read_text("utf-8"))
    same = json.loads((straight / "summary.json").read_text("utf-8"))
    assert not ended["interrupted"]
    assert [one["gap"] for one in ended["trials"]] == [
        one["gap"] for one in same["trials"]
    ]


def test_the_first_of_several_trials_is_reported_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "run"

    def stopped(*given, **how):
        yield from itertools.islice(until(*given, **how), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trial, "until", stopped)
        words = ("--iterations", 4, "--trials", 3, "--out", out)
        assert call("psro", *words) == 130
        assert call("psro", "--iterations", 1, "--out", tmp_path / "one") == 130
    whole = json.loads((out / "summary.json").read_text("utf-8"))
    (only,) = whole["trials"]
    assert only["interrupted"] and (out / "report.html").is_file()
    # Ctrl-C came after its last iteration.
    one = json.loads((tmp_path / "one" / "summary.json").read_text("utf-8"))
    assert not one["interrupted"] and one["stopped"] == "1 iteration"
    text = (tmp_path / "one" / "report.html").read_text("utf-8")
    assert "The run was interrupted" not in text
