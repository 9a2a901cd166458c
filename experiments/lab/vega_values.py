"""Numbers and texts as a specification of Vega-Lite may hold them."""

import math
from typing import Any

from experiments.lab.escaping import one_line
from experiments.lab.marks import Value

Spec = dict[str, Any]
"""A part of a specification, as JSON has it."""


def placed(value: Value, floor: float | None = None) -> Value:
    """Where a value is drawn, not below a floor; None where it has no place."""
    if value is None or isinstance(value, str):
        return value
    if not math.isfinite(value):
        return None
    number = float(value) if floor is None else max(float(value), floor)
    if number.is_integer() and abs(number) < 2**53:
        return int(number)
    return float(f"{number:.6g}")


def spoken(text: str) -> str:
    """Text for Vega-Lite to put into an expression, in which it escapes quotes only."""
    return one_line(text).replace("\\", "\N{SET MINUS}")
