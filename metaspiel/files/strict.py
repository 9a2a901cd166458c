"""Strict JSON, and seals that reveal a changed file or one of another run."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metaspiel.files.writing import write_text
from metaspiel.nfg.errors import UserError, first_line
from metaspiel.nfg.texts import read_text

Bound = Mapping[str, Any]
_SEAL = "seal"
_LIST, _VALUE = "list", "value"
_FOLDER_SEAL = "seal.json"
_WORDS = {"Infinity": np.inf, "-Infinity": -np.inf, "NaN": np.nan}


def spelled(value: Any, nan: str | None = None) -> Any:
    """``value`` for strict JSON: infinities as "Infinity", NaN replaced by ``nan``."""
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else json.dumps(key): spelled(inner, nan)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [spelled(inner, nan) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        if value != value:
            return nan
        return "Infinity" if value > 0 else "-Infinity"
    return value


def restored(value: Any) -> Any:
    """Inverse of ``spelled``: strings that stand for infinities become numbers."""
    if isinstance(value, dict):
        return {key: restored(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [restored(inner) for inner in value]
    return _WORDS.get(value, value) if isinstance(value, str) else value


def nan_as_none(value: Any) -> Any:
    """``value`` with None for every NaN, which stands for a number not measured."""
    return restored(spelled(value))


def digest(value: Any) -> str:
    """A hash of a JSON value, whatever the order of its keys."""
    text = json.dumps(spelled(value, "NaN"), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_words(path: Path, value: Any) -> None:
    """Refuses strings that reading would take for numbers.

    Raises:
      UserError: the value holds one; the sentence names the file.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            refuse_words(path, inner)
    elif isinstance(value, str) and value in _WORDS:
        raise UserError(
            f"'{path}' must hold no text that is one of {', '.join(_WORDS)}, which "
            f"stand for numbers there; got '{value}'"
        )


def write_json(path: Path, value: Any, nan: str | None = None) -> None:
    """Writes strict JSON; ``nan`` "NaN" keeps NaN and None apart.

    A value may be spelled already: the three words are read as numbers either way.
    """
    text = json.dumps(spelled(value, nan), indent=1, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON, infinities as numbers.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return restored(parsed(read_text(path)))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f"'{path}' must be readable JSON; {first_line(error)}"
        ) from None


def parse_json(text: str) -> Any:
    """A JSON value from text, infinities as numbers.

    Raises:
      ValueError: it is no JSON, too deep, or holds a number that no float can.
    """
    try:
        return restored(parsed(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_sealed(path: Path, value: Any, bound: Bound | None = None) -> None:
    """Writes JSON with a seal over the value, the file's name and ``bound``.

    The seal is one more field of an object. A list is the field "list" of an object of
    its own; anything else, and an object that has a seal itself or would look like one
    of these, is the field "value" of one.

    Raises:
      UserError: a string in it would be read as a number.
    """
    refuse_words(path, value)
    whole = spelled(value, "NaN")
    if isinstance(whole, list):
        whole = {_LIST: whole}
    elif not isinstance(whole, dict) or _SEAL in whole or _wrapped(whole):
        whole = {_VALUE: whole}
    write_json(path, whole | {_SEAL: _seal(path, whole, bound)})


def _wrapped(whole: Bound) -> bool:
    return len(whole) == 1 and next(iter(whole)) in (_LIST, _VALUE)


def read_sealed(path: Path, bound: Bound | None = None) -> Any:
    """Reads what ``write_sealed`` wrote with the same ``bound``.

    Raises:
      UserError: it cannot be read, was changed, or was bound to something else.
    """
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise UserError(f"'{path}' must hold an object; got {type(whole).__name__}")
    if _SEAL not in whole:
        raise UserError(
            f"'{path}' must hold a seal; it was changed, or written by an earlier "
            "metaspiel, whose runs this one cannot continue"
        )
    recorded = whole.pop(_SEAL)
    try:
        fits = recorded == _seal(path, whole, bound)
    except (RecursionError, ValueError):
        fits = False
    if not fits:
        settings = "" if bound is None else ", or of a version with other settings"
        raise UserError(
            f"'{path}' must be as this run wrote it; it was changed, or is that of "
            f"another run{settings}"
        )
    return next(iter(whole.values())) if _wrapped(whole) else whole


def seal_folder(folder: Path, facts: Bound) -> None:
    """Adds a sealed file with ``facts`` and the checksums of all files in a folder.

    Raises:
      UserError: a fact is named "files".
    """
    if "files" in facts:
        raise UserError("seal_folder(): no fact may be named 'files'; one is")
    sums = {p.name: checksum(p) for p in folder.iterdir() if p.name != _FOLDER_SEAL}
    write_sealed(folder / _FOLDER_SEAL, {**facts, "files": sums})


def sealed_folder(folder: Path) -> dict[str, Any]:
    """Checks all files of a sealed folder and returns the facts it was sealed with.

    Raises:
      UserError: a file is missing, was changed, or does not belong there.
    """
    if not folder.is_dir():
        raise UserError(f"'{folder}' must be a folder; it is not there")
    facts: dict[str, Any] = read_sealed(folder / _FOLDER_SEAL)
    sums = facts.pop("files", None)
    try:
        inside = [p for p in folder.iterdir() if p.name != _FOLDER_SEAL]
        now = {p.name: checksum(p) for p in inside}
    except OSError as error:
        raise UserError(f"'{folder}' must hold readable files; {error}") from None
    if now != sums:
        raise UserError(f"'{folder}' must be as this run wrote it; it was changed")
    return facts


def parsed(text: str) -> Any:
    """A JSON value as written; a number that no float holds is a ``ValueError``."""

    def number(digits: str) -> float:
        value = float(digits)
        if not np.isfinite(value):
            raise ValueError(f"no float holds the number {digits[:20]}")
        return value

    return json.loads(text, parse_float=number)


def _seal(path: Path, whole: Any, bound: Bound | None) -> str:
    return digest([path.name, whole, dict(bound or {})])


def checksum(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
