"""Errors that callers tell apart by type."""

import pickle
from dataclasses import dataclass

import pytest

from meta_solvers import get
from metaspiel.games.openspiel import load, matrix_game
from metaspiel.nfg.errors import (
    BadField,
    UnknownGame,
    UnknownName,
    UserError,
    at_least,
    positive,
    share,
    unknown,
)


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


@dataclass(frozen=True)
class Settings:
    count: float = 1
    part: float = 0.5


@pytest.mark.parametrize(
    ("settings", "check", "sentence"),
    [
        (
            Settings(0),
            lambda s: at_least(s, part=0, count=1),
            "count must be at least 1",
        ),
        (Settings(0), lambda s: positive(s, "part", "count"), "count must be positive"),
        (Settings(part=1.5), lambda s: share(s, "part"), "part must be in [0, 1]"),
        (
            Settings(part=1),
            lambda s: share(s, "part", below=True),
            "part must be in [0, 1)",
        ),
    ],
)
def test_a_field_that_does_not_fit_is_told_in_one_sentence(settings, check, sentence):
    check(Settings())
    with pytest.raises(UserError) as raised:
        check(settings)
    got = settings.count if "count" in sentence else settings.part
    assert str(raised.value) == f"Settings(): {sentence}; got {got}"
    with pytest.raises(UserError, match="; got nan"):
        check(Settings(float("nan"), float("nan")))


def test_of_many_names_the_nearest_are_listed_and_where_the_others_are():
    names = [f"solver_{i}" for i in range(50)] + ["twice", "twice"]
    text = str(unknown("here", "name", "solver_1x", names, listing="a command"))
    assert text.count("solver_") < 8 and "46 others (a command lists them)" in text
    assert len(str(unknown("here", "name", "x" * 10**6, names))) < 300
    assert str(unknown("here", "name", "a", ["b", "b"])).endswith("known: b")


def test_a_bad_field_keeps_its_parts_in_another_process():
    error = pickle.loads(pickle.dumps(BadField(int, "real", "must be 1; got 2")))
    assert (error.settings, error.field) == (int, "real")
    assert str(error) == "int(): real must be 1; got 2"
