"""The page on the value of a two-player zero-sum game."""

import json

import numpy as np
import pytest
from open_spiel.python.algorithms import exploitability

from experiments import value
from experiments.lab import page as lab
from metaspiel.games.openspiel import load, sequence_form, to_tabular


def call(*words):
    return lab.main(value.page, value.Config, [str(word) for word in words])


def test_the_value_of_kuhn_poker_and_its_policies(tmp_path, capsys):
    place = tmp_path / "equilibrium.npz"
    assert call("--game", "kuhn_poker", "--to", place, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["value"] == pytest.approx([-1 / 18, 1 / 18], abs=1e-9)
    assert 0 <= answer["gap"] <= 1e-12
    assert answer["exploitability"] == answer["nash_conv"] / 2 == answer["gap"] / 2
    form = sequence_form("kuhn_poker")
    with np.load(place) as stored:
        behaviours = [stored[f"mixture_{player}"] for player in range(2)]
        assert tuple(stored["information_states_1"]) == form.trees[1].names
        assert stored["joint"].tolist() == [[1.0]]
    policy = to_tabular(form, behaviours)
    assert exploitability.exploitability(load("kuhn_poker"), policy) <= 1e-12
    assert call("--to", place) == 2
    assert "must be new" in capsys.readouterr().err


def test_a_file_in_gambits_format_has_a_value(tmp_path, capsys):
    place = tmp_path / "matching.efg"
    place.write_text(
        'EFG 2 R "pennies" { "A" "B" } ""\n'
        'p "" 1 1 "" { "H" "T" } 0\n'
        'p "" 2 1 "" { "h" "t" } 0\nt "" 2 "" { 3, -3 }\nt "" 3 "" { -1, 1 }\n'
        'p "" 2 1 "" { "h" "t" } 0\nt "" 4 "" { -1, 1 }\nt "" 5 "" { 1, -1 }\n'
    )
    assert call("--game", place) == 0
    out = capsys.readouterr().out
    assert "value 0.333333333 (player 0), -0.333333333 (player 1)" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--game", "kuhn_poker(players=3)"), "exactly 2 players; got"),
        (("--game", "kuhn_poker", "--players", "4"), "exactly 2 players; got"),
        (("--game", "first_sealed_auction"), "must be zero-sum"),
        (("--game", "goofspiel(num_cards=4)"), "must remember"),
        (("--game", "chess"), "--memory-gb sets the limit"),
        (("--game", "kuhn"), "did you mean 'kuhn_poker'"),
        (("--game", "nowhere.efg"), "nowhere.efg"),
        (("--to", "policies.txt"), "must end in .npz"),
        (("--to", "nowhere/policies.npz"), "the folder of"),
    ],
)
def test_what_has_no_value_is_one_sentence(words, sentence, capsys):
    assert call(*words) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
