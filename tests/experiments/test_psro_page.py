"""The main page as a user runs it: small real runs through its command line."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from efg_files import CARDS, DRIVER

from experiments import contents
from experiments.lab.page import main, parse
from experiments.psro import __main__ as psro
from experiments.psro_parts import walking
from experiments.psro_parts.oracle_config import Schedule
from meta_solvers import Answer, MetaSolver, registry
from metaspiel import files
from metaspiel.learn.settings import DDQN
from psro import checkpoint

GAME = "goofspiel(num_cards=3,returns_type=total_points)"


def call(*words, page=psro):
    return main(page.page, page.Config, [str(word) for word in words])


def rows(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    parsed = [json.loads(line) for line in lines]
    for row in parsed:
        row.pop("cpu_seconds")
    return parsed


def arrays(folder):
    place = sorted((folder / "checkpoint").iterdir())[-1]
    with np.load(place / "arrays.npz") as stored:
        return {name: stored[name].tobytes() for name in stored}


def test_a_run_folder_holds_everything(tmp_path, capsys):
    out = tmp_path / "run"
    code = call("--game", "kuhn_poker", "--players", 3, "--eval-solver", "mwcce",
                "--iterations", 3, "--gaps", "all", "--out", out)  # fmt: skip
    assert code == 0
    assert "gap" in capsys.readouterr().out
    names = {p.name for p in out.iterdir()}
    assert names == {"config.json", "env.json", "metrics.jsonl", "summary.json",
                     "checkpoint", "meta_game.npz", "plots", "report.html",
                     "game.json", ".lock"}  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())
    keys = "game solver seed iterations gap gap_per_player values value_sum"
    for key in (*keys.split(), "cpu_seconds", "cpu_seconds_per_stage"):
        assert key in summary
    assert [r["iteration"] for r in rows(out)] == [0, 1, 2, 3]
    assert {"ne_gap", "cce_gap", "ce_gap"} <= set(rows(out)[0])
    with np.load(out / "meta_game.npz") as stored:
        assert stored["payoffs"].shape == (3, 4, 4, 4)
        assert stored["joint"].sum() == pytest.approx(1.0)
    report = (out / "report.html").read_text()
    assert report.count('class="panels"') == 5
    assert "<title>JPSRO(CCE) on kuhn_poker" in report
    for ending in ("png", "svg", "pdf"):
        assert len(list((out / "plots").glob(f"*.{ending}"))) == 5


def test_json_prints_one_object(tmp_path, capsys):
    assert call("--iterations", 1, "--json", "--out", tmp_path / "r") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["iterations"] == 1


def test_resume_is_bit_for_bit(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    start = ("--game", GAME, "--eval-solver", "rvcce", "--quiet")
    assert call(*start, "--iterations", 6, "--out", one) == 0
    assert call(*start, "--iterations", 2, "--out", two) == 0
    assert call("--resume", "--out", two, "--iterations", 6, "--quiet") == 0
    assert rows(one) == rows(two)
    assert arrays(one) == arrays(two)


@pytest.mark.parametrize("attempt", range(2))
def test_kill_loses_at_most_the_running_iteration(tmp_path, attempt):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = ["--game", "leduc_poker", "--iterations", "12", "--quiet"]
    assert call(*words, "--out", whole) == 0
    start = [sys.executable, "-m", "experiments.psro"]
    process = subprocess.Popen([*start, *words, "--out", str(killed)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # until two to five rows are there
        metrics = killed / "metrics.jsonl"
        if metrics.exists() and metrics.read_text().count("\n") > 2 + 3 * attempt:
            break
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert call("--resume", "--out", killed, "--quiet") == 0
    assert rows(whole) == rows(killed)
    assert arrays(whole) == arrays(killed)


def test_kill_before_the_first_checkpoint(tmp_path):
    out = tmp_path / "r"
    assert call("--iterations", 2, "--out", out, "--quiet") == 0
    expected = rows(out)
    for place in (out / "checkpoint").iterdir():
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    first = (out / "metrics.jsonl").read_text().splitlines()[0]
    (out / "metrics.jsonl").write_text(first + "\n")
    assert call("--resume", "--out", out, "--quiet") == 0
    assert rows(out) == expected


def test_a_resumed_run_may_go_further_but_not_elsewhere(tmp_path, capsys):
    out = tmp_path / "r"
    assert call("--iterations", 1, "--out", out, "--quiet") == 0
    assert call("--resume", "--out", out, "--solver", "mwcce") == 2
    assert "--solver must stay" in capsys.readouterr().err
    assert call("--resume", "--out", out, "--iterations", 2, "--quiet") == 0
    assert len(rows(out)) == 3


def test_trials_do_not_depend_on_who_runs_beside_them(tmp_path, capfd):
    start = ("--game", "kuhn_poker", "--iterations", 2)
    many, jobs, one = (tmp_path / n for n in ("many", "jobs", "one"))
    trials = ("--trials", 2, "--seed", 5)
    assert call(*start, *trials, "--out", many, "--quiet") == 0
    assert call(*start, "--seed", 6, "--out", one, "--quiet") == 0
    assert capfd.readouterr().err == ""
    assert call(*start, *trials, "--jobs", 2, "--out", jobs) == 0
    shown = capfd.readouterr().err.splitlines()
    assert [line.split()[0] for line in shown] == ["1/2", "2/2"]
    assert {line.rpartition(": ")[2] for line in shown} == {"seed 5", "seed 6"}
    for folder in (many, jobs):
        assert rows(folder / "trial_1") == rows(one)
        assert arrays(folder / "trial_1") == arrays(one)
    summary = json.loads((many / "summary.json").read_text())
    assert summary["seeds"] == [5, 6]
    assert "gap_standard_error" in summary


def test_stops(tmp_path, capsys):
    call("--stop-gap", 1e-9, "--iterations", 40, "--json", "--out", tmp_path / "a")
    summary = json.loads(capsys.readouterr().out)
    assert summary["gap"] <= 1e-9 and summary["iterations"] < 40
    call("--game", "matrix_pd", "--stop-no-novel", "--json", "--out", tmp_path / "b")
    assert json.loads(capsys.readouterr().out)["stopped"] == "no novel policy"
    call("--max-seconds", 0, "--json", "--out", tmp_path / "c")
    assert json.loads(capsys.readouterr().out)["stopped"] == "0 seconds"


def test_normal_form_game_and_shared_population(tmp_path, capsys):
    rps = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    np.save(tmp_path / "rps.npy", np.stack([rps, rps.T]))
    code = call("--payoffs", tmp_path / "rps.npy", "--solver", "nash_lp", "--symmetric",
                "--iterations", 4, "--json", "--out", tmp_path / "r")  # fmt: skip
    assert code == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["concept"] == "ne"
    assert summary["gap"] == pytest.approx(0, abs=1e-9)


def test_a_tree_from_a_file_and_what_is_said_of_it(tmp_path, capsys):
    """Whoever forgets is said to, in the run, the summary and the report."""
    place = tmp_path / "cards.EFG"
    place.write_text(CARDS, "utf-16")
    words = ("--game", place, "--solver", "nash", "--iterations", 4)
    assert call(*words, "--json", "--out", tmp_path / "cards") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["gap"] == pytest.approx(0, abs=1e-9)
    assert summary["values"] == pytest.approx([1 / 3, -1 / 3])
    assert (summary["played"], summary["caveats"]) == ("the game itself", [])
    assert "split game" not in (tmp_path / "cards/report.html").read_text()
    place = tmp_path / "driver.efg"
    place.write_text(DRIVER)
    out, trials = tmp_path / "driver", ("--trials", 2, "--iterations", 1)
    assert call("--game", place, *trials, "--out", out) == 0
    said = capsys.readouterr().out
    assert "absent-mindedness: 1 information state" in said
    assert "\nof the split game: mean of 2 trials +- standard error: gap 0" in said
    for folder in (out, out / "trial_1"):
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["played"] == "the split game"
        assert "absent-mindedness" in summary["caveats"][1]
    report = (out / "trial_0/report.html").read_text()
    assert "on the split game" in report and "absent-mindedness" in report


def test_a_game_of_observations_is_said_to_be_one(tmp_path, capsys):
    words = ("--game", "deep_sea(size=3)", "--iterations", 1, "--out", tmp_path / "r")
    assert call(*words, "--observations") == 0
    said = capsys.readouterr().out
    assert "that may merge histories" in said and "observed game: gap 0" in said
    assert "that may merge histories" in (tmp_path / "r/report.html").read_text()


def test_a_long_walk_says_how_far_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(walking, "_FIRST", 0.0)
    words = ("--game", "leduc_poker", "--iterations", 0)
    assert call(*words, "--out", tmp_path / "loud") == 0
    said = capsys.readouterr().out
    assert "walking the tree of leduc_poker: 2,000 of about" in said
    assert said.count("left") == 1  # the next line would come after ten seconds
    assert call(*words, "--quiet", "--out", tmp_path / "quiet") == 0
    assert "walking" not in capsys.readouterr().out


def test_yaml_defaults(tmp_path, capsys):
    file = tmp_path / "run.yaml"
    file.write_text("game: kuhn_poker\niterations: 1\neval-solver: mwcce\njson: true\n")
    assert call("--config", file, "--out", tmp_path / "r") == 0
    assert json.loads(capsys.readouterr().out)["eval_solver"] == "mwcce"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--solver", "mgcc"), "did you mean 'mgcce'"),
        (("--solver", "r3d:treshold=1"), "unknown field 'treshold'"),
        (("--solver", "r3d:threshold=much"), "must be a number"),
        (("--eval-solver", "mwcc"), "did you mean"),
        (("--game", "kuhn_pokr"), "did you mean 'kuhn_poker'"),
        (("--game", "openspiel/bargaining"), "needs learned responses (--oracle ppo)"),
        (("--game", "capture_the_flag_2v2"), "has no tree, it needs learned responses"),
        (
            ("--game", "kuhn_poker(players=x)"),
            "game 'kuhn_poker': players must be a whole number; got 'x'",
        ),
        (("--game", "leduc_poker(suit_isomorphism=3)"), "must be True or False"),
        (("--out", "/proc/none"), "says: No such file or directory\n"),
        (("--players", 99), "must have 2 to 10 players"),
        (("--iterations", -1), "--iterations must be at least 0"),
        (("--trials", 0), "--trials must be at least 1"),
        (("--horizon", 0), "--horizon must be at least 1"),
        (("--jobs", 2), "there is one; --trials asks for more"),
        (
            ("--ddqn.rate", 0.1),
            "--ddqn.rate: it must go with --oracle ddqn; got --oracle exact",
        ),
        (
            ("--final-gap",),
            "it must go with --oracle ddqn or --oracle ppo; got --oracle exact",
        ),
        (("--prune", 2), "--prune must be in [0, 1)"),
        (("--memory-gb", 0), "--memory-gb must be positive"),
        (("--symmetric",), "exchanging players"),
        (("--payoffs", "nowhere.npy"), "must exist"),
        (("--payoffs", "nowhere.npy", "--game", "leduc_poker"), "got both"),
        (("--payoffs", "nowhere.npy", "--players", 3), "--players goes with OpenSpiel"),
        (("--game", "nowhere.efg", "--players", 3), "--players goes with OpenSpiel"),
        (("--game", "nowhere.efg", "--observations"), "its own information sets"),
        (("--game", "nowhere.efg"), "must exist"),
        (("--game", "nowhere.efg", "--oracle", "ddqn"), "no tensors to learn from"),
        (("--payoffs", "tree.efg"), "--game tree.efg plays the tree"),
        (
            ("--game", "go", "--memory-gb", 2),
            "--memory-gb sets the limit, --oracle ppo learns without the tree",
        ),
        (("--game", "coin_game"), "--observations"),
        (("--game", "coin_game", "--oracle", "ddqn"), "leduc_poker, liars_dice"),
        (("--payoffs", "nowhere.txt"), "must end in one of"),
        (("--resume",), "must be named with --out"),
        (("--resume", "--out", "nowhere"), "must be the folder of an earlier run"),
        (("--config", "nowhere.yaml"), "must be a readable YAML file"),
        (
            ("--solver", "nash_lp", "--game", "sheriff(num_rounds=1)"),
            "must be zero-sum",
        ),
        (("--solver", "nash_lp", "--players", 3), "exactly 2 players; got 3\n"),
        (
            ("--solver", "rrd:final=0"),
            "the loop knows no horizon (--horizon names one)",
        ),
        (
            ("--eval-solver", "mix(rrd:final=0)"),
            "the loop knows no horizon (--horizon names one)",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path, monkeypatch, capsys, words, sentence
):
    monkeypatch.chdir(tmp_path)
    assert call(*words) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("runs/*"))
    assert captured.out == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--iterationz", "1"), "unknown flag '--iterationz' (did you mean '--iterat"),
        (("--iterations", "ten"), "--iterations must be a whole number; got 'ten'"),
        (("--iterations",), "--iterations must be a whole number; got nothing"),
        (("--iterations", "1", "2"), "must be a whole number; got '1 2'"),
        (("--players", "two"), "--players must be a whole number or None; got 'two'"),
        (
            ("--concept", "nash"),
            "--concept must be one of auto, ne, cce, ce; got 'nash'",
        ),
        (("--repeats", "yes"), "--repeats must stand alone; got 'yes'"),
        (("--no-repeats=1",), "--no-repeats must stand alone; got '1'"),
        (("kuhn_poker",), "flags begin with --; got 'kuhn_poker'"),
        (
            ("--ddqn.rate", "-1", "--oracle", "ddqn"),
            "error: --ddqn.rate must be a number in [0, 1]",
        ),
    ],
)
def test_bad_flags_are_one_sentence(words, sentence, capsys):
    assert call(*words) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and len(error) < 400


def test_a_used_folder_is_never_written_to(tmp_path, capsys):
    (tmp_path / "precious.txt").write_text("mine")
    assert call("--out", tmp_path, "--quiet") == 2
    assert "must be new or empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize("damage", ["state.json", "arrays.npz", "metrics", "config"])
def test_damaged_run_folders(tmp_path, capsys, damage):
    out = tmp_path / "r"
    assert call("--iterations", 2, "--out", out, "--quiet") == 0
    place = sorted((out / "checkpoint").iterdir())[-1]
    file = {"metrics": out / "metrics.jsonl", "config": out / "config.json"}.get(
        damage, place / damage
    )
    file.write_bytes(file.read_bytes()[:30])
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert call("--resume", "--out", out, "--iterations", 4) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and str(file.name) in error
    assert before == {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


LIGHT = [name for name in contents.pages() if not name.startswith("matrl")]


def test_help_loads_nothing_heavy():
    heavy = ("torch", "scipy", "cvxpy", "pyspiel", "vl_convert", "joblib", "ray")
    code = (
        "import sys\nfrom experiments import contents\n"
        f"for page in {LIGHT}:\n"
        "    contents.module(page).Config()\n"
        "    try: contents.main('metaspiel', [page, '--help'])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        f"    loaded = [name for name in {heavy} if name in sys.modules]\n"
        "    assert not loaded, (page, loaded)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for page in LIGHT:
        assert f"usage: metaspiel {page}" in done.stdout


@dataclass(frozen=True)
class Tired(MetaSolver):
    """A solver whose method breaks down once there is something to choose."""

    def distribution(self, game, rng):
        if game.payoffs[0].size > 1:
            raise np.linalg.LinAlgError("it is singular")
        return Answer(np.ones(game.actions))


def test_a_solver_without_an_answer_ends_the_run_and_keeps_it(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(registry, "_REGISTERED", {"tired": Tired})
    out = tmp_path / "r"
    assert call("--solver", "tired", "--out", out, "--quiet") == 3
    error = capsys.readouterr().err
    assert "ended early" in error and "the numerical method broke down" in error
    assert call("--solver", "mgcce:epsilon=-1", "--quiet", "--out", tmp_path / "s") == 3
    assert "no joint distribution" in capsys.readouterr().err
    summary = json.loads((out / "summary.json").read_text())
    assert summary["failed"] and (out / "report.html").exists()


def test_resume_after_a_kill_between_trials(tmp_path):
    start = ("--game", "kuhn_poker", "--iterations", 2, "--trials", 2, "--quiet")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert call(*start, "--out", whole) == 0
    assert call(*start, "--out", cut) == 0
    for path in sorted((cut / "trial_1").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (cut / "trial_1").rmdir()
    assert call("--resume", "--out", cut, "--quiet") == 0
    assert arrays(whole / "trial_1") == arrays(cut / "trial_1")


def test_resume_notices_another_game(tmp_path, capsys):
    file, out = tmp_path / "g.npy", tmp_path / "r"
    np.save(file, np.random.default_rng(0).normal(size=(2, 3, 3)))
    assert call("--payoffs", file, "--iterations", 1, "--out", out, "--quiet") == 0
    np.save(file, np.random.default_rng(1).normal(size=(2, 3, 3)))
    assert call("--resume", "--out", out, "--iterations", 2) == 2
    assert "it has changed" in capsys.readouterr().err


def test_resume_keeps_what_it_has(tmp_path, capsys):
    out = tmp_path / "r"
    assert call("--iterations", 2, "--out", out, "--quiet") == 0
    assert call("--resume", "--out", out, "--iterations", 1) == 2
    assert "must be at least the 2" in capsys.readouterr().err
    assert call("--resume", "--out", out, "--out", tmp_path / "other") == 2
    assert "must be given once" in capsys.readouterr().err
    file = tmp_path / "c.yaml"
    file.write_text("resume: true\n")
    assert call("--config", file, "--out", out) == 2
    assert "must not set resume" in capsys.readouterr().err
    assert call("--config", file, "--resume", "--out", out) == 2
    assert "keeps its own configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["stop_gap: abc", "players: two", "concept: foo", "gaps: everything",
     "iterations: [1, 2]", "solver: null", "iterations: true", "out: [a]"],
)  # fmt: skip
def test_odd_yaml_values_exit_with_code_2(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text + "\n")
    try:
        code = call("--config", tmp_path / "c.yaml", "--iterations", 1, "--quiet")
    except SystemExit as stopped:
        code = stopped.code
    if "iterations" in text:  # the command line wins over the file
        assert code == 0
    else:
        assert code == 2


LEARNED = [
    *("--oracle", "ddqn", "--solver", "rd", "--decisions", "200", "--episodes", "50"),
]


def learned(folder, *words):
    words = [*LEARNED, "--quiet", "--out", str(folder), *words]
    return main(psro.page, psro.Config, words)


def test_a_learned_run_resumes_bit_for_bit(tmp_path):
    game = ["--game", "bargaining"]
    assert learned(tmp_path / "whole", *game, "--iterations", "2") == 0
    assert learned(tmp_path / "parts", *game, "--iterations", "1") == 0
    again = ["--out", str(tmp_path / "parts"), "--resume", "--iterations", "2"]
    assert main(psro.page, psro.Config, [*again, "--quiet"]) == 0
    one, two = (
        np.load(tmp_path / name / "meta_game.npz") for name in ("whole", "parts")
    )
    for name in one.files:
        assert one[name].tobytes() == two[name].tobytes(), name
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert arrays(tmp_path / "whole") == arrays(tmp_path / "parts")
    # Killed after the last row was written, before its checkpoint was.
    shutil.rmtree(tmp_path / "parts" / "checkpoint" / "000002")
    assert main(psro.page, psro.Config, [*again, "--quiet"]) == 0
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    assert arrays(tmp_path / "whole") == arrays(tmp_path / "parts")
    summary = json.loads((tmp_path / "whole/summary.json").read_text())
    assert "lower bound" in summary["oracle"]
    assert summary["shared_pool"] and summary["policies"] == [3, 3]
    assert (tmp_path / "whole/report.html").stat().st_size > 10_000


def test_the_last_gap_of_a_learned_run_is_measured_on_demand(tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["--game", "bargaining", "--iterations", "1"]
    assert learned(first, *words, "--eval-solver", "uniform") == 0
    before = rows(first)
    assert [row["gap"] is None for row in before] == [False, True]
    for row in before:
        assert row["eval_gap"] is None
    report = (first / "report.html").read_text()
    assert "gap (learned, lower bound): not measured" in report
    assert "is an exact" not in report and "full-game" not in report
    assert "not measured" in capsys.readouterr().out  # the answer, which --quiet leaves
    again = ["--out", str(first), "--resume", "--final-gap"]
    assert main(psro.page, psro.Config, again) == 0
    said = capsys.readouterr().out
    assert "not measured" not in said and " +- " in said
    assert said.count("gap ") == said.count("gap (learned, lower bound)") > 0
    assert learned(second, *words, "--eval-solver", "uniform", "--final-gap") == 0
    assert rows(first) == rows(second)
    assert rows(first)[0] == before[0] and rows(first)[1]["gap"] >= 0
    summary = json.loads((first / "summary.json").read_text())
    assert summary["gap"] == rows(first)[1]["gap"]


def test_a_refused_resume_of_a_learned_run_changes_nothing(tmp_path, capsys):
    out = tmp_path / "r"
    assert learned(out, "--game", "bargaining", "--iterations", "1") == 0
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert call("--resume", "--out", out, "--iterations", 0) == 2
    assert "must be at least the 1" in capsys.readouterr().err
    assert before == {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_trials_without_a_last_gap_have_no_mean_of_it(tmp_path, capsys):
    words = ["--game", "bargaining", "--iterations", "1", "--trials", "2"]
    arguments = [*LEARNED, *words, "--out", str(tmp_path / "r")]
    assert main(psro.page, psro.Config, arguments) == 0
    said = capsys.readouterr().out
    assert "mean of 2 trials +- standard error: gap (learned, lower bound) not" in said
    assert "not measured  value sum" in said
    report = (tmp_path / "r/report.html").read_text()
    assert "2 trials" in report and report.count('class="panels"') == 1
    assert "at the end, a mean over trials: not measured." in report
    assert "Means are +- their standard error over 2 trials." in report
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    assert summary["gap"] is summary["gap_standard_error"] is None
    assert summary["value_sum_standard_error"] >= 0


def test_the_horizon_may_not_change(tmp_path, capsys):
    out = tmp_path / "r"
    words = ["--iterations", 1, "--horizon", 5, "--quiet"]
    assert call(*words, "--out", out) == 0
    assert call("--resume", "--out", out, "--horizon", 6) == 2
    assert "--horizon must stay" in capsys.readouterr().err


def test_stacked_trials_are_single_trials(tmp_path):
    game = ["--game", "bargaining", "--iterations", "1"]
    assert learned(tmp_path / "stacked", *game, "--trials", "2", "--seed", "4") == 0
    assert learned(tmp_path / "alone", *game, "--seed", "5") == 0
    one = np.load(tmp_path / "stacked/trial_1/meta_game.npz")
    two = np.load(tmp_path / "alone/meta_game.npz")
    for name in one.files:
        assert one[name].tobytes() == two[name].tobytes(), name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--game", "bargaining(foo=1)"], "unknown parameter 'foo'; known: discount"),
        (
            ["--game", "bargaining(discount=x)"],
            "discount of bargaining must be of type float",
        ),
        (["--game", "bargaining(discount=2)"], "discount"),
        (["--game", "bargaining", "--players", "3"], "has 2 players; got 3"),
        (["--game", "nosuch"], "unknown game 'nosuch'"),
        (["--decisions", "1"], "--decisions must be at least 2"),
        (["--executor", "cluster"], "cluster"),
        (
            ["--initial", "random_deterministic"],
            "--initial: it must go with --oracle exact; got --oracle ddqn",
        ),
        (["--tie-break", "first"], "--tie-break: it must go with --oracle exact"),
        (["--oracle", "exact"], "--decisions: it must go with --oracle ddqn"),
        (["--symmetric"], "--symmetric: it must go with --oracle exact"),
        (["--gaps", "all"], "--gaps: it must go with --oracle exact"),
        (["--jobs", "2", "--executor", "processes:jobs=1"], "drop one"),
        (["--game", "kuhn_poker)"], "brackets must be closed"),
        (["--ddqn.device", "cuda"], "sees no CUDA device"),
        (["--ddqn.rate", "2"], "--ddqn.rate must be a number in [0, 1]; got 2.0"),
        (["--ddqn.decisions", "100000"], "--decisions is the budget"),
    ],
)
def test_impossible_learned_runs_are_refused(tmp_path, capsys, words, sentence):
    assert learned(tmp_path / "run", *words) == 2
    assert sentence in capsys.readouterr().err


def test_what_is_given_of_the_schedule_is_not_scaled():
    def asked(*words: str) -> DDQN:
        return parse(psro.Config, ["--oracle", "ddqn", *words], "psro").ddqn

    usual = Schedule.budget(20_000)
    assert asked() == asked("--decisions", "20000") == usual
    given = asked("--ddqn.minimum", "500", "--ddqn.rate", "1e-3")
    assert given == replace(usual, minimum=500, rate=1e-3)
    assert asked("--decisions", "1000").capacity == 250
    # The published value is given as well as any other.
    assert asked("--decisions", "1000", "--ddqn.capacity", "50000").capacity == 50_000


def edited(out, change):
    """Rows of a run changed, and its last checkpoint made to fit them."""
    place = out / "metrics.jsonl"
    changed = [json.loads(line) for line in place.read_text().splitlines()]
    change(changed)
    text = "".join(json.dumps(one) + "\n" for one in changed)
    place.write_text(text)
    last = sorted((out / "checkpoint").iterdir())[-1]
    state = json.loads((last / "state.json").read_text())
    del state["sha256"]
    state["bound"]["rows"] = hashlib.sha256(text.encode()).hexdigest()
    state["sha256"] = checkpoint._checksum(files.restored(state), last / "arrays.npz")
    (last / "state.json").write_text(json.dumps(state))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: rows[1].pop("gap"), "must hold 'gap'; it is missing"),
        (lambda rows: rows[0].update(gap="1"), "'gap' must be a number; got '1'"),
        (lambda rows: rows[2].update(values=[1, None]), "'values'[1] must be a number"),
        (lambda rows: rows[2].update(novel=2**70), "'novel' must be a whole number"),
    ],
)
def test_rows_without_what_readers_need_are_one_sentence(
    tmp_path, capsys, change, sentence
):
    out = tmp_path / "run"
    run = ("--game", "kuhn_poker", "--out", out, "--quiet")
    assert call(*run, "--iterations", 2) == 0
    edited(out, change)
    assert call(*run, "--iterations", 3, "--resume") == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said and "\n" not in said


def test_damage_behind_the_rows_of_a_checkpoint_costs_nothing(tmp_path):
    out = tmp_path / "run"
    run = ("--game", "kuhn_poker", "--out", out, "--quiet")
    assert call(*run, "--iterations", 2) == 0
    with open(out / "metrics.jsonl", "ab") as file:
        file.write(b"\xff\xfe half a row\n[[[[\n")
    assert call(*run, "--iterations", 3, "--resume") == 0
    assert [r["iteration"] for r in rows(out)] == [0, 1, 2, 3]


def test_a_file_name_that_is_no_text_is_escaped(tmp_path, capsys):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/g\xff<b>.csv")
    try:
        with open(name, "w") as file:
            file.write("1,-1\n-1,1\n")
    except OSError:
        return  # this file system has only names that are text
    out = tmp_path / "run"
    assert call("--payoffs", name, "--iterations", 2, "--out", out) == 0
    said = capsys.readouterr().out
    assert "read as zero-sum" in said
    (caveat,) = json.loads((out / "summary.json").read_text("utf-8"))["caveats"]
    assert "read as zero-sum" in caveat
    assert "<b>" not in (out / "report.html").read_text("utf-8")
    assert call("--payoffs", name, "--out", out, "--resume", "--iterations", 3) == 0
    with open(name, "w") as file:
        file.write("x\n")
    assert call("--payoffs", name) == 2
    assert "must hold numbers" in capsys.readouterr().err
