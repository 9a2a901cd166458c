"""Many games at once: ``equilibria`` solves a batch, of one shape or of several.

rng = np.random.default_rng(0)
found = equilibria(rng.normal(size=(512, 2, 8, 8)))          # maximum-entropy CCE
found.joint, found.status, found.bound
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meta_solvers.exact import interior
from meta_solvers.exact.dual import Dual
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
      violation: ``[B]``, largest gain of ``joint`` beyond epsilon, solver's units.
      bound: ``[B]``, upper bound on the total variation between ``joint`` and the exact
        answer to the problem with epsilon larger by ``violation``, from the duality
        gap by Pinsker: no reference solution is needed. Loose: the root of the gap.
      feasible: ``[B]``, no deviation gains more than epsilon (with ``feasible=True``,
        every one strictly less); measured on ``joint``.
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
      tolerance: duality gap at which a game is solved, with a tenth of it as largest
        violation (each violation moves the gap by as much times the sum of duals).
        Where duals grow without end and steps run out, violations of 5e-10 are OK.
      feasible: mix in a strictly interior joint, so that no deviation gains epsilon.
        A polytope without interior has none; the answer's ``feasible`` tells.

    Raises:
      UserError: an argument has an impossible shape or value.
    """
    mass = None
    if not isinstance(payoffs, np.ndarray) and isinstance(payoffs, Sequence):
        if actions is not None:
            raise UserError(
                "equilibria(): actions must be left out for a sequence of games"
            )
        payoffs, actions, target, welfare, mass = _padded(payoffs, target, welfare)
    if steps < 0 or not tolerance > 0:
        raise UserError(
            "equilibria(): steps must be at least 0 and tolerance positive; got "
            f"{steps} and {tolerance}"
        )
    payoffs = payoffs.detach() if hasattr(payoffs, "detach") else payoffs
    problem, unit = build(
        payoffs, concept, target, welfare, epsilon, upper, rho, actions, mass
    )
    if start is not None:
        wanted = (problem.batch, Dual(problem).size)
        if tuple(np.shape(start)) != wanted:
            raise UserError(
                f"equilibria(): start must have shape {list(wanted)}; "
                f"got {list(np.shape(start))}"
            )
        start = _like(problem.payoffs, start, wanted, "start")
        if bool((start < 0).any()):
            raise UserError("equilibria(): start must be at least 0 everywhere")
    found = interior.solve(problem, start, steps, tolerance)
    return report(problem, unit, found, interior_of(problem) if feasible else None)


def report(
    problem: Problem,
    unit: Array,
    found: interior.Solution,
    inside: Array | None = None,
) -> Equilibria:
    """An interior-point solution in the user's units, with what can be proved of it.

    ``inside`` ``[B, A1, ..., AN]``: joints strictly inside the polytopes, to be mixed
    in where a deviation gains more than epsilon.
    """
    dual = Dual(problem)
    xp, point = dual.xp, found.point
    allowed = dual.spread(point.epsilon)

    def spare(joint: Array) -> Array:
        slack = allowed - dual.gains(joint)
        return xp.amin(xp.where(dual.mask > 0, slack, xp.ones_like(slack)), 1)

    joint = point.sigma
    before = spare(joint)
    # Pinsker: half the squared total variation is at most the duality gap, here the one
    # to the problem whose epsilon is larger by the violation.
    total = xp.sum(point.alpha, 1)
    violation = xp.clip(-before, 0.0, None)
    gap = found.gap + violation * total
    if inside is not None:
        room = spare(inside)
        safe = xp.where(room > 0, room, xp.ones_like(room))
        share = (violation + 1e-13) / (violation + 1e-13 + safe) * (1 + 1e-6)
        share = xp.where(room > 0, xp.clip(share, None, 1.0), 0 * room)
        wide = share.reshape(-1, *[1] * (joint.ndim - 1))
        mixed = (1 - wide) * joint + wide * inside
        after = spare(mixed)
        # A feasible joint is compared with the problem itself.
        lost = _objective(problem, joint) - _objective(problem, mixed)
        gap = xp.where(after > 0, found.gap + lost, gap)
        joint, before = mixed, after
        violation = xp.clip(-after, 0.0, None)
    rounding = 1e-15 * (1 + total)
    bound = xp.sqrt(xp.clip(gap + rounding, 0.0, None) / 2)
    return Equilibria(
        joint=joint,
        alpha=point.alpha,
        epsilon=point.epsilon * unit,
        status=found.status,
        steps=found.steps,
        residual=found.residual,
        violation=violation,
        bound=xp.clip(bound, None, 1.0),
        feasible=before > 0 if inside is not None else before >= 0,
    )


def _objective(problem: Problem, joint: Array) -> Array:
    """``sum sigma (base - ln sigma)``: ``[B]``."""
    xp = namespace(joint)
    live = joint > 0
    logs = xp.log(xp.where(live, joint, xp.ones_like(joint)))
    terms = xp.where(live, joint * (problem.base - logs), 0 * joint)
    return xp.sum(terms, tuple(range(1, joint.ndim)))


def interior_of(problem: Problem) -> Array:
    """A joint strictly inside each polytope, ``[B, A1, ..., AN]``, where there is one.

    Found with epsilon lower by ever smaller margins; epsilon is hard.
    """
    hard = replace(problem, width=0 * problem.width, softness=0 * problem.softness)
    dual = Dual(problem)
    xp, best = dual.xp, None
    allowed = dual.spread(problem.epsilon)
    for margin in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
        tighter = replace(hard, epsilon=problem.epsilon - margin)
        joint = interior.solve(tighter, tolerance=1e-3 * margin).point.sigma
        if best is None:
            best = joint
        slack = allowed - dual.gains(best)
        room = xp.amin(xp.where(dual.mask > 0, slack, xp.ones_like(slack)), 1)
        if bool(xp.all(room > 0)):
            break
        wide = (room > 0).reshape(-1, *[1] * (joint.ndim - 1))
        best = xp.where(wide, best, joint)
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
    if rho == math.inf and upper is not None:
        raise UserError("equilibria(): upper must be left out while rho is infinite")
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
        arrays = [np.asarray(v, dtype=np.float64) for v in values]
        if [a.shape for a in arrays] != [t.shape[1:] for t in tensors]:
            raise UserError(
                f"equilibria(): {what} must have one array of each game's shape; got "
                f"shapes {[list(a.shape) for a in arrays]}"
            )
        return pad(arrays, fill)

    target, welfare = alike(target, "target", 1.0), alike(welfare, "welfare", 0.0)
    return pad(tensors), counts, target, welfare, mass
