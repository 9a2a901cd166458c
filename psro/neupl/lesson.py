"""What a conditional network is to learn and to keep, and how far it is from it."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.recurrent import Shared
from metaspiel.nfg.errors import BadField, UserError, at_least, unknown

Optimiser = Literal["lbfgs", "adam"]
OPTIMISERS: tuple[Optimiser, ...] = get_args(Optimiser)
_LOWEST = 1e-12  # of a tolerance: differences of probabilities in float64
_ILLEGAL = -1e30


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
      batch: rows in a step of Adam's, in float32; None for all of them in each, in
        float64.
    """

    tolerance: float = 1e-3
    steps: int = 1000
    new_weight: float = 1.0
    old_weight: float = 1.0
    optimiser: Optimiser = "lbfgs"
    rate: float = 0.01
    memory: int = 20
    batch: int | None = None

    def __post_init__(self) -> None:
        at_least(self, steps=1, memory=1)
        if self.batch is not None:
            at_least(self, batch=1)
            if self.optimiser != "adam":
                reason = f"goes with the optimiser adam; got {self.optimiser}"
                raise BadField(type(self), "batch", reason)
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

    @property
    def dtype(self) -> torch.dtype:
        """In what numbers it computes."""
        return torch.float64 if self.batch is None else torch.float32


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
