"""Reports: tables as HTML and Markdown, and one self-contained HTML file."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.lab.escaping import markdown_cell, printable
from experiments.lab.process import environment
from metaspiel import files


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
      caption: text above the table.
      columns: heads of the columns.
      rows: cells, as ``show`` writes them.
      best: numbers of the rows that stand out.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    best: Sequence[int] = ()

    @classmethod
    def of(
        cls,
        caption: str,
        columns: Mapping[str, Callable[[Any], Any]],
        rows: Iterable[Any],
        best: Sequence[int] = (),
    ) -> "Table":
        """A table of one line a row, each column read off the row by a function."""
        lines = [[read(row) for read in columns.values()] for row in rows]
        return cls(caption, list(columns), lines, best)

    @classmethod
    def pivot(
        cls,
        caption: str,
        cells: Iterable[Any],
        *,
        heads: Mapping[str, Callable[[Any], str]],
        column: Callable[[Any], str],
        columns: Sequence[str],
        show: Callable[[Any], str],
    ) -> "Table":
        """A table of one row for all cells that have the same heads.

        Args:
          caption: above it.
          cells: what is shown; "-" where there is none.
          heads: what each row begins with.
          column: the column of a cell, one of ``columns``.
          columns: heads of the rest, in order.
          show: a cell as text.
        """
        rows: dict[tuple[str, ...], dict[str, str]] = {}
        for cell in cells:
            key = tuple(read(cell) for read in heads.values())
            rows.setdefault(key, {})[column(cell)] = show(cell)
        lines = [
            [*key, *(row.get(name, "-") for name in columns)]
            for key, row in rows.items()
        ]
        return cls(caption, [*heads, *columns], lines)

    @property
    def lines(self) -> list[list[str]]:
        """The rows as text."""
        return [[show(cell) for cell in row] for row in self.rows]

    @property
    def markdown(self) -> str:
        """The caption and the table, for table.md."""
        caption = markdown_cell(self.caption)
        return f"{caption}\n\n{markdown(self.columns, self.lines)}"


@dataclass(frozen=True)
class Picture:
    """A chart of a report.

    Attributes:
      title: text above the chart.
      caption: text below the chart.
      svg: the drawing.
    """

    title: str
    caption: str
    svg: str


def render(
    path: Path,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    figures: Sequence[Picture],
) -> None:
    """Writes one self-contained HTML file."""
    loader = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
    )
    text = loader.get_template("report.html.j2").render(
        title=title,
        lead=lead,
        tables=tables,
        figures=figures,
        environment=environment(),
    )
    files.write_text(path, printable(text))


def show(cell: Any) -> str:
    """A cell as text: four digits, short lists."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, list | tuple):
        return ", ".join(show(item) for item in cell)
    return str(cell)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, ending with a line break; cells are escaped."""
    lines = [[markdown_cell(cell) for cell in row] for row in (head, *rows)]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    drawn.insert(1, "|" + "---|" * len(head))
    return "\n".join(drawn) + "\n"


def estimate(
    mean: float | None, low: float | None, high: float | None, *, digits: int = 1
) -> str:
    """A mean as "1.0 [0.5, 1.5]"; without the interval where there is none."""
    text = number(mean, digits)
    return text if low is None else f"{text} {span(low, high, digits)}"


def number(value: float | None, digits: int = 1) -> str:
    """A number with ``digits`` after the point; "-" where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(low: float | None, high: float | None, digits: int = 1) -> str:
    """An interval as "[low, high]"; "-" where there is none."""
    if low is None or high is None:
        return "-"
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as per cent; "-" where there is none."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def publish(
    folder: Path,
    summary: Any = None,
    *,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    figures: Sequence[Picture] = (),
) -> str:
    """Writes table.md and report.html of a run, and summary.json where there is one.

    Returns:
      The tables as Markdown.
    """
    if summary is not None:
        files.write_json(folder / "summary.json", summary)
    text = "\n".join(table.markdown for table in tables)
    files.write_text(folder / "table.md", text)
    render(folder / "report.html", title, lead, tables=tables, figures=figures)
    return text


def comma_separated(rows: Sequence[Any]) -> str:
    """Rows (mappings or dataclasses) as CSV: numbers as they are, lists with spaces.

    Every field that one has is a column.
    """
    plain = [row if isinstance(row, Mapping) else asdict(row) for row in rows]
    heads = dict.fromkeys(name for row in plain for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    if rows:
        writer.writeheader()
    for row in plain:
        lists = {k: " ".join(map(str, v)) for k, v in row.items() if type(v) is list}
        writer.writerow({**row, **lists})
    return text.getvalue()


def console(table: Any) -> str:
    """A table of rich's as text, as wide as the terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 150
    screen = Console(width=width, markup=False, emoji=False, highlight=False)
    with screen.capture() as drawn:
        screen.print(table)
    return drawn.get().rstrip("\n")
