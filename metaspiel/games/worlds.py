"""Markov games by name: ``load("switch(agents=4,rules=legacy)")``."""

import importlib
import types
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from metaspiel.games.markov import MarkovGame
from metaspiel.nfg.errors import UserError, unknown

WORLDS = {
    "checkers": "metaspiel.games.checkers:Checkers",
    "switch": "metaspiel.games.switch:Switch",
    "pennies": "metaspiel.games.pennies:Pennies",
    "mini_pong": "metaspiel.games.mini_pong:MiniPong",
    "hopper": "metaspiel.games.mujoco:Hopper",
    "ant": "metaspiel.games.mujoco:Ant",
    "swimmer": "metaspiel.games.mujoco:Swimmer",
    "atari_pong": "metaspiel.games.atari:AtariPong",
}
"""Module and class of every game; its parameters are the fields of the class."""


def load(name: str) -> MarkovGame:
    """A game from its name, in OpenSpiel's notation of parameters.

    Raises:
      UserError: the game or a parameter is unknown, or a value is impossible.
    """
    kind, _, rest = name.strip().partition("(")
    if kind not in WORLDS:
        raise unknown("load()", "Markov game", kind, WORLDS)
    if rest and not rest.endswith(")"):
        raise UserError(
            f"load(): a game must read 'name(field=value,...)'; got {name!r}"
        )
    module, _, cls = WORLDS[kind].partition(":")
    made: Any = getattr(importlib.import_module(module), cls)
    known = get_type_hints(made)
    names = [field.name for field in fields(made)]
    given: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in rest.removesuffix(")").split(","))):
        field, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UserError(
                f"load(): parameters must read 'field=value'; got {part!r} in {name!r}"
            )
        if field not in names:
            raise unknown(f"load({kind!r})", "parameter", field, names)
        if field in given:
            raise UserError(f"load(): {field} must be given once; got {name!r}")
        given[field] = _value(known[field], value, f"load(): {field} of {kind}")
    game: MarkovGame = made(**given)
    return game


def spell(game: Any, kind: str) -> str:
    """The name that ``load`` reads, with all fields that differ from their defaults."""
    parts = [
        f"{field.name}={_word(getattr(game, field.name))}"
        for field in fields(game)
        if getattr(game, field.name) != field.default
    ]
    return f"{kind}({','.join(parts)})" if parts else kind


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: Any, text: str, where: str) -> Any:
    """A parameter's value from its text."""
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise unknown(where, "value", text, get_args(kind))
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UserError(f"{where} must be true or false; got {text!r}")
        return text.lower() == "true"
    if get_origin(kind) in (types.UnionType,):
        kind = next(k for k in get_args(kind) if k is not type(None))
    try:
        return kind(text)
    except ValueError:
        raise UserError(
            f"{where} must be of type {kind.__name__}; got {text!r}"
        ) from None
