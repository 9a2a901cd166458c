"""Batches of entropy problems over (C)CEs, as arrays of numpy or torch alike.

The problem (epsilon-MWMRE of Marris et al. 2022, eq. 6-10): over joints ``sigma`` and
approximations ``eps_p <= upper_p``, maximise

    mu sum_a W(a) sigma(a)  -  KL(sigma || target)  -  sum_p penalty_p(eps_p)

with every deviation of player p gaining at most ``eps_p``. The penalty is
``rho_p (x ln(x / xh) - x + xh)`` with ``x = upper_p - eps_p`` and
``xh = upper_p - epsilon_p``: zero at ``eps_p = epsilon_p``. ``rho = inf`` (the default)
fixes ``eps_p = epsilon_p``.

All arrays have one leading batch axis B. Payoffs here are in the solver's units: mean 0
and variance 1 per player (``normalise``), so epsilon, upper and 1/rho are as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from metaspiel.nfg.game import CLOSE

Concept = Literal["cce", "ce"]
Array = Any  # a numpy array or a torch tensor; one problem holds one kind


def namespace(array: Array) -> Any:
    """The module whose functions work on ``array``: numpy or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """B problems of one padded shape.

    Attributes:
      concept: which deviations count, "cce" or "ce".
      payoffs: ``[B, N, A1, ..., AN]`` in the solver's units, 0 where padded.
      base: ``[B, A1, ..., AN]``, ``ln target + mu W``; -inf where padded.
      epsilon: ``[B, N]``, allowed gain of every deviation.
      width: ``[B, N]``, ``upper - epsilon``; 0 where ``rho`` is infinite.
      softness: ``[B, N]``, ``1 / rho``; 0 keeps epsilon hard.
      real: ``[B, N, A]`` of 0 and 1, A the largest A_p: which actions exist.
    """

    concept: Concept
    payoffs: Array
    base: Array
    epsilon: Array
    width: Array
    softness: Array
    real: Array

    @property
    def batch(self) -> int:
        """The number of games, B."""
        return int(self.payoffs.shape[0])

    @property
    def actions(self) -> tuple[int, ...]:
        """``(A1, ..., AN)``, padding included."""
        return tuple(int(size) for size in self.payoffs.shape[2:])

    def take(self, index: Array) -> "Problem":
        """The problems at ``index``."""
        parts = {
            f.name: getattr(self, f.name)[index]
            for f in fields(self)
            if f.name != "concept"
        }
        return Problem(concept=self.concept, **parts)


def normalise(payoffs: Array, mass: Array) -> tuple[Array, Array]:
    """Payoffs with mean 0 and variance 1 over each player's real joint actions.

    Args:
      payoffs: ``[B, N, A1, ..., AN]``, finite, in any unit.
      mass: ``[B, A1, ..., AN]``, weight of each joint action in mean and variance,
        summing to 1; 0 where padded.

    Returns:
      The payoffs, 0 where padded or all equal, and the unit ``[B, N]`` (standard
      deviation) they were divided by, 1 where equal.
    """
    xp = namespace(payoffs)
    axes = tuple(range(2, payoffs.ndim))
    weight = mass[:, None]
    live = weight > 0
    zero = xp.zeros_like(payoffs)
    top = xp.amax(xp.where(live, payoffs, zero - xp.inf), axes, keepdims=True)
    least = xp.amin(xp.where(live, payoffs, zero + xp.inf), axes, keepdims=True)
    # Payoffs close together and far from 0 differ exactly, but not in products.
    close = top - least < CLOSE * xp.maximum(xp.abs(top), xp.abs(least))
    payoffs = payoffs - xp.where(close, least, xp.zeros_like(least))
    # Divide by the size first: squares of 1e150 do not exist.
    size = xp.amax(xp.abs(xp.where(live, payoffs, zero)), axes, keepdims=True)
    one = xp.ones_like(size)
    size = xp.where(size > 0, size, one)
    scaled = xp.where(live, payoffs / size, zero)
    centred = scaled - xp.sum(weight * scaled, axes, keepdims=True)
    variance = xp.sum(weight * centred**2, axes, keepdims=True)
    constant = variance < 1e-26
    spread = xp.sqrt(xp.where(constant, one, variance))  # sqrt(0) has no derivative
    unit = xp.where(constant, one, spread * size)
    standard = xp.where(live & ~constant, centred / spread, zero)
    return standard, unit.reshape(unit.shape[:2])


def pad(arrays: Sequence[np.ndarray], fill: float = 0.0) -> np.ndarray:
    """Arrays of one rank and any sizes as one batch ``[B, ...]``, filled at the end."""
    shape = tuple(max(sizes) for sizes in zip(*(a.shape for a in arrays), strict=True))
    batch = np.full((len(arrays), *shape), fill)
    for row, array in zip(batch, arrays, strict=True):
        row[tuple(slice(size) for size in array.shape)] = array
    return batch
