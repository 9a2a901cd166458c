"""The page on 2 x 2 games, in small."""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from refusals import refused

from experiments.lab.page import main
from experiments.matrl import matrix
from experiments.matrl.matrix_claims import claims
from experiments.matrl.matrix_config import Config
from experiments.matrl.matrix_results import (
    COMPARED,
    Counted,
    Paired,
    Pennies,
    PureShare,
    Result,
    Share,
    Summary,
    Turned,
    corrected,
    entrants,
    paired,
    sweepers,
)
from matrl.dynamics import Race
from matrl.rotation import METHODS


def call(*words):
    return main(matrix.page, Config, [str(word) for word in words])


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
    keys = [entrant.key for entrant in entrants(Config())]
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
        assert f"\n{caption}" in f"\n{text}"
    report = (tmp_path / "a" / "report.html").read_text()
    assert report.count('class="panels"') == 4 and "Wilson" in report
    for name in ("sweep", "converged", "figure_3", "figure_7"):
        assert (tmp_path / "a" / "plots" / f"{name}.png").stat().st_size > 5000

    assert call(*words, "--out", tmp_path / "b", "--quiet") == 0
    assert "Claims, judged on" in capsys.readouterr().out
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


def result(key, label, low=88.0, high=92.0):
    share = dict.fromkeys(field.name for field in fields(Share))
    share |= {"rate": 90.0, "rate_low": low, "rate_high": high, "steps": 100.0}
    both = {"first": Share(**share), "stays": Share(**share)}
    named = {"kind": "cyclic", "key": key, "label": label}
    return Result(**named, **both, step=1.0, cpu_seconds=1.0)


def pair(difference, low, high, only=(0, 0), p=1.0):
    return Paired(
        kind="cyclic",
        other="",
        difference=difference,
        low=low,
        high=high,
        sooner=1,
        later=1,
        only_matrl=only[0],
        only_other=only[1],
        p=p,
        p_holm=p,
    )


def test_claims_follow_the_numbers():
    config = Config(classes=("cyclic",), sweep=())
    table = [result(one.key, one.label) for one in entrants(config)]

    def verdicts(iga, beta, la, rho, rotation, pennies, pure=100.0):
        pairs = {"iga": iga, "iga-beta": beta, "la-beta": la, "random-rho": rho}
        pairs["iga-matched"] = iga
        counted = Counted(
            kind="cyclic",
            alpha=0.1,
            beta=0.1,
            games=10,
            meta_games=10,
            pure=pure,
            several=0.0,
            mixed=0.0,
            switch=0.0,
            mean_rho=0.0,
            regret=0.0,
        )
        summary = Summary(
            table=table,
            paired=[replace(one, other=key) for key, one in pairs.items()],
            sweep=[],
            meta_games=[counted],
            pure=[
                PureShare(agents=3, meta_games=1000, pure=pure - 13, low=84, high=89),
                PureShare(agents=2, meta_games=1000, pure=pure, low=99.6, high=100),
            ],
            rotation=[Turned(m, 1.0, s, None) for m, s in rotation.items()],
            pennies=[Pennies(name, 0.1, steps) for name, steps in pennies.items()],
        )
        return [one.judged for one in claims(config, summary)]

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
        "fails: 10 % of the saving is left, mostly it is the longer step",
        "fails: look-ahead converges in more games",
        "undecided: not sooner, no difference in rates",
        "holds: for two players",
        "fails",
        "holds",
        "fails: at one rate",
        "holds: look-ahead takes the same steps",
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
        "undecided",
        "undecided: no saving against IGA is shown",
        "holds",
        "holds: not sooner, more games",
        "fails: for two players",
        "fails",
        "fails",
        "holds",
        "fails",
    ]
    assert verdicts(
        pair(5.0, 4.0, 6.0),
        pair(5.0, None, None),
        pair(9.0, 5.0, 12.0),
        pair(9.0, 5.0, 12.0, (0, 30), 0.001),
        slow,
        {"IGA": None, "IGA-LA": 3, "MATRL": 3},
    )[:4] == [
        "fails",
        "undecided",
        "fails: no difference in rates, not sooner",
        "fails: later, fewer games",
    ]
    assert verdicts(
        pair(-50.0, -55.0, -45.0),
        pair(-40.0, -44.0, -36.0),
        pair(-9.0, -12.0, -5.0, (0, 30), 0.001),
        pair(9.0, 5.0, 12.0, (30, 0), 0.001),
        slow,
        {"IGA": None, "IGA-LA": 3, "MATRL": 3},
    )[:4] == [
        "holds",
        "holds: 80 % of the saving is left",
        "undecided: sooner, but look-ahead converges in more games",
        "undecided: later, more games",
    ]
    assert verdicts(
        pair(-50.0, -60.0, -40.0),
        pair(-24.5, -30.0, -18.0),
        pair(-9.0, -12.0, -5.0),
        pair(-9.0, -12.0, -5.0, (0, 30), 0.001),
        slow,
        {"IGA": None, "IGA-LA": 3, "MATRL": 3},
    )[1:4] == [
        "undecided: 49 % of the saving is left, perhaps 30 to 75 %",
        "holds",
        "undecided: sooner, fewer games",
    ]


def test_staying_more_often_is_a_matter_of_intervals():
    config = Config(classes=("cyclic",), sweep=(1.0,))
    table = [result(one.key, one.label) for one in entrants(config)]

    def verdicts(**rivals):
        swept = [one.key for one in sweepers(config, 1.0)]
        bounds = dict.fromkeys(swept, (10.0, 20.0))
        bounds |= {"matrl": (60.0, 70.0)} | rivals
        summary = Summary(
            table=table,
            paired=[replace(pair(0.0, -1.0, 1.0), other=key) for key in COMPARED],
            sweep=[result(key, key, *bounds[key]) for key in swept],
            meta_games=[],
            pure=[],
            rotation=[Turned(m, 1.0, None, None) for m in METHODS],
            pennies=[Pennies(name, 0.1, 3) for name in ("IGA", "IGA-LA", "MATRL")],
        )
        made = {one.text: one.judged for one in claims(config, summary)}
        assert made.pop("Remark 2: the meta-game always has a pure equilibrium") == (
            "not tested: no meta-games"
        )
        return list(made.values())[-3:]

    assert verdicts() == [
        "holds: against every control",
        "holds: at these steps only",
        "holds: against every control",
    ]
    some = verdicts(iga=(65.0, 75.0), **{"la-projected": (60.0, 70.0)})
    assert some[1] == "undecided"
    assert some[0].startswith("undecided: MATRL is above iga-matched; la; random-rho")
    assert verdicts(iga=(80.0, 90.0))[2].endswith("matrl-wo-br and below iga")
    assert verdicts(iga=(80.0, 90.0))[2].startswith("fails: MATRL is above")


def test_pairs_by_hand():
    ours, theirs = np.array([5, -1, 3, 8, 2]), np.array([9, 4, -1, 8, -1])

    def against(ours, theirs):
        races = {
            name: Race(when, when, np.zeros((len(when), 2)))
            for name, when in (("matrl", ours), ("iga", theirs))
        }
        return paired("cyclic", "iga", races, steps=10, seed=0)

    compared = against(ours, theirs)
    assert compared.difference == pytest.approx((-4 + 6 - 7 + 0 - 8) / 5)
    assert (compared.sooner, compared.later) == (3, 1)
    assert (compared.only_matrl, compared.only_other) == (2, 1)
    assert compared.p == 1.0
    clear = against(np.arange(10), np.full(10, -1))
    assert clear.p == pytest.approx(2 / 2**10)
    holm = [one.p_holm for one in corrected([compared, clear])]
    assert holm == [1.0, pytest.approx(4 / 2**10)]


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
        (("--selection", "best"), "unknown selection 'best'"),
        (
            ("--classes", "cyclical"),
            "unknown class 'cyclical' (did you mean 'cyclic'?)",
        ),
        (("--classes", "cyclic", "cyclic"), "each once"),
    ],
)
def test_bad_input(words, sentence, tmp_path, capsys):
    given = [str(word) for word in words]
    refused(matrix, given, sentence, folder=tmp_path, capsys=capsys)
