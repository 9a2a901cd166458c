"""Numbers in text: ASCII digits, decimal, with an exponent, or a fraction of wholes.

``number`` reads one; the others read long pieces at once, with numpy, and answer None
where a piece is not plain, so that the caller, who goes word by word then, says what is
wrong and where.
"""

import math
import re
import warnings

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

_PLAIN = re.compile(r"[-+./0-9eE \t\n\r,]*")
_DIGITS = re.compile(r"[0-9 \t\n\r,]*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FRACTION = re.compile(r"([+-]?\d+)/(\d+)", re.ASCII)
_QUOTE, _OPEN, _CLOSE = b'"{}'


def number(word: str) -> float | None:
    """The number that a word is; None where it is none, or none that a float holds."""
    fraction = _FRACTION.fullmatch(word)
    try:
        if fraction:
            return int(fraction[1]) / int(fraction[2])
        value = float(word) if _NUMBER.fullmatch(word) else math.inf
    except (ValueError, OverflowError, ZeroDivisionError):
        return None  # too many digits, or a denominator of 0
    return value if math.isfinite(value) else None


def numbers_in(piece: str) -> Float64[ndarray, " k"] | None:
    """The numbers of a piece: decimal, with an exponent, or fractions."""
    if not _PLAIN.fullmatch(piece):
        return None
    piece = piece.replace(",", " ")
    if "/" in piece:
        return _fractions(piece)
    solid = np.frombuffer(piece.encode("ascii"), np.uint8) > ord(" ")
    count = np.count_nonzero(_begins(solid))
    if count == 0:
        return np.empty(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns where it cannot read on
            values = np.fromstring(piece, sep=" ")
    except (Warning, ValueError):
        return None
    # numpy takes "1-2" for two numbers; where no word gives two, their counts agree
    sound = len(values) == count and np.isfinite(values).all()
    return values if sound else None


def wholes_in(piece: str, most: int) -> Float64[ndarray, " k"] | None:
    """The whole numbers of a piece, from 0 to ``most``, written with digits alone."""
    values = numbers_in(piece) if _DIGITS.fullmatch(piece) else None
    return None if values is None or (values > most).any() else values


def rows_in(piece: str, width: int) -> tuple[Float64[ndarray, "k width"], int] | None:
    """Rows ``{ "name" 1 2 }`` from the front of a piece, and how long they are."""
    if "\\" in piece:
        return None
    signs = np.frombuffer(piece.encode("latin-1", "replace"), np.uint8)
    quotes = np.cumsum(signs == _QUOTE, dtype=np.int32)
    plain = np.where((quotes % 2 == 1) | (signs == _QUOTE), ord(" "), signs)
    braces = np.flatnonzero((plain == _OPEN) | (plain == _CLOSE))
    wrong = (plain[braces] == _OPEN) != (np.arange(len(braces)) % 2 == 0)
    rows = int(np.argmax(wrong) if wrong.any() else len(braces)) // 2
    if rows == 0:
        return None
    starts, ends = braces[: 2 * rows].reshape(rows, 2).T
    length = int(ends[-1]) + 1
    plain[braces] = ord(" ")
    words = np.cumsum(_begins(plain > ord(" ")), dtype=np.int32)
    names = np.flatnonzero(signs[:length] == _QUOTE)[::2]
    sound = (
        (words[ends] == width * np.arange(1, rows + 1)).all()
        and (quotes[ends] == 2 * np.arange(1, rows + 1)).all()
        and (starts < names).all()
        and (words[starts] == words[names]).all()
        and (quotes[starts] == 2 * np.arange(rows)).all()
        and (words[starts] == width * np.arange(rows)).all()
    )
    text = plain[:length].astype(np.uint8).tobytes().decode("latin-1")
    values = numbers_in(text) if sound else None
    return None if values is None else (values.reshape(rows, width), length)


def _begins(solid: ndarray) -> ndarray:
    """Where words begin, given which signs are none between words."""
    begins = solid.copy()
    begins[1:] &= ~solid[:-1]
    return begins


def _fractions(piece: str) -> Float64[ndarray, " k"] | None:
    if "/-" in piece or "/+" in piece:
        return None
    values = []
    try:
        for word in piece.split():
            above, slash, below = word.partition("/")
            values.append(int(above) / int(below) if slash else float(above))
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
    array = np.array(values)
    return array if np.isfinite(array).all() else None
