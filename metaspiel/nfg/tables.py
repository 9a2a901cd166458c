"""Matrices from text tables, as people and spreadsheets write them (``.csv``).

Cells stand between commas, semicolons or tabs. A table may have a first row and a first
column of names, quoted cells, empty columns at its edges, fractions (``1/3``), and
decimal commas where the cells do not stand between commas. An empty row separates two
tables. A mark that may be a decimal one or stand between thousands is refused where
all numbers with it leave that open. The rest is read in one way: without a semicolon or
a tab ``1,5`` is two cells, and a first row of numbers is payoffs unless it and the
first column number the actions.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.number_text import number

_QUOTED = re.compile(r'"[^"]*"')
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:[.,]\d{3})+", re.ASCII)
_MARKS = {",": "comma", ".": "point"}
_NO_NAME = re.compile(r"[-+.\d]|(?:nan|inf|infinity|null|none)\Z", re.ASCII | re.I)

Rows = list[list[str]]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix, and the names of its rows and columns where the table has them."""

    values: Float64[ndarray, "R C"]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def matrices(text: str) -> list[Matrix]:
    """One or two matrices from the text of a table.

    Raises:
      UserError: there are none or more, or a cell is no number and no name.
    """
    rows = _rows(text)
    blocks = [_matrix(block) for block in _blocks(rows)]
    if len(blocks) not in (1, 2):
        raise UserError(
            "a .csv must hold one matrix (zero-sum) or two with an empty line between; "
            f"got {len(blocks)}"
        )
    first, last = blocks[0].values.shape, blocks[-1].values.shape
    if first != last:
        raise UserError(
            f"both matrices of a .csv must have one shape; got {first} and {last}"
        )
    return blocks


def _rows(text: str) -> Rows:
    """Stripped cells of each line, with decimal points."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    bare = _QUOTED.sub("", text)
    between = "\t" if "\t" in bare else ";" if ";" in bare else ","
    lines = csv.reader(text.splitlines(keepends=True), delimiter=between, strict=True)
    try:
        rows = [[cell.strip() for cell in row] for row in lines]
    except csv.Error as error:
        raise UserError(
            f"a .csv must hold cells between '{shown(between)}'; line "
            f"{lines.line_num}: {shown(error, 200)}"
        ) from None
    return _with_points(rows, "," if between == "," else ",.")


def _with_points(rows: Rows, doubtful: str) -> Rows:
    """Cells with a point for the decimal comma.

    Raises:
      UserError: it is not plain that a mark, one of the doubtful, is the decimal one.
    """
    cells = [cell for row in rows for cell in row]
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    points = [c for c in cells if "." in c and number(c) is not None]
    if commas and points:
        raise UserError(
            "a .csv must have one decimal mark; got "
            f"'{shown(commas[0])}' and '{shown(points[0])}'"
        )
    marked = commas or points
    mark = "," if commas else "."
    if marked and mark in doubtful and all(map(_GROUPS.fullmatch, marked)):
        raise UserError(
            f"a .csv must not leave open whether a {_MARKS[mark]} is decimal; "
            f"'{shown(marked[0])}' may be "
            f"{marked[0].replace(',', '.', 1)} or {marked[0].replace(mark, '')} "
            "(a number with other than three decimals makes it plain)"
        )
    known = set(commas)
    return [[c.replace(",", ".") if c in known else c for c in row] for row in rows]


def _blocks(rows: Rows) -> Iterator[Rows]:
    """Rows between empty rows."""
    block: Rows = []
    for row in [*rows, []]:
        if any(row):
            block.append(row)
        elif block:
            yield block
            block = []


def _matrix(rows: Rows) -> Matrix:
    """The numbers of a table and its names, without empty edges."""
    while all(row[0] == "" for row in rows):
        rows = [row[1:] for row in rows]
    for row in rows:
        while row[-1] == "":
            row.pop()
    top, body = rows[0], rows[1:]
    empty = top[0] == ""
    corner = empty or _is_name(top[0])
    numbered = corner and _counts(top[1:], body)
    header = numbered or (bool(body) and corner and all(map(_is_name, top[1:])))
    body = body if header else rows
    named = numbered or (header and empty) or all(_is_name(row[0]) for row in body)
    values = [row[1:] if named else row for row in body]
    cornered = header and named and len(top) == len(values[0]) + 1
    heads = top[1:] if cornered else top
    width = len(heads) if header else len(values[0])
    if width == 0 or any(len(row) != width for row in values):
        lengths = sorted({width, *map(len, values)})
        raise UserError(
            f"a .csv must hold numbers in rows of one length; got lengths {lengths}"
        )
    return Matrix(
        np.array([[_number(cell) for cell in row] for row in values]),
        tuple(row[0] for row in body) if named else (),
        tuple(heads) if header else (),
    )


def _is_name(cell: str) -> bool:
    """Whether a cell is a name of a row or column, and plainly no number."""
    return any(map(str.isalpha, cell)) and not _NO_NAME.match(cell)


def _counts(columns: list[str], body: Rows) -> bool:
    """Whether columns and rows, of each some, are numbered from 0 or both from 1."""
    rows = [row[0] for row in body]
    return bool(columns and rows) and any(
        columns == [str(first + i) for i in range(len(columns))]
        and rows == [str(first + i) for i in range(len(rows))]
        for first in (0, 1)
    )


def _number(cell: str) -> float:
    value = number(cell)
    if value is None:
        raise UserError(f"a .csv must hold numbers; got '{shown(cell)}'")
    return value
