"""Simulators by name: our own game, and any of OpenSpiel."""

import sys

import pytest

from metaspiel.games import Bargaining, OpenSpielSimulator, named_simulator
from metaspiel.games.capture_the_flag import CaptureTheFlag
from metaspiel.nfg.errors import UserError


@pytest.mark.parametrize(
    ("name", "players", "game"),
    [
        ("bargaining", None, Bargaining()),
        ("bargaining", 2, Bargaining()),
        ("bargaining_generalized(discount=0.9)", None, Bargaining(0.9)),
        (
            "bargaining(exponent=offers_before, discount=1)",
            None,
            Bargaining(1.0, "offers_before"),
        ),
        ("capture_the_flag_2v2", 4, CaptureTheFlag()),
        (
            "capture_the_flag_2v2(rows=9, columns=9, horizon=30)",
            None,
            CaptureTheFlag(rows=9, columns=9, horizon=30),
        ),
        ("capture_the_flag", None, OpenSpielSimulator("capture_the_flag")),
        ("openspiel/bargaining", None, OpenSpielSimulator("bargaining")),
        ("kuhn_poker", 3, OpenSpielSimulator("kuhn_poker(players=3)")),
        (
            "goofspiel(num_cards=3)",
            3,
            OpenSpielSimulator("goofspiel(num_cards=3,players=3)"),
        ),
    ],
)
def test_a_name_is_a_game(name, players, game):
    assert named_simulator(name, players) == game


@pytest.mark.parametrize(
    ("name", "players", "sentence"),
    [
        ("bargaining(foo=1)", None, "unknown parameter 'foo'; known: discount"),
        ("bargaining(max_turns=4)", None, "OpenSpiel's own game is openspiel/"),
        ("bargaining(discount=x)", None, "discount of bargaining must be of type f"),
        ("bargaining(discount=2)", None, "discount must be in (0, 1]; got 2.0"),
        ("bargaining(exponent=x)", None, "unknown value 'x'; known: offers, offers_b"),
        ("capture_the_flag_2v2(horizn=3)", None, "did you mean 'horizon'?"),
        ("capture_the_flag_2v2(view=2.5)", None, "view of capture_the_flag_2v2 must b"),
        ("capture_the_flag_2v2(columns=8)", None, "columns must be odd; got 8"),
        ("capture_the_flag_2v2", 2, "capture_the_flag_2v2 has 4 players; got 2"),
        ("bargaining", 3, "has 2 players; got 3"),
        ("kuhn_poker)", None, "brackets must be closed"),
        ("kuhn_poker(players=3", None, "brackets must be closed"),
        ("kuhn_pokr", None, "did you mean 'kuhn_poker'"),
    ],
)
def test_an_impossible_name_is_one_sentence(name, players, sentence):
    with pytest.raises(UserError, match=r"\S") as caught:
        named_simulator(name, players)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_without_mujoco_a_sentence_names_the_extra(monkeypatch):
    for module in ("gymnasium", "mujoco"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"pip install 'metaspiel\[mujoco\]'"):
        named_simulator("halfcheetah_2x3(horizon=20)")
