"""Errors that callers tell apart by type."""

import pickle

import pytest

from meta_solvers import get
from metaspiel.games.openspiel import load, matrix_game
from metaspiel.nfg.errors import UnknownGame, UnknownName, UserError, unknown


def test_an_unknown_name_is_an_error_of_its_own():
    error = unknown("where()", "fruit", "aple", ["apple", "pear"])
    assert type(error) is UnknownName
    assert isinstance(error, UserError)
    assert str(error) == (
        "where(): unknown fruit 'aple' (did you mean 'apple'?); known: apple, pear"
    )
    assert type(pickle.loads(pickle.dumps(error))) is UnknownName
    with pytest.raises(UnknownName):
        get("mgcc")


@pytest.mark.parametrize("ask", [load, matrix_game])
def test_an_unknown_game_is_not_an_unknown_parameter(ask):
    with pytest.raises(UnknownGame, match="unknown game 'matrix_nothing'"):
        ask("matrix_nothing")
    with pytest.raises(UnknownName, match="unknown parameter") as raised:
        ask("kuhn_poker(cards=3)")
    assert not isinstance(raised.value, UnknownGame)
