"""Loops over one array, compiled by numba; sums run as in ``meta_solvers.ordered``.

Expressions of whole arrays take several times as long to compile, and give these bits.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from typing import Any, no_type_check

import numpy as np
from numba import njit

from meta_solvers.constants import LN2_HIGH, LN2_LOW, LOG2_E, SHIFT, TAYLOR

_OPTIONS: dict[str, Any] = {"error_model": "numpy"}  # division by 0 is inf


def loop(function):
    """Compiles a loop, and keeps what was made where there is a place for it."""
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither beside the package nor at home
        return njit(**_OPTIONS)(function)


@loop
@no_type_check
def write(source, into):
    """Writes the entries of ``source`` into ``into``."""
    for i in range(into.size):
        into[i] = source[i]


@loop
@no_type_check
def lower(values, by):
    """Takes a number from every entry."""
    for i in range(values.size):
        values[i] -= by


@loop
@no_type_check
def dot(x, y):
    """``total(x * y)``."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = x.size - x.size % 4
    for i in range(0, whole, 4):
        a, b = a + x[i] * y[i], b + x[i + 1] * y[i + 1]
        c, d = c + x[i + 2] * y[i + 2], d + x[i + 3] * y[i + 3]
    if whole < x.size:
        a += x[whole] * y[whole]
    if whole + 1 < x.size:
        b += x[whole + 1] * y[whole + 1]
    if whole + 2 < x.size:
        c += x[whole + 2] * y[whole + 2]
    return (a + b) + (c + d)


@loop
@no_type_check
def total(x):
    """Sum: every fourth term from the first on, and so on; then of these."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = x.size - x.size % 4
    for i in range(0, whole, 4):
        a, b, c, d = a + x[i], b + x[i + 1], c + x[i + 2], d + x[i + 3]
    if whole < x.size:
        a += x[whole]
    if whole + 1 < x.size:
        b += x[whole + 1]
    if whole + 2 < x.size:
        c += x[whole + 2]
    return (a + b) + (c + d)


@loop
@no_type_check
def highest(x):
    """The largest entry, sought in four places at once."""
    a, b, c, d = x[0], x[0], x[0], x[0]
    whole = x.size - x.size % 4
    for i in range(0, whole, 4):
        a, b = max(a, x[i]), max(b, x[i + 1])
        c, d = max(c, x[i + 2]), max(d, x[i + 3])
    for i in range(whole, x.size):
        a = max(a, x[i])
    return max(max(a, b), max(c, d))


@loop
@no_type_check
def normal(weights, least, out):
    """Probabilities in proportion to ``weights``; even where they sum to too little."""
    mass = total(weights)
    for i in range(weights.size):
        out[i] = weights[i] / mass if mass > least else 1.0 / weights.size


@loop
@no_type_check
def exponentials(logs, least):
    """Writes ``exp(logs)`` in their place, 0 below ``least``, see ``ordered``."""
    shifted = np.empty(logs.size)
    for i in range(logs.size):
        shifted[i] = max(logs[i], least) * LOG2_E + SHIFT
    bits, result = shifted.view(np.int64), np.empty(logs.size)
    for i in range(logs.size):
        whole = shifted[i] - SHIFT
        x = (max(logs[i], least) - whole * LN2_HIGH) - whole * LN2_LOW
        p = (TAYLOR[13] * x + TAYLOR[12]) * x + TAYLOR[11]
        p = ((p * x + TAYLOR[10]) * x + TAYLOR[9]) * x + TAYLOR[8]
        p = ((p * x + TAYLOR[7]) * x + TAYLOR[6]) * x + TAYLOR[5]
        p = ((p * x + TAYLOR[4]) * x + TAYLOR[3]) * x + TAYLOR[2]
        result[i] = (p * x + TAYLOR[1]) * x + TAYLOR[0]
    powers = result.view(np.int64)
    for i in range(logs.size):
        powers[i] += bits[i] << 52
    for i in range(logs.size):
        logs[i] = result[i] if logs[i] >= least else 0.0
