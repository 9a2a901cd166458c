"""Games by name: every name reads back, every mistake gets one sentence."""

import numpy as np
import pytest

from metaspiel.games.checkers import Checkers
from metaspiel.games.switch import Switch
from metaspiel.games.worlds import WORLDS, load
from metaspiel.nfg.errors import UserError

NAMES = [
    ("switch", Switch()),
    ("switch(agents=4)", Switch(agents=4)),
    (
        "switch(agents=3,rules=legacy,phantoms=true)",
        Switch(agents=3, rules="legacy", phantoms=True),
    ),
    (
        "switch(agents=4,sight=joint,clock=true)",
        Switch(agents=4, rules="modern", sight="joint", clock=True),
    ),
    ("checkers", Checkers()),
    ("checkers(rules=legacy,clock=true)", Checkers("legacy", clock=True)),
]


@pytest.mark.parametrize(("name", "game"), NAMES)
def test_a_name_is_the_game_and_the_game_is_its_name(name, game):
    assert load(name) == game
    assert game.name == name
    assert game.kind == name.partition("(")[0]


def test_spaces_order_and_defaults_may_be_as_one_likes():
    game = load(" switch( clock=TRUE , rules=modern,agents = 2) ")
    assert game == Switch(clock=True)
    assert load("switch()") == load("switch") == Switch()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "swich",
            r"^load\(\): unknown Markov game 'swich' \(did you mean 'switch'\?\)",
        ),
        ("", r"^load\(\): unknown Markov game ''"),
        ("switch(agents=4", r"^load\(\): a game must read 'name\(field=value,...\)'"),
        ("switch(", r"^load\(\): a game must read 'name\(field=value,...\)'"),
        ("switch(4)", r"^load\(\): parameters must read 'field=value'; got '4'"),
        ("switch(agent=4)", r"unknown parameter 'agent' \(did you mean 'agents'\?\)"),
        ("switch(agents=4,agents=3)", r"^load\(\): agents must be given once"),
        ("switch(agents=two)", r"^load\(\): agents of switch must be of type int"),
        ("switch(agents=2.5)", r"^load\(\): agents of switch must be of type int"),
        ("switch(agents=1)", r"^Switch\(\): agents must be one of 2, 3, 4; got 1$"),
        ("switch(agents=5)", r"^Switch\(\): agents must be one of 2, 3, 4; got 5$"),
        ("switch(agents=4,phantoms=true)", r"^Switch\(\): phantoms must be false"),
        ("switch(clock=1)", r"^load\(\): clock of switch must be true or false"),
        ("switch(rules=old)", r"rules of switch: unknown value 'old'; known: legacy"),
        ("checkers(agents=2)", r"^load\('checkers'\): unknown parameter 'agents'"),
        ("checkers(sight=full)", r"sight of checkers: unknown value 'full'"),
    ],
)
def test_a_name_that_says_nothing(name, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        load(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "game", [Switch(agents=4), Checkers()], ids=lambda game: game.name
)
@pytest.mark.parametrize(
    "change",
    [
        lambda actions: actions[:2],
        lambda actions: actions[:, :1],
        lambda actions: actions.astype(np.float32),
        lambda actions: actions + 5,
        lambda actions: actions - 1,
    ],
)
def test_actions_that_do_not_exist(game, change):
    scene = game.start(np.zeros((3, 0)))
    right = np.zeros((3, game.agents), np.int64)
    game.step(scene, right)
    with pytest.raises(UserError, match=r"joint actions must be integers below 5 of"):
        game.step(scene, change(right))


def test_every_world_names_a_module_and_a_class():
    for kind, target in WORLDS.items():
        module, _, cls = target.partition(":")
        assert kind.isidentifier()
        assert module.startswith("metaspiel.games.")
        assert cls.isidentifier()
