"""MATRL on MuJoCo robots, in small; and how claims are judged."""

import json
import sys
from itertools import combinations

import numpy as np
import pytest

from experiments.lab.page import main
from experiments.matrl import comparisons as claim
from experiments.matrl import control as matrl_control
from experiments.matrl import control_config
from experiments.matrl import control_numbers as _matrl_control
from experiments.matrl.control_config import Config
from metaspiel.games import extras

TINY = ("--limit", 10, "--batch", 40, "--width", 8, "--random-episodes", 3)
TWO = (*TINY, "--tasks", "hopper", "swimmer", "--seeds", 2)


def call(*words):
    return main(matrl_control.page, Config, [str(word) for word in words])


def learned(folder):
    """All metrics but times."""
    cells = {}
    for place in sorted((folder / "cells").glob("*/metrics.jsonl")):
        rows = [json.loads(line) for line in place.read_text().splitlines()]
        cells[place.parent.name] = [{**row, "seconds": None} for row in rows]
    return cells


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    pytest.importorskip("mujoco")
    folder = tmp_path_factory.mktemp("control") / "run"
    assert call(*TWO, "--iterations", 4, "--quiet", "--out", folder) == 0
    return folder


def test_a_small_run(whole):
    summary = json.loads((whole / "summary.json").read_text())
    metrics, table = learned(whole), summary["table"]
    assert {(row["task"], row["method"]) for row in table} == {
        (task, method) for task in ("hopper", "swimmer") for method in ("il", "matrl")
    }
    with np.load(whole / "curves.npz", allow_pickle=False) as curves:
        for row in table:
            names = [f"{row['task']}-{row['method']}-s{s}" for s in (0, 1)]
            own = np.array([[r["returns"] for r in metrics[n]] for n in names])
            key = f"{row['task']}/{row['method']}"
            assert np.array_equal(curves[f"{key}/returns"], own)
            assert row["seeds"] == curves[f"{key}/seeds"].tolist() == [0, 1]
            assert own.shape == (2, 4) and own.std() > 0
            assert row["last"]["values"] == pytest.approx(own.mean(1))
            assert row["random"] == summary["random"][row["task"]]["mean"]
            assert row["cpu_seconds"] > 0
            assert ("rho" in row) == (row["method"] == "matrl")
    verdicts = {row["claim"]: row["verdict"] for row in summary["claims"]}
    assert verdicts["hopper: MATRL ends above il (the paper's claim)"] == (
        "too few seeds"
    )
    # four iterations: the first ten are the last ten
    assert list(verdicts.values()).count("does not hold") == 4
    assert "| hopper | il | 2 |" in (whole / "table.md").read_text()
    assert "<svg" in (whole / "report.html").read_text()
    assert (whole / "plots" / "curves.png").stat().st_size > 10_000


def test_a_run_that_is_extended_is_the_longer_run(whole, tmp_path, capsys):
    words = (*TINY, "--tasks", "hopper", "--seeds", 1, "--iterations", 2)
    assert call(*words, "--out", tmp_path, "--json") == 0
    short = json.loads(capsys.readouterr().out)
    assert short["env_steps"] == 80
    more = ("--tasks", "hopper", "swimmer", "--seeds", 2, "--iterations", 4)
    assert call("--out", tmp_path, "--resume", *more, "--quiet") == 0
    assert capsys.readouterr().out == ""
    assert learned(tmp_path) == learned(whole)
    tables = [
        [{**row, "cpu_seconds": None} for row in json.loads(text)["table"]]
        for text in ((f / "summary.json").read_text() for f in (whole, tmp_path))
    ]
    assert tables[0] == tables[1]
    assert call("--out", tmp_path, "--resume", "--clip", 0.3) == 2
    assert "--clip must stay" in capsys.readouterr().err


def test_every_setting_reaches_the_learner():
    flags = {
        "rate": 1e-3, "steps": 3, "clip": 0.3, "entropy": 0.2, "kl": 0.3, "gamma": 0.8,
        "lam": 0.7, "target_kl": 0.2, "value_clip": 0.4, "bootstrap_limits": False,
        "width": 16, "batch": 80, "envs": 2,
    }  # fmt: skip
    more = {"br_steps": 2, "br_rate": 1e-4, "br_clip": 0.4, "meta_clip": 0.6}
    settings = control_config.settings(Config(**flags, **more))
    assert {name: getattr(settings.ppo, name) for name in flags} == flags
    assert {name: getattr(settings, name) for name in more} == more
    assert settings.ppo.reward == "team"
    usual = control_config.settings(Config())
    for name, value in flags.items():
        assert getattr(usual.ppo, name) != value


def test_episodes_of_the_default_are_whole():
    config = Config()
    assert config.batch // config.envs >= config.limit == 1000
    assert config.iterations * config.batch >= 300_000


def test_a_missing_extra_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    extras._free.cache_clear()  # robots of other tests
    assert call(*TWO, "--iterations", 2, "--out", tmp_path / "new") == 2
    text = capsys.readouterr().err
    assert "pip install" in text and "[mujoco]" in text
    assert text.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--tasks", "walker"), "--tasks: unknown task 'walker'"),
        (("--tasks", "ant", "ant"), "nothing twice"),
        (("--methods", "ppo"), "--methods: unknown method 'ppo'"),
        (("--seeds", 0), "--seeds must be at least 1"),
        (("--seed", -1), "--seed must be at least 0"),
        (("--random-episodes", 0), "--random-episodes must be at least 1"),
        (("--iterations", 0), "--iterations must be at least 1"),
        (("--batch", 30), "batch must be a multiple of envs"),
        (("--limit", 0), "limit must be at least 1"),
        (("--rate", "nan"), "rate must be positive"),
    ],
)
def test_bad_input(words, sentence, tmp_path, capsys):
    assert call(*words, "--out", tmp_path / "new") == 2
    text = capsys.readouterr().err
    assert sentence in text and text.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_smooth_is_a_mean_of_the_last_ten():
    values = np.random.default_rng(0).normal(size=(2, 25))
    means = _matrl_control.smooth(values)
    for t in range(25):
        mean = values[:, max(0, t - 9) : t + 1].mean(1)
        assert means[:, t] == pytest.approx(mean)


def line(method, first, last, random=1.0):
    row = {"task": "ant", "method": method, "random": random}
    return row | {"first": claim.spread(first, 0), "last": claim.spread(last, 0)}


def test_when_a_return_rises():
    def verdict(*row):
        return _matrl_control._rises(line("il", *row))["verdict"]

    assert verdict([0.0, 0.5], [2.0, 3.0]) == "holds"
    assert verdict([0.0, 2.5], [2.0, 2.0]) == "does not hold"  # one seed fell
    assert verdict([0.0, 0.1], [0.9, 2.0]) == "does not hold"  # random is as good
    assert verdict([], []) == "not run"


def test_verdicts_follow_the_permutation_test():
    high, low = [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]
    compared = claim.higher(high, low, 0)
    assert compared["verdict"] == "holds" and compared["p"] == pytest.approx(1 / 20)
    assert compared["difference"] == 3.0 and compared["apart"]
    assert claim.higher(low, high, 0)["verdict"] == "reversed"
    assert claim.higher(high[:2], low[:2], 0)["verdict"] == "too few seeds"
    assert claim.higher([1.0, 5.0, 3.0], [2.0, 4.0, 3.0], 0)["verdict"] == "undecided"
    nothing = claim.higher(high, [], 0)
    assert nothing["verdict"] == "not run" and "no seeds" in claim.in_words(nothing)
    mixed, other = [1.0, 5.0, 6.0], [2.0, 3.0, 0.5]
    pooled = mixed + other
    sums = [sum(pair) for pair in combinations(pooled, 3)]
    share = np.mean([total >= sum(mixed) for total in sums])
    assert claim.higher(mixed, other, 0)["p"] == pytest.approx(share)
