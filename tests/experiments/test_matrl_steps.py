"""The step-size page, in small real runs through its command line."""

import json
import signal
import subprocess
import sys

import pytest

from experiments.lab.page import main
from experiments.matrl import steps_report as report
from experiments.matrl.steps import page
from experiments.matrl.steps_config import Config

SMALL = [
    *("--rates", "4e-3", "--clips", ".3", "--seeds", "2", "--iterations", "6"),
    *("--batch", "100", "--envs", "20", "--width", "8"),
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


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, capsys):
    words = ("--methods", "il", "matrl", "--iterations", "40", "--json")
    assert run("--out", tmp_path / "whole", *words) == 0
    whole = json.loads(capsys.readouterr().out)
    out = tmp_path / "cut"
    command = [sys.executable, "-m", "experiments.matrl.steps", *SMALL, *words]
    child = subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while child.poll() is None and not list(out.glob("cells/*/done.json")):
        pass
    child.send_signal(signal.SIGKILL)
    child.communicate()
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
        (("--envs", "7"), "multiple of envs"),
    ],
)
def test_impossible_wishes_get_one_sentence(tmp_path, capsys, words, sentence):
    out = tmp_path / "run"
    assert main(page, Config, ["--out", str(out), *words]) == 2
    text = capsys.readouterr().err
    assert sentence in text and text.startswith("error: ") and text.count("\n") == 1
    assert not out.exists()


def row(method, low, high, rate=0.01):
    mean = None if low is None else (low + high) / 2
    return {"clip": 0.3, "rate": rate, "method": method, "low": low, "high": high} | {
        "mean": mean
    }


def test_better_means_intervals_apart():
    low, high, wide = row("matrl", 0.1, 0.2), row("il", 0.3, 0.4), row("il", 0.15, 0.4)
    assert report.apart(low, high, lower_is_better=True) == "better"
    assert report.apart(low, high, lower_is_better=False) == "worse"
    assert report.apart(high, low, lower_is_better=True) == "worse"
    assert report.apart(low, wide, lower_is_better=True) == "undecided"
    assert report.apart(low, row("il", None, None), lower_is_better=True) == "undecided"


def test_beating_all_needs_every_rival():
    rows = [row("matrl", 0.1, 0.2), row("il", 0.3, 0.4), row("il-la", 0.25, 0.5)]
    assert report.beats_all(rows, lower_is_better=True) == [
        "clip 0.3, rate 0.01: matrl"
    ]
    rows.append(row("random-rho", 0.05, 0.5))
    assert report.beats_all(rows, lower_is_better=True) == []
    claims = report.claims(rows, lower_is_better=True)
    assert [one["better"] for one in claims] == [
        ["clip 0.3, rate 0.01"],
        ["clip 0.3, rate 0.01"],
        [],
    ]
