"""Files written atomically and read back with checksums, never through links.

A file is written aside under a name that nobody can guess, flushed to disk and renamed,
so that a kill or a full disk leaves the old file or the new one. What a killed writer
left aside begins with ``ASIDE``; the owner of a folder removes it with ``tidy``.

JSON is strict: an infinity is the string "Infinity" or "-Infinity", NaN is null (or
"NaN"), and reading gives the numbers back. So these three words are no texts: what
is sealed, or goes with arrays, is refused where it holds one; all else comes back as it
was.

Arrays carry a checksum that reading checks, and a sealed JSON file or folder one that
also covers what it belongs to (``bound``): a file that was edited, or that is another
run's, is refused in one sentence.
"""

from metaspiel.files.arrays import npy, npz, read_arrays, write_arrays
from metaspiel.files.shape import check_shape
from metaspiel.files.strict import (
    Bound,
    checksum,
    digest,
    nan_as_none,
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
    remove_folder,
    tidy,
    write_bytes,
    write_text,
)
from metaspiel.nfg.archives import UNREADABLE

__all__ = [
    "ASIDE",
    "UNREADABLE",
    "Bound",
    "append_text",
    "check_shape",
    "checksum",
    "digest",
    "flush",
    "nan_as_none",
    "new_folder",
    "npy",
    "npz",
    "numbered",
    "parse_json",
    "read_arrays",
    "read_json",
    "read_sealed",
    "remove_folder",
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
