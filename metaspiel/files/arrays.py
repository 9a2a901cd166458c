"""Files of arrays with a checksum that is verified before the arrays are used."""

import hashlib
import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.files.strict import (
    Bound,
    digest,
    parsed,
    refuse_words,
    restored,
    spelled,
)
from metaspiel.files.writing import write_bytes
from metaspiel.nfg.archives import UNREADABLE, read_archive
from metaspiel.nfg.errors import UserError, first_line

_SUM = "sha256"  # the fact that is the checksum of all others
# Where facts are, and what numpy's and safetensors' own writers take.
_TAKEN = ("facts", "file", "allow_pickle", "__metadata__")


def write_arrays(
    path: Path,
    arrays: Mapping[str, ndarray],
    facts: Bound | None = None,
    *,
    compressed: bool = False,
) -> None:
    """Writes arrays and facts with a checksum of both: npz, or else safetensors.

    Raises:
      UserError: the formats need an array's name or a fact's for themselves, or a
        string among the facts would be read as a number.
    """
    _check_names(arrays)
    refuse_words(path, facts or {})
    if _SUM in (facts or {}):
        raise UserError(f"'{path}' must hold no fact of its own named '{_SUM}'")
    made = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    known = dict(facts or {})
    text = json.dumps(
        spelled(known, "NaN") | {_SUM: _sum_of(made, known)}, allow_nan=False
    )
    if path.suffix == ".npz":
        made["facts"] = np.array(text)
        write_bytes(path, npz(made, compressed=compressed))
        return
    from safetensors.numpy import save

    write_bytes(path, save(made, {"facts": text}))


def npz(arrays: Mapping[str, ndarray], *, compressed: bool = False) -> bytes:
    """The bytes of an archive of arrays; the same arrays give the same bytes.

    Raises:
      UserError: the format needs an array's name for itself.
    """
    _check_names({name: array for name, array in arrays.items() if name != "facts"})
    packed = io.BytesIO()
    writer = np.savez_compressed if compressed else np.savez
    writer(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def npy(array: ndarray) -> bytes:
    """The bytes of a file of one array."""
    packed = io.BytesIO()
    np.save(packed, array, allow_pickle=False)
    return packed.getvalue()


def _check_names(arrays: Mapping[str, ndarray]) -> None:
    for name in arrays:
        if name in _TAKEN or name.endswith(".npy") or not name.isprintable():
            raise UserError(
                f"an array must have a printable name, none of {', '.join(_TAKEN)}, "
                f"that does not end in .npy; got {name!r}"
            )


def read_arrays(
    path: Path, *, unsealed: bool = False
) -> tuple[dict[str, Any], dict[str, ndarray]]:
    """Facts and arrays of a file, after their checksum was checked.

    Args:
      path: ``.npz``, or else safetensors.
      unsealed: take a file without a checksum as well: weights that ship, or a user's.

    Raises:
      UserError: it is not there, damaged, changed, or without a checksum.
    """
    kind = "npz" if path.suffix == ".npz" else "safetensors"
    try:
        if not path.is_file():  # a pipe would be waited for
            raise ValueError("there is no such file")
        data = path.read_bytes()
        whole = _tensors(data) if kind == "safetensors" else _archive(path, data)
    except UserError as error:
        raise UserError(f"'{path}': {error}") from None
    except UNREADABLE as error:
        raise UserError(
            f"'{path}' must be a whole {kind} file; {first_line(error)}"
        ) from None
    facts, arrays = whole
    recorded = facts.pop(_SUM, None)
    if recorded is None and not unsealed:
        raise UserError(
            f"'{path}' must hold a checksum; it was written by an earlier metaspiel, "
            "whose runs this one cannot continue"
        )
    if recorded is not None and recorded != _sum_of(arrays, facts):
        raise UserError(
            f"'{path}' must be a whole {kind} file; its arrays do not have the "
            "checksum that was written with them"
        )
    return restored(facts), arrays


def _sum_of(arrays: Mapping[str, ndarray], facts: Bound) -> str:
    """A hash of names, types, shapes and bytes of all arrays, and of the facts."""
    hashed = hashlib.sha256(digest(facts).encode())
    for name in sorted(arrays):
        array = arrays[name]
        hashed.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        hashed.update(np.asarray(array, order="C").tobytes())
    return hashed.hexdigest()


def _tensors(data: bytes) -> tuple[dict[str, Any], dict[str, ndarray]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = {name: np.array(array) for name, array in load(data).items()}
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    size = struct.unpack("<Q", data[:8])[0]
    about = parsed(data[8 : 8 + size].decode()).get("__metadata__", {})
    return _facts(about.get("facts"), about), arrays


def _archive(path: Path, data: bytes) -> tuple[dict[str, Any], dict[str, ndarray]]:
    arrays = read_archive(path, data=data)
    text = arrays.pop("facts", None)
    return _facts(None if text is None else str(text), {}), arrays


def _facts(text: str | None, otherwise: Bound) -> dict[str, Any]:
    if text is None:
        return dict(otherwise)
    facts = parsed(text)
    if not isinstance(facts, dict):
        raise ValueError("its facts are no object")
    return facts
