"""Words of a command line and values of a file: what they must be, in a sentence."""

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from experiments.lab.options import Printing, flag
from metaspiel.nfg.errors import UserError, shown, unknown

Known = Mapping[str, tuple[Any, Any]]
"""Fields by the name of their flags: the usual value, and the group that has them."""
_OTHERS = ("--help", "--tyro-print-completion", "--tyro-write-completion")
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def fields(config: Any) -> dict[str, tuple[Any, Any]]:
    """Values by name of their flags, each with the group that it is in."""
    every: dict[str, tuple[Any, Any]] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not dataclasses.is_dataclass(value):
            every[field.name] = value, config
            continue
        dot = "" if isinstance(value, Printing) else f"{field.name}."
        every |= {dot + name: one for name, one in fields(value).items()}
    return every


def hint(known: Known, name: str) -> Any:
    """The type of a field."""
    holder = known[name][1]
    return get_type_hints(type(holder))[name.rpartition(".")[2]]


def no(name: str) -> str:
    """The flag that sets a field to false."""
    group, _, last = flag(name)[2:].rpartition(".")
    return f"--{group}{'.' if group else ''}no-{last}"


def value_of(words: Sequence[str], flag: str) -> str | None:
    """The word after ``flag``, which may be given once."""
    values = []
    for word, after in zip(words, [*words[1:], None], strict=False):
        if word == flag:
            values.append(after)
        elif word.startswith(flag + "="):
            values.append(word[len(flag) + 1 :])
    if len(values) > 1:
        raise UserError(f"{flag} must be given once; got {len(values)} times")
    return values[0] if values else None


def as_words(values: Mapping[str, object], known: Known, where: str) -> list[str]:
    """Values of a file as words of a command line.

    Raises:
      UserError: a value is not of its field's type.
    """
    made: list[str] = []
    for name, value in values.items():
        usual = known[name][0]
        if value in ([], None) and _same(usual, value):
            continue
        if not _fits(hint(known, name), value):
            wanted = f"{name} must be {_named(hint(known, name))}"
            raise UserError(f"{where}: {wanted}; got {_short(value)}")
        if isinstance(value, str) and "\0" in value:
            raise UserError(f"{where}: {name} must hold no NUL; got {_short(value)}")
        if isinstance(value, bool):
            made.append(flag(name) if value else no(name))
        elif isinstance(value, list):
            made += [flag(name), *map(str, value)]
        else:
            made += [flag(name), str(value)]
    return made


def not_given(values: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """The values whose flags are not among the words."""
    given = {_flag_in(word) for word in words}
    return {n: v for n, v in values.items() if not given & {flag(n), no(n)}}


def check(words: Sequence[str], known: Known, program: str) -> None:
    """Refuses words that are no flags of the page, or no values of theirs.

    Raises:
      UserError: one is; the sentence names the nearest flags.
    """
    flags = {flag(n): n for n in known}
    offs = {no(n): n for n, (value, _) in known.items() if isinstance(value, bool)}
    for given, values in _grouped(words):
        if not given:
            if values:
                raise UserError(f"{program}: flags begin with --; got '{values[0]}'")
        elif given in _OTHERS:
            return
        elif given in offs or (given in flags and flags[given] in offs.values()):
            if values:
                raise UserError(f"{given} must stand alone; got '{' '.join(values)}'")
        elif given not in flags:
            every = [*flags, *_OTHERS[:1]]
            raise unknown(program, "flag", given, every, listing=f"{program} --help")
        elif not _fit(hint(known, flags[given]), values):
            got = _short(" ".join(values)) if values else "nothing"
            wanted = _named(hint(known, flags[given]))
            raise UserError(f"{given} must be {wanted}; got {got}")


def _grouped(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Flags with the words after each; what comes before the first has none."""
    given, values = "", []
    for word in words:
        if not word.startswith("--") and word != "-h":
            values.append(word)
            continue
        yield given, values
        given = "--help" if word == "-h" else _flag_in(word)
        values = [word.partition("=")[2]] if "=" in word else []
    yield given, values


def _flag_in(word: str) -> str:
    name = word.partition("=")[0]
    return name if name.startswith("--tyro-") else name.replace("_", "-")


def _named(kind: Any) -> str:
    parts = [part for part in get_args(kind) if part is not Ellipsis]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join("None" if p is type(None) else _named(p) for p in parts)
    if get_origin(kind) is tuple:
        return f"a list, each {_named(parts[0])}"
    return _KINDS.get(kind, "a path" if kind is Path else str(kind))


def _fit(kind: Any, values: Sequence[str]) -> bool:
    """Whether words can be the value of a field of this type."""
    if get_origin(kind) is tuple:
        return _fits(kind, list(values))
    return len(values) == 1 and _fits(kind, values[0])


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value, or the text of one, can be that of a field of this type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return str(value) in map(str, parts)
    if origin in (Union, types.UnionType):
        return any(_fits(part, value) for part in parts)
    if kind is type(None):
        return value is None or value == "None"
    if origin is tuple:
        several = value if isinstance(value, list) else [value]
        return all(_fits(parts[0], one) for one in several)
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    if kind not in (int, float):
        return True
    try:
        kind(value)
    except (ValueError, OverflowError):
        return False
    return kind is float or not isinstance(value, float)


def _same(usual: Any, value: object) -> bool:
    return (list(usual) if isinstance(usual, tuple) else usual) == value


def _short(value: object) -> str:
    return shown(repr(value))
