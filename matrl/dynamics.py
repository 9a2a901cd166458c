"""Gradient dynamics on many two-player, two-action games at once.

Infinitesimal gradient ascent and its relatives as Wen et al., MATRL, section 5.1, set
them side by side, and the controls that tell a gate from a longer step. Points
``[B, 2]`` hold the probability of action 0 of the row and of the column player.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from matrl import meta_2x2
from matrl.matrix_games import START, Games
from matrl.meta_2x2 import MetaGames
from metaspiel.nfg.errors import UserError, unknown

Pairs = Float64[ndarray, "B 2"]
"""A number of each player in each of B games: a point, or what a rule draws."""

BOX = 0.05
"""A point has converged when both probabilities are nearer than this to an equilibrium
(Wen et al., MATRL, section 5.1)."""


@runtime_checkable
class Rule(Protocol):
    """Protocol of learning rules: one step of the players' probabilities."""

    def step(self, games: Games, point: Pairs, uniform: Pairs) -> Pairs:
        """The next point of each game.

        Args:
          games: the games to play.
          point: probabilities of action 0 in each game.
          uniform: this step's random numbers in [0, 1), for rules that draw.
        """
        ...


def clip(point: Pairs) -> Pairs:
    """The nearest point whose numbers are probabilities."""
    return np.minimum(np.maximum(point, 0.0), 1.0)


def _check(where: str, **steps: float) -> None:
    for name, value in steps.items():
        if not 0 <= value < float("inf"):
            raise UserError(
                f"{where}(): {name} must be a number of at least 0; got {value}"
            )


@dataclass(frozen=True)
class IGA:
    """Infinitesimal gradient ascent (Singh et al. 2000): each follows its own gradient.

    Attributes:
      alpha: step size, in probability per unit of payoff.
    """

    alpha: float = 0.02

    def __post_init__(self) -> None:
        _check("IGA", alpha=self.alpha)

    def step(self, games: Games, point: Pairs, uniform: Pairs) -> Pairs:
        return clip(point + self.alpha * games.gradient(point))


@dataclass(frozen=True)
class LookAhead:
    """IGA with policy prediction (Zhang & Lesser 2010), IGA-LA in the paper.

    Each follows its gradient against where the other's gradient leads.

    Attributes:
      alpha: step size.
      gamma: step size of the prediction.
      project: keep the prediction between 0 and 1; the paper does not.
    """

    alpha: float = 0.02
    gamma: float = 0.01
    project: bool = False

    def __post_init__(self) -> None:
        _check("LookAhead", alpha=self.alpha, gamma=self.gamma)

    def step(self, games: Games, point: Pairs, uniform: Pairs) -> Pairs:
        ahead = point + self.gamma * games.gradient(point)
        ahead = clip(ahead) if self.project else ahead
        return clip(point + self.alpha * games.gradient(ahead))


@dataclass(frozen=True)
class WoLF:
    """WoLF-IGA (Bowling & Veloso 2002): win or learn fast.

    A player wins when it earns more than its equilibrium strategy would earn against
    the other's current one. It is told that strategy, which other rules do not know.

    Attributes:
      slow: step size of a player that wins.
      fast: step size of one that does not.
      aim: which equilibrium's strategies are meant: "mixed" (the pure one where there
        is no mixed one) or "first", as in the authors' script.
    """

    slow: float = 0.02
    fast: float = 0.06
    aim: str = "mixed"

    def __post_init__(self) -> None:
        _check("WoLF", slow=self.slow, fast=self.fast)
        if self.aim not in ("mixed", "first"):
            raise unknown("WoLF()", "aim", self.aim, ("mixed", "first"))

    def step(self, games: Games, point: Pairs, uniform: Pairs) -> Pairs:
        aim = games.mixed() if self.aim == "mixed" else games.equilibria[:, 0]
        gradient = games.gradient(point)
        wins = (point - aim) * gradient > 0  # V is linear in the own probability
        return clip(point + np.where(wins, self.slow, self.fast) * gradient)


@dataclass(frozen=True, kw_only=True)
class MATRL:
    """MATRL-IGA: a trial step, a meta-game that gates it, a best response.

    Everyone takes a trial step of IGA. In the meta-game each keeps its policy or
    switches to the predicted one; an equilibrium mixes the two, and each then follows
    its gradient from where it was against the other's mixture.

    Attributes:
      alpha: step size of the trial step.
      beta: step size of the best response.
      select: which equilibrium of the meta-game, where there are several.
      respond: False leaves out the best response and moves to the mixture.
      gate: "nash"; or, as controls, "random" (the share kept is uniform in [0, 1)), or
        a number, the share that everyone keeps: 1 is IGA with step beta, 0 looks ahead.
    """

    alpha: float = 0.02
    beta: float = 0.03
    select: str = "random"
    respond: bool = True
    gate: str | float = "nash"

    def __post_init__(self) -> None:
        _check("MATRL", alpha=self.alpha, beta=self.beta)
        if self.select not in meta_2x2.SELECT:
            raise unknown("MATRL()", "selection", self.select, meta_2x2.SELECT)
        if isinstance(self.gate, str):
            if self.gate not in ("nash", "random"):
                raise unknown("MATRL()", "gate", self.gate, ("nash", "random"))
        elif not 0 <= self.gate <= 1:
            raise UserError(
                f"MATRL(): a fixed gate must lie in [0, 1]; got {self.gate}"
            )

    def predicted(self, games: Games, point: Pairs) -> Pairs:
        """The point that a trial step leads to."""
        return clip(point + self.alpha * games.gradient(point))

    def kept(
        self, games: Games, point: Pairs, predicted: Pairs, uniform: Pairs
    ) -> Pairs:
        """Rho: the share of its current policy that each player keeps."""
        if self.gate == "nash":
            meta = meta_game(games, point, predicted)
            listed = meta_2x2.equilibria(meta)
            return meta_2x2.choose(meta, listed, self.select, uniform[:, 0])
        if self.gate == "random":
            return uniform
        return np.full(point.shape, float(self.gate))

    def step(self, games: Games, point: Pairs, uniform: Pairs) -> Pairs:
        predicted = self.predicted(games, point)
        rho = self.kept(games, point, predicted, uniform)
        mixture = clip(rho * point + (1 - rho) * predicted)  # clip: rounding only
        if not self.respond:
            return mixture
        return clip(point + self.beta * games.gradient(mixture))


def meta_game(games: Games, point: Pairs, predicted: Pairs) -> MetaGames:
    """The exact meta-games between current and predicted strategies.

    Gains are computed from gradients, payoffs being linear in each probability: the
    difference of two almost equal payoffs would lose digits.
    """
    moved = (predicted - point)[..., None]
    gain = moved * np.stack([games.gradient(point), games.gradient(predicted)], axis=2)
    return MetaGames(gain, moved[:, ::-1, 0] * games.influence(point))


def points(
    rule: Rule,
    games: Games,
    steps: int,
    seed: int,
    start: tuple[float, float] = START,
) -> Iterator[Pairs]:
    """The points of all games: where they start, then after each step.

    Every game draws its own random numbers, whatever becomes of the others.

    Raises:
      UserError: ``steps`` or ``seed`` is negative, or ``start`` is no pair of
        probabilities.
    """
    if steps < 0 or seed < 0 or not all(0 <= p <= 1 for p in start):
        raise UserError(
            "points(): steps and seed must be at least 0 and start must be two "
            f"probabilities; got steps {steps}, seed {seed}, start {start}"
        )
    rng = np.random.default_rng(seed)
    point = np.tile(np.array(start), (games.count, 1))
    yield point
    for _ in range(steps):
        point = rule.step(games, point, rng.random(point.shape))
        yield point


def path(
    rule: Rule,
    games: Games,
    steps: int,
    seed: int = 0,
    start: tuple[float, float] = START,
) -> Float64[ndarray, "T B 2"]:
    """The points of all games as one array, T = steps + 1."""
    return np.stack(list(points(rule, games, steps, seed, start)))


@dataclass(frozen=True, eq=False)
class Race:
    """Steps at which games converged.

    Attributes:
      first: first step at which the point is within ``BOX`` of an equilibrium, counted
        from 0 at the start; -1 if never.
      settled: step from which it stays within the box of one equilibrium until the
        end; -1 if it does not.
      last: the last points.
    """

    first: Int64[ndarray, "B"]
    settled: Int64[ndarray, "B"]
    last: Pairs


def race(
    rule: Rule,
    games: Games,
    steps: int = 1000,
    seed: int = 0,
    start: tuple[float, float] = START,
) -> Race:
    """Runs all games to the end and reports when each converged."""
    first = np.full(games.count, -1)
    outside = np.full(games.equilibria.shape[:2], -1)  # last step outside each box
    point = np.empty((games.count, 2))
    for number, point in enumerate(points(rule, games, steps, seed, start)):
        inside = near(games, point)
        outside[~inside] = number
        first[(first < 0) & inside.any(axis=1)] = number
    settled = outside.min(axis=1) + 1
    return Race(first, np.where(settled <= steps, settled, -1), point)


def near(games: Games, point: Pairs) -> Bool[ndarray, "B E"]:
    """Which equilibria each point is within ``BOX`` of."""
    inside = np.abs(games.equilibria - point[:, None]) < BOX  # NaN is never near
    return inside[..., 0] & inside[..., 1]
