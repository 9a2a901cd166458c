"""``metrics.jsonl``: the rows of a run, bound to the checkpoint that follows them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaspiel import files
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True)
class Rows:
    """The first rows of a file.

    Attributes:
      rows: the rows as JSON values.
      lines: the rows as text, without line ends.
    """

    rows: tuple[dict[str, Any], ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def seal(self) -> str:
        """A hash of all rows, by which a checkpoint remembers them."""
        text = "".join(line + "\n" for line in self.lines)
        return hashlib.sha256(text.encode()).hexdigest()


def read(
    path: Path,
    keep: int | None,
    seal: str | None = None,
    *,
    more: bool = False,
    like: Mapping[str, Any] | None = None,
) -> Rows:
    """The first rows of a file.

    Args:
      path: path of the file; none is a file without rows.
      keep: rows that a checkpoint knows of; None for all.
      seal: hash of those rows, as the checkpoint has it.
      more: there is a checkpoint, even if it knows of no rows.
      like: fields that every row must have, and their types.

    Raises:
      UserError: a row is missing, damaged or changed, or without ``keep`` there are
        more rows than a run can have made before its first checkpoint.
    """
    every: list[bytes] = []
    lines: list[str] = []
    rows: list[Any] = []
    if path.exists():
        try:
            every = path.read_bytes().split(b"\n")
            del every[-1]  # nothing, or a row that was cut short
            # what a checkpoint does not know of may be damaged: it is made again
            lines = [line.decode() for line in every[:keep]]
            rows = [files.parse_json(line) for line in lines]
        except ValueError:
            raise UserError(f"'{path}' must hold one JSON row a line") from None
        if not all(isinstance(row, dict) for row in rows):
            raise UserError(f"'{path}' must hold one JSON object a line")
        if keep == 0 and len(every) > 1 and not more:
            raise UserError(
                f"'{path}' holds {len(every)} rows, but their checkpoint is gone; "
                "start a new run in another folder"
            )
    if keep is not None and len(lines) < keep:
        raise UserError(
            f"'{path}' must hold {keep} rows for this checkpoint; got {len(lines)}"
        )
    known = Rows(tuple(rows), tuple(lines))
    if seal is not None and known.seal != seal:
        raise UserError(
            f"'{path}' must hold the rows that its checkpoint was written after; "
            "they were changed"
        )
    for number, row in enumerate(known.rows):
        files.check_shape(f"row {number} of '{path}'", row, like or {})
    return known


class Metrics:
    """Rows on disk, one a line; cut back to what a checkpoint knows on resume.

    Args:
      path: path of the file.
      known: the rows that the checkpoint knows of, as ``read`` gave them.
      durable: every row waits until it is on the disk.
    """

    def __init__(
        self, path: Path, known: Rows | None = None, *, durable: bool = True
    ) -> None:
        known = known or Rows()
        self.path, self.durable = path, durable
        self.rows = list(known.rows)
        files.write_text(path, "".join(line + "\n" for line in known.lines))
        self._hash = self._hash_before = hashlib.sha256()
        for line in known.lines:
            self._remember(line + "\n")

    @property
    def seal(self) -> str:
        """A hash of all rows so far, by which a checkpoint remembers them."""
        return self._hash.hexdigest()

    @property
    def seal_before(self) -> str:
        """A hash of all rows but the last, which may still be amended."""
        return self._hash_before.hexdigest()

    def add(self, row: Mapping[str, object]) -> None:
        """Appends a row."""
        line = _line(row)
        files.append_text(self.path, line, self.durable)
        self._remember(line)
        self.rows.append(files.parse_json(line))

    def amend(self, row: Mapping[str, object]) -> None:
        """Replaces the last row by one that knows more."""
        line = _line(row)
        lines = self.path.read_bytes().decode().splitlines(keepends=True)
        files.write_text(self.path, "".join([*lines[:-1], line]))
        self._hash = self._hash_before
        self._remember(line)
        self.rows[-1] = files.parse_json(line)

    def _remember(self, line: str) -> None:
        self._hash_before = self._hash
        self._hash = self._hash.copy()
        self._hash.update(line.encode())

    def flush(self) -> None:
        """Waits until all rows are on the disk."""
        files.flush(self.path)


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(files.spelled(row), allow_nan=False) + "\n"
