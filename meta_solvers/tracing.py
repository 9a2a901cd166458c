"""Some Nash equilibrium of any game, at the end of a path through mixed profiles.

Beside lambda times the game's payoffs every player is paid for mixing: the sum of
``prior * log(x)`` over the own actions. A profile is an equilibrium of that when ::

    x * s = prior,   s = 1 + lambda * (value of the own strategy - worth of the action)

At lambda = 0 the one solution is ``x = prior``; further on the regret is below
1 / lambda. From almost every prior the solutions form one smooth path from there to
an equilibrium, however degenerate the game is. This is the logarithmic tracing
procedure (Harsanyi 1975) with the logarithms alone at its start; Herings & Peeters
(2010) survey such homotopies. In the logarithms of x and 1 + lambda the path ends in a
straight line, so steps grow, and Newton's method on the actions whose probability
exceeds their loss ends at the equilibrium to rounding.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.mixing import Mixing, polished
from metaspiel.nfg.game import Game

ENOUGH = 1e-12  # a regret that need not be improved
LONGEST = 1_000  # steps of one path
_FIRST, _SHORTEST, _LONGEST = 0.1, 1e-4, 4.0  # lengths of steps, in logarithms
_CLOSE = 1e-2  # residual at which a point is on the path, as a fraction of the prior
_ROUNDING = 1e-14  # of payoffs, which lambda multiplies
_END = 28.0  # log(1 + lambda) at which the path's own regret is about ENOUGH
# What the next step's length is multiplied by, by the corrections that this one took.
_GROWTH = (1.8, 1.8, 1.8, 1.3, 1.0, 0.6)


@dataclass(frozen=True, eq=False, kw_only=True)
class Limits:
    """How long to look for an equilibrium.

    Attributes:
      tolerance: largest regret of an equilibrium, as a fraction of payoff range.
      starts: paths that may be followed.
      steps: steps for all of them together, at most ``LONGEST`` on one.
      seconds: wall seconds for all of them.
    """

    tolerance: float
    starts: int
    steps: int
    seconds: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Traced:
    """The profile of least regret on the paths that were followed.

    Attributes:
      profile: a mixed strategy for each player.
      regret: largest gain of a player from deviating, as a fraction of payoff range.
      steps: steps on all paths.
      paths: paths followed.
      failed: a sentence for each path that came to no equilibrium.
    """

    profile: list[ndarray]
    regret: float
    steps: int
    paths: int
    failed: list[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Point:
    """A point at or near the path.

    ``at`` ``[T + 1]``: log(x), then log(1 + lambda). ``residual`` ``[T]``: of
    ``x * s / prior = 1``, and ``slopes`` ``[T, T + 1]``: its derivatives by ``at``.
    """

    at: ndarray
    x: ndarray
    residual: ndarray
    slopes: ndarray


@dataclass(frozen=True, eq=False)
class _Path:
    """The path that starts at ``prior`` ``[T]``."""

    mixing: Mixing
    prior: Float64[ndarray, " T"]

    def points(self) -> Iterator[_Point]:
        """Points along the path, until it ends or is lost."""
        here = self._point(np.append(np.log(self.prior), 0.0))
        ahead = np.append(np.zeros(len(self.prior)), 1.0)
        length = _FIRST
        while 0.0 <= here.at[-1] < _END and length >= _SHORTEST:
            direction = _solved(here.slopes, ahead, np.append(0.0 * here.x, 1.0))
            if direction is None:
                return
            direction /= np.linalg.norm(direction)
            there, corrections = self._corrected(here, direction, length)
            if there is None:
                length *= 0.4
                continue
            length = min(length * _GROWTH[corrections], _LONGEST)
            here, ahead = there, direction
            yield here

    def _corrected(
        self, here: _Point, direction: ndarray, length: float
    ) -> tuple[_Point | None, int]:
        """The point of the path ahead, across ``direction``; None where it is not."""
        there = self._point(here.at + length * direction)
        before = np.inf
        for corrections in range(len(_GROWTH)):
            error = np.abs(there.residual).max()
            if error < _CLOSE + _ROUNDING * np.exp(there.at[-1]):
                return there, corrections
            # The first correction may well enlarge the error, which lambda multiplies.
            if corrections > 1 and not error < 0.7 * before:
                break
            before = error
            step = _solved(there.slopes, direction, np.append(-there.residual, 0.0))
            if step is None or not np.abs(step).max() <= 2 * length + 0.5:
                break
            there = self._point(there.at + step)
        return None, 0

    def _point(self, at: Float64[ndarray, " V"]) -> _Point:
        x, rate = np.exp(at[:-1]), np.expm1(at[-1])
        worth, change = self.mixing.values(x)
        owner, weight = self.mixing.owner, x / self.prior
        loss = owner @ ((x * worth) @ owner) - worth
        of_value = (x[:, None] * change).T @ owner + owner * worth[:, None]
        slopes = np.empty((len(x), len(x) + 1))
        slopes[:, :-1] = (rate * weight)[:, None] * (owner @ of_value.T - change) * x
        # By log(x) the derivative of prior / x is -prior / x: 1 after scaling, on the
        # path and off it. Taken from s, of which lambda multiplies the error, it would
        # be far off.
        slopes[:, :-1] += np.eye(len(x))
        slopes[:, -1] = weight * loss * (rate + 1.0)
        residual = weight * (1.0 + rate * loss) - 1.0
        return _Point(at=at, x=x, residual=residual, slopes=slopes)


def _solved(slopes: ndarray, across: ndarray, right: ndarray) -> ndarray | None:
    """Solves the equations with one more: the component along ``across``."""
    try:
        solution = np.linalg.solve(np.vstack([slopes, across]), right)
    except np.linalg.LinAlgError:
        return None
    return solution if np.isfinite(solution).all() else None


def _profiles(mixing: Mixing, path: _Path) -> Iterator[tuple[ndarray, float]]:
    """A profile and its regret at each step: the point's, or better, polished."""
    polished_at: dict[bytes, float] = {}
    for point in path.points():
        x = mixing.normalised(point.x)
        regret = mixing.regret(x, mixing.values(x)[0])
        grown = float(point.at[-1])
        # On the path the loss is prior / (x * lambda); it is compared with 4 * x.
        played = 4.0 * x * x * np.exp(grown) > path.prior
        for part in mixing.parts:
            played[part] |= x[part] == x[part].max()
        # the same support again only when lambda has grown a lot
        if grown > 3.0 and grown > polished_at.get(played.tobytes(), 0.0) + 2.0:
            polished_at[played.tobytes()] = grown
            better, least = polished(mixing, x, played)
            if least < regret:
                x, regret = better, least
        yield x, regret


def equilibrium(game: Game, limits: Limits, priors: Iterator[list[ndarray]]) -> Traced:
    """Follows one path after another until one comes to an equilibrium.

    Args:
      game: any number of players and actions.
      limits: when to give up.
      priors: where the paths start: positive strategies of all players.
    """
    mixing = Mixing(game.normalised)
    deadline = time.monotonic() + limits.seconds
    best, least = np.concatenate([np.ones(a) / a for a in game.actions]), np.inf
    steps, paths = 0, 0
    failed: list[str] = []
    for prior in itertools.islice(priors, limits.starts):
        paths += 1
        path = _Path(mixing, np.concatenate(prior))
        allowed, own = min(LONGEST, limits.steps - steps), np.inf
        for x, regret in itertools.islice(_profiles(mixing, path), allowed):
            steps, own = steps + 1, min(own, regret)
            if regret < least:
                best, least = x, regret
            if least <= ENOUGH or time.monotonic() > deadline:
                break
        if least <= limits.tolerance:
            break
        failed.append(f"path {paths}: regret {own:.3g}, {steps} steps so far")
        late = time.monotonic() > deadline
        if late or steps >= limits.steps:
            limit = f"{limits.seconds:g} s" if late else f"{limits.steps} steps"
            failed.append(f"stopped after {limit}")
            break
    return Traced(
        profile=mixing.split(best),
        regret=least,
        steps=steps,
        paths=paths,
        failed=failed,
    )
