"""Games from their names, in OpenSpiel's notation: ``kind(field=value,...)``."""

import importlib
import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from metaspiel.nfg.errors import UserError, unknown


def class_of(kind: str, known: Mapping[str, str]) -> Any:
    """The class of a kind of game.

    Args:
      kind: a key of ``known``.
      known: "module:class" of each kind; imported only when it is asked for.
    """
    module, _, cls = known[kind].partition(":")
    return getattr(importlib.import_module(module), cls)


def game_of(name: str, known: Mapping[str, str], *, where: str, what: str) -> Any:
    """The game that a name means: a dataclass whose fields are the parameters.

    Args:
      name: kind and parameters.
      known: "module:class" of each kind.
      where: the function that is asked, for errors.
      what: what the kinds are of, for errors.

    Raises:
      UserError: the kind or a parameter is unknown, or a value is impossible.
    """
    kind, opened, rest = name.strip().partition("(")
    if kind not in known:
        raise unknown(f"{where}()", what, kind, known)
    if opened and not rest.endswith(")"):
        raise UserError(
            f"{where}(): a game must read 'name(field=value,...)'; got {name!r}"
        )
    made = class_of(kind, known)
    hints = get_type_hints(made)
    names = [field.name for field in fields(made)]
    given: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in rest.removesuffix(")").split(","))):
        field, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UserError(
                f"{where}(): parameters must read 'field=value'; got {part!r} in "
                f"{name!r}"
            )
        if field not in names:
            raise unknown(f"{where}({kind!r})", "parameter", field, names)
        if field in given:
            raise UserError(f"{where}(): {field} must be given once; got {name!r}")
        given[field] = _value(hints[field], value, f"{where}(): {field} of {kind}")
    return made(**given)


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
