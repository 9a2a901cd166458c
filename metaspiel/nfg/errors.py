"""Exceptions that users cause and callers may want to catch, told apart by type."""

import difflib
from collections.abc import Iterable
from typing import Any

_LISTED = 80  # longer lists help nobody


class UserError(ValueError):
    """A request that cannot be met; the message is one sentence saying why.

    Scripts turn it into exit code 2. The form is ``where(): what must hold; got ...``.
    """


class UnknownName(UserError):
    """A name that is not known; the message lists those that are."""


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
) -> UnknownName:
    """An error that lists the known names and suggests the nearest one."""
    names, text = sorted(known), shown(name)
    close = difflib.get_close_matches(text, names, n=5, cutoff=0.5)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    listed = ", ".join(names) if names else "none"
    if len(names) > _LISTED:
        near = close or names[:5]
        listed = f"{', '.join(near)} and {len(names) - len(near)} others"
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


def positive(settings: object, *names: str) -> None:
    """Refuses settings in which one of these fields is not above 0."""
    for name in names:
        _check(settings, name, "positive", fits=getattr(settings, name) > 0)


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
        raise UserError(
            f"{type(settings).__name__}(): {name} must be {what}; "
            f"got {getattr(settings, name)}"
        )
