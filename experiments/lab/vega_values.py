"""Numbers and texts as a specification of Vega-Lite may hold them."""

import math
from typing import Any

from experiments.lab.escaping import one_line
from experiments.lab.marks import Value

Spec = dict[str, Any]
"""A part of a specification, as JSON has it."""


def placed(value: Value) -> Value:
    """Where a value is drawn; None where it has no place."""
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        return None
    number = float(f"{float(value):.6g}")
    return int(number) if number.is_integer() and abs(number) < 1e6 else number


def spoken(text: str) -> str:
    """Text for Vega-Lite to put into an expression, in which it escapes quotes only."""
    return one_line(text).replace("\\", "\N{SET MINUS}")
