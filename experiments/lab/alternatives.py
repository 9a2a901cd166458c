"""Specs with alternatives: ``rrd:threshold=0.1|0.5`` stands for two specs."""

import re
from collections.abc import Sequence
from itertools import product

from metaspiel.nfg.errors import UserError, shown

_ONE = r"[^=|,:()]+"
_SEVERAL = re.compile(rf"(?<==){_ONE}(?:\|{_ONE})+")
_MOST = 1000
JUDGED = ">"
"""The sign between a solver and the one that is evaluated on its populations."""


def written_out(spec: str) -> tuple[str, ...]:
    """All specs that a spec stands for, the last alternative changing fastest.

    Args:
      spec: a spec in which values of fields may be given as ``one|other``.

    Raises:
      UserError: a ``|`` stands elsewhere, or there are more than 1000 specs.
    """
    between = _SEVERAL.split(spec)
    values = [one.split("|") for one in _SEVERAL.findall(spec)]
    if any("|" in part for part in between):
        raise UserError(
            f"spec '{shown(spec)}': alternatives must be values of a field, as in "
            "rrd:threshold=0.1|0.5"
        )
    count = 1
    for choices in values:
        count *= len(choices)
    if count > _MOST:
        raise UserError(
            f"spec '{shown(spec)}': a spec must stand for at most {_MOST} others; got "
            f"{count}"
        )
    return tuple(
        between[0] + "".join(map(str.__add__, chosen, between[1:]))
        for chosen in product(*values)
    )


def every(specs: Sequence[str]) -> tuple[str, ...]:
    """All that some specs stand for, each once, in their order."""
    return tuple(dict.fromkeys(one for spec in specs for one in written_out(spec)))
