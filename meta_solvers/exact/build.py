"""Arguments of ``equilibria`` checked and made a ``Problem``."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from meta_solvers.exact.problem import (
    Array,
    Concept,
    Problem,
    namespace,
    normalise,
    pad,
)
from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game


def build(
    payoffs: Any,
    concept: Concept = "cce",
    target: Any = None,
    welfare: Any = None,
    epsilon: Any = 0.0,
    upper: Any = None,
    rho: float = math.inf,
    actions: Any = None,
    mass: Any = None,
) -> tuple[Problem, Array]:
    """The ``Problem`` of ``equilibria``'s arguments, and the unit ``[B, N]`` of payoff.

    ``mass`` ``[B, A1, ..., AN]`` weighs joint actions in mean, variance and the default
    target (default: all real ones alike).
    """
    if isinstance(payoffs, Sequence):
        if actions is not None:
            raise UserError(
                "equilibria(): a sequence of games must come without actions"
            )
        payoffs, actions, target, welfare, mass = _padded(payoffs, target, welfare)
    read = arrays.tensor if arrays.is_tensor(payoffs) else arrays.numbers
    payoffs = read(payoffs, "equilibria()", "payoffs")
    xp = namespace(payoffs)
    payoffs = payoffs if xp is np else payoffs.to(xp.float64)
    _check(payoffs, concept, rho)
    batch, players = payoffs.shape[:2]
    real, there = _real(payoffs, actions)
    shape, each = tuple(there.shape), (batch, players)
    axes = tuple(range(1, 1 + players))
    weight = there if mass is None else like(payoffs, mass, shape, "mass") * there
    weight = weight / xp.sum(weight, axes, keepdims=True)
    normal, unit = normalise(payoffs, weight)
    base = weight if target is None else like(payoffs, target, shape, "target")
    live = there > 0
    if bool(xp.any((base <= 0) & live)):
        raise UserError("equilibria(): target must be positive everywhere")
    base = xp.where(live, base, 1.0 + 0 * base)
    base = xp.log(base / xp.sum(base * there, axes, keepdims=True))
    if welfare is not None:
        base = base + like(payoffs, welfare, shape, "welfare")
    base = xp.where(live, base, xp.full_like(base, -math.inf))
    # More than the largest conceivable gain allows everything.
    with np.errstate(over="ignore"):
        gain = xp.clip(like(payoffs, epsilon, each, "epsilon") / unit, -1e6, 1e6)
    width, softness = 0 * gain, 0 * gain
    if rho == math.inf and upper is not None:
        raise UserError("equilibria(): upper must be left out while rho is infinite")
    if rho < math.inf:
        width = xp.sqrt(xp.sum(there, axes))[:, None] + 0 * gain
        if upper is not None:
            width = like(payoffs, upper, each, "upper") / unit - gain
        if bool(xp.any(width <= 0)):
            raise UserError("equilibria(): upper must be larger than epsilon")
        softness = softness + 1 / rho
    return Problem(
        concept=concept,
        payoffs=normal,
        base=base,
        epsilon=gain,
        width=width,
        softness=softness,
        real=real,
    ), unit


def like(payoffs: Array, value: Any, shape: tuple[int, ...], what: str) -> Array:
    """An argument beside the payoffs, broadcast to its shape and finite."""
    xp = namespace(payoffs)
    if xp is np or not arrays.is_tensor(value):
        value = arrays.numbers(value, "equilibria()", what)
    else:
        value = arrays.tensor(value, "equilibria()", what)
    try:
        if xp is not np:
            value = xp.as_tensor(value).to(payoffs.device, payoffs.dtype)
        value = xp.broadcast_to(value, shape)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"equilibria(): {what} must be numbers of shape {list(shape)}; {error}"
        ) from None
    if bool(xp.any(~xp.isfinite(value))):
        raise UserError(f"equilibria(): {what} must be finite")
    return value


def _real(payoffs: Array, actions: Any) -> tuple[Array, Array]:
    """Masks of 0 and 1: of actions ``[B, N, A]``, of joint actions ``[B, A1, ...]``."""
    xp = namespace(payoffs)
    batch, players = payoffs.shape[:2]
    sizes = tuple(payoffs.shape[2:])
    counts = like(
        payoffs, sizes if actions is None else actions, (batch, players), "actions"
    )
    most = like(payoffs, sizes, (players,), "actions")
    if bool(xp.any((counts < 1) | (counts > most))):
        raise UserError(
            f"equilibria(): actions must be from 1 to {list(sizes)}; got a number "
            "outside"
        )
    index = xp.cumsum(xp.ones_like(payoffs[0, 0].reshape(-1)[: max(sizes)]), 0) - 1
    real = xp.where(index < counts[:, :, None], xp.ones_like(index), 0 * index)
    there = xp.ones_like(payoffs[:, 0])
    for p, size in enumerate(sizes):
        wide = [size if q == p else 1 for q in range(players)]
        there = there * real[:, p, :size].reshape(batch, *wide)
    return real, there


def _check(payoffs: Array, concept: str, rho: float) -> None:
    shape = tuple(payoffs.shape)
    if len(shape) < 3 or shape[1] != len(shape) - 2 or 0 in shape:
        raise UserError(
            "equilibria(): payoffs must have shape [B, N, A1, ..., AN]; "
            f"got {list(shape)}"
        )
    xp = namespace(payoffs)
    if bool(xp.any(~xp.isfinite(payoffs))):
        raise UserError("equilibria(): payoffs must be finite; got NaN or infinity")
    if concept not in ("cce", "ce"):
        raise UserError(f"equilibria(): concept must be 'cce' or 'ce'; got {concept!r}")
    if not (isinstance(rho, int | float) and rho > 0):
        raise UserError(f"equilibria(): rho must be a positive number; got {rho}")


def _padded(games: Sequence[Any], target: Any, welfare: Any) -> tuple[Any, ...]:
    """Games of different shapes as one batch, with the numbers of real actions."""
    if len(games) == 0:
        raise UserError("equilibria(): payoffs must hold at least one game; got none")
    tensors = [
        (game if isinstance(game, Game) else Game(game)).payoffs for game in games
    ]
    players = {t.shape[0] for t in tensors}
    if len(players) > 1:
        raise UserError(
            "equilibria(): games of one batch must have equally many players; got "
            f"{sorted(players)}"
        )
    counts = np.array([t.shape[1:] for t in tensors])
    mass = pad(
        [
            g.copies if isinstance(g, Game) else np.ones(t.shape[1:])
            for g, t in zip(games, tensors, strict=True)
        ]
    )

    def alike(values: Any, what: str, fill: float) -> Any:
        if values is None:
            return None
        each = [arrays.numbers(v, "equilibria()", what) for v in values]
        if [a.shape for a in each] != [t.shape[1:] for t in tensors]:
            raise UserError(
                f"equilibria(): {what} must have one array of each game's shape; got "
                f"shapes {[list(a.shape) for a in each]}"
            )
        return pad(each, fill)

    target, welfare = alike(target, "target", 1.0), alike(welfare, "welfare", 0.0)
    return pad(tensors), counts, target, welfare, mass
