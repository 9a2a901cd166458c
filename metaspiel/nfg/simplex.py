"""Points of the simplex: projection, joint and marginals, entropy, support."""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg.products import Products

if TYPE_CHECKING:
    Joint: TypeAlias = Any  # most code is of one of the two forms, and says so itself
else:
    Joint = Float64[ndarray, "..."] | Products
"""A distribution over joint actions: an array ``[A1, ..., AN]``, or ``Products``."""


def project(
    x: Float64[ndarray, "*B A"],
    floor: float = 0.0,
    copies: Float64[ndarray, "*#B A"] | None = None,
) -> Float64[ndarray, "*B A"]:
    """Euclidean projection of each row onto ``{y >= floor, sum y = 1}``.

    Exact, by sorting (Held, Wolfe & Crowder 1974). ``floor * A`` must not exceed 1.
    With ``copies``, entries stand for so many equal ones, of which ``floor`` is the
    least of each and ``sum copies * y = 1``.
    """
    size = x.shape[-1]
    many = np.broadcast_to(np.ones(size) if copies is None else copies, x.shape)
    mass = 1.0 - floor * many.sum(axis=-1, keepdims=True)
    shifted = x - floor
    order = np.argsort(-shifted, axis=-1, kind="stable")
    ordered = np.take_along_axis(shifted, order, axis=-1)
    weights = np.take_along_axis(many, order, axis=-1)
    excess = np.cumsum(weights * ordered, axis=-1) - mass
    counts = np.cumsum(weights, axis=-1)
    active = ordered * counts > excess
    last = (size - 1 - np.argmax(active[..., ::-1], axis=-1))[..., None]
    total = np.take_along_axis(excess, last, axis=-1)
    part = total / np.take_along_axis(counts, last, axis=-1)
    return np.maximum(shifted - part, 0.0) + floor


def product(marginals: Sequence[ndarray]) -> Float64[ndarray, "*A"]:
    """The joint in which players act independently: outer product of ``marginals``."""
    return reduce(np.multiply.outer, marginals)


def marginals(joint: Joint) -> tuple[Float64[ndarray, " A_p"], ...]:
    """Each player's own distribution under ``joint`` ``[A1, ..., AN]``."""
    if isinstance(joint, Products):
        return joint.marginals
    axes = range(joint.ndim)
    return tuple(
        np.asarray(joint.sum(axis=tuple(q for q in axes if q != p))) for p in axes
    )


def entropy(joint: Joint) -> float | None:
    """Shannon entropy in nats; None of a sum of products, where no cells tell."""
    if isinstance(joint, Products):
        if len(joint.weights) > 1:
            return None
        return sum(_entropy(own) for own in joint.strategies)
    return _entropy(joint)


def _entropy(probabilities: Float64[ndarray, "*A"]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-np.sum(positive * np.log(positive)))


def support(joint: Joint, threshold: float = 1e-8) -> int | None:
    """Number of entries above ``threshold``; None of a sum of products."""
    if not isinstance(joint, Products):
        return int(np.count_nonzero(joint > threshold))
    if len(joint.weights) > 1:
        return None
    half = joint.ndim // 2
    one, two = (
        np.sort(reduce(np.multiply.outer, part, np.ones(1)).ravel())
        for part in (
            [own[0] for own in joint.strategies[:half]],
            [own[0] for own in joint.strategies[half:]],
        )
    )
    one, two = one[one > 0], two[two > 0]
    return int(np.sum(len(one) - np.searchsorted(one, threshold / two, "right")))


def independent(joint: Joint, rounding: float = 1e-12) -> bool:
    """Whether the players act independently: the joint is its marginals' product."""
    if isinstance(joint, Products):
        alone = joint.alone.strategies
        pairs = zip(joint.strategies, alone, strict=True)
        differ = sum(np.abs(own - mean).max() > rounding for own, mean in pairs)
        return bool(differ <= 1)  # nobody's draw tells of what another one does
    return bool(np.abs(joint - product(marginals(joint))).max() <= rounding)
