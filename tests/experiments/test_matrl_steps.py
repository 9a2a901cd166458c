"""The step-size page, in small real runs through its command line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab.page import main
from experiments.matrl import steps
from experiments.matrl.steps import page
from experiments.matrl.steps_config import Config
from experiments.matrl.steps_results import Point, beats_all, better, compare

SMALL = [
    *("--rates", "4e-3", "--clips", ".3", "--seeds", "2", "--iterations", "6"),
    *("--learner.ppo.batch", "100", "--learner.ppo.envs", "20"),
    *("--learner.ppo.width", "8"),
]


def run(*words):
    return main(page, Config, [*SMALL, *map(str, words)])


def test_a_run_writes_what_it_found(tmp_path, capsys):
    out = tmp_path / "run"
    methods = ("il", "matrl", "matrl-held-out")
    assert run("--out", out, "--methods", *methods, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["measure"] == "exploitability"
    assert [row["method"] for row in summary["rows"]] == list(methods)
    assert all(row["n"] == 2 and row["diverged"] == 0 for row in summary["rows"])
    pairs = [(row["method"], row["against"]) for row in summary["claims"]]
    assert pairs == [
        ("matrl", "il"),
        ("matrl-held-out", "il"),
        ("matrl-held-out", "matrl"),
    ]
    for name in ("summary.json", "table.md", "report.html", "plots/steps.png"):
        assert (out / name).stat().st_size > 100
    settings = json.loads(
        (out / "cells/matrl-held-out-clip-0.3-rate-0.004-s100/cell.json").read_text()
    )["settings"]
    assert settings["held_out"] == 0.5 and settings["ppo"]["clip"] == 0.3
    assert settings["ppo"]["target_kl"] == "Infinity"


def test_a_game_that_does_not_judge_is_measured_by_returns(tmp_path, capsys):
    words = ("--game", "switch", "--methods", "il", "matrl", "--seeds", "1")
    assert run("--out", tmp_path / "run", *words, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["measure"] == "returns"
    assert summary["rows"][0]["low"] is None  # one seed says nothing of spread


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, capsys):
    words = ("--methods", "il", "matrl", "--iterations", "20", "--json")
    assert run("--out", tmp_path / "whole", *words) == 0
    whole = json.loads(capsys.readouterr().out)
    out = tmp_path / "cut"
    command = [sys.executable, "-m", "experiments.matrl.steps", *SMALL, *words]
    child = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while child.poll() is None and not list(out.glob("cells/*/done.json")):
        time.sleep(0.01)  # of a second that the cells after it take
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert len(list(out.glob("cells/*/done.json"))) < 4
    assert main(page, Config, ["--out", str(out), "--resume", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    for one, two in zip(whole["rows"], again["rows"], strict=True):
        assert one["values"] == two["values"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--game", "pong"), "unknown Markov game 'pong'"),
        (("--game", "pennies(agents=9)"), "agents 2 to 8"),
        (("--methods", "ill"), "unknown method 'ill'"),
        (("--rates", "-1"), "rate must be positive"),
        (("--clips", ".3", ".3"), "--clips must be named, each once"),
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--learner.ppo.envs", "7"), "multiple of envs"),
        (("--learner.ppo.rate", ".1"), "must be left to --rates and --clips"),
    ],
)
def test_impossible_wishes_get_one_sentence(tmp_path, capsys, words, sentence):
    refused(steps, list(words), sentence, folder=tmp_path, capsys=capsys)


def point(method, low, high):
    mean = None if low is None else (low + high) / 2
    ends = {"mean": mean, "low": low, "high": high, "n": 2, "values": {}}
    return Point(clip=0.3, rate=0.01, method=method, **ends)


def test_better_means_intervals_apart():
    low, high = point("matrl", 0.1, 0.2), point("il", 0.3, 0.4)
    assert better(low, high, lower_is_better=True) == "holds"
    assert better(low, high, lower_is_better=False) == "fails"
    assert better(high, low, lower_is_better=True) == "fails"
    for other in (point("il", 0.15, 0.4), point("il", None, None)):
        assert better(low, other, lower_is_better=True) == "undecided"


def test_beating_all_needs_every_rival():
    points = [point("matrl", 0.1, 0.2), point("il", 0.3, 0.4), point("il-la", 0.25, 1)]
    assert beats_all(points, lower_is_better=True) == ["clip 0.3, rate 0.01: matrl"]
    points.append(point("random-rho", 0.05, 0.5))
    assert beats_all(points, lower_is_better=True) == []
    compared = compare(points, lower_is_better=True)
    assert [one.against for one in compared] == ["il", "il-la", "random-rho"]
    steps = [["clip 0.3, rate 0.01"], ["clip 0.3, rate 0.01"], []]
    assert [one.better for one in compared] == steps
    assert [one.undecided for one in compared] == [0, 0, 1]
