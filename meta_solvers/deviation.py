"""Deviation ratings: how much each action would lose in the strictest equilibrium.

Marris et al. 2025, "Deviation Ratings: A General, Clone-Invariant Rating Method".
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers.base import Status
from meta_solvers.lp import minimise
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

MOST_ENTRIES = 32_000_000  # numbers in the rows of gains; takes 4 GB
# What is fixed may still change by less than this, as a fraction of the payoff range.
TOLERANCE = 1e-8
_ABSENT = 1e-10  # joint actions that can be played no more often are taken out
_ROUNDING = 1e-13  # of a measured optimality gap
_SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False, kw_only=True)
class DeviationRatings:
    """Ratings of all actions of all players, and an equilibrium that has them.

    Attributes:
      ratings: ``[A_p]`` a player, in units of payoff: what the action would gain on the
        equilibrium, at most 0; the highest is the best.
      joint: ``[A1, ..., AN]``, a CCE with these gains; others may have them too.
      status: OK where every rating is certain.
      error: how far below its rating a gain can fall, in units of payoff, while those
        that were fixed before stay, or how far it rose by rounding when others were
        fixed; the largest over all actions.
      programs: linear programs that were solved.
    """

    ratings: tuple[Float64[ndarray, " _"], ...]
    joint: Float64[ndarray, "*A"]
    status: Status
    error: float
    programs: int


def deviation_ratings(game: Game) -> DeviationRatings:
    """Rates the actions of any game by their gains in the strictest CCE.

    Among all joints those whose largest gain of a deviation is smallest are kept; among
    these, those whose next one is; and so on until every gain is fixed (Marris et al.
    2025, algorithm 1). Gains of all players are compared in units of payoff. Repeats of
    an action change nothing: ratings of others do not depend on copies.

    Each step is a linear program (HiGHS). Its multipliers bound by duality how far
    every gain can still fall; only gains that can fall by no more than ``TOLERANCE``
    are fixed, where there are any, so a multiplier that is positive by rounding fixes
    nothing. Joint actions that no equilibrium that is left plays are taken out.

    Raises:
      UserError: the game is too large.
    """
    rows, unit = gains(game)
    lead = _Leading(rows)
    while not lead.finished:
        if not lead.step():
            break
    fixed = np.split(lead.values * unit, np.cumsum(game.actions)[:-1])
    return DeviationRatings(
        ratings=tuple(fixed),
        joint=lead.joint.reshape(game.actions),
        status=lead.status,
        error=lead.error * unit,
        programs=lead.programs,
    )


def gains(game: Game) -> tuple[Float64[ndarray, "D P"], float]:
    """What every deviation gains at every joint action, and the unit of the numbers.

    The rows are those of the first player's actions, then the second's; the unit is the
    largest range of a player's payoffs.

    Raises:
      UserError: there are more than ``MOST_ENTRIES`` numbers.
    """
    entries = sum(game.actions) * game.profiles
    if entries > MOST_ENTRIES:
        raise UserError(
            "deviation_ratings(): the actions of all players times the joint actions "
            f"must be at most {MOST_ENTRIES}; got {entries}"
        )
    unit = float(game.scale.max())
    flat = np.arange(game.profiles).reshape(game.actions)
    blocks = []
    for player, actions in enumerate(game.actions):
        payoff = game.own_first(player) / unit
        index = np.moveaxis(flat, player, 0).reshape(actions, -1)
        block = np.empty((actions, game.profiles))
        block[:, index] = payoff[:, None, :] - payoff
        blocks.append(block)
    return np.concatenate(blocks), unit


class _Leading:
    """Gains that are fixed one after another, the largest first."""

    def __init__(self, rows: Float64[ndarray, "D P"]) -> None:
        self.rows = rows
        self.values = np.full(len(rows), np.nan)
        self.allowed = np.zeros(len(rows))
        self.kept: Int64[ndarray, " K"] = np.arange(rows.shape[1])
        self.joint = np.full(rows.shape[1], 1.0 / rows.shape[1])
        self.status = Status.OK
        self.error = 0.0
        self.programs = 0

    @property
    def open(self) -> Bool[ndarray, " D"]:
        """Which gains are not fixed yet."""
        return np.isnan(self.values)

    @property
    def finished(self) -> bool:
        return not self.open.any()

    def step(self) -> bool:
        """Fixes the largest of the open gains; False where there is no answer."""
        rows, live = self.rows[:, self.kept], self.open
        lead = live.astype(np.float64)[:, None]
        optimum = minimise(
            np.append(np.zeros(len(self.kept)), 1.0),
            np.hstack([rows, -lead]),
            np.where(live, 0.0, self.allowed),
            equal=np.append(np.ones(len(self.kept)), 0.0)[None],
            equal_to=np.ones(1),
            positive=len(self.kept),
        )
        self.programs += 1
        if optimum.values is None:
            self.status = optimum.status
            return False
        mixture = _distribution(optimum.values[:-1])
        spare = max(optimum.diagnostics["optimality_gap"], 0.0) + _ROUNDING
        falls = partial(_at_most, spare)
        self._fix(rows @ mixture, falls(optimum.prices))
        played = falls(optimum.reduced[:-1]) > _ABSENT
        self.kept = self.kept[played]
        self.joint[:] = 0.0
        self.joint[self.kept] = _distribution(mixture[played])
        # By rounding it may be above what was fixed, and must stay possible.
        reached = self.rows[:, self.kept] @ self.joint[self.kept]
        self.allowed = np.fmax(self.values, reached)
        rise = np.where(self.open, 0.0, self.allowed - self.values)
        self.error = max(self.error, float(rise.max()))
        return True

    def _fix(self, reached: ndarray, fall: ndarray) -> None:
        """Fixes the gains that can fall no further, or the one that can fall least."""
        live = self.open
        sure = live & (fall <= TOLERANCE)
        if not sure.any():
            sure[np.argmin(np.where(live, fall, np.inf))] = True
            self.status = Status.INACCURATE
        self.values[sure] = reached[live].max()
        self.error = max(self.error, float(fall[sure].max()))


def _at_most(spare: float, prices: Any) -> Any:
    """How large something of these prices is at most, where ``spare`` is left."""
    return spare / np.maximum(prices, _SMALLEST)


def _distribution(weights: ndarray) -> ndarray:
    """Weights that are a distribution but for rounding, as one."""
    clipped = np.maximum(weights, 0.0)
    return clipped / clipped.sum()
