"""Pages on runs that exist: evaluate, export and play."""

import io
import json
import shutil

import numpy as np
import pytest

import metaspiel
from experiments import evaluate, export, play
from experiments.lab import page as lab
from experiments.psro import __main__ as psro
from metaspiel import files
from metaspiel.nfg import load

TREELESS = "bargaining"
LEARNED = ("--decisions", "300", "--episodes", "20", "--ddqn.batch", "16")


def call(page, *words):
    given = lab.with_first(page.Config, [str(word) for word in words])
    return lab.main(page.page, page.Config, given)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, without_reports):
    room = tmp_path_factory.mktemp("runs")

    def made(name, *words):
        assert call(psro, *words, "--quiet", "--out", room / name) == 0

    made("nash", "--game", "leduc_poker", "--solver", "prd", "--iterations", 2)
    made("correlated", "--game", "leduc_poker", "--iterations", 3)
    made("learned", "--game", "leduc_poker", "--oracle", "ddqn", *LEARNED,
         "--iterations", 1, "--trials", 2)  # fmt: skip
    made("treeless", "--game", TREELESS, "--oracle", "ddqn", *LEARNED,
         "--solver", "rd", "--iterations", 1)  # fmt: skip
    return room


def said(capsys, page, *words):
    assert call(page, *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_evaluate_measures_runs_and_seats_them(runs, capsys):
    three = [runs / "nash", runs / "correlated", runs / "learned" / "trial_1"]
    whole = said(capsys, evaluate, *three, "--members")
    for facts, folder in zip(whole["runs"][:2], three, strict=False):
        run = metaspiel.load_run(folder)
        assert facts["gap"] == pytest.approx(run.summary["gap"], abs=1e-9)
        assert facts["exploitability"] == pytest.approx(facts["nash_conv"] / 2)
    crossed = whole["cross_play"]
    means, members = np.array(crossed["means"]), np.array(crossed["member_means"])
    assert means.shape == (2, 3, 3) and not np.any(crossed["errors"])
    run = metaspiel.load_run(runs / "correlated")
    np.testing.assert_allclose(means[:, 1, 1], run.metrics[-1]["values"], atol=1e-12)
    first = [[k for r, k in seat if r == 0] for seat in crossed["owners"]]
    block = members[(slice(None), *np.ix_(*first))]
    nash = metaspiel.load_run(runs / "nash")
    np.testing.assert_allclose(block, nash.meta_game.payoffs, atol=1e-12)


def test_evaluate_says_what_it_cannot_measure_and_samples(runs, capsys):
    folder = runs / "treeless"
    whole = said(capsys, evaluate, folder, folder, "--episodes", 50)
    assert whole["runs"][0]["gap"] is None and "--learned" in whole["runs"][0]["how"]
    crossed = whole["cross_play"]
    assert "50 episodes" in crossed["how"] and np.all(np.array(crossed["errors"]) > 0)
    whole = said(capsys, evaluate, folder, "--learned", "--episodes", 20)
    assert whole["runs"][0]["gap"] >= 0 and "Double DQN" in whole["runs"][0]["how"]


def test_several_runs_must_be_of_one_game(runs, tmp_path, capsys):
    assert call(psro, "--iterations", 1, "--quiet", "--out", tmp_path / "kuhn") == 0
    assert call(evaluate, runs / "nash", tmp_path / "kuhn") == 2
    assert "must be of one game" in capsys.readouterr().err
    assert call(evaluate, runs / "nash", runs / "treeless") == 2
    assert "must fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "must name"),
        (("nowhere",), "no config.json"),
        (("learned",), "trial_0"),
    ],
)
def test_what_is_no_run_is_refused(runs, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(runs)
    assert call(evaluate, *words) == 2
    assert sentence in capsys.readouterr().err


def test_a_damaged_run_is_refused(runs, tmp_path, capsys):
    shutil.copytree(runs / "nash", tmp_path / "run")
    rows = tmp_path / "run" / "metrics.jsonl"
    rows.write_text(rows.read_text().replace('"iteration": 1', '"iteration": 5'))
    assert call(evaluate, tmp_path / "run") == 2
    assert "were changed" in capsys.readouterr().err


def test_a_strangers_run_names_no_code(runs, tmp_path, capsys):
    shutil.copytree(runs / "nash", tmp_path / "run")
    place = tmp_path / "run" / "config.json"
    fields = files.read_sealed(place)
    files.write_sealed(place, fields | {"solver": "cvx:objective=evil:deed"})
    assert call(evaluate, tmp_path / "run") == 2
    assert "must be trusted to import the module 'evil'" in capsys.readouterr().err
    with pytest.raises(metaspiel.UserError, match="trust=True allows"):
        metaspiel.load_run(tmp_path / "run")


def test_exports_are_read_by_others(runs, tmp_path, capsys):
    run = metaspiel.load_run(runs / "correlated")
    names = ["policies.npz", "game.nfg", "game.npy", "metrics.csv"]
    places = [tmp_path / name for name in names]
    assert call(export, run.folder, "--to", *places) == 0
    for place in places[1:3]:
        np.testing.assert_array_equal(load(place).payoffs, run.meta_game.payoffs)
    with np.load(places[0]) as stored:
        np.testing.assert_array_equal(stored["joint"], run.played)
        tree = run.mixture.form.trees[0]
        assert tuple(stored["information_states_0"]) == tree.names
        plans = tree.plan(stored["behaviours_0"])
        np.testing.assert_allclose(plans, run.mixture.plans[0], atol=1e-12)
    lines = places[3].read_text().splitlines()
    assert len(lines) == 5 and lines[0].startswith("iteration,gap,")
    heads, first = (line.split(",") for line in lines[:2])
    assert {"values_0", "values_1", "policies_0", "marginals.1"} <= {*heads}
    assert "values" not in heads
    assert first[heads.index("values_0")] == str(run.metrics[0]["values"][0])
    assert call(export, run.folder, "--to", places[0]) == 2
    assert "must be new" in capsys.readouterr().err
    assert call(export, run.folder, "--to", tmp_path / "x.txt") == 2
    assert call(export, runs / "treeless", "--to", tmp_path / "weights.npz") == 0
    with np.load(tmp_path / "weights.npz") as stored:
        assert stored["network_0"].shape[0] == len(stored["plays_0"]) == 2


def at_the_table(monkeypatch, text, *words):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return call(play, *words)


def test_a_person_plays_and_sees_no_hidden_cards(runs, monkeypatch, capsys):
    words = (runs / "correlated", "--seat", 1, "--seed", 3, "--episodes", 2)
    assert at_the_table(monkeypatch, "nonsense\n" + "1\n" * 9, *words) == 0
    out = capsys.readouterr().out
    assert "must be one of the moves; got 'nonsense'" in out
    assert "2 episodes, your payoff in all" in out
    assert out.count("player 0 was policy") == 2
    assert "[Private: " in out and "Observer: 0" not in out


def test_a_person_may_leave(runs, monkeypatch, capsys):
    assert at_the_table(monkeypatch, "1\n", runs / "nash") == 0
    assert "You have left the table" in capsys.readouterr().out

    def interrupted(keys):
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", type("Keys", (), {"readline": interrupted})())
    assert call(play, runs / "learned" / "trial_0", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {"episodes": [], "payoff": 0}
    assert call(play, runs / "treeless") == 2
    assert "must be one of OpenSpiel's" in capsys.readouterr().err
    assert call(play, runs / "nash", "--seat", 2) == 2
