"""Exceptions that users cause and callers may want to catch, told apart by type."""

import difflib
import math
from collections.abc import Iterable
from typing import Any

_LISTED = 16  # longer lists help nobody
_NEAR = 5


class UserError(ValueError):
    """A request that cannot be met; the message is one sentence saying why.

    Scripts turn it into exit code 2. The form is ``where(): what must hold; got ...``.
    """


class BadField(UserError):
    """A field of a value of settings that is out of bounds.

    Attributes:
      settings: the class of the value.
      field: the name of the field.
      reason: what must hold, and what was given.
    """

    def __init__(self, settings: type, field: str, reason: str) -> None:
        super().__init__(f"{settings.__name__}(): {field} {reason}")
        self.settings, self.field, self.reason = settings, field, reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings, self.field, self.reason)


class UserCodeFailed(UserError):
    """Code of a user's own raised, or gave what it must not; says which and where."""


class UnknownName(UserError):
    """A name that is not known; the message has those that are, or the nearest."""


class UnknownGame(UnknownName):
    """The name of a game that is not known."""


def shown(text: object, most: int = 60) -> str:
    """A stranger's text for a sentence: one printable line of at most ``most`` signs.

    What cannot be printed (line ends, control codes, bytes of a file name that are no
    UTF-8) is escaped.
    """
    whole = str(text)
    line = escaped(whole[: most + 1])
    return line if len(line) <= most else line[: most - 3] + "..."


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where there is none."""
    lines = str(error).splitlines()
    return shown(lines[0], 200) if lines else type(error).__name__


def escaped(text: str) -> str:
    """``text`` with an escape for each character that cannot be printed."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii")
        for one in text
    )


def unknown(
    where: str,
    kind: str,
    name: object,
    known: Iterable[str],
    error: type[UnknownName] = UnknownName,
    *,
    listing: str = "",
) -> UnknownName:
    """An error that suggests the nearest name and lists the known ones.

    Args:
      where: what was asked.
      kind: what the name is of.
      name: the unknown one.
      known: the names that there are; of many only the nearest are listed.
      error: the type of error.
      listing: the command that lists them all.
    """
    names, text = sorted(set(known)), shown(name)
    close = difflib.get_close_matches(text, names, n=_NEAR, cutoff=0.5)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    listed = ", ".join(names) if names else "none"
    if len(names) > _LISTED:
        near = close or names[:_NEAR]
        listed = f"{', '.join(near)} and {len(names) - len(near)} others"
        listed += f" ({listing} lists them)" if listing else ""
    return error(f"{where}: unknown {kind} '{text}'{hint}; known: {listed}")


def at_least(settings: object, **least: int) -> None:
    """Refuses settings whose fields are below a bound, or no numbers.

    Args:
      settings: a value; its class begins the sentence.
      least: the smallest value of each field.
    """
    for name, bound in least.items():
        fits = getattr(settings, name) >= bound
        _check(settings, name, f"at least {bound}", fits=fits)


def at_most(settings: object, **most: int) -> None:
    """Refuses settings whose fields are above a bound.

    Args:
      settings: a value; its class begins the sentence.
      most: the largest value of each field.
    """
    for name, bound in most.items():
        fits = getattr(settings, name) <= bound
        _check(settings, name, f"at most {bound}", fits=fits)


def positive(settings: object, *names: str) -> None:
    """Refuses settings in which one of these fields is not above 0."""
    for name in names:
        _check(settings, name, "positive", fits=getattr(settings, name) > 0)


def finite(settings: object, *names: str) -> None:
    """Refuses settings in which one of these fields is not above 0, or infinite."""
    for name in names:
        fits = 0 < getattr(settings, name) < math.inf
        _check(settings, name, "positive and finite", fits=fits)


def share(settings: object, *names: str, below: bool = False) -> None:
    """Refuses settings in which one of these fields is not in [0, 1].

    Args:
      settings: a value; its class begins the sentence.
      names: of its fields.
      below: 1 itself is refused too.
    """
    for name in names:
        value = getattr(settings, name)
        fits = 0 <= value < 1 if below else 0 <= value <= 1
        _check(settings, name, "in [0, 1)" if below else "in [0, 1]", fits=fits)


def _check(settings: object, name: str, what: str, *, fits: Any) -> None:
    if not fits:
        reason = f"must be {what}; got {getattr(settings, name)}"
        raise BadField(type(settings), name, reason)
