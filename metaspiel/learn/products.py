"""The numbers that matrix products of an update are made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch


@contextmanager
def multiplying(rounded: bool) -> Iterator[None]:
    """Matrix products of the CPU with rounded factors, in the whole process.

    Args:
      rounded: factors are rounded to bfloat16; if not, the process is left as it is.
    """
    if not rounded:
        yield
        return
    precision: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = precision.fp32_precision
    precision.fp32_precision = "bf16"
    try:
        yield
    finally:
        precision.fp32_precision = before


@cache
def rounds() -> bool:
    """Whether this CPU does multiply float32 as bfloat16 when it is asked to (AMX)."""
    a = torch.linspace(0.0, 1.0, 64 * 64).view(1, 64, 64)
    exact = torch.bmm(a, a)
    with multiplying(rounded=True):
        return not torch.equal(torch.bmm(a, a), exact)
