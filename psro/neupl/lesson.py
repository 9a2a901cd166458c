"""What a conditional network is to learn and to keep, and how far it is from it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.recurrent import Shared
from metaspiel.nfg.errors import UserError
from psro.neupl.settings import Distillation

_ILLEGAL = -1e30


def number_type(settings: Distillation) -> torch.dtype:
    """In what numbers a distillation computes."""
    return torch.float64 if settings.batch is None else torch.float32


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
      weight: how much each row counts among those of its kind; None for all alike.
    """

    x: Float[Tensor, "I D"]
    legal: Bool[Tensor, "I A"]
    state: Int64[Tensor, " R"]
    code: Int64[Tensor, " R"]
    teacher: Float[Tensor, "R A"]
    new: Bool[Tensor, " R"]
    weight: Float[Tensor, " R"] | None = None

    def part(self, rows: Int64[Tensor, " B"] | Bool[Tensor, " R"]) -> "Lesson":
        """The lesson of some rows."""
        return replace(
            self,
            state=self.state[rows],
            code=self.code[rows],
            teacher=self.teacher[rows],
            new=self.new[rows],
            weight=None if self.weight is None else self.weight[rows],
        )


class Enough(Exception):
    """The tolerance is reached, or the steps are spent."""


class Loss:
    """The loss and its gradient at a vector of weights and codes, and what came of it.

    Attributes:
      best: where the largest error was smallest.
      error: that error.
      steps: evaluations so far.
    """

    def __init__(
        self, network: Shared, lesson: Lesson, settings: Distillation, codes: int
    ) -> None:
        self.network, self.lesson, self.settings = network, lesson, settings
        self.codes = codes
        self.steps, self.error = 0, np.inf
        self.best = np.zeros(0)
        # A mean over the rows of each term: the sum of what rows of one kind weigh.
        new = lesson.new
        alike = torch.ones_like(lesson.teacher[:, 0])
        weight = alike if lesson.weight is None else lesson.weight.clone()
        for rows, share in ((new, settings.new_weight), (~new, settings.old_weight)):
            weight[rows] *= share / max(float(weight[rows].sum()), 1e-300)
        self._weight = weight
        known = lesson.teacher * lesson.teacher.clamp_min(1e-30).log()
        self._known = known.sum(1)
        self._least = float((weight * self._known).sum())

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return len(self.lesson.state)

    def split(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and codes."""
        size = self.network.size
        return at[:size], at[size:].view(self.codes, self.network.codes)

    def __call__(self, at: ndarray) -> tuple[float, ndarray]:
        """Loss and gradient.

        Raises:
          Enough: no probability is further from its teacher's than the tolerance.
        """
        lesson = self.lesson
        leaf = torch.from_numpy(at).to(lesson.x).requires_grad_()
        with torch.enable_grad():
            logs = self._logs(leaf, lesson)
            loss = -(self._weight * (lesson.teacher * logs).sum(1)).sum()
            (gradient,) = torch.autograd.grad(loss, leaf)
        self.steps += 1
        self._judged(at, logs.detach())
        return float(loss.detach()) + self._least, gradient.double().cpu().numpy()

    def slope(self, at: Tensor, rows: Int64[Tensor, " B"]) -> Tensor:
        """The gradient as a batch of rows estimates it."""
        lesson, leaf = self.lesson.part(rows), at.detach().requires_grad_()
        lesson = replace(
            lesson, x=lesson.x[lesson.state], legal=lesson.legal[lesson.state]
        )
        lesson = replace(lesson, state=torch.arange(len(rows), device=at.device))
        whole = self._weight[rows] * (self.rows / len(rows))
        with torch.enable_grad():
            logs = self._logs(leaf, lesson)
            loss = -(whole * (lesson.teacher * logs).sum(1)).sum()
            (gradient,) = torch.autograd.grad(loss, leaf)
        self.steps += 1
        return gradient

    def judge(self, at: Tensor) -> None:
        """Measures the error of all rows.

        Raises:
          Enough: as a call.
        """
        with torch.no_grad():
            logs = self._logs(at, self.lesson)
        self._judged(at.double().cpu().numpy(), logs)

    def divergence(self, at: Tensor) -> Float64[ndarray, " K"]:
        """Mean divergence of each code from its teacher."""
        lesson = self.lesson
        with torch.no_grad():
            logs = self._logs(at.to(lesson.x), lesson)
        apart = self._known - (lesson.teacher * logs).sum(1)
        sums = apart.new_zeros(2, self.codes)
        sums[0].index_add_(0, lesson.code, self._weight * apart)
        sums[1].index_add_(0, lesson.code, self._weight)
        made: ndarray = (sums[0] / sums[1].clamp_min(1e-30)).double().cpu().numpy()
        return made

    def _logs(self, at: Tensor, lesson: Lesson) -> Tensor:
        """Logarithms of the probabilities of all actions in each row."""
        weights, codes = self.split(at)
        scores = self.network.paired(
            weights, codes, lesson.x, state=lesson.state, code=lesson.code
        )
        banned = ~lesson.legal[lesson.state]
        return scores.masked_fill(banned, _ILLEGAL).log_softmax(1)

    def _judged(self, at: ndarray, logs: Tensor) -> None:
        lesson = self.lesson
        apart = (logs.exp() - lesson.teacher).abs()
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
            raise Enough
