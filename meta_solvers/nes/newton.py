"""Newton steps of the logarithms of duals, with a ridge that a network chooses.

With ``alpha = exp(u)`` the step s of ``u`` solves ``(D H D + diag(ridge)) s = rhs``, D
the duals on a diagonal and H the Hessian of the dual function. A dual that has to go to
infinity, as those of a polytope without interior do, gets there in a few such steps,
where Newton steps of ``alpha`` itself add a constant each.
"""

from typing import Any

import torch
from torch import Tensor

from meta_solvers.exact.dual import Dual, Point


def newton(dual: Dual, point: Point, rhs: Tensor, ridge: Tensor, rounds: int) -> Tensor:
    """The step ``[B, m]``, by so many rounds of conjugate gradients.

    Derivatives are those of the exact solution by ``rhs`` and ``ridge`` (positive), the
    point held fixed.
    """
    return _Step.apply(rhs, ridge, dual, point, rounds)


class _Step(torch.autograd.Function):
    """A linear solve whose derivative is another one."""

    @staticmethod
    def forward(
        ctx: Any, rhs: Tensor, ridge: Tensor, dual: Dual, point: Point, rounds: int
    ) -> Tensor:
        step = conjugate(dual, point, rhs, ridge, rounds)
        ctx.save_for_backward(ridge, step)
        ctx.given = dual, point, rounds
        return step

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        ridge, step = ctx.saved_tensors
        dual, point, rounds = ctx.given
        back = conjugate(dual, point, gradients[0], ridge, rounds)
        return back, -back * step, None, None, None


def conjugate(
    dual: Dual, point: Point, rhs: Tensor, ridge: Tensor, rounds: int
) -> Tensor:
    """Conjugate gradients from 0, preconditioned by the diagonal: ``[B, m]``."""
    alpha, mask = point.alpha, dual.mask
    scale = alpha * alpha * dual.diagonal(point.sigma) + ridge
    left = rhs * mask
    x = torch.zeros_like(left)
    z = left / scale
    way, size = z, (left * z).sum(1, keepdim=True)
    for _ in range(rounds):
        image = (alpha * dual.product(point, alpha * way) + ridge * way) * mask
        length = size / ((way * image).sum(1, keepdim=True) + 1e-30)
        x = x + length * way
        left = left - length * image
        z = left / scale
        before, size = size, (left * z).sum(1, keepdim=True)
        way = z + size / (before + 1e-30) * way
    return x
