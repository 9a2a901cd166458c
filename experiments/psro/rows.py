"""The rows of metrics of a run that exists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.lab.frames import columns, pandas


@dataclass(frozen=True)
class Rows(Sequence[Mapping[str, Any]]):
    """Rows of metrics, one an iteration.

    Attributes:
      rows: each a mapping of names to plain values.
    """

    rows: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def column(self, name: str) -> list[Any]:
        """One number of all rows, None where it was not measured."""
        return [row.get(name) for row in self.rows]

    def frame(self) -> Any:
        """The rows as a data frame of pandas, a number a column as in metrics.csv.

        Raises:
          UserError: pandas is not installed.
        """
        return pandas().DataFrame([columns(row) for row in self.rows])
