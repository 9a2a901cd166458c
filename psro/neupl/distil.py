"""Distillation: many policies into one conditional network, earlier ones kept.

The loss is ``w_d E_s KL(pi(.|s) || Pi(.|s, nu_new)) + w_r E_s,k KL(Pi^(.|s, nu^_k) ||
Pi(.|s, nu_k))``: new policies are learned and earlier ones stay what they were (Liu et
al. 2024, Algorithm 2). Teachers that are deterministic have probabilities of 0, so the
teacher always comes first in the divergence.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from scipy.optimize import minimize
from torch import Tensor

from metaspiel.learn.conditional import Conditional
from metaspiel.nfg.errors import BadField, UserError, at_least, unknown

Optimiser = Literal["lbfgs", "adam"]
OPTIMISERS: tuple[Optimiser, ...] = get_args(Optimiser)
_LOWEST = 1e-12  # of a tolerance: differences of probabilities in float64
_ILLEGAL = -1e30
_WARM, _COLD = 0.3, 0.7  # shares of Adam's steps in which its rate rises and falls


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How a conditional network learns new policies and keeps the earlier ones.

    Attributes:
      tolerance: it ends when no probability is further from its teacher's than this.
      steps: most evaluations of the loss; reaching it is recorded.
      new_weight: w_d, weight of the new policies' mean divergence.
      old_weight: w_r, weight of the earlier policies'; 0 leaves them out.
      optimiser: "lbfgs", or "adam" with a rate that rises and falls once.
      rate: Adam's highest learning rate.
      memory: pairs of vectors that L-BFGS remembers.
    """

    tolerance: float = 1e-3
    steps: int = 1000
    new_weight: float = 1.0
    old_weight: float = 1.0
    optimiser: Optimiser = "lbfgs"
    rate: float = 0.01
    memory: int = 20

    def __post_init__(self) -> None:
        at_least(self, steps=1, memory=1)
        if not _LOWEST <= self.tolerance < 1:
            raise BadField(
                type(self),
                "tolerance",
                f"must be in [{_LOWEST:g}, 1), or no probability could reach it; got "
                f"{self.tolerance}",
            )
        for name in ("new_weight", "old_weight", "rate"):
            value = getattr(self, name)
            low = 0 if name == "old_weight" else np.nextafter(0, 1)
            if not low <= value < np.inf:
                raise BadField(
                    type(self), name, f"must be a positive number; got {value}"
                )
        if self.optimiser not in OPTIMISERS:
            raise unknown("Distillation()", "optimiser", self.optimiser, OPTIMISERS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesson:
    """What a conditional network is to learn and to keep, as R rows.

    Attributes:
      x: I observations.
      legal: what may be done there.
      state: the observation of each row.
      code: the code that is to behave there as the teacher does.
      teacher: the teacher's probabilities, 0 where illegal.
      new: which rows are of new policies.
    """

    x: Float[Tensor, "I D"]
    legal: Bool[Tensor, "I A"]
    state: Int64[Tensor, " R"]
    code: Int64[Tensor, " R"]
    teacher: Float[Tensor, "R A"]
    new: Bool[Tensor, " R"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Distilled:
    """What a distillation came to.

    Attributes:
      weights: of the network.
      codes: of all policies.
      error: largest difference of a probability from the teacher's.
      new_error: the same, of the new policies only.
      steps: evaluations of the loss.
      reached: the tolerance was reached.
    """

    weights: Float64[ndarray, " P"]
    codes: Float64[ndarray, "K d"]
    error: float
    new_error: float
    steps: int
    reached: bool


class _Enough(Exception):
    """The tolerance is reached, or the steps are spent."""


class _Loss:
    """The loss and its gradient at a vector of weights and codes, and what came of it.

    Attributes:
      best: where the largest error was smallest.
      error: that error.
      steps: evaluations so far.
    """

    def __init__(
        self, network: Conditional, lesson: Lesson, settings: Distillation, codes: int
    ) -> None:
        self.network, self.lesson, self.settings = network, lesson, settings
        self.codes = codes
        self.steps, self.error = 0, np.inf
        self.best = np.zeros(0)
        self._banned = ~lesson.legal[lesson.state]
        # A mean over the rows of each term: the sum of what rows of one kind weigh.
        new = lesson.new
        weight = torch.zeros(len(new), dtype=lesson.teacher.dtype)
        for rows, share in ((new, settings.new_weight), (~new, settings.old_weight)):
            weight[rows] = share / max(1, int(rows.sum()))
        self._weight = weight
        known = lesson.teacher * lesson.teacher.clamp_min(1e-300).log()
        self._least = float((weight * known.sum(1)).sum())

    def split(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and codes."""
        size = self.network.size
        return at[:size], at[size:].view(self.codes, self.network.codes)

    def __call__(self, at: ndarray) -> tuple[float, ndarray]:
        """Loss and gradient.

        Raises:
          _Enough: no probability is further from its teacher's than the tolerance.
        """
        lesson = self.lesson
        leaf = torch.from_numpy(at).to(lesson.x.dtype).requires_grad_()
        with torch.enable_grad():
            weights, codes = self.split(leaf)
            scores = self.network.paired(
                weights, codes, lesson.x, state=lesson.state, code=lesson.code
            )
            logs = scores.masked_fill(self._banned, _ILLEGAL).log_softmax(1)
            loss = -(self._weight * (lesson.teacher * logs).sum(1)).sum()
            (gradient,) = torch.autograd.grad(loss, leaf)
        self.steps += 1
        apart = (logs.detach().exp() - lesson.teacher).abs()
        error = float(apart.max())
        if not np.isfinite(error):
            raise UserError(
                "distil(): all weights must stay finite; they do not after "
                f"{self.steps} steps (a lower rate, or L-BFGS, helps)"
            )
        if error < self.error:
            self.best, self.error = at.copy(), error
            self.new_error = float(apart[lesson.new].max()) if lesson.new.any() else 0.0
        if error <= self.settings.tolerance or self.steps >= self.settings.steps:
            raise _Enough
        return float(loss.detach()) + self._least, gradient.double().numpy()


@runtime_checkable
class Distiller(Protocol):
    """Protocol of what distils a lesson, as ``distil`` does."""

    def __call__(
        self,
        network: Conditional,
        weights: Float64[ndarray, " P"],
        codes: Float64[ndarray, "K d"],
        *,
        lesson: Lesson,
        settings: Distillation,
    ) -> Distilled: ...


def distil(
    network: Conditional,
    weights: Float64[ndarray, " P"],
    codes: Float64[ndarray, "K d"],
    *,
    lesson: Lesson,
    settings: Distillation,
) -> Distilled:
    """Learns the new policies of a lesson and keeps the others, full batches at a time.

    The best weights are kept: those with the smallest largest error. No moments of the
    optimiser outlive a call.

    Args:
      network: the conditional network.
      weights: its weights so far.
      codes: of all policies, those of the new ones as they begin.
      lesson: what is to be learned; without rows nothing changes.
      settings: how.

    Raises:
      UserError: a weight is not finite any more.
    """
    if settings.old_weight == 0:
        lesson = _only_new(lesson)
    if not len(lesson.state):
        return Distilled(
            weights=weights,
            codes=codes,
            error=0.0,
            new_error=0.0,
            steps=0,
            reached=True,
        )
    loss = _Loss(network, lesson, settings, len(codes))
    begin = np.concatenate([weights, codes.reshape(-1)])
    descend = _lbfgs if settings.optimiser == "lbfgs" else _adam
    with suppress(_Enough):
        descend(loss, begin, settings)
    done, made = loss.split(torch.from_numpy(loss.best))
    return Distilled(
        weights=done.numpy().copy(),
        codes=made.numpy().copy(),
        error=loss.error,
        new_error=loss.new_error,
        steps=loss.steps,
        reached=loss.error <= settings.tolerance,
    )


def _only_new(lesson: Lesson) -> Lesson:
    """The rows of the new policies."""
    rows = lesson.new
    return Lesson(
        x=lesson.x,
        legal=lesson.legal,
        state=lesson.state[rows],
        code=lesson.code[rows],
        teacher=lesson.teacher[rows],
        new=lesson.new[rows],
    )


Step = Callable[[ndarray], tuple[float, ndarray]]


def _lbfgs(loss: Step, begin: ndarray, settings: Distillation) -> None:
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


def _adam(loss: Step, begin: ndarray, settings: Distillation) -> None:
    """Adam with a rate that rises and falls once over all steps."""
    at, mean, square = begin.copy(), np.zeros_like(begin), np.zeros_like(begin)
    for step in range(1, settings.steps + 1):
        _, gradient = loss(at)
        part = step / settings.steps
        rate = settings.rate * min(part / _WARM, (1 - part) / _COLD)
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient**2 - square)
        scale = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        at = at - rate * (mean / (1 - 0.9**step)) / scale
