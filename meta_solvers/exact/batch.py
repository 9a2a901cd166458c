"""Many games at once: ``equilibria`` solves a batch, of one shape or of several.

rng = np.random.default_rng(0)
found = equilibria(rng.normal(size=(512, 2, 8, 8)))          # maximum-entropy CCE
found.joint, found.status, found.bound
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meta_solvers.exact import interior
from meta_solvers.exact.dual import Dual, Point
from meta_solvers.exact.interior import INFEASIBLE, SOLVED, STEPS, STUCK
from meta_solvers.exact.problem import (
    Array,
    Concept,
    Problem,
    namespace,
    normalise,
    pad,
)
from nfg.errors import UserError
from nfg.game import Game

STATUS = {
    SOLVED: "OK",
    STEPS: "MAX_STEPS",
    INFEASIBLE: "INFEASIBLE",
    STUCK: "NUMERICAL",
}


@dataclass(frozen=True, eq=False)
class Equilibria:
    """Answers of a batch, each with a leading axis B.

    Attributes:
      joint: ``[B, A1, ..., AN]``, 0 where padded.
      alpha: duals ``[B, m]`` in the solver's units (payoffs of variance 1): a warm
        start for another call.
      epsilon: ``[B, N]``, gain allowed to each deviation, in units of payoff.
      status: ``[B]`` of 0 OK, 1 MAX_STEPS, 2 INFEASIBLE, 3 NUMERICAL (``STATUS``).
      steps: ``[B]``, Newton steps.
      residual: ``[B]``, KKT residual ``max |min(alpha, slack)|``, solver's units.
      violation: ``[B]``, largest gain beyond epsilon, solver's units.
      bound: ``[B]``, upper bound on the total variation between ``joint`` and the exact
        answer to the problem with epsilon larger by ``violation``; needs no reference
        solution (from the duality gap, by Pinsker).
      feasible: ``[B]``, no deviation gains more than epsilon (after ``feasible=True``,
        strictly less).
    """

    joint: Array
    alpha: Array
    epsilon: Array
    status: Array
    steps: Array
    residual: Array
    violation: Array
    bound: Array
    feasible: Array


def equilibria(
    payoffs: Any,
    concept: Concept = "cce",
    target: Any = None,
    welfare: Any = None,
    epsilon: Any = 0.0,
    upper: Any = None,
    rho: float = math.inf,
    actions: Any = None,
    start: Any = None,
    steps: int = 100,
    tolerance: float = 1e-10,
    feasible: bool = False,
) -> Equilibria:
    """Solves epsilon-MWMRE (C)CE for a batch of games (Marris et al. 2022).

    Maximises ``sum_a welfare(a) sigma(a) - KL(sigma || target)`` over epsilon-(C)CE.

    Args:
      payoffs: ``[B, N, A1, ..., AN]``, a numpy array or a torch tensor (any device;
        computed in float64), or a sequence of ``Game`` or arrays of different shapes,
        which are padded and masked.
      concept: "cce", or "ce" with epsilon the gain of a deviation before dividing by
        the probability of its recommendation.
      target: ``[B, A1, ..., AN]`` with full support; uniform by default.
      welfare: ``[B, A1, ..., AN]``, in nats; none by default.
      epsilon: allowed gain in units of payoff: a number, ``[N]`` or ``[B, N]``; may be
        negative.
      upper: with a finite ``rho``: the most that the approximation may rise to, in
        units of payoff (default: epsilon plus sqrt(prod A) standard deviations).
      rho: price of deviating from epsilon, per standard deviation of payoff; infinite
        keeps it hard.
      actions: ``[B, N]``, how many actions of a padded array are real.
      start: duals ``[B, m]`` to start from.
      steps: Newton steps at most.
      tolerance: duality gap at which a game is solved.
      feasible: mix in a strictly interior joint, so that no deviation gains epsilon.

    Raises:
      UserError: an argument has an impossible shape or value.
    """
    if not isinstance(payoffs, np.ndarray) and isinstance(payoffs, Sequence):
        payoffs, actions, target, welfare = _padded(payoffs, target, welfare)
    problem, unit = build(
        payoffs, concept, target, welfare, epsilon, upper, rho, actions
    )
    if start is not None:
        xp = namespace(problem.payoffs)
        start = xp.asarray(start, dtype=problem.payoffs.dtype)
        wanted = (problem.batch, Dual(problem).size)
        if tuple(start.shape) != wanted:
            raise UserError(
                f"equilibria(): start must have shape {list(wanted)}; "
                f"got {list(start.shape)}"
            )
    found = interior.solve(problem, start, steps, tolerance)
    return report(problem, unit, found, interior_of(problem) if feasible else None)


def report(
    problem: Problem,
    unit: Array,
    found: interior.Solution,
    inside: Point | None = None,
) -> Equilibria:
    """An interior-point solution in the user's units, with what can be proved of it."""
    xp = namespace(problem.payoffs)
    point = found.point
    slack = point.slack
    worst = -xp.amin(slack, 1) if slack.shape[1] else 0 * found.gap
    violation = xp.clip(worst, 0.0, None)
    gap = found.gap + violation * xp.sum(point.alpha, 1)
    bound = xp.sqrt(xp.clip(gap, 0.0, None) / 2)
    joint, ok = point.sigma, violation <= 0
    if inside is not None:
        spare = xp.amin(inside.slack, 1) if slack.shape[1] else 1 + 0 * found.gap
        possible = spare > 0
        spare = xp.where(possible, spare, xp.ones_like(spare))
        share = xp.where(possible, violation / (violation + spare), 0.0 * spare)
        share = share * (1 + 1e-6) + xp.where(possible, 1e-12, 0.0)
        wide = share.reshape(-1, *[1] * (joint.ndim - 1))
        joint = (1 - wide) * joint + wide * inside.sigma
        bound, ok = bound + share, possible
    return Equilibria(
        joint=joint,
        alpha=point.alpha,
        epsilon=point.epsilon * unit,
        status=found.status,
        steps=found.steps,
        residual=found.residual,
        violation=violation,
        bound=bound,
        feasible=ok,
    )


def interior_of(problem: Problem) -> Point:
    """A joint strictly inside each polytope: epsilon lower by ever smaller margins.

    Where even the smallest margin leaves nothing, the slack is not positive.
    """
    xp = namespace(problem.payoffs)
    best: Point | None = None
    for margin in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
        tighter = Problem(**{**vars(problem), "epsilon": problem.epsilon - margin})
        found = interior.solve(tighter, tolerance=1e-3 * margin)
        slack = Dual(problem).at(found.point.alpha)
        if best is None:
            best = slack
            continue
        better = xp.amin(best.slack, 1) <= 0
        if not xp.any(better):
            break
        mixed = {}
        for name, old in vars(best).items():
            wide = better.reshape(-1, *[1] * (old.ndim - 1))
            mixed[name] = xp.where(wide, getattr(slack, name), old)
        best = Point(**mixed)
    assert best is not None
    return best


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
    if not hasattr(payoffs, "detach"):
        payoffs = np.asarray(payoffs, dtype=np.float64)
    xp = namespace(payoffs)
    payoffs = payoffs if xp is np else payoffs.to(xp.float64)
    _check(payoffs, concept, rho)
    batch, players = payoffs.shape[:2]
    real, there = _real(payoffs, actions)
    shape, each = tuple(there.shape), (batch, players)
    axes = tuple(range(1, 1 + players))
    weight = there if mass is None else _like(payoffs, mass, shape, "mass") * there
    weight = weight / xp.sum(weight, axes, keepdims=True)
    normal, unit = normalise(payoffs, weight)
    base = weight if target is None else _like(payoffs, target, shape, "target")
    live = there > 0
    if bool(xp.any((base <= 0) & live)):
        raise UserError("equilibria(): target must be positive everywhere")
    base = xp.where(live, base, xp.ones_like(base))
    base = xp.log(base / xp.sum(base * there, axes, keepdims=True))
    if welfare is not None:
        base = base + _like(payoffs, welfare, shape, "welfare")
    base = xp.where(live, base, xp.full_like(base, -math.inf))
    gain = _like(payoffs, epsilon, each, "epsilon") / unit
    width, softness = 0 * gain, 0 * gain
    if rho < math.inf:
        width = xp.sqrt(xp.sum(there, axes))[:, None] + 0 * gain
        if upper is not None:
            width = _like(payoffs, upper, each, "upper") / unit - gain
        if bool(xp.any(width <= 0)):
            raise UserError("equilibria(): upper must be larger than epsilon")
        softness = softness + 1 / rho
    return Problem(concept, normal, base, gain, width, softness, real), unit


def _like(payoffs: Array, value: Any, shape: tuple[int, ...], what: str) -> Array:
    """An argument beside the payoffs, broadcast to its shape and finite."""
    xp = namespace(payoffs)
    try:
        if xp is np:
            value = np.asarray(value, dtype=np.float64)
        else:
            value = xp.as_tensor(value).to(payoffs.device, payoffs.dtype)
        value = xp.broadcast_to(value, shape)
    except (ValueError, RuntimeError, TypeError) as error:
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
    counts = _like(
        payoffs, sizes if actions is None else actions, (batch, players), "actions"
    )
    most = _like(payoffs, sizes, (players,), "actions")
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
    if not rho > 0:
        raise UserError(f"equilibria(): rho must be positive; got {rho}")


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
    if target is not None and not isinstance(target, np.ndarray):
        target = pad([np.asarray(t, dtype=np.float64) for t in target], 1.0)
    if welfare is not None and not isinstance(welfare, np.ndarray):
        welfare = pad([np.asarray(w, dtype=np.float64) for w in welfare])
    return pad(tensors), counts, target, welfare
