"""Values in a line, and as a table for notebooks."""

from collections.abc import Iterable, Mapping
from html import escape

import numpy as np
from numpy import ndarray

_MOST = 12  # rows and columns of a matrix that is shown


def number(value: float) -> str:
    """Four digits, without the noise of rounding around zero."""
    return f"{round(float(value), 12) + 0.0:.4g}"


def numbers(values: Iterable[float], most: int = 6) -> str:
    """Numbers between brackets; of many the first."""
    listed = list(values)
    more = [] if len(listed) <= most else ["..."]
    return f"[{', '.join([*map(number, listed[:most]), *more])}]"


def size(counts: Iterable[int]) -> str:
    """Numbers of actions or policies as "3x4"."""
    return "x".join(map(str, counts))


def html(title: str, facts: Mapping[str, str], matrix: str = "") -> str:
    """A heading, a table of facts and, where there is one, a matrix."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{matrix}</div>"


def matrix(cells: ndarray) -> str:
    """A table of two players' cells ``[C, A1, A2]``, C numbers each; empty if large."""
    if cells.ndim != 3 or max(cells.shape[1:]) > _MOST:
        return ""
    rows, columns = cells.shape[1:]
    head = "".join(f"<th>{column}</th>" for column in range(columns))
    lines = [f"<tr><th></th>{head}</tr>"]
    for row in range(rows):
        shown = (
            ", ".join(number(value) for value in np.atleast_1d(cells[:, row, column]))
            for column in range(columns)
        )
        body = "".join(f"<td>{cell}</td>" for cell in shown)
        lines.append(f"<tr><th>{row}</th>{body}</tr>")
    return f"<table>{''.join(lines)}</table>"
