"""``equilibrium``: a (C)CE as a differentiable function of the game.

    joint = equilibrium(payoffs)             # torch, [B, N, A1, ..., AN]
    (joint * welfare).sum().backward()       # d welfare / d payoffs

The game is solved exactly; then one Newton step of the optimality conditions is taken
with the curvature held fixed and everything else differentiable. At the solution that
step is zero, and its derivative is the implicit function theorem's.
"""

import math
from typing import Any

import torch
from torch import Tensor

from meta_solvers.exact import interior
from meta_solvers.exact.batch import STATUS
from meta_solvers.exact.build import build
from meta_solvers.exact.dual import Dual
from meta_solvers.exact.linear import factorise
from meta_solvers.exact.problem import Concept, Problem
from metaspiel.nfg.errors import UserError


def equilibrium(
    payoffs: Tensor,
    concept: Concept = "cce",
    target: Tensor | None = None,
    welfare: Tensor | None = None,
    epsilon: Any = 0.0,
    upper: Any = None,
    rho: float = math.inf,
    steps: int = 200,
    tolerance: float = 1e-12,
) -> Tensor:
    """The epsilon-MWMRE (C)CE joint, differentiable once in every tensor argument.

    Arguments are those of ``meta_solvers.exact.batch.equilibria``; gradients reach
    ``payoffs``, ``target``, ``welfare``, ``epsilon`` and ``upper`` where these are
    tensors. Where the set of binding deviations changes, the joint has a kink and the
    derivative is that of one side.

    Returns:
      ``[B, A1, ..., AN]``, float64.

    Raises:
      UserError: an argument is impossible, or a game has no such equilibrium or could
        not be solved; the sentence says which.
    """
    if not isinstance(payoffs, Tensor):
        raise UserError(
            "equilibrium(): payoffs must be a torch tensor; got "
            f"{type(payoffs).__name__}"
        )
    problem, _ = build(
        payoffs, concept, target, welfare=welfare, epsilon=epsilon, upper=upper, rho=rho
    )
    still = Problem(
        concept=concept,
        **{k: v.detach() for k, v in vars(problem).items() if k != "concept"},
    )
    with torch.no_grad():
        solved = interior.solve(still, None, steps, tolerance)
        wrong = torch.nonzero((solved.status != 0) & ~_good(solved))[:, 0]
        if len(wrong):
            first = int(wrong[0])
            raise UserError(
                "equilibrium(): every game must have a solution; got "
                f"{STATUS[int(solved.status[first])]} for game {first} of the batch"
            )
        point = solved.point
        # A deviation that binds has a dual, any other has slack: their ratio freezes
        # the duals of those that do not bind.
        ratio = point.slack.clamp(min=0) / point.alpha.clamp(min=1e-300)
        ratio = ratio.clamp(max=1e12) + (1 - Dual(still).mask)
        factor = factorise(Dual(still), point, ratio)
    dual = Dual(problem)
    slack = dual.at(point.alpha.detach()).slack
    # The value of this step is 0 but for rounding; its derivative is what counts.
    step = factor.solve((slack.detach() - slack) * dual.mask)
    return dual.at(point.alpha.detach() + step).sigma


def _good(solved: interior.Solution) -> Tensor:
    """Whether each solution meets a looser tolerance, as rounding can prevent 1e-12."""
    worst = -solved.point.slack.amin(1)
    return (solved.gap.abs() <= 1e-8 * (1 + solved.point.alpha.sum(1))) & (
        worst <= 1e-9
    )
