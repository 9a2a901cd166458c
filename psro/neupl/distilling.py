"""Distillation: many policies into one conditional network, earlier ones kept.

The loss is ``w_d E_s KL(pi(.|s) || Pi(.|s, nu_new)) + w_r E_s,k KL(Pi^(.|s, nu^_k) ||
Pi(.|s, nu_k))``: new policies are learned and earlier ones stay what they were (Liu et
al. 2024, Algorithm 2). Teachers that are deterministic have probabilities of 0, so the
teacher always comes first in the divergence.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from scipy.optimize import minimize
from torch import Tensor

from metaspiel.learn.recurrent import Shared
from metaspiel.learn.update import Adam
from psro.neupl.lesson import Enough, Lesson, Loss
from psro.neupl.settings import Distillation

_LOOK = 10  # steps between two looks at the error of all rows, at least
_WARM, _COLD = 0.3, 0.7  # shares of Adam's steps in which its rate rises and falls


@dataclass(frozen=True, eq=False, kw_only=True)
class Distilled:
    """What a distillation came to.

    Attributes:
      weights: of the network.
      codes: of all policies.
      error: largest difference of a probability from the teacher's.
      new_error: the same, of the new policies only.
      divergence: mean divergence of each code from its teacher; 0 without rows.
      steps: evaluations of the loss.
      reached: the tolerance was reached.
    """

    weights: Float64[ndarray, " P"]
    codes: Float64[ndarray, "K d"]
    error: float
    new_error: float
    divergence: Float64[ndarray, " K"]
    steps: int
    reached: bool


@runtime_checkable
class Distiller(Protocol):
    """Protocol of what distils a lesson, as ``distil`` does."""

    def __call__(
        self,
        network: Shared,
        weights: Float64[ndarray, " P"],
        codes: Float64[ndarray, "K d"],
        *,
        lesson: Lesson,
        settings: Distillation,
        seed: int = 0,
    ) -> Distilled: ...


def distil(
    network: Shared,
    weights: Float64[ndarray, " P"],
    codes: Float64[ndarray, "K d"],
    *,
    lesson: Lesson,
    settings: Distillation,
    seed: int = 0,
) -> Distilled:
    """Learns the new policies of a lesson and keeps the others.

    The best weights are kept: those with the smallest largest error. No moments of the
    optimiser outlive a call.

    Args:
      network: the conditional network.
      weights: its weights so far.
      codes: of all policies, those of the new ones as they begin.
      lesson: what is to be learned; without rows nothing changes.
      settings: how.
      seed: of the order of batches.

    Raises:
      UserError: a weight is not finite any more.
    """
    if settings.old_weight == 0:
        lesson = lesson.part(lesson.new)
    if not len(lesson.state):
        return Distilled(
            weights=weights,
            codes=codes,
            error=0.0,
            new_error=0.0,
            divergence=np.zeros(len(codes)),
            steps=0,
            reached=True,
        )
    loss = Loss(network, lesson, settings, len(codes))
    begin = np.concatenate([weights, codes.reshape(-1)])
    with suppress(Enough):
        if settings.batch is not None:
            _batches(loss, torch.from_numpy(begin).to(lesson.x), settings, seed)
        elif settings.optimiser == "lbfgs":
            _lbfgs(loss, begin, settings)
        else:
            _adam(loss, begin, settings)
    best = torch.from_numpy(loss.best)
    done, made = loss.split(best)
    return Distilled(
        weights=done.numpy().copy(),
        codes=made.numpy().copy(),
        error=loss.error,
        new_error=loss.new_error,
        divergence=loss.divergence(best),
        steps=loss.steps,
        reached=loss.error <= settings.tolerance,
    )


def _lbfgs(loss: Loss, begin: ndarray, settings: Distillation) -> None:
    """L-BFGS until the loss has been asked for often enough, begun anew where stuck."""
    at = begin
    while True:  # ``loss`` ends it
        made = minimize(
            loss,
            at,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxcor": settings.memory,
                "maxiter": settings.steps,
                "maxfun": settings.steps,
                "ftol": 0.0,
                "gtol": 0.0,
            },
        )
        at = made.x


def _adam(loss: Loss, begin: ndarray, settings: Distillation) -> None:
    """Adam with a rate that rises and falls once over all steps."""
    at, mean, square = begin.copy(), np.zeros_like(begin), np.zeros_like(begin)
    for step in range(1, settings.steps + 1):
        _, gradient = loss(at)
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        at = at - _rate(settings, step) * (mean / (1 - 0.9**step)) / scale


def _batches(loss: Loss, at: Tensor, settings: Distillation, seed: int) -> None:
    """Adam on batches of rows, drawn without replacement until none is left.

    All rows are looked at once in a pass, and at most every tenth step.
    """
    assert settings.batch is not None  # as ``distil`` sees to
    order, adam = torch.Generator().manual_seed(seed), Adam(len(at), 0.0, at.device)
    step, looked = 0, 0
    while True:  # ``loss`` ends it
        for rows in torch.randperm(loss.rows, generator=order).split(settings.batch):
            step += 1
            adam.rate = _rate(settings, step)
            adam.step(at, loss.slope(at, rows.to(at.device)))
            if step >= settings.steps:
                loss.judge(at)
        if step - looked >= _LOOK:
            looked = step
            loss.judge(at)


def _rate(settings: Distillation, step: int) -> float:
    """Adam's rate in a step, which rises and falls once over all of them."""
    part = step / settings.steps
    return settings.rate * min(part / _WARM, (1 - part) / _COLD)
