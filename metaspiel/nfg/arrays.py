"""Arrays that users bring: real, finite float64 numbers, or one sentence."""

from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.nfg.errors import UserError, first_line

LARGEST = 1e150  # differences and squares of larger payoffs do not exist
# What the conversion to an array may raise: wrong types and shapes, integers beyond
# float64, and whatever the ``__array__`` of another library's object does.
_TROUBLE = (ValueError, TypeError, OverflowError, RuntimeError, AttributeError)


def numbers(values: Any, where: str, what: str) -> ndarray:
    """Anything like an array as finite float64 numbers; otherwise as ``real``.

    Raises:
      UserError: it is none, or an entry is infinite or no number.
    """
    array = real(values, where, what)
    finite = np.isfinite(array)
    if not finite.all():
        bad = np.argwhere(~finite)
        index = tuple(int(i) for i in bad[0])
        raise UserError(
            f"{where}: {what} must be finite; got {array[index]} at index {index} "
            f"({len(bad)} such entries)"
        )
    return array


def real(values: Any, where: str, what: str) -> ndarray:
    """Anything like an array as float64 numbers.

    Booleans count as 0 and 1. A torch tensor is detached, for no gradient passes
    through here. Text, dates, complex numbers and sparse matrices are refused, and so
    is an array in which anything is masked: it would be read as if nothing were.

    Args:
      values: an array, nested lists, a tensor on any device, or what converts itself.
      where: beginning of the sentence, e.g. "Game()".
      what: name of the argument.

    Returns:
      A float64 array, which is ``values`` itself where that is one.

    Raises:
      UserError: it is none of these.
    """
    try:
        array = np.asarray(_plain(values))
        if array.dtype.kind not in "fiubO":
            raise TypeError(_KINDS.get(array.dtype.kind, str(array.dtype)))
        if array.dtype.kind == "O" and any(
            isinstance(entry, str | bytes) for entry in array.flat
        ):
            raise TypeError("text")
        array = np.asarray(array, dtype=np.float64)
    except _TROUBLE as error:
        raise UserError(
            f"{where}: {what} must be a rectangular array of real numbers; got "
            f"{first_line(error)}"
        ) from None
    return array


_KINDS = {
    "c": "complex numbers",
    "U": "text",
    "S": "text",
    "M": "dates",
    "m": "durations",
    "V": "records of several fields",
}


def payoffs(values: Any, where: str, what: str) -> ndarray:
    """``numbers`` that may be payoffs: at most 1e150 in size.

    Raises:
      UserError: they are larger, or no ``numbers``.
    """
    array = numbers(values, where, what)
    if array.size and max(abs(float(array.max())), abs(float(array.min()))) > LARGEST:
        raise UserError(
            f"{where}: {what} must be at most 1e150 in size, so that differences and "
            f"squares exist; got {float(np.abs(array).max()):.3g}"
        )
    return array


def tensor(values: Any, where: str, what: str) -> Any:
    """A torch tensor whose entries are real numbers in plain memory, unchanged.

    Raises:
      UserError: it is complex, sparse, quantised or without memory.
    """
    kind = _odd(values)
    if kind is not None:
        raise UserError(
            f"{where}: {what} must be a rectangular array of real numbers; got {kind}"
        )
    return values


def _odd(values: Any) -> str | None:
    """The reason why a tensor cannot be read as real numbers, or None."""
    if values.is_complex():
        return "complex numbers"
    if str(values.layout) != "torch.strided":
        return "a sparse tensor: use to_dense()"
    if values.is_quantized:
        return "a quantised tensor: use dequantize()"
    return "a tensor without memory" if values.is_meta else None


def detached(values: Any) -> Any:
    """A tensor without its gradients; anything else as it is."""
    return values.detach() if is_tensor(values) else values


def is_tensor(values: Any) -> bool:
    """Whether ``values`` is a torch tensor; torch is not loaded to find out."""
    return hasattr(values, "detach") and hasattr(values, "layout")


def _plain(values: Any) -> Any:
    """Without gradients, at any depth of lists; refuses masks and sparse matrices."""
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    if isinstance(values, np.ma.MaskedArray):
        hidden = int(np.ma.count_masked(values))
        if hidden:
            raise TypeError(
                f"an array with {hidden} masked entries: fill them, or leave them out"
            )
        return values.data
    if is_tensor(values):
        odd = _odd(values)
        if odd is not None:
            raise TypeError(odd)
        return values.detach().double().cpu().numpy()
    if hasattr(values, "todense"):  # of scipy and others, which numpy takes for objects
        raise TypeError("a sparse matrix: use toarray()")
    return values
