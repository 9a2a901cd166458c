"""Maximum-Gini CCEs of games with many joint actions: no row is written out.

The projection of ``meta_solvers.projection`` with products in place of the matrix of
deviations; from a working set where an answer to a smaller game is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from meta_solvers.gains import Gains
from meta_solvers.projection import (
    CAREFUL,
    QUICK,
    Dense,
    Projection,
    polished,
    project_onto_cone,
)
from meta_solvers.warm import WorkingSet
from metaspiel.nfg.game import Game

_SLACK = 1e-12  # of the target's length: what a deviation may gain unnoticed
_WORTH = 1e-9  # an entry of y that is missing; all of y = 1 is uniform play
_DIGITS = 100 * float(np.finfo(float).eps)
_MOST = 1e-7  # residual that no multipliers excuse
_GAIN = 1e-5  # of the payoff range: an answer that leaves more is given up
_ROUNDS = 100
_SHARE = 0.5  # of all joint actions: more are no small working set


@dataclass(frozen=True, eq=False, kw_only=True)
class Lazy:
    """A projection, and what goes with it.

    Attributes:
      projection: onto the whole cone.
      gains: the gains of all deviations.
      epsilon: ``[D]`` what each may keep, of the payoff range.
      warm: what an answer to a larger game may start from.
      notes: diagnostics.
    """

    projection: Projection
    gains: Gains
    epsilon: Float64[ndarray, " D"]
    warm: Mapping[str, ndarray]
    notes: Mapping[str, Any]

    def beyond(self, joint: Float64[ndarray, " P"]) -> Float64[ndarray, " D"]:
        """What each deviation gains beyond epsilon."""
        return self.gains.of(joint) - self.epsilon * joint.sum()


@dataclass(frozen=True, eq=False)
class LazyCone:
    """The cone of a CCE whose rows are never written out; it is a ``Cone``.

    In y = x / sqrt(copies), row j is ``(gain_j - epsilon_j) sqrt(copies)`` over its
    length.
    """

    gains: Gains
    root: Float64[ndarray, " P"]
    epsilon: Float64[ndarray, " D"]

    @property
    def rows(self) -> int:
        """D, the number of rows, those that are 0 included."""
        return self.gains.deviations

    @cached_property
    def shrink(self) -> Float64[ndarray, " D"]:
        """One over the length of each row, 0 where the row is 0."""
        length = self.gains.lengths
        live = length > 0
        square = length**2 + self.epsilon * (
            self.epsilon * (self.root @ self.root) - 2 * self.gains.of(self.root**2)
        )
        return np.where(live, 1.0 / np.sqrt(np.where(live, square, 1.0)), 0.0)

    def along(self, point: Float64[ndarray, " P"]) -> Float64[ndarray, " D"]:
        """What every row gives at a point: ``A y``."""
        joint = self.root * point
        return (self.gains.of(joint) - self.epsilon * joint.sum()) * self.shrink

    def most(self, point: Float64[ndarray, " P"]) -> float:
        """What the best deviation gains beyond epsilon, of the payoff range."""
        joint = self.root * point
        gain = self.gains.of(joint) - self.epsilon * joint.sum()
        return float(gain.max() / joint.sum()) if joint.any() else 0.0

    def pull(self, dual: Float64[ndarray, " D"]) -> Float64[ndarray, " P"]:
        """The rows summed with multipliers: ``A' l``."""
        dual = dual * self.shrink
        return (self.gains.tilt(dual) - dual @ self.epsilon) * self.root

    def gram(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F F"]:
        """``A A'`` of the rows ``free``, over the columns ``live``."""
        if free.sum() * live.sum() <= self.root.size:
            active = self.block(free, live)
            return active @ active.T
        weights = self.root**2 * live
        moments, epsilon = self.gains.gram(weights, free), self.epsilon[free]
        if epsilon.any():
            cross = np.outer(self.gains.of(weights)[free], epsilon)
            moments = moments - cross - cross.T
            moments += weights.sum() * np.outer(epsilon, epsilon)
        moments *= self.shrink[free, None] * self.shrink[free]
        return moments

    def block(
        self, free: Bool[ndarray, " D"], live: Bool[ndarray, " P"]
    ) -> Float64[ndarray, "F L"]:
        """The rows ``free`` in the columns ``live``."""
        rows, columns = np.flatnonzero(free), np.flatnonzero(live)
        entries = self.gains.entries(rows, columns) - self.epsilon[rows, None]
        return entries * self.root[columns] * self.shrink[rows, None]


def project_lazily(
    game: Game,
    epsilon: float,
    root: Float64[ndarray, " P"],
    warm: Mapping[str, ndarray],
) -> Lazy:
    """Projects ``root`` onto the cone of ``epsilon``-CCEs.

    Args:
      game: the game.
      epsilon: gain every deviation may keep, in units of payoff.
      root: of the copies of each joint action, the square roots.
      warm: what an answer left of a game with fewer actions; maybe nothing.
    """
    gains = Gains(game, "cce")
    cone = LazyCone(gains, root, np.repeat(epsilon / game.scale, game.actions))
    working = WorkingSet.recalled(gains, warm)
    small = working is not None and working.columns.mean() <= _SHARE
    projected, rounds = _growing(cone, working) if working and small else (None, 0)
    notes: dict[str, Any] = {"rounds": rounds}
    if projected is not None:
        projected = polished(cone, root, projected)
    if projected is None or cone.most(projected.point) > _GAIN:
        if rounds:
            notes["restarts"] = 1
        projected = _settled(project_onto_cone(cone, root), root)
        projected = polished(cone, root, projected)
    binding, played = projected.dual > 0, projected.point > 0
    return Lazy(
        projection=projected,
        gains=gains,
        epsilon=cone.epsilon,
        warm=WorkingSet(gains, binding, played).kept(),
        notes=notes,
    )


def _settled(projected: Projection, target: Float64[ndarray, " P"]) -> Projection:
    """The projection, converged where its residual is what its multipliers lose.

    Polytopes of meta-games are thin: multipliers grow to 1e7 and more, and ``A' l``
    has no more digits. Deviations gain as little as ever, but of joints that are about
    as near to uniform, rounding then decides.
    """
    lost = _DIGITS * float(projected.dual.sum() / np.linalg.norm(target))
    settled = projected.converged or projected.residual <= min(lost, _MOST)
    return replace(projected, converged=settled)


def _patiently(cone: Dense, target: ndarray, start: ndarray) -> Projection:
    """The best of a quick projection and, where that is lost, of careful ones."""
    best: Projection | None = None
    steps = 0
    for first, pace in ((start, QUICK), (start, CAREFUL), (None, CAREFUL)):
        part = _settled(project_onto_cone(cone, target, first, pace), target)
        steps += part.steps
        if best is None or part.residual < best.residual:
            best = part
        if best.converged or best.residual <= _MOST:
            break
    assert best is not None
    return replace(best, steps=steps)


def _growing(cone: LazyCone, working: WorkingSet) -> tuple[Projection | None, int]:
    """Projects by a working set until nothing is missing; None where that fails."""
    target, steps, dual = cone.root, 0, np.zeros(cone.rows)
    slight = _SLACK * float(np.linalg.norm(target))
    for rounds in range(1, _ROUNDS + 1):
        rows, columns = working.rows, working.columns
        if columns.sum() > _SHARE * target.size:
            return None, rounds
        block, aim = Dense(cone.block(rows, columns)), target[columns]
        part = _patiently(block, aim, dual[rows])
        steps += part.steps
        if part.residual > _GAIN:
            return None, rounds
        dual, point = np.zeros(cone.rows), np.zeros(target.size)
        dual[rows], point[columns] = part.dual, part.point
        grown = working.with_worst(
            cone.along(point) - slight,
            target - cone.pull(dual) - _WORTH,
        )
        if grown is None:
            whole = Projection(point, part.residual, steps, part.converged, dual=dual)
            return whole, rounds
        working = grown
    return None, _ROUNDS
