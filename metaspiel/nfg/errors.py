"""Exceptions that users cause and callers may want to catch, told apart by type."""

import difflib
from collections.abc import Iterable

_LISTED = 80  # longer lists help nobody


class UserError(ValueError):
    """A request that cannot be met; the message is one sentence saying why.

    Scripts turn it into exit code 2. The form is ``where(): what must hold; got ...``.
    """


class UnknownName(UserError):
    """A name that is not known; the message lists those that are."""


class UnknownGame(UnknownName):
    """The name of a game that is not known."""


def unknown(
    where: str,
    kind: str,
    name: object,
    known: Iterable[str],
    error: type[UnknownName] = UnknownName,
) -> UnknownName:
    """An error that lists the known names and suggests the nearest one."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=5, cutoff=0.5)
    hint = f" (did you mean '{close[0]}'?)" if close else ""
    listed = ", ".join(names) if names else "none"
    if len(names) > _LISTED:
        near = close or names[:5]
        listed = f"{', '.join(near)} and {len(names) - len(near)} others"
    return error(f"{where}: unknown {kind} '{name}'{hint}; known: {listed}")
