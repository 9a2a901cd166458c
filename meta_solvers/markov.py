"""The stationary distribution of a Markov chain, without subtractions.

State elimination (Grassmann, Taksar & Heyman 1985, "GTH"): states are removed one by
one, and what flowed through a removed state is added to the direct flows. Only sums,
products and quotients of positive numbers occur, so every entry of the answer has a
small relative error however nearly the chain falls apart (O'Cinneide 1993), where
eigenvectors find several answers or none.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

BLOCK = 64
# Below this a sum of rates may have lost summands to underflow (at 1e-308).
SMALLEST = 1e-280
# The logarithm of "no rate": finite, so that differences are never NaN.
NOTHING = -1e300


@dataclass(frozen=True, eq=False)
class Stationary:
    """A stationary distribution and how it was computed.

    Attributes:
      weights: ``[S]``, non-negative, sums to 1.
      method: "gth" on the rates, "log-gth" on their logarithms, or "krylov" without
        elimination (``meta_solvers.jumps``).
      residual: largest difference between a state's inflow and outflow, as a fraction
        of the largest flow (for "gth" of 1e-280, if that is larger); an independent
        check of ``weights``.
    """

    weights: Float64[ndarray, " S"]
    method: Literal["gth", "log-gth", "krylov"]
    residual: float


def stationary(log_rates: Float64[ndarray, "S S"]) -> Stationary:
    """Stationary distribution of the chain with jump rates ``exp(log_rates)``.

    Args:
      log_rates: ``[from, to]`` logarithm of each rate, -inf where there is none; the
        diagonal is ignored. The chain must be irreducible. Rates may be so small that
        they vanish as floating-point numbers: the logarithms are then eliminated
        instead, some fifteen times more slowly.
    """
    scaled = log_rates.copy()
    np.fill_diagonal(scaled, -np.inf)
    if len(scaled) > 1:
        scaled -= scaled.max()
    weights = _eliminate(np.exp(scaled))
    if weights is not None:
        with np.errstate(divide="ignore"):
            log_weights = np.log(weights)
        return Stationary(weights, "gth", _residual(scaled, log_weights, SMALLEST))
    log_weights = _eliminate_logarithms(scaled.copy())
    weights = np.exp(log_weights)
    return Stationary(weights, "log-gth", _residual(scaled, log_weights))


def _residual(
    log_rates: Float64[ndarray, "S S"], log_weights: ndarray, least: float = 0.0
) -> float:
    """Largest ``|inflow - outflow|`` of a state, as a fraction of the largest flow.

    Or of ``least``, if that is larger: what plain numbers can resolve.
    """
    flows = log_rates + log_weights[:, None]
    top = max(float(flows.max()), np.log(least) if least else -np.inf)
    if top == -np.inf:  # a single state
        return 0.0
    flows = np.exp(flows - top)
    return float(np.abs(flows.sum(axis=0) - flows.sum(axis=1)).max())


def _eliminate(p: Float64[ndarray, "S S"]) -> Float64[ndarray, " S"] | None:
    """GTH on rates, in blocks so that most work is a matrix product; None if unsafe.

    Overwrites ``p``. Column n ends as the rates into n at the time it was removed,
    divided by the total rate out of n.
    """
    size = len(p)
    for stop in range(size, 1, -BLOCK):
        start = max(stop - BLOCK, 1)
        for n in range(stop - 1, start - 1, -1):
            out = p[n, :n].sum()
            if not out >= SMALLEST:
                return None
            p[:n, n] /= out
            # Only the rows and columns of this block are brought up to date ...
            p[start:n, :n] += np.outer(p[start:n, n], p[n, :n])
            p[:start, start:n] += np.outer(p[:start, n], p[n, start:n])
        # ... and the rest of the matrix once per block.
        p[:start, :start] += p[:start, start:stop] @ p[start:stop, :start]
    weights = np.zeros(size)
    weights[0] = 1.0
    for n in range(1, size):
        weights[n] = weights[:n] @ p[:n, n]
        if weights[n] > 1.0:
            weights[: n + 1] /= weights[n]
    return weights / weights.sum()


def _eliminate_logarithms(log_p: Float64[ndarray, "S S"]) -> Float64[ndarray, " S"]:
    """State elimination on logarithms: nothing can overflow or vanish.

    Overwrites ``log_p``; returns the logarithms of the weights.
    """
    size = len(log_p)
    np.maximum(log_p, NOTHING, out=log_p)
    for n in range(size - 1, 0, -1):
        row = log_p[n, :n]
        log_p[:n, n] -= _log_sum(row)
        for first in range(0, n, BLOCK):  # a slice that stays in the cache
            part = slice(first, min(first + BLOCK, n))
            _log_add(log_p[part, :n], log_p[part, n, None] + row)
    log_weights = np.zeros(size)
    for n in range(1, size):
        log_weights[n] = _log_sum(log_weights[:n] + log_p[:n, n])
    log_weights -= _log_sum(log_weights)
    return log_weights


def _log_add(x: Float64[ndarray, "R K"], y: Float64[ndarray, "R K"]) -> None:
    """The logarithm ``log(exp(x) + exp(y))`` written to x, for finite x and y.

    Absolute error 2e-16; ``np.logaddexp`` is eight times slower.
    """
    more = np.abs(x - y)
    np.negative(more, out=more)
    np.exp(more, out=more)
    more += 1.0
    np.log(more, out=more)
    np.maximum(x, y, out=x)
    x += more


def _log_sum(x: Float64[ndarray, " K"]) -> float:
    top = x.max()
    return float(top + np.log(np.exp(x - top).sum()))
