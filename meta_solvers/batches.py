"""Batches as values: dataclasses whose fields are arrays with the batch in front."""

from typing import Any, TypeVar

import numpy as np

Batch = TypeVar("Batch")


def take(batch: Batch, index: Any) -> Batch:
    """The entries at ``index``, a mask or numbers, of every array; numpy or torch."""
    return type(batch)(**{name: array[index] for name, array in vars(batch).items()})


def join(first: Batch, second: Batch) -> Batch:
    """The entries of one batch, then those of another one."""
    pairs = zip(vars(first), vars(first).values(), vars(second).values(), strict=True)
    return type(first)(**{name: np.concatenate([a, b]) for name, a, b in pairs})
