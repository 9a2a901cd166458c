"""Nash equilibria of games in which every player has two actions: all of them.

Two players in closed form, thousands of games at once; up to six by support patterns;
more by pure equilibria and descent, with the regret reached.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from meta_solvers.base import Answer, MetaSolver, Status, failure
from meta_solvers.listing import Listing
from meta_solvers.multilinear import slopes, value
from meta_solvers.patterns import (
    TOLERANCE,
    Found,
    enumerate_all,
    gains,
    pure,
    regrets,
)
from metaspiel.nfg.errors import UserError, at_least, positive
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.simplex import product

MOST_PLAYERS = 6  # above it the support patterns are not enumerated
_INSIDE = 1e-12  # nearer than this to 0 or 1 is pure


def equilibria(game: Game) -> list[Float64[ndarray, "N 2"]]:
    """Every Nash equilibrium of an N-player two-action game, N <= 6.

    As ``listing``, where the list is complete.

    Raises:
      UserError: a player does not have two actions, there are too many players, or
        equilibria may be missing.
    """
    return [np.stack(profile) for profile in listing(game).require()]


def listing(game: Game) -> Listing:
    """Every Nash equilibrium of an N-player two-action game, N <= 6, measured.

    Pure ones first, in lexicographic order of actions; then by number of players who
    mix, then by the probabilities of action 1. Where equilibria form a continuum, its
    vertices (points at which N independent conditions are tight) stand for it; a closed
    curve, which has none, is represented by points on it.

    Raises:
      UserError: a player does not have two actions, or there are too many players.
    """
    reason = _refusal(game)
    if reason or game.players > MOST_PLAYERS:
        reason = reason or (
            f"at most {MOST_PLAYERS} players can be enumerated; got {game.players}"
        )
        raise UserError(f"equilibria(): {reason}")
    table = gains(game)
    listed = enumerate_all(table)
    profiles = [tuple(_profile(x)) for x in listed.x]
    worst = regrets(table, listed.x).max(axis=1)
    return Listing(profiles, worst, _missing(game, listed))


def _missing(game: Game, listed: Found) -> str:
    """Why equilibria may be missing from a list; empty where none is."""
    if game.players <= 2 or not listed.unresolved:
        return ""
    return (
        "there are continua, or multiple roots, and of "
        f"{listed.unresolved} systems of equations some roots may be unknown"
    )


def equilibria_2x2(
    payoffs: Float64[ndarray, "B 2 2 2"], tolerance: float = TOLERANCE
) -> tuple[Float64[ndarray, "B 9 2 2"], Bool[ndarray, "B 9"]]:
    """All equilibria of B games ``[B, player, row, column]`` at once, in closed form.

    Each player plays 0, 1 or whatever makes the other indifferent: nine candidates,
    each an equilibrium or not. In a degenerate game they are the vertices of the
    continua of equilibria.

    Args:
      payoffs: both players' payoffs in each game; any finite scale.
      tolerance: regret allowed, as a fraction of each player's payoff range.

    Returns:
      Profiles ``[B, 9, player, action]`` (NaN where not one) and the mask ``[B, 9]``,
      pure ones first, both mixing last.
    """
    low = payoffs.min(axis=(2, 3), keepdims=True)
    high = payoffs.max(axis=(2, 3), keepdims=True)
    unit = (payoffs - low) / np.where(high > low, high - low, 1.0)
    row = unit[:, 0, 1] - unit[:, 0, 0]  # gain of row's action 1, at each column
    column = unit[:, 1, :, 1] - unit[:, 1, :, 0]
    x, mask = equilibria_of_gains(np.stack([row, column], axis=1), tolerance)
    return np.stack([1 - x, x], axis=-1), mask


# What the row and the column player of each candidate play: 0, 1 or 2 for mixing.
_ROW = np.array([0, 0, 1, 1, 0, 1, 2, 2, 2])
_COLUMN = np.array([0, 1, 0, 1, 2, 2, 0, 1, 2])


def equilibria_of_gains(
    gains: Float64[ndarray, "B 2 2"], tolerance: float = TOLERANCE
) -> tuple[Float64[ndarray, "B 9 2"], Bool[ndarray, "B 9"]]:
    """All equilibria of B games of 2 x 2 actions given by what action 1 gains.

    The core of ``equilibria_2x2``, for games of which gains are known more exactly than
    payoffs. Pure candidates come first, in lexicographic order, both mixing last.

    Args:
      gains: ``[B, player, action of the other]``, payoff of action 1 less action 0.
      tolerance: regret allowed, in the unit of ``gains``.

    Returns:
      Probabilities of action 1 ``[B, 9, player]`` (NaN where not an equilibrium) and
      the mask ``[B, 9]``.
    """
    first, last = gains[:, :, 0].T, gains[:, :, 1].T  # [player, B]
    slope = first - last
    crossing = first / np.where(slope == 0, np.nan, slope)
    # what makes a player indifferent is played by the other
    crossing[~((crossing > _INSIDE) & (crossing < 1 - _INSIDE))] = np.nan
    mixed = crossing[::-1]
    played = np.stack([np.zeros_like(mixed), np.ones_like(mixed), mixed])
    gained = np.stack([first, last, first * (1 - crossing) + last * crossing])
    row, column = played[_ROW, 0], played[_COLUMN, 1]
    mask = np.ones(row.shape, dtype=np.bool_)
    for own, gain in ((row, gained[_COLUMN, 0]), (column, gained[_ROW, 1])):
        # comparisons with NaN fail
        mask &= ((1 - own) * gain <= tolerance) & (-own * gain <= tolerance)
    points = np.where(mask[..., None], np.stack([row, column], axis=-1), np.nan)
    return points.swapaxes(0, 1), mask.T


def _profile(x: ndarray) -> ndarray:
    return np.stack([1 - x, x], axis=1)


def _refusal(game: Game) -> str | None:
    if any(size != 2 for size in game.actions):
        return f"every player must have two actions; got {list(game.actions)}"
    return None


def _unbeaten(game: Game, joint: ndarray) -> bool:
    """Whether no profile at all has a larger sum of payoffs."""
    slack = 1e-12 * float(np.abs(game.payoffs).max())
    best = float(game.payoffs.sum(axis=0).max())
    return float(expected(game, joint).sum()) >= best - slack


def _descend(
    table: ndarray, starts: int, enough: float, rng: np.random.Generator
) -> tuple[ndarray, int]:
    """Least regret found by minimising squared regret from random starts.

    The sum of squares (the Lyapunov function of McKelvey & McLennan 1996) is zero
    exactly at equilibria. Stops at a regret of ``enough``. Returns ``x`` ``[N]`` and
    the number of starts used.
    """
    from scipy.optimize import minimize

    n = len(table)
    best, least = np.full(n, 0.5), np.inf

    def lyapunov(x: ndarray) -> tuple[float, ndarray]:
        gain, slope = value(table[None], x[None])[0], slopes(table[None], x[None])[0]
        up, down = np.maximum(gain, 0) * (1 - x), np.maximum(-gain, 0) * x
        outer = up * (1 - x) * (gain > 0) - down * x * (gain < 0)
        own = -up * np.maximum(gain, 0) + down * np.maximum(-gain, 0)
        return 1e3 * float(up @ up + down @ down), 2e3 * (outer @ slope + own)

    used = 0
    while used < starts and least > enough:
        used += 1
        start = rng.uniform(size=n)
        result = minimize(
            lyapunov,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, 1)] * n,
            options={"ftol": 1e-20, "gtol": 1e-14, "maxiter": 2000},
        )
        for x in (result.x, _polished(table, result.x)):
            regret = float(regrets(table, x[None]).max())
            if regret < least:
                best, least = x, regret
    return best, used


def _polished(table: ndarray, x: ndarray) -> ndarray:
    """Newton on the indifference of those who mix; the others set to 0 or 1."""
    free = np.flatnonzero((x > 1e-3) & (x < 1 - 1e-3))
    x = np.where((x > 1e-3) & (x < 1 - 1e-3), x, np.round(x))
    for _ in range(20):
        gain = value(table[None], x[None])[0][free]
        slope = slopes(table[None], x[None])[0][np.ix_(free, free)]
        x[free] -= np.linalg.lstsq(slope, gain, rcond=None)[0]
        x = np.clip(x, 0.0, 1.0)
    return x


@dataclass(frozen=True)
class TwoActionNash(MetaSolver):
    """A Nash equilibrium of a game in which every player has two actions.

    Up to six players every equilibrium is found and ``select`` chooses among them; with
    more, pure equilibria are listed, and where there are none the squared regret is
    minimised from random starts and the regret reached is reported.

    Attributes:
      select: "first": pure before mixed, lexicographic by actions (the cheapest: with a
        pure equilibrium nothing else is computed); "random": uniform over the list;
        "max_welfare": largest sum of payoffs, INCOMPLETE where a better equilibrium may
        exist that is not in the list; "risk_dominant": largest product of the players'
        losses from deviating alone (Harsanyi & Selten 1988 for 2 x 2), the first
        equilibrium where none is strict. Ties go to the earlier one.
      pure_first: choose among pure equilibria only, when there are any. ("first" does.)
      tolerance: largest regret called a solution, as a fraction of payoff range.
      starts: random starts tried in games of more than six players.
    """

    select: Literal["first", "random", "max_welfare", "risk_dominant"] = "first"
    pure_first: bool = False
    tolerance: float = TOLERANCE
    starts: int = 20

    concept: ClassVar[Literal["ne"]] = "ne"
    stochastic: ClassVar[bool] = True
    maximises: ClassVar[str] = "a chosen one of all Nash equilibria (two actions each)"
    source: ClassVar[str] = "McKelvey & McLennan 1996; Harsanyi & Selten 1988"

    def __post_init__(self) -> None:
        positive(self, "tolerance")
        at_least(self, starts=1)

    def refuses(self, game: Game) -> str | None:
        return _refusal(game)

    def distribution(self, game: Game, rng: np.random.Generator) -> Answer:
        table = gains(game)
        listed = pure(table)
        facts: dict[str, object] = {"pure": len(listed), "used": "pure"}
        brief = len(listed) > 0 and (self.select == "first" or self.pure_first)
        missing = "" if brief else "only some equilibria are known of so many players"
        if not brief and game.players <= MOST_PLAYERS:
            missing = ""
            enumerated = enumerate_all(table)
            listed, facts["used"] = enumerated.x, "all"
            facts |= {"equilibria": len(enumerated.x), "continua": enumerated.continua}
            if enumerated.continua and game.players > 2:
                missing = "a better equilibrium may lie inside a continuum"
        if not len(listed):
            x, facts["starts"] = _descend(table, self.starts, self.tolerance, rng)
            listed, facts["used"] = x[None], "descent"
        x = listed[self._chosen(game, table, listed, rng)]
        facts["regret"] = regret = float(regrets(table, x[None]).max())
        if not np.isfinite(regret):
            return failure(game, Status.NUMERICAL, **facts)
        joint = product(list(_profile(x)))
        status = Status.OK if regret <= self.tolerance else Status.INACCURATE
        if self.select == "max_welfare" and missing and not _unbeaten(game, joint):
            facts["missing"] = missing
            status = Status.INCOMPLETE if status is Status.OK else status
        return Answer(joint, status, diagnostics=facts)

    def _chosen(
        self, game: Game, table: ndarray, x: ndarray, rng: np.random.Generator
    ) -> int:
        """Index of the selected row of ``x``."""
        if self.select == "random":
            return int(rng.integers(len(x)))
        if self.select == "first":
            return 0
        if self.select == "max_welfare":
            joints = (product(list(_profile(row))) for row in x)
            score = np.array([expected(game, joint).sum() for joint in joints])
            slack = 1e-12 * float(np.abs(game.payoffs).max())
        else:
            gain = value(np.broadcast_to(table, (len(x), *table.shape)), x)
            loss = np.where(x == 1, gain, np.where(x == 0, -gain, 0.0))
            score = np.prod(np.maximum(loss, 0.0), axis=1)
            slack = 1e-9 * float(score.max())
        return int(np.flatnonzero(score >= score.max() - slack)[0])
