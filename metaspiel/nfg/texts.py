"""Text files as editors, shells and spreadsheets write them."""

import codecs
from pathlib import Path

from metaspiel.nfg.archives import MEMORY_GB, UNREADABLE, check_file, unreadable
from metaspiel.nfg.errors import UserError

# By what a file begins with; the longer marks come first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path, memory_gb: float = MEMORY_GB) -> str:
    """The text of a file: UTF-8, or what its byte-order mark says.

    Raises:
      UserError: it is no file, no such text, or larger than ``memory_gb``.
    """
    try:
        check_file(path)
        if path.stat().st_size > memory_gb * 1e9:
            raise UserError(
                f"it must be at most {memory_gb:g} GB (memory_gb); it has "
                f"{path.stat().st_size / 1e9:.3g}"
            )
        return decoded(path.read_bytes())
    except UNREADABLE as error:
        raise unreadable(path, error) from None


def decoded(data: bytes) -> str:
    """Text from bytes: UTF-8, or what their byte-order mark says.

    Raises:
      UserError: they are no such text.
    """
    marks = (name for mark, name in _MARKS.items() if data.startswith(mark))
    try:
        return data.decode(next(marks, "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            "it must be text in UTF-8, or in UTF-16 with a byte-order mark; byte "
            f"{error.start} is not"
        ) from None
