"""Simulators by name: our own game, and any of OpenSpiel."""

import pytest

from metaspiel.games import Bargaining, OpenSpielSimulator, named_simulator
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
        ("bargaining(foo=1)", None, "knows the parameters discount and exponent"),
        ("bargaining(discount=x)", None, "discount must be a number; got 'x'"),
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
