"""Arrays from ``.npy`` and ``.npz`` files, whose sizes are checked before unpacking.

Every reader of arrays goes through here. No file makes a process unpack more than its
headers say and ``memory_gb`` allows, none runs code, and a damaged one is a sentence,
which says "it" of the file: the caller knows what it is.
"""

import io
import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.nfg.errors import UserError, first_line, shown

MEMORY_GB = 1.0  # what a file may unpack to; a larger one, to _DENSEST times its size
_DENSEST = 50  # what compresses better than this is not data that we write
_PIECE = 1 << 24  # bytes that are read at once
# What numpy, zipfile and the packers raise at damaged archives.
UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, EOFError, RuntimeError, SyntaxError,
    ArithmeticError, MemoryError, AttributeError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip


def read_array(path: Path, memory_gb: float = MEMORY_GB) -> ndarray:
    """The array of a ``.npy`` file.

    Raises:
      UserError: it is no file, damaged, holds objects, or is too large.
    """
    try:
        check_file(path)
        with open(path, "rb") as file:
            size = path.stat().st_size
            return _array(file, size, _most(memory_gb, size), "the array")
    except UNREADABLE as error:
        raise unreadable(path, error) from None


def read_archive(
    path: Path,
    wanted: Collection[str] | None = None,
    memory_gb: float = MEMORY_GB,
    *,
    data: bytes | None = None,
) -> dict[str, ndarray]:
    """Arrays of an ``.npz`` file by name.

    Args:
      path: of the file.
      wanted: names that are read where they are there; None for all.
      memory_gb: what the wanted arrays may unpack to, together.
      data: the bytes of the file, where they are read already.

    Raises:
      UserError: it is no file, damaged, holds objects, or unpacks to too much.
    """
    try:
        if data is not None:
            return _arrays(io.BytesIO(data), len(data), wanted, memory_gb)
        check_file(path)
        with open(path, "rb") as file:
            return _arrays(file, path.stat().st_size, wanted, memory_gb)
    except UNREADABLE as error:
        raise unreadable(path, error) from None


def check_file(path: Path) -> None:
    """Refuses what cannot be read from beginning to end.

    Raises:
      UserError: it is not there, or a folder, a pipe or a device.
    """
    if not path.exists():
        raise UserError("it must exist; it does not")
    if not path.is_file():
        raise UserError("it must be a file; it is a folder or a device")


def unreadable(path: Path, error: BaseException) -> UserError:
    """The sentence for what reading a file raised; a ``UserError`` stays as it is."""
    if isinstance(error, UserError):
        return error
    return UserError(f"it must be a readable {path.suffix} file; {first_line(error)}")


def _most(memory_gb: float, size: int) -> float:
    """Bytes that a file of ``size`` bytes may unpack to."""
    return max(memory_gb * 1e9, float(_DENSEST * size))


def _arrays(
    file: io.BufferedIOBase, size: int, wanted: Collection[str] | None, memory_gb: float
) -> dict[str, ndarray]:
    if file.read(6) == b"\x93NUMPY":
        raise ValueError("it is one array (.npy), not an archive of several")
    with zipfile.ZipFile(file) as archive:
        members = {}
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in members or name == info.filename:
                raise ValueError(f"it holds '{shown(name)}' twice, or as no array")
            members[name] = info
        chosen = {n: i for n, i in members.items() if wanted is None or n in wanted}
        declared = sum(info.file_size for info in chosen.values())
        most = _most(memory_gb, size)
        _check_size(declared, most, "it")
        arrays = {}
        for name, info in chosen.items():
            what = f"'{shown(name)}'"
            with archive.open(info) as member:
                arrays[name] = _array(member, info.file_size, most, what)
        return arrays


def _check_size(size: int, most: float, what: str) -> None:
    if size > most:
        raise ValueError(
            f"{what} would unpack to {size / 1e9:.3g} GB, and memory_gb allows "
            f"{most / 1e9:.3g}"
        )


def _array(stream: Any, size: int, most: float, what: str) -> ndarray:
    """An array, after its header was held against the ``size`` bytes that there are."""
    version = np.lib.format.read_magic(stream)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in headers:
        raise ValueError(f"{what} has a header of an unknown version")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that Python 2 wrote
        shape, fortran, dtype = headers[version](stream)
    if dtype.hasobject or dtype.itemsize == 0 or min(shape, default=0) < 0:
        raise ValueError(f"{what} must hold numbers; got {dtype} of shape {shape}")
    needed = math.prod(shape) * dtype.itemsize
    _check_size(needed, most, what)
    if needed != size - stream.tell():
        raise ValueError(
            f"{what} must be as long as its header says, {needed} bytes; got "
            f"{size - stream.tell()}"
        )
    data = np.empty(needed, np.uint8)
    view = memoryview(data)  # type: ignore[arg-type]
    while view:
        read = stream.readinto(view[:_PIECE])
        if not read:
            raise EOFError(f"{what} is cut short")
        view = view[read:]
    return data.view(dtype).reshape(shape, order="F" if fortran else "C")
