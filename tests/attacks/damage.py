"""Ways to change one file, or its rows and fields."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fingerprint import TIMES
from numpy.random import Generator

Edit = Callable[[Path, Generator], None]


def flip(place: Path, rng: Generator) -> None:
    """Flips one bit anywhere."""
    data = bytearray(place.read_bytes())
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    place.write_bytes(data)


def cut(place: Path, rng: Generator) -> None:
    data = place.read_bytes()
    place.write_bytes(data[: rng.integers(1, len(data))])


def empty(place: Path, rng: Generator) -> None:
    place.write_bytes(b"")


def junk(place: Path, rng: Generator) -> None:
    place.write_bytes(b"999999: another run\n\xff")


def delete(place: Path, rng: Generator) -> None:
    place.unlink()


def array(place: Path, rng: Generator) -> None:
    """Changes one number of a file that stays valid."""
    data = place.read_bytes()
    if place.suffix == ".safetensors":
        start = 8 + int.from_bytes(data[:8], "little")
        at = start + 4 * int(rng.integers((len(data) - start) // 4)) + 2
        place.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        return
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    able = [n for n, a in arrays.items() if a.dtype.kind in "fiu" and a.size]
    chosen = arrays[able[rng.integers(len(able))]].reshape(-1)
    chosen[rng.integers(chosen.size)] += 1
    with open(place, "wb") as file:
        np.savez(file, **arrays)


def numbers(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to all numbers in JSON that are no times."""
    if isinstance(value, dict):
        inner = [(k, v) for k, v in value.items() if not TIMES.search(k)]
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return [way] if plain else []
    return [below for key, v in inner for below in numbers(v, (*way, key))]


def replaced(value: Any, way: tuple[Any, ...], new: Callable[[Any], Any]) -> Any:
    if not way:
        return new(value)
    value[way[0]] = replaced(value[way[0]], way[1:], new)
    return value


def number(change: Callable[[Any], Any]) -> Edit:
    """Changes a random number of a JSON file."""

    def edit(place: Path, rng: Generator) -> None:
        stored = json.loads(place.read_bytes())
        ways = numbers(stored)
        way = ways[rng.integers(len(ways))]
        place.write_text(json.dumps(replaced(stored, way, change)), "utf-8")

    return edit


def field(name: str, change: Callable[[Any], Any]) -> Edit:
    """Changes one field of a JSON object, wherever it is nested."""

    def inside(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: change(v) if k == name else inside(v) for k, v in value.items()}
        return value

    def edit(place: Path, rng: Generator) -> None:
        stored = json.loads(place.read_bytes())
        place.write_text(json.dumps(inside(stored), indent=1) + "\n", "utf-8")

    return edit


def text(make: Callable[[str], bytes]) -> Edit:
    def edit(place: Path, rng: Generator) -> None:
        place.write_bytes(make(place.read_text("utf-8")))

    return edit


def rows(change: Callable[[list[str], int], list[str]]) -> Edit:
    """Changes the rows of a file of JSON lines; one of them is chosen."""

    def edit(place: Path, rng: Generator) -> None:
        lines = place.read_text("utf-8").splitlines()
        changed = change(lines, int(rng.integers(max(1, len(lines) - 1))))
        place.write_text("".join(line + "\n" for line in changed), "utf-8")

    return edit


def _edited(lines: list[str], at: int) -> list[str]:
    row = json.loads(lines[at])
    way = numbers(row)[-1]
    lines[at] = json.dumps(replaced(row, way, lambda v: v + 1))
    return lines


def _exchanged(lines: list[str], at: int) -> list[str]:
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


ROWS: dict[str, Edit] = {
    "row edited": rows(_edited),
    "row dropped": rows(lambda lines, at: lines[:at] + lines[at + 1 :]),
    "row doubled": rows(lambda lines, at: lines[: at + 1] + lines[at:]),
    "rows reordered": rows(_exchanged),
    "row is no object": rows(lambda lines, at: [*lines[:at], "[1]", *lines[at + 1 :]]),
    "row of NaN": rows(
        lambda lines, at: [*lines[:at], '{"iteration": NaN}', *lines[at + 1 :]]
    ),
}


def _last_number(new: str) -> Edit:
    """Another spelling instead of the last number of a text."""
    pattern = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?(?=[^\d.e]*\Z)")
    return text(lambda old: pattern.sub(new, old, count=1).encode())


ODD_JSON: dict[str, Edit] = {
    "JSON of another encoding": text(lambda old: b"\xff\xfe" + old.encode("utf-16-le")),
    "JSON nested deeply": text(lambda old: b"[" * 200_000),
    "JSON with NaN": _last_number("NaN"),
    "JSON with 1e999": _last_number("1e999"),
    "JSON with 5000 digits": _last_number("7" * 5000),
    "JSON of another type": text(lambda old: b'["nothing", 1]\n'),
    "JSON null": text(lambda old: b"null\n"),
    "JSON object without fields": text(lambda old: b"{}\n"),
}
