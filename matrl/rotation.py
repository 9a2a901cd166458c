"""The rotational differential game of Wen et al., MATRL, Figure 3, and its methods.

Two players minimise L1 = c x^2 / 2 + k x y and L2 = c y^2 / 2 - k x y, each over its
own unbounded number: the paper has c = 1 and k = 10. The only equilibrium is the
origin, around which simultaneous gradients turn. Points ``[B, 2]`` hold x and y.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from matrl import meta_2x2
from matrl.meta_2x2 import MetaGames
from metaspiel.nfg.errors import UserError, unknown

METHODS = ("gd", "eg", "la", "matrl", "matrl-wo-br")
"""Gradient descent, extra-gradient (Korpelevich 1976), look-ahead (Zhang & Lesser
2010), MATRL, and MATRL without the best response."""


@dataclass(frozen=True)
class Rotation:
    """A two-player game whose gradient field rotates.

    Attributes:
      curvature: c, of a player's own loss.
      coupling: k, of the term that the players share.
    """

    curvature: float = 1.0
    coupling: float = 10.0

    def losses(self, point: Float64[ndarray, "B 2"]) -> Float64[ndarray, "B 2"]:
        """L1 and L2, the losses of both players."""
        turned = self.coupling * point[:, :1] * point[:, 1:] * np.array([1.0, -1.0])
        return 0.5 * self.curvature * point**2 + turned

    def gradient(
        self, own: Float64[ndarray, "B 2"], other: Float64[ndarray, "B 2"]
    ) -> Float64[ndarray, "B 2"]:
        """Derivative of each player's loss in its own number.

        Args:
          own: the point whose entries the players have themselves.
          other: the point whose entries they see of each other.
        """
        sign = np.array([self.coupling, -self.coupling])
        return self.curvature * own + sign * other[:, ::-1]

    def meta_game(
        self, point: Float64[ndarray, "B 2"], predicted: Float64[ndarray, "B 2"]
    ) -> MetaGames:
        """Meta-games of keeping a number or switching; payoffs are falls of the loss.

        A loss is quadratic in the own number, so the gain of switching is the move
        times minus the mean gradient of its two ends.
        """
        middle = (point + predicted) / 2
        moved = predicted - point
        seen = [self.gradient(middle, other) for other in (point, predicted)]
        gain = -moved[..., None] * np.stack(seen, axis=2)
        sign = np.array([-self.coupling, self.coupling])
        return MetaGames(gain, sign * point * moved[:, ::-1])


@dataclass(frozen=True)
class Trace:
    """The points of a run, and the shares kept in its meta-games.

    Attributes:
      points: ``[T, B, 2]``, T = steps + 1 with the start.
      rho: the share of its number that each player kept, ``[T - 1, B, 2]``; NaN for
        methods without a meta-game.
    """

    points: Float64[ndarray, "T B 2"]
    rho: Float64[ndarray, "S B 2"]

    def norms(self) -> Float64[ndarray, "T B"]:
        """Distance from the equilibrium."""
        return np.sqrt((self.points**2).sum(axis=2))


def run(
    method: str,
    start: Float64[ndarray, "B 2"],
    steps: int = 1000,
    rate: float = 0.02,
    game: Rotation = Rotation(),
    select: str = "random",
    seed: int = 0,
) -> Trace:
    """Runs a method from B starting points; all methods have step size ``rate``.

    Raises:
      UserError: the method is unknown, or a number is out of range.
    """
    if method not in METHODS:
        raise unknown("run()", "method", method, METHODS)
    if not (0 < rate < float("inf") and steps >= 1 and seed >= 0):
        raise UserError(
            "run(): rate must be positive, steps at least 1 and seed at least 0; got "
            f"{rate}, {steps} and {seed}"
        )
    rng = np.random.default_rng(seed)
    points, rhos = [start], []
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is refused below
        for _ in range(steps):
            after, rho = _step(
                method,
                points[-1],
                rate,
                game=game,
                select=select,
                uniform=rng.random(len(start)),
            )
            points.append(after)
            rhos.append(rho)
            if not np.isfinite(after).all():
                raise UserError(
                    f"run(): points must stay finite; got rate {rate} with which "
                    f"'{method}' overflows in step {len(rhos)}"
                )
    return Trace(np.stack(points), np.stack(rhos))


def _step(
    method: str,
    point: ndarray,
    rate: float,
    game: Rotation,
    select: str,
    uniform: ndarray,
) -> tuple[ndarray, ndarray]:
    """The next points, and the shares kept in the meta-games."""
    plain = point - rate * game.gradient(point, point)
    rho = np.full(point.shape, np.nan)
    if method == "gd":
        return plain, rho
    if method == "eg":
        return point - rate * game.gradient(plain, plain), rho
    if method == "la":
        return point - rate * game.gradient(point, plain), rho
    meta = game.meta_game(point, plain)
    rho = meta_2x2.choose(meta, meta_2x2.equilibria(meta), select, uniform)
    mixture = rho * point + (1 - rho) * plain
    if method == "matrl-wo-br":
        return mixture, rho
    return point - rate * game.gradient(point, mixture), rho


def first_within(norms: Float64[ndarray, "T B"], radius: float) -> list[int | None]:
    """The first step at which each norm is below ``radius``; None if none is."""
    inside = norms < radius
    steps = np.where(inside.any(axis=0), inside.argmax(axis=0), -1)
    return [int(step) if step >= 0 else None for step in steps]
