"""Ratings of score tables and games through their page."""

import json
from pathlib import Path

import efg_files
import numpy as np
import pytest

from experiments import rate
from experiments.lab.page import main

LEAGUE = """model,arithmetic,coding,translation
Aster,88,61,70
Birch,72,83,68
Cedar,70,60,86
Fern,45,40,52
"""


@pytest.fixture
def league(tmp_path):
    path = tmp_path / "league.csv"
    path.write_text(LEAGUE)
    return path


def call(*words):
    return main(rate.page, rate.Config, [str(word) for word in words])


def rated(capsys, *words):
    """What --json prints of a rating that goes well."""
    assert call(*words, "--json") == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


def test_a_table_is_agents_against_tasks(league, tmp_path, capsys):
    answer = rated(capsys, league, "--out", tmp_path / "out")
    assert answer["players"] == ["agents", "tasks"]
    assert answer["strategies"][0] == ["Aster", "Birch", "Cedar", "Fern"]
    assert answer["strategies"][1] == ["arithmetic", "coding", "translation"]
    assert answer["status"] == "OK" and answer["absent"] == {}
    agents, _ = answer["deviation"]
    np.testing.assert_allclose(agents[:3], 0.0, atol=1e-9)
    assert agents[3] < -20
    averaged = np.array(answer["nash_averaging"][0])
    np.testing.assert_allclose(averaged - averaged.max(), agents, atol=1e-5)
    assert len(answer["elo"][0]) == 4 and answer["elo"][1] is None
    assert set(answer["how"]) == {"nash_averaging", "alpha_rank", "elo", "mean_payoff"}


def test_what_a_rating_writes(league, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(league, "--table", "agents-agents-tasks", "--out", out) == 0
    text = capsys.readouterr().out
    assert "Ratings of agents" in text and "Ratings of tasks" in text
    assert "other agents" not in text  # they are rated alike
    names = {path.name for path in out.iterdir()}
    assert {"summary.json", "ratings.csv", "table.md", "report.html"} <= names
    plots = {path.name for path in (out / "plots").iterdir()}
    assert {"deviation.png", "methods.svg"} <= plots
    head, *rows = (out / "ratings.csv").read_text().splitlines()
    assert head.startswith("player,strategy,rank,deviation rating")
    assert len(rows) == 4 + 3
    summary = json.loads((out / "summary.json").read_text())
    assert summary["players"] == ["agents", "other agents", "tasks"]
    np.testing.assert_allclose(*summary["deviation"][:2], atol=1e-7)


def test_any_game_is_rated(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "three.npy", rng.normal(size=(3, 2, 3, 2)))
    answer = rated(capsys, tmp_path / "three.npy", "--out", tmp_path / "a")
    assert [len(own) for own in answer["deviation"]] == [2, 3, 2]
    assert answer["nash_averaging"] is None and answer["elo"] is None
    assert "got 3 players" in answer["absent"]["elo"]
    tree = tmp_path / "tree.efg"
    tree.write_text(efg_files.CARDS)
    answer = rated(capsys, tree, "--out", tmp_path / "b")
    assert "game tree" in answer["game"]
    answer = rated(capsys, "--game", "matrix_pd", "--out", tmp_path / "c")
    assert answer["deviation"][0] == pytest.approx(answer["deviation"][1])


@pytest.mark.parametrize(
    ("words", "text", "sentence"),
    [
        ((), "", "one matrix (zero-sum) or two with an empty line between; got 0"),
        ((), "a,x,y\nb,1,\n", "a .csv must hold numbers"),
        ((), "m,x,y\nA,1,2\nA,3,4\n", "must have different names; got 'A' twice"),
        (("--elo-prior", "-1"), LEAGUE, "--elo-prior must be a number of at least 0"),
        (("--elo-prior", "nan"), LEAGUE, "--elo-prior must be a number of at least 0"),
        (("--table", "agents-agents-tasks"), "1,2\n\n3,5\n", "one table of scores"),
        (("--game", "chicken"), LEAGUE, "exactly one of --payoffs and --game"),
        (("--memory-gb", "0"), LEAGUE, "--memory-gb must be positive"),
    ],
)
def test_bad_input_gets_a_sentence(words, text, sentence, tmp_path, capsys):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    assert call(path, *words, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and not said.out
    assert not Path(tmp_path / "out").exists()


def test_uncertain_ratings_exit_with_3(league, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("meta_solvers.deviation._ROUNDING", 1e-3)
    assert call(league, "--out", tmp_path / "out", "--json") == 3
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "INACCURATE"
    assert "the deviation ratings are INACCURATE" in said.err
