"""The main page with PPO responses and a referee, through its command line."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from experiments.lab.page import main, parse
from experiments.psro import __main__ as psro
from experiments.psro import report
from metaspiel import files
from metaspiel.nfg.errors import UserError
from psro.metrics import Row

SMALL = [
    *("--oracle", "ppo", "--solver", "rm", "--decisions", "128", "--episodes", "30"),
    *("--width", "8", "--ppo.width", "8", "--ppo.games", "8", "--ppo.rounds", "8"),
]

JUDGED = ("--referee", "--start", "mixture")


def call(folder, *words):
    words = [*SMALL, "--quiet", "--out", folder, *words]
    return main(psro.page, psro.Config, [str(word) for word in words])


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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two iterations with a referee, begun with policies of the mixture."""
    folder = tmp_path_factory.mktemp("ppo") / "whole"
    assert call(folder, *JUDGED, "--iterations", 2) == 0
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Runs without their pictures, which take longer than they do."""
    monkeypatch.setattr(report, "write_report", lambda *_: None)


def test_exact_gaps_stand_beside_learned_ones(whole):
    first, second, last = rows(whole)
    assert first["exact_gap"] == pytest.approx(11 / 12)  # of Kuhn's uniform play
    assert first["exact_value_sum"] == pytest.approx(0)
    assert None not in (first["gap"], second["gap"]) and last["gap"] is None
    assert last["exact_gap"] > 0 and last["exact_eval_gap"] == last["exact_gap"]
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["exact_gap"] == last["exact_gap"]
    assert summary["gap_is"] == "learned, lower bound" and summary["start"] == "mixture"
    spent = summary["cpu_seconds_per_stage"]
    assert set(spent) == {"respond", "evaluate", "solve", "referee"}
    assert spent["referee"] > 0
    assert sum(spent.values()) == pytest.approx(summary["cpu_seconds"])
    report = (whole / "report.html").read_text()
    assert f"the exact one {last['exact_gap']:.3g}" in report
    assert "exact best responses over all policies of the game" in report


@pytest.mark.parametrize("cut", ["iterations", "checkpoint"])
def test_a_killed_run_resumes_bit_for_bit(whole, tmp_path, undrawn, cut):
    """It ended early, or was killed between a row and its checkpoint."""
    if cut == "iterations":
        assert call(tmp_path / "r", *JUDGED, "--iterations", 1) == 0
    else:
        shutil.copytree(whole, tmp_path / "r")
        shutil.rmtree(tmp_path / "r/checkpoint/000002")
    again = ["--out", str(tmp_path / "r"), "--resume", "--iterations", "2", "--quiet"]
    assert main(psro.page, psro.Config, again) == 0
    assert rows(whole) == rows(tmp_path / "r")
    assert arrays(whole) == arrays(tmp_path / "r")


def test_a_finished_run_is_not_judged_again(whole, tmp_path, undrawn):
    shutil.copytree(whole, tmp_path / "r")
    before = (whole / "metrics.jsonl").read_text()
    assert main(psro.page, psro.Config, ["--out", str(tmp_path / "r"), "--resume"]) == 0
    assert (tmp_path / "r/metrics.jsonl").read_text() == before
    one, two = (
        json.loads((f / "summary.json").read_text()) for f in (whole, tmp_path / "r")
    )
    assert one["cpu_seconds_per_stage"] == two["cpu_seconds_per_stage"]


@pytest.mark.parametrize(
    "how",
    [
        [],
        pytest.param(["--jobs", "2"], marks=pytest.mark.slow),
        pytest.param(["--executor", "processes:jobs=2"], marks=pytest.mark.slow),
    ],
)
def test_trials_are_what_they_are_alone(whole, tmp_path, undrawn, capsys, how):
    words = [*SMALL, *JUDGED, "--iterations", "1", "--trials", "2", *how]
    folder = tmp_path / "r"
    assert main(psro.page, psro.Config, [*words, "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    first, last = rows(folder / "trial_0")
    known = rows(whole)
    assert first == known[0]
    later = ("gap", "gap_per_player", "gap_error", "cce_gap", "eval_gap")
    assert {k: v for k, v in last.items() if k not in later} == {
        k: v for k, v in known[1].items() if k not in later
    }
    summary = json.loads((folder / "summary.json").read_text())
    both = [one["exact_gap"] for one in summary["trials"]]
    assert summary["exact_gap"] == pytest.approx(np.mean(both)) and both[0] != both[1]
    assert f"exact gap {summary['exact_gap']:.6g} +- " in said
    report = (folder / "report.html").read_text()
    assert "exact gap" in report and "seed 1, exact" in report


@pytest.mark.parametrize(
    ("words", "players", "caveat"),
    [
        (("--game", "kuhn_poker(players=3)", "--referee"), 3, ""),
        (("--game", "matrix_rps", "--referee"), 2, ""),  # simultaneous
        (("--game", "oshi_zumo(coins=2,size=1,horizon=3)"), 2, "observations: the"),
        (("--game", "bargaining", "--start", "last"), 2, ""),  # one pool for both
        (("--game", "tic_tac_toe"), 2, ""),  # observations that hold all
    ],
)
def test_games_of_all_kinds(tmp_path, undrawn, words, players, caveat):
    assert call(tmp_path / "r", *words, "--iterations", 1) == 0
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    assert len(summary["values"]) == players and summary["unique_policies"][0] == 2
    assert (summary["exact_gap"] is not None) == ("--referee" in words)
    assert [bool(caveat)] == [any(caveat in one for one in summary["caveats"])]


def test_players_may_remember(tmp_path, undrawn, capsys):
    """With a referee, and resumed; the run says what its policies see."""
    words = ("--memory", 2, "--network", "gru", "--referee")
    one, two = tmp_path / "one", tmp_path / "two"
    assert call(one, *words, "--iterations", 2) == 0
    assert call(two, *words, "--iterations", 1) == 0
    assert call(two, "--resume", "--network", "lstm") == 2
    assert "--network must stay" in capsys.readouterr().err
    assert call(two, "--resume", "--iterations", 2) == 0
    assert rows(one) == rows(two) and arrays(one) == arrays(two)
    summary = json.loads((one / "summary.json").read_text())
    sight = "the last 2 own information states and actions"
    assert summary["policies_see"] == sight and summary["network"] == "gru"
    assert summary["exact_gap"] > 0


def test_a_memory_of_observations_is_said_to_be_one(tmp_path, undrawn):
    game = ("--game", "coop_box_pushing(horizon=4)", "--iterations", 1)
    said = {}
    for name, words in (("plain", ()), ("memory", ("--memory", 8))):
        assert call(tmp_path / name, *game, *words) == 0
        said[name] = json.loads((tmp_path / name / "summary.json").read_text())
    assert "which need not hold the history" in said["plain"]["policies_see"]
    assert said["plain"]["caveats"][0].startswith("observations:")
    assert said["memory"]["policies_see"] == "all own observations and actions"
    assert said["memory"]["caveats"] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--memory", 0), "--memory must be at least 1"),
        (("--network", "gru"), "'gru' reads a memory of past decisions; --memory must"),
        (("--network", "rnn"), "--network must be one of mlp, gru, lstm"),
        (
            ("--oracle", "ddqn", "--memory", 2, "--network", "gru", "--ppo.rate", 1e-3),
            "it must go with --oracle ppo; got --oracle ddqn",
        ),
        (("--ddqn.rate", 0.1), "--ddqn.rate: it must go with --oracle ddqn; got"),
        (("--all-instances",), "--all-instances: it must go with --oracle ddqn; got"),
        (("--tie-break", "first"), "--tie-break: it must go with --oracle exact"),
        (("--memory-gb", 2), "go with --oracle exact or --referee; got --oracle ppo"),
        (("--oracle", "exact"), "it must go with --oracle ddqn or --oracle ppo; got"),
        (("--ppo.rate", 0), "--ppo.rate must be positive and finite; got 0.0"),
        (("--ppo.lam", 2), "--ppo.lam must be in [0, 1]"),
        (("--ppo.decisions", 9), "--ppo.decisions: --decisions is the budget"),
        (("--ppo.episodes", 9), "in episodes or in --decisions; got both, 9 and 128"),
        (("--start", "warm"), "--start must be one of scratch, last, mixture"),
        (("--width", 0), "--width must be at least 1"),
        (("--game", "bargaining", "--referee"), "must be one of OpenSpiel, whose tree"),
        (
            ("--game", "go", "--referee"),
            "--memory-gb sets the limit, without --referee",
        ),
        (("--game", "kuhn.efg"), "no tensors to learn from"),
    ],
)
def test_impossible_runs_are_one_sentence(tmp_path, capsys, words, sentence):
    assert call(tmp_path / "r", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_budgets_reach_the_learner():
    def asked(*words):
        return parse(psro.Config, ["--oracle", "ppo", *words], "psro").learner

    assert asked().decisions == 20_000 and asked().episodes is None
    assert asked("--decisions", "500") == replace(asked(), decisions=500)
    assert asked("--ppo.episodes", "70").budgeted == {"learning_episodes": 70}


def test_rows_from_before_there_was_a_referee_are_read(whole):
    (old, *_) = rows(whole)
    old["cpu_seconds"] = {"respond": 1.0}
    judged = ("exact_gap", "exact_value_sum", "exact_eval_gap")
    for name in judged:
        del old[name]
    row = Row.read(old)
    assert [getattr(row, name) for name in judged] == [None] * 3
    with pytest.raises(UserError, match="'exact_gap' must be a number"):
        Row.read(old | {"exact_gap": "1"})
    with pytest.raises(UserError, match="must hold 'iteration'; it is missing"):
        files.check_shape("a row", {}, Row.shape())
