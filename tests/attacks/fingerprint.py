"""What a run folder holds of results: everything but times, plots and reports."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

TIMES = re.compile(r"seconds|^cpu|^time|wall|^ms$|resumed|^folder$|^command$|^commit")
_SUMS = re.compile(r"[0-9a-f]{32,128}")
_NOT_RESULTS = {"env.json", "clock.json"}
_TIMES_ONLY = {"units"}  # a folder of them
_WATCHING = {"out", "resume", "json", "quiet", "jobs", "config", "trust"}


def results(folder: Path, also: str = "") -> dict[str, Any]:
    """Results by file; files that hold none are left out.

    ``also`` is a pattern of keys that are times on this page.

    Hidden files are a writer's own. Checksums are left out: they cover times.
    """
    prints = {}
    for place in sorted(folder.rglob("*")):
        name = str(place.relative_to(folder))
        if older(place.parent):
            continue
        hidden = any(part.startswith(".") for part in Path(name).parts)
        times = place.name in _NOT_RESULTS or place.parent.name in _TIMES_ONLY
        if hidden or times or not place.is_file():
            continue
        reader = _READERS.get(place.suffix)
        if reader is not None:
            try:
                prints[name] = without(reader(place.read_bytes()), also)
            except Exception as error:  # noqa: BLE001  each format has its own
                prints[name] = f"unreadable: {type(error).__name__}"
    return prints


def older(place: Path) -> bool:
    """Whether a checkpoint only waits to be removed: a newer one is there."""
    if not place.name.isdigit() or place.parent.name == "kept":
        return False
    beside = (p.name for p in place.parent.iterdir() if p.name.isdigit())
    return place.name != max(beside)


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Files whose results differ, or that only one of two has."""
    names = sorted(one.keys() | other.keys())
    return [n for n in names if repr(one.get(n)) != repr(other.get(n))]


def timeless(value: Any) -> Any:
    """JSON without times and checksums."""
    if isinstance(value, dict):
        return {
            k: timeless(v)
            for k, v in value.items()
            if not TIMES.search(k) and k not in _WATCHING
        }
    if isinstance(value, list):
        return [timeless(v) for v in value]
    if isinstance(value, str) and _SUMS.fullmatch(value):
        return "a checksum"
    return value


def without(value: Any, keys: str) -> Any:
    """JSON without the values whose keys match a pattern, if there is one."""
    if isinstance(value, dict) and keys:
        return {k: without(v, keys) for k, v in value.items() if not re.search(keys, k)}
    if isinstance(value, list):
        return [without(v, keys) for v in value]
    return value


def _json(data: bytes) -> Any:
    return timeless(json.loads(data))


def _lines(data: bytes) -> Any:
    return [timeless(json.loads(line)) for line in data.decode().splitlines()]


def _npz(data: bytes) -> Any:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {
            name: (arrays[name].shape, str(arrays[name].dtype), arrays[name].tobytes())
            for name in sorted(arrays.files)
            if not TIMES.search(name)
        }


def _safetensors(data: bytes) -> Any:
    """Tensors as they are stored; the header's own notes hold times."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size :]
    spans = {name: about["data_offsets"] for name, about in sorted(header.items())}
    return {name: body[low:high] for name, (low, high) in spans.items()}


_READERS = {
    ".json": _json,
    ".jsonl": _lines,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
