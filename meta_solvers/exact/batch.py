"""Many games at once: ``equilibria`` solves a batch, of one shape or of several.

rng = np.random.default_rng(0)
solved = equilibria(rng.normal(size=(512, 2, 8, 8)))          # maximum-entropy CCE
solved.joint, solved.status, solved.bound
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meta_solvers.exact import interior
from meta_solvers.exact.build import build, like
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.interior import INFEASIBLE, SOLVED, STEPS, STUCK
from meta_solvers.exact.problem import Array, Concept, Problem, namespace
from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserError

STATUS = {
    SOLVED: "OK",
    STEPS: "MAX_STEPS",
    INFEASIBLE: "INFEASIBLE",
    STUCK: "NUMERICAL",
}


@dataclass(frozen=True, eq=False, kw_only=True)
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
    steps: int = 300,
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
      welfare: ``[B, A1, ..., AN]``, in nats.
      epsilon: allowed gain in units of payoff: a number, ``[N]`` or ``[B, N]``. Below
        0 every deviation must lose, which is INFEASIBLE where a player has none, or
        one that changes nothing.
      upper: with a finite ``rho``: the most that the approximation may rise to, in
        units of payoff (default: epsilon plus sqrt(prod A) standard deviations).
      rho: price of deviating from epsilon, per standard deviation of payoff; infinite
        keeps it hard.
      actions: ``[B, N]``, how many actions of a padded array are real.
      start: duals ``[B, m]`` to start from.
      steps: Newton steps at most.
      tolerance: duality gap at which a game is solved; a tenth of it is the largest
        violation, which times the sum of duals may be left of the gap as well.
        When steps run out, violations of 5e-10 will do.
      feasible: mix in a strictly interior joint, so that no deviation gains epsilon.
        Not every polytope has one.

    Raises:
      UserError: an argument has an impossible shape or value.
    """
    if steps < 0 or not tolerance > 0:
        got = f"got {steps} and {tolerance}"
        raise UserError(f"equilibria(): steps must be >= 0 and tolerance > 0; {got}")
    asked: tuple[Any, ...] = (target, welfare, epsilon, upper, rho, actions)
    rest = map(arrays.detached, asked)
    problem, unit = build(arrays.detached(payoffs), concept, *rest)
    start = None if start is None else _start(problem, start)
    solved = interior.solve(problem, start, steps, tolerance)
    return report(problem, unit, solved, interior_of(problem) if feasible else None)


def _start(problem: Problem, start: Any) -> Array:
    """Duals to start from, checked."""
    wanted = (problem.batch, Dual(problem).size)
    if tuple(np.shape(start)) != wanted:
        raise UserError(
            f"equilibria(): start must have shape {list(wanted)}; "
            f"got {list(np.shape(start))}"
        )
    start = like(problem.payoffs, start, wanted, "start")
    if bool((start < 0).any()):
        raise UserError("equilibria(): start must be at least 0 everywhere")
    return start


def report(
    problem: Problem,
    unit: Array,
    solved: interior.Solution,
    inside: Array | None = None,
) -> Equilibria:
    """An interior-point solution in the user's units, with a certified gap.

    ``inside`` ``[B, A1, ..., AN]``: joints strictly inside the polytopes, to be mixed
    in where a deviation gains more than epsilon.
    """
    dual = Dual(problem)
    xp, point = dual.xp, solved.point
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
    gap = solved.gap + violation * total
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
        gap = xp.where(after > 0, solved.gap + lost, gap)
        joint, before = mixed, after
        violation = xp.clip(-after, 0.0, None)
    rounding = 1e-15 * (1 + total)
    # The soft epsilon of a player without deviations is free, and their gain is 0.
    free = dual.idle & (problem.softness > 0) & (point.epsilon < 0)
    epsilon = xp.where(free, 0 * point.epsilon, point.epsilon)
    bound = xp.sqrt(xp.clip(gap + rounding, 0.0, None) / 2)
    return Equilibria(
        joint=joint,
        alpha=point.alpha,
        epsilon=epsilon * unit,
        status=solved.status,
        steps=solved.steps,
        residual=solved.residual,
        violation=violation,
        bound=xp.clip(bound, None, 1.0),
        feasible=(before > 0 if inside is not None else before >= 0) & ~dual.hopeless,
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
