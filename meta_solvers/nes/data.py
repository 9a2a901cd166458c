"""Games to train on, drawn afresh at every step: no solutions, no data set.

Payoffs are uniform on the L2-invariant sphere (zero mean, unit variance per player),
to which every game is equivalent (Marris et al. 2022, section 4.1). Sizes are mixed
from batch to batch, so that one network serves all of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from meta_solvers.exact.problem import Concept, Problem, normalise
from meta_solvers.nes.architecture import Selects
from metaspiel.nfg.errors import BadField


@dataclass(frozen=True, kw_only=True)
class Games:
    """A distribution of games.

    Attributes:
      least: fewest actions of a player.
      most: most actions of a player; sizes are log-uniform in between.
      square: share of batches in which all players have equally many actions.
      shapes: sizes of batches, as "4x4", each as likely; none for sizes as above.
      related: share of games in which everybody's payoffs are correlated with the first
        player's: a third of them opposite (two players: zero sum), a sixth the same,
        the others by a uniform coefficient.
      naive: draw payoffs uniformly from [-1, 1] and leave them so (an ablation).
    """

    least: int = 2
    most: int = 64
    square: float = 0.5
    shapes: tuple[str, ...] = ()
    related: float = 0.0
    naive: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.related <= 1:
            raise BadField(
                type(self), "related", f"must be from 0 to 1; got {self.related}"
            )
        for text in self.shapes:
            sizes = _counts(text)
            if not sizes or min(sizes) < self.least or max(sizes) > self.most:
                raise BadField(
                    type(self),
                    "shapes",
                    f'must be as "4x4", with from {self.least} to {self.most} actions; '
                    f"got {text!r}",
                )
        if not 1 <= self.least <= self.most:
            raise BadField(
                type(self),
                "least",
                "must be at least 1 and most at least that; got "
                f"{self.least} and {self.most}",
            )

    def sizes(self, players: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Numbers of actions of one batch."""
        if self.shapes:
            return _counts(self.shapes[int(rng.integers(len(self.shapes)))])
        low, high = math.log(self.least), math.log(self.most + 1)
        drawn = np.exp(rng.uniform(low, high, players)).astype(int)
        drawn = np.clip(drawn, self.least, self.most)
        if rng.random() < self.square:
            drawn[:] = drawn[0]
        return tuple(int(n) for n in drawn)

    def draw(
        self,
        batch: int,
        actions: tuple[int, ...],
        rng: np.random.Generator,
        *,
        concept: Concept = "cce",
        selects: Selects = "entropy",
    ) -> Problem:
        """B problems of one size, numpy float64, hard epsilon.

        Args:
          batch: number of games, B.
          actions: of each player.
          rng: what the games are drawn with.
          concept: "cce" or "ce".
          selects: "entropy" (uniform target, no welfare, epsilon 0) or "any" (targets,
            welfare and epsilon are drawn as well).
        """
        shape = (batch, len(actions), *actions)
        count = math.prod(actions)
        mass = np.full((batch, *actions), 1.0 / count)
        if self.naive:
            payoffs = rng.uniform(-1, 1, shape)
        else:
            payoffs, _ = normalise(rng.standard_normal(shape), mass)
            if self.related > 0:
                payoffs, _ = normalise(_related(payoffs, self.related, rng), mass)
        base, epsilon = np.log(mass), np.zeros((batch, len(actions)))
        if selects == "any":
            base = _targets(base, rng) + _welfare(payoffs, rng)
            wide = rng.random((batch, 1)) < 0.5
            epsilon = wide * rng.uniform(0.0, 0.5, epsilon.shape)
        real = np.zeros((batch, len(actions), max(actions)))
        for p, n in enumerate(actions):
            real[:, p, :n] = 1.0
        none = np.zeros_like(epsilon)
        return Problem(
            concept=concept,
            payoffs=payoffs,
            base=base,
            epsilon=epsilon,
            width=none,
            softness=none,
            real=real,
        )


def _counts(text: str) -> tuple[int, ...]:
    """The numbers of "4x4"; none where it has no such form."""
    parts = text.split("x")
    return tuple(map(int, parts)) if all(one.isdecimal() for one in parts) else ()


def _related(payoffs: ndarray, share: float, rng: np.random.Generator) -> ndarray:
    """Everybody's payoffs correlated with the first player's, in a share of games."""
    wide = (payoffs.shape[0], *[1] * (payoffs.ndim - 1))
    kind, some = rng.random(wide), rng.uniform(-1.0, 1.0, wide)
    link = np.where(kind < share / 3, -1.0, np.where(kind < share / 2, 1.0, some))
    other = link * payoffs[:, :1] + np.sqrt(1 - link * link) * payoffs[:, 1:]
    joined = np.concatenate([payoffs[:, :1], other], 1)
    return np.where(kind < share, joined, payoffs)


def _targets(base: ndarray, rng: np.random.Generator) -> ndarray:
    """Logarithms of targets: uniform, Dirichlet of any concentration, almost pure."""
    batch, count = base.shape[0], base[0].size
    kind = rng.random((batch, 1))
    power = np.exp(rng.uniform(math.log(0.01), 0.0, (batch, 1)))
    # ln Gamma(c) variables, c <= 1, without underflow: ln G(c + 1) + ln(U) / c.
    logs = np.log(rng.gamma(power + 1, size=(batch, count)))
    logs = logs + np.log(rng.random((batch, count))) / power
    rest = np.exp(rng.uniform(math.log(1e-4), math.log(0.3), (batch, 1)))
    pure = np.broadcast_to(np.log(rest / max(count - 1, 1)), logs.shape).copy()
    chosen = rng.integers(count, size=(batch, 1))
    np.put_along_axis(pure, chosen, np.log1p(-rest), 1)
    logs = np.where(kind < 0.4, 0.0, np.where(kind < 0.8, logs, pure))
    top = logs.max(1, keepdims=True)
    logs = np.maximum(logs - top, -20.0)
    logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
    return logs.reshape(base.shape)


def _welfare(payoffs: ndarray, rng: np.random.Generator) -> ndarray:
    """Draws ``mu W``: none, the sum of payoffs, or any function of the joint action."""
    batch = payoffs.shape[0]
    shape = (batch, *[1] * (payoffs.ndim - 2))
    kind = rng.random(shape)
    total = payoffs.sum(1)
    other = rng.standard_normal(total.shape)
    axes = tuple(range(1, total.ndim))
    other = other - other.mean(axes, keepdims=True)
    weight = np.exp(rng.uniform(math.log(0.1), math.log(5.0), shape))
    return np.where(kind < 0.4, 0.0, np.where(kind < 0.7, total, other) * weight)
