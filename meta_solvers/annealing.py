"""Regret thresholds that fall in the course of the PSRO loop, for RRD and R3D."""

from dataclasses import replace
from typing import Any

import numpy as np

from meta_solvers.base import Answer, AnyGame, MetaSolver, Progress
from metaspiel.nfg.errors import UserError


class Annealed(MetaSolver):
    """Base class of solvers with an annealed threshold, who declare the fields.

    With ``final``, the answer of an iteration is that of the same solver with one fixed
    threshold, which the diagnostics name.
    """

    threshold: float
    final: float | None
    over: int | None

    def objection(self, game: AnyGame, progress: Progress | None) -> str | None:
        return super().objection(game, progress) or self._unknown(progress)

    def _unknown(self, progress: Progress | None) -> str | None:
        """What is missing from ``progress`` to compute a threshold, or None."""
        if self.final is None:
            return None
        if progress is None:
            return (
                "final must have a loop whose progress anneals the threshold; got no "
                "progress (leave final out)"
            )
        if self.over is None and progress.horizon is None:
            return (
                "over must say in how many iterations the threshold falls to final; "
                "got none, and the loop knows no horizon (--horizon names one)"
            )
        return None

    def answer(
        self, game: AnyGame, rng: np.random.Generator, progress: Progress | None
    ) -> Answer:
        if self.final is None:
            return self.distribution(game, rng)
        now = self.threshold_at(progress)
        fields: dict[str, Any] = {"threshold": now, "final": None, "over": None}
        result = replace(self, **fields).distribution(game, rng)
        return replace(result, diagnostics={**result.diagnostics, "threshold": now})

    def threshold_at(self, progress: Progress | None) -> float:
        """The threshold of one iteration: linear in the iteration, then ``final``.

        Raises:
          UserError: too little is known of the loop.
        """
        reason = self._unknown(progress)
        if reason:
            raise UserError(f"{type(self).__name__}: {reason}")
        if self.final is None:
            return self.threshold
        assert progress is not None
        over = progress.horizon if self.over is None else self.over
        assert over is not None
        part = min(1.0, progress.iteration / over)
        return self.threshold + part * (self.final - self.threshold)

    def fixed_threshold(self) -> float:
        """The threshold of a solver without annealing."""
        return self.threshold_at(None)

    def check_threshold(self) -> None:
        """Raises a ``UserError`` where the three fields are impossible."""
        where = f"{type(self).__name__}()"
        if not (np.isfinite(self.threshold) and self.threshold >= 0):
            raise UserError(
                f"{where}: threshold must be a number >= 0; got {self.threshold}"
            )
        if self.final is None:
            if self.over is not None:
                raise UserError(
                    f"{where}: over must come with final, at which annealing ends; got "
                    f"over={self.over} alone"
                )
            return
        if not 0 <= self.final <= self.threshold:
            raise UserError(
                f"{where}: final must be from 0 to threshold, {self.threshold}; got "
                f"{self.final}"
            )
        if self.over is not None and self.over < 1:
            raise UserError(f"{where}: over must be at least 1; got {self.over}")
