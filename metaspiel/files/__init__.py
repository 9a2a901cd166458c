"""How every file reaches the disk and comes back: whole, unchanged, through no link.

A file is written aside under a name that nobody can guess, flushed to disk and renamed,
so that a kill or a full disk leaves the old file or the new one. What a killed writer
left aside begins with ``ASIDE``; the owner of a folder removes it with ``tidy``.

JSON is strict: an infinity is the string "Infinity" or "-Infinity", NaN is null, and
reading gives the infinities back. Arrays carry a checksum that reading checks, and a
sealed JSON file or folder one that also covers what it belongs to (``bound``): a file
that was edited, or that is another run's, is refused in one sentence.
"""

from metaspiel.files.arrays import UNREADABLE, npz, read_arrays, write_arrays
from metaspiel.files.strict import (
    Bound,
    checksum,
    digest,
    parse_json,
    read_json,
    read_sealed,
    restored,
    seal_folder,
    sealed_folder,
    spelled,
    write_json,
    write_sealed,
)
from metaspiel.files.writing import (
    ASIDE,
    append_text,
    flush,
    new_folder,
    numbered,
    tidy,
    write_bytes,
    write_text,
)

__all__ = [
    "ASIDE",
    "UNREADABLE",
    "Bound",
    "append_text",
    "checksum",
    "digest",
    "flush",
    "new_folder",
    "npz",
    "numbered",
    "parse_json",
    "read_arrays",
    "read_json",
    "read_sealed",
    "restored",
    "seal_folder",
    "sealed_folder",
    "spelled",
    "tidy",
    "write_arrays",
    "write_bytes",
    "write_json",
    "write_sealed",
    "write_text",
]
