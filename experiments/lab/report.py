"""Reports: tables as HTML and Markdown, and one self-contained HTML file."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.lab import interrupts, vega
from experiments.lab.escaping import markdown_cell, printable
from experiments.lab.fitting import Room
from experiments.lab.marks import Picture
from experiments.lab.process import environment
from metaspiel import files

_LARGE = 1e9  # above, numbers have an exponent
_CUT_SHORT = (
    "The run was interrupted: of what was asked for, this is what was finished by then."
)
_SCRIPT = "<!-- script -->"  # where it goes; names cannot hold it, they are escaped


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
      caption: text above the table.
      columns: heads of the columns.
      rows: cells, as ``show`` writes them.
      best: numbers of the rows that stand out.
      raw: it is for those who look for a key: shown at the end, folded.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    best: Sequence[int] = ()
    _: KW_ONLY
    raw: bool = False

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


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawing of a page's own in a report, where no chart will do.

    Attributes:
      name: of its file, ``plots/NAME.svg``.
      title: text above it.
      caption: text below it.
      svg: the drawing.
    """

    name: str
    title: str
    caption: str
    svg: str


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a report says first, in words anyone in the field understands.

    Attributes:
      ran: what was run.
      result: what came out.
      sure: how sure that is: seeds, intervals, what a number bounds.
    """

    ran: Sequence[str] = ()
    result: Sequence[str] = ()
    sure: Sequence[str] = ()

    @property
    def said(self) -> dict[str, Sequence[str]]:
        """The sentences by what they answer."""
        heads = ("What was run", "What came out", "How sure it is")
        parts = zip(heads, (self.ran, self.result, self.sure), strict=True)
        return {head: sentences for head, sentences in parts if sentences}


def render(
    path: Path,
    title: str,
    opening: Opening,
    tables: Sequence[Table],
    figures: Sequence[Picture | Drawing],
    *,
    cut: bool | None = None,
) -> None:
    """Writes one self-contained HTML file, and its charts into ``plots`` beside it.

    It says that the run was interrupted where ``cut``, by default while an interrupted
    page writes its reports.
    """
    room = Room.of([one.chart for one in figures if isinstance(one, Picture)])
    shown = [_figure(one, path.parent / "plots", room) for one in figures]
    loader = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
    )
    charts = any("specs" in one for one in shown)
    if interrupts.cut_short() if cut is None else cut:
        opening = replace(opening, ran=[_CUT_SHORT, *opening.ran])
    text = loader.get_template("report.html.j2").render(
        title=title,
        opening=opening,
        tables=tables,
        figures=shown,
        script=_SCRIPT if charts else "",
        environment=environment(),
    )
    text = printable(text)
    if charts:  # after what is made printable: a script must stay as it is
        own = Path(__file__).with_name("report.js").read_text("utf-8")
        library = f"<script id=library type=text/plain>{vega.packed()}</script>"
        scripts = f"{library}\n<script>\n{own}</script>"
        text = scripts.join(text.rsplit(_SCRIPT, 1))
    files.write_text(path, text)


def _figure(one: Picture | Drawing, plots: Path, room: Room) -> dict[str, Any]:
    """A figure as the template takes it; its files are written."""
    plots.mkdir(exist_ok=True)
    place = plots / one.name
    made: dict[str, Any] = {"title": one.title, "caption": one.caption}
    if isinstance(one, Drawing):
        files.write_text(place.with_name(f"{one.name}.svg"), one.svg)
        return made | {"svg": one.svg, "notes": ()}
    ready = vega.Ready.of(one.chart, room)
    vega.save(ready, place)
    return made | {
        "svg": "",
        "columns": one.chart.columns,
        "titles": [panel.title for panel in one.chart.panels],
        "specs": ready.page_specs,
        "legend": ready.legend,
        "notes": ready.notes,
    }


def show(cell: Any) -> str:
    """A cell as text: four digits, short lists."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return digits(cell, 4)
    if isinstance(cell, list | tuple):
        return ", ".join(show(item) for item in cell)
    return str(cell)


def digits(value: float, count: int) -> str:
    """A number of so many digits, a large one written out: 1,070 for 1.07e+03."""
    text = f"{value:.{count}g}"
    return f"{float(text):,.0f}" if "e+" in text and abs(value) < _LARGE else text


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
    summary: Mapping[str, Any] | None = None,
    *,
    title: str,
    opening: Opening,
    tables: Sequence[Table],
    figures: Sequence[Picture | Drawing] = (),
) -> str:
    """Writes table.md and report.html of a run, and summary.json where there is one.

    Returns:
      The tables as Markdown.
    """
    cut = interrupts.cut_short()
    if summary is not None:
        mark = {"interrupted": True} if cut else {}
        files.write_json(folder / "summary.json", {**summary, **mark})
    said = [f"{_CUT_SHORT}\n"] if cut else []
    text = "\n".join([*said, *(table.markdown for table in tables)])
    files.write_text(folder / "table.md", text)
    render(folder / "report.html", title, opening, tables=tables, figures=figures)
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
