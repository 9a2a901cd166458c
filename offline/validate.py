"""Checks of a data set; the error names the first trajectory that breaks a rule."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.nfg.errors import UserError

Problem = tuple[Any, str]
"""A broken rule: mask ``[n]`` of trajectories, and end of the error message."""

AXES = {
    "vectors": ("float32", "A V"),
    "paying": ("bool", "A"),
    "states": ("float32", "n L X"),
    "observations": ("float32", "n L N O"),
    "legal": ("bool", "n L A"),
    "action": ("int64", "n L"),
    "mover": ("int64", "n L"),
    "length": ("int64", "n"),
    "returns": ("float32", "n N"),
}
"""Data type and axes of every array of a data set."""


def check(where: str, arrays: Mapping[str, ndarray], head: int, mirrored: bool) -> None:
    """Raises a ``UserError`` where arrays cannot be trajectories.

    Args:
      where: begins the sentence.
      arrays: by the names of ``AXES``.
      head: entries of an observation before those that a history keeps.
      mirrored: trajectories come in pairs.

    Raises:
      UserError: shapes do not fit, or a trajectory is impossible.
    """
    sizes = _shapes(where, arrays)
    if not 0 <= head <= sizes["O"]:
        raise UserError(
            f"{where}: head must be 0 to {sizes['O']}, the size of an observation; "
            f"got {head}"
        )
    if mirrored and sizes["n"] % 2:
        raise UserError(
            f"{where}: with mirrors counted the trajectories must come in pairs; "
            f"got {sizes['n']}"
        )
    if not np.isfinite(arrays["vectors"]).all():
        raise UserError(f"{where}: vectors must be finite; got NaN or infinity")
    first, sentence = sizes["n"], ""
    for bad, text in _problems(arrays, sizes):
        if bad.any() and np.argmax(bad) < first:
            first, sentence = int(np.argmax(bad)), text
    if sentence:
        raise UserError(f"{where}: trajectory {first} {sentence}")


def _shapes(where: str, arrays: Mapping[str, ndarray]) -> dict[str, int]:
    """Sizes of the axes, keyed by letter."""
    sizes: dict[str, int] = {}
    for name, (kind, axes) in AXES.items():
        array, letters = arrays[name], axes.split()
        if array.dtype != np.dtype(kind) or array.ndim != len(letters):
            raise UserError(
                f"{where}: '{name}' must be {kind} with axes [{axes}]; "
                f"got {array.dtype} of shape {array.shape}"
            )
        for letter, size in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise UserError(
                    f"{where}: '{name}' must have axes [{axes}] with "
                    f"{letter} = {sizes[letter]}; got shape {array.shape}"
                )
    for letter, size in sizes.items():
        if size < 1:
            raise UserError(f"{where}: axis {letter} must not be empty; got {size}")
    return sizes


def _problems(
    arrays: Mapping[str, ndarray], sizes: Mapping[str, int]
) -> Iterator[Problem]:
    """The rules about single trajectories, most basic first, with their offenders."""
    length, action, mover = arrays["length"], arrays["action"], arrays["mover"]
    longest, actions, players = sizes["L"], sizes["A"], sizes["N"]
    wrong = (length < 1) | (length > longest)
    yield wrong, f"must have 1 to {longest} moves; its length is out of range"
    made = np.arange(longest) < length[:, None]
    for name in ("states", "observations"):
        finite = np.isfinite(arrays[name]).reshape(*made.shape, -1).all(2)
        bad = (made & ~finite).any(1)
        yield bad, f"must have finite {name}; it holds NaN or infinity"
    bad = ~np.isfinite(arrays["returns"]).all(1)
    yield bad, "must have finite returns; it holds NaN or infinity"
    bad = made & ((mover < 0) | (mover >= players))
    yield bad.any(1), f"must be of players 0 to {players - 1}; another one moves"
    turn = made[:, 1:] & (mover[:, 1:] != (mover[:, :-1] + 1) % players)
    yield turn.any(1), "must have its players move in turns; one of them moves again"
    outside = (action < 0) | (action >= actions)
    bad = made & outside
    yield bad.any(1), f"must have actions 0 to {actions - 1}; one is out of range"
    known = np.where(outside, 0, action)
    taken = np.take_along_axis(arrays["legal"], known[..., None], 2)[..., 0]
    bad = made & ~outside & ~taken
    yield bad.any(1), "must take legal actions; one of its actions is illegal"
    last = made & (np.arange(longest) == length[:, None] - 1)
    pays = arrays["paying"][known]
    bad = made & ~last & pays
    yield bad.any(1), "must end with an action that pays; it goes on after one"
    unpaid = ~(last & pays).any(1) & (arrays["returns"] != 0).any(1)
    yield unpaid, "must pay 0 because no deal ends it; its returns are not 0"
