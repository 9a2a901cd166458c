"""Points of the simplex: projection, joint and marginals, entropy, support."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from jaxtyping import Float64
from numpy import ndarray


def project(
    x: Float64[ndarray, "*B A"], floor: float = 0.0
) -> Float64[ndarray, "*B A"]:
    """Euclidean projection of each row onto ``{y >= floor, sum y = 1}``.

    Exact, by sorting (Held, Wolfe & Crowder 1974). ``floor * A`` must not exceed 1.
    """
    size = x.shape[-1]
    mass = 1.0 - floor * size
    shifted = x - floor
    ordered = -np.sort(-shifted, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - mass
    counts = np.arange(1, size + 1)
    active = ordered * counts > excess
    last = size - 1 - np.argmax(active[..., ::-1], axis=-1)
    total = np.take_along_axis(excess, last[..., None], axis=-1)
    return np.maximum(shifted - total / (last[..., None] + 1), 0.0) + floor


def product(marginals: Sequence[ndarray]) -> Float64[ndarray, "*A"]:
    """The joint in which players act independently: outer product of ``marginals``."""
    return reduce(np.multiply.outer, marginals)


def marginals(joint: Float64[ndarray, "*A"]) -> tuple[Float64[ndarray, " A_p"], ...]:
    """Each player's own distribution under ``joint`` ``[A1, ..., AN]``."""
    axes = range(joint.ndim)
    return tuple(
        np.asarray(joint.sum(axis=tuple(q for q in axes if q != p))) for p in axes
    )


def entropy(joint: Float64[ndarray, "*A"]) -> float:
    """Shannon entropy in nats."""
    positive = joint[joint > 0]
    return float(-np.sum(positive * np.log(positive)))


def support(joint: Float64[ndarray, "*A"], threshold: float = 1e-8) -> int:
    """Number of entries above ``threshold``."""
    return int(np.count_nonzero(joint > threshold))


def independent(joint: Float64[ndarray, "*A"], rounding: float = 1e-12) -> bool:
    """Whether the players act independently: the joint is its marginals' product."""
    return bool(np.abs(joint - product(marginals(joint))).max() <= rounding)
