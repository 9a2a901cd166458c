"""Whether a JSON value has the shape that its reader expects."""

import types
import typing
from collections.abc import Mapping
from typing import Any

from metaspiel.nfg.errors import UserError, shown

_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    types.NoneType: "null",
}


def check_shape(where: str, value: Any, hint: Any) -> None:
    """Refuses a JSON value that is not of a type.

    Args:
      where: begins the sentence.
      value: the value, as it was read.
      hint: bool, int, float, str, None, a literal, a union, a list or dict of these;
        or for an object a mapping from its fields to their types (``NotRequired[...]``
        of one that may be missing), and ``[hint]`` for a list of such objects.

    Raises:
      UserError: it is not; the sentence says where and what must hold.
    """
    wrong = _misfit(value, hint, "it")
    if wrong:
        raise UserError(f"{where}: {wrong}")


def _misfit(value: Any, hint: Any, name: str) -> str:
    """What is wrong, in words; empty where nothing is."""
    if isinstance(hint, Mapping):
        return _wrong_field(value, hint, name)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, list):
        origin, inner = list, tuple(hint)
    if hint is Any or (origin is typing.Literal and value in inner):
        return ""
    if origin in (typing.Union, types.UnionType):
        wrong = [_misfit(value, one, name) for one in inner]
        return "" if not all(wrong) else wrong[0]
    kind = types.NoneType if hint is None else origin or hint
    if not _is(value, kind):
        words = _WORDS.get(kind, f"one of {inner}")
        return f"{name} must be {words}; got {shown(repr(value), 40)}"
    if origin is list:
        values = [(f"{name}[{i}]", one, inner[0]) for i, one in enumerate(value)]
    elif origin is dict:
        values = [(f"{name}[{shown(k)}]", one, inner[1]) for k, one in value.items()]
    else:
        return ""
    return next(filter(None, (_misfit(v, h, n) for n, v, h in values)), "")


def _wrong_field(value: Any, hint: Mapping[str, Any], name: str) -> str:
    if not isinstance(value, dict):
        return f"{name} must be an object; got {shown(repr(value), 40)}"
    for field, inner in hint.items():
        optional = typing.get_origin(inner) is typing.NotRequired
        if field not in value:
            if optional:
                continue
            return f"{name} must hold '{field}'; it is missing"
        if optional:
            (inner,) = typing.get_args(inner)
        wrong = _misfit(value[field], inner, f"'{field}'")
        if wrong:
            return wrong
    return ""


def _is(value: Any, kind: Any) -> bool:
    if kind is float:
        kind = int | float
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int) and abs(value) >= 2**63:
        return False
    return isinstance(kind, type | types.UnionType) and isinstance(value, kind)
