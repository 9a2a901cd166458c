"""The page on 2 x 2 games, in small."""

import json
import math

import numpy as np
import pytest

from experiments.lab.page import main
from experiments.matrl import matrix as matrl_matrix
from experiments.matrl import matrix_config
from experiments.matrl import matrix_numbers as parts
from experiments.matrl.matrix_claims import claims
from matrl.dynamics import BOX, MATRL, path
from matrl.matrix_games import CLASSES, Games, draw


def call(*words):
    config = matrix_config.Config
    return main(matrl_matrix.page, config, [str(word) for word in words])


SMALL = ("--games", 40, "--steps", 60, "--pennies-steps", 40)


def without_time(summary):
    for row in summary["table"] + summary["sweep"]:
        assert row.pop("cpu_seconds") >= 0
    return summary


def test_a_small_run(tmp_path, capsys):
    words = (*SMALL, "--sweep", 0.3, 1, "--classes", "cyclic", "coordination")
    assert call(*words, "--out", tmp_path / "a", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    arrays = np.load(tmp_path / "a" / "arrays.npz")
    keys = [entrant.key for entrant in parts.entrants(0.02, 0.03, 0.01, "random")]
    kinds = ("cyclic", "coordination")
    pairs = [(row["class"], row["key"]) for row in summary["table"]]
    assert pairs == [(kind, key) for kind in kinds for key in keys]
    for row in summary["table"]:
        first = arrays[f"first/{row['class']}/{row['key']}"]
        assert first.shape == (40,)
        done = first[first >= 0]
        assert row["rate"] == pytest.approx(100 * len(done) / 40)
        assert row["rate_low"] <= row["rate"] <= row["rate_high"]
        if len(done):
            assert row["steps"] == pytest.approx(done.mean())
            assert row["steps_sd"] == pytest.approx(done.std())
        assert row["stays_rate"] <= row["rate"]
    published = {(r["class"], r["key"]) for r in summary["table"] if r["paper"]}
    assert published == {(k, r) for k in kinds for r in ("iga", "la", "matrl")}
    assert len(summary["sweep"]) == 2 * 2 * 7
    assert {row["regret"] <= 1e-9 for row in summary["meta_games"]} == {True}
    rotation = {row["method"]: row["steps"] for row in summary["rotation"]}
    assert (rotation["eg"], rotation["la"], rotation["matrl"]) == (121, 122, 123)
    text = (tmp_path / "a" / "table.md").read_text()
    for caption in ("Claims", "Table 1", "Equal steps", "Figure 3", "Matching pennies"):
        assert f"## {caption}" in text
    report = (tmp_path / "a" / "report.html").read_text()
    assert report.count("<svg") == 4 and "Wilson" in report
    for name in ("sweep", "converged", "figure_3", "figure_7"):
        assert (tmp_path / "a" / "plots" / f"{name}.png").stat().st_size > 5000

    assert call(*words, "--out", tmp_path / "b", "--quiet") == 0
    assert capsys.readouterr().out == ""
    again = json.loads((tmp_path / "b" / "summary.json").read_text())
    assert without_time(again) == without_time(summary)
    other = np.load(tmp_path / "b" / "arrays.npz")
    assert set(other) == set(arrays)
    for name in other:
        np.testing.assert_array_equal(other[name], arrays[name])


def test_without_a_sweep_and_with_one_game(tmp_path, capsys):
    few = ("--games", 1, "--steps", 3, "--pennies-steps", 5, "--classes", "cyclic")
    assert call(*few, "--out", tmp_path, "--sweep", "--selection", "first") == 0
    printed = capsys.readouterr().out
    assert "0.0 % in - steps" in printed and "Equal steps" not in printed
    assert "(ours)" not in printed and "> 5 |" in printed
    assert not (tmp_path / "plots" / "sweep.png").exists()


def test_claims_follow_the_numbers():
    config = matrix_config.Config(classes=("cyclic",), sweep=())
    labels = {e.key: e for e in parts.entrants(0.02, 0.03, 0.01, "random")}
    paper = (80.0, 300.0, 100.0)
    table = [
        {"class": "cyclic", "key": k, "label": e.label, "rate": 90.0, "steps": 100.0}
        | {"paper": paper}
        for k, e in labels.items()
    ]

    def pair(difference, low, high, only=(0, 0), p=1.0):
        row = {"difference": difference, "low": low, "high": high, "p_holm": p}
        return row | {"class": "cyclic", "only_matrl": only[0], "only_other": only[1]}

    def verdicts(iga, beta, la, rho, rotation, pennies, pure=100.0):
        rates = {"iga": iga, "iga-beta": beta, "la-beta": la, "random-rho": rho}
        summary = {
            "table": table,
            "paired": [row | {"other": key} for key, row in rates.items()],
            "meta_games": [{"meta_games": 10, "pure": pure}],
            "rotation": [{"method": m, "steps": s} for m, s in rotation.items()],
            "pennies": [
                {"label": name, "step": 0.1, "stays": steps}
                for name, steps in pennies.items()
            ],
        }
        return [row["verdict"] for row in claims(config, summary)]

    slow = {"gd": None, "eg": 5, "la": 6, "matrl": 7, "matrl-wo-br": None}
    assert verdicts(
        pair(-50.0, -60.0, -40.0),
        pair(-5.0, -6.0, -4.0),
        pair(9.0, 5.0, 12.0, (0, 30), 0.001),
        pair(-1.0, -2.0, 1.0),
        slow,
        {"IGA": None, "IGA-LA": 3, "MATRL": 3},
    ) == [
        "holds",
        "10 % of the saving is left: mostly the longer step",
        "does not hold: look-ahead converges in more games",
        "does not hold: not sooner, no difference in rates",
        "holds (for two players)",
        "does not hold at one rate",
        "holds; look-ahead takes the same steps",
    ]
    assert verdicts(
        pair(-50.0, -60.0, 1.0),
        pair(-40.0, -50.0, -30.0),
        pair(-9.0, -12.0, -5.0, (30, 0), 0.001),
        pair(-1.0, -2.0, 1.0, (30, 0), 0.001),
        slow | {"matrl": 4},
        {"IGA": 9, "IGA-LA": 3, "MATRL": 4},
        pure=99.0,
    ) == [
        "does not hold",
        "80 % of the saving is left: holds",
        "holds",
        "holds: not sooner, more games",
        "does not hold",
        "holds",
        "does not hold",
    ]


def test_wilson_against_its_equation():
    for hits, trials in ((0, 10), (3, 10), (10, 10), (843, 1000)):
        low, high = (end / 100 for end in parts.wilson(hits, trials))
        share = hits / trials
        for end in (low, high):
            if 1e-9 < end < 1 - 1e-9:  # |share - end| is 1.96 standard errors at end
                error = math.sqrt(end * (1 - end) / trials)
                assert abs(share - end) == pytest.approx(1.959964 * error, rel=1e-5)
        assert 0 <= low <= share <= high <= 1
    assert parts.wilson(0, 10)[1] == pytest.approx(27.75, abs=0.01)


def test_pairs_by_hand():
    ours, theirs = np.array([5, -1, 3, 8, 2]), np.array([9, 4, -1, 8, -1])
    compared = parts.paired(ours, theirs, 10, 0)
    assert compared["difference"] == pytest.approx((-4 + 6 - 7 + 0 - 8) / 5)
    assert (compared["sooner"], compared["later"]) == (3, 1)
    assert (compared["only_matrl"], compared["only_other"]) == (2, 1)
    assert compared["p"] == 1.0
    clear = parts.paired(np.arange(10), np.full(10, -1), 10, 0)
    assert clear["p"] == pytest.approx(2 / 2**10)
    corrected = parts.holm([compared, clear])
    assert [row["p_holm"] for row in corrected] == [1.0, pytest.approx(4 / 2**10)]


def test_meta_games_are_counted_until_convergence():
    games = Games.of(draw("cyclic", 20))
    rule = MATRL(alpha=0.3, beta=0.3)
    counts = parts.meta_games(rule, games, 50, 0)
    points = path(rule, games, 50)
    inside = (np.abs(points - games.equilibria[:, 0]) < BOX).all(axis=2)
    before = ~np.logical_or.accumulate(inside, axis=0)
    assert counts["meta_games"] == before.sum()
    assert counts["pure"] == 100 and counts["several"] == counts["mixed"] == 0
    assert 0 < counts["switch"] < 100 and 0 < counts["mean_rho"] < 0.5
    assert counts["regret"] <= 1e-9


def test_large_steps_have_several_meta_equilibria():
    games = Games.of(draw("coordination", 50))
    counts = parts.meta_games(MATRL(alpha=4.0, beta=4.0), games, 50, 0)
    assert counts["several"] > counts["mixed"] > 0 and counts["pure"] == 100


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--games", 0), "--games must lie in 1"),
        (("--steps", 0), "--steps must lie in 1"),
        (("--pennies-steps", 0), "--pennies-steps must lie in"),
        (("--seed", -1), "--seed must lie in 0"),
        (("--alpha", 0), "--alpha: a step size must lie in"),
        (("--beta", "nan"), "--beta: a step size must lie in"),
        (("--gamma", -1), "--gamma: a step size"),
        (("--sweep", 0.1, 0.1), "--sweep: step sizes must differ"),
        (("--sweep", 0), "--sweep: a step size"),
        (("--rate", 1), "--rate must lie in"),
        (
            ("--classes", "cyclical"),
            "unknown class 'cyclical' (did you mean 'cyclic'?)",
        ),
        (("--classes", "cyclic", "cyclic"), "each once"),
    ],
)
def test_bad_input(tmp_path, capsys, words, sentence):
    assert call(*words, "--out", tmp_path / "r") == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_the_page_knows_the_classes():
    assert matrix_config.CLASSES == CLASSES
