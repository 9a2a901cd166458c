"""Many two-player games of two actions each: random classes and named games.

Classes, start and convergence rule are those of Wen et al., MATRL, section 5.1 and
appendix; the draws follow their released script, so seeds 0, 1, ... give its games.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.two_action import equilibria_2x2
from metaspiel.nfg.catalogue import Entry
from metaspiel.nfg.catalogue import named as catalogued
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game

START = (0.9, 0.2)
"""Probabilities of action 0 from which the paper starts every game."""
_SEEDS = 2**32  # of the Mersenne Twister, one word


@dataclass(frozen=True, eq=False)
class Games:
    """B two-player games of two actions, as functions of the chances of action 0.

    A point ``[B, 2]`` holds the probability of action 0 of the row and of the column
    player. A player's expected payoff is linear in either probability; coefficients
    ``[B, player, 2]`` hold the value at the other probability 0 and at 1.

    Attributes:
      payoffs: ``[B, player, row, column]``, any finite unit.
      own: derivative of a player's payoff in its own probability, where the other
        plays action 1 (index 0) or action 0 (index 1) for certain.
      cross: derivative of its payoff in the other's probability, where it plays action
        1 or action 0 for certain itself.
      equilibria: every Nash equilibrium as a point ``[B, E, 2]``, pure ones first; NaN
        fills the rows of games with fewer than E.
    """

    payoffs: Float64[ndarray, "B 2 2 2"]
    own: Float64[ndarray, "B 2 2"]
    cross: Float64[ndarray, "B 2 2"]
    equilibria: Float64[ndarray, "B E 2"]

    @classmethod
    def of(cls, payoffs: Float64[ndarray, "B 2 2 2"]) -> "Games":
        """Games from payoffs ``[B, player, row, column]``.

        Raises:
          UserError: there is no game, or a payoff is not finite.
        """
        if not (len(payoffs) and np.isfinite(payoffs).all()):
            raise UserError(
                "Games.of(): payoffs must be finite, of at least one game; got "
                f"{len(payoffs)} games, {int((~np.isfinite(payoffs)).sum())} entries "
                "not finite"
            )
        # both players as "payoffs by own action, the other's action"
        mine = np.stack([payoffs[:, 0], payoffs[:, 1].swapaxes(1, 2)], axis=1)
        profiles, mask = equilibria_2x2(payoffs)
        count = int(mask.sum(axis=1).max())
        order = np.argsort(~mask, axis=1, kind="stable")[:, :count]
        equilibria = np.take_along_axis(profiles[..., 0], order[..., None], axis=1)
        return cls(
            payoffs=payoffs,
            own=(mine[:, :, 0] - mine[:, :, 1])[..., ::-1],
            cross=(mine[..., 0] - mine[..., 1])[..., ::-1],
            equilibria=equilibria,
        )

    @property
    def count(self) -> int:
        """Number of games, B."""
        return len(self.payoffs)

    def gradient(self, point: Float64[ndarray, "B 2"]) -> Float64[ndarray, "B 2"]:
        """Derivative of each player's payoff in its own probability."""
        return _between(self.own, point[:, ::-1])

    def influence(self, point: Float64[ndarray, "B 2"]) -> Float64[ndarray, "B 2"]:
        """Derivative of each player's payoff in the other's probability."""
        return _between(self.cross, point)

    def values(self, point: Float64[ndarray, "B 2"]) -> Float64[ndarray, "B 2"]:
        """Expected payoff of each player."""
        chances = np.stack([point, 1 - point], axis=-1)
        return np.einsum(
            "bprc,br,bc->bp", self.payoffs, chances[:, 0], chances[:, 1], optimize=False
        )

    def mixed(self) -> Float64[ndarray, "B 2"]:
        """The mixed equilibrium of each game, or else its last pure one."""
        last = (~np.isnan(self.equilibria[..., 0])).sum(axis=1) - 1
        return self.equilibria[np.arange(self.count), last]


def _between(ends: ndarray, at: ndarray) -> ndarray:
    return ends[..., 0] + (ends[..., 1] - ends[..., 0]) * at


def draw(kind: str, count: int, first: int = 0) -> Float64[ndarray, "B 2 2 2"]:
    """Random games of a class, one a seed: seeds ``first``, ``first + 1``, ...

    coordination: two pure equilibria on the diagonal and a mixed one; anti-coordination
    off the diagonal; cyclic: a mixed one only. A game with an even number of equilibria
    is degenerate (Wilson 1971) and left out; the next seed takes its place.

    Returns:
      Payoffs ``[B, player, row, column]``.

    Raises:
      UserError: the class is unknown, or a number is out of range.
    """
    if kind not in _CLASSES:
        raise unknown("draw()", "class", kind, _CLASSES)
    if count < 1 or first < 0 or first + count > _SEEDS:
        raise UserError(
            "draw(): count must be at least 1 and seeds must lie in 0 to 2^32 - 1; got "
            f"{count} games from seed {first}"
        )
    kept: list[ndarray] = []
    while len(kept) < count:
        seeds = range(first, first + count - len(kept))
        games = np.array([_CLASSES[kind](_uniform(seed)) for seed in seeds])
        odd = equilibria_2x2(games)[1].sum(axis=1) % 2 == 1
        kept += list(games[odd])
        first += len(seeds)
    return np.stack(kept)


_Draw = Callable[[], float]
_Table = list[list[list[float]]]


def _uniform(seed: int) -> _Draw:
    # A Mersenne Twister seeded by one word, as the authors' script has it.
    return np.random.RandomState(seed).random_sample


def _rising(u: _Draw) -> tuple[float, float]:
    low = u()
    return low, low + u()


def _coordination(u: _Draw) -> _Table:
    b = u()
    d = b + u()
    c = d + u()
    a = c + u()
    g, e = _rising(u)
    f, h = _rising(u)
    return [[[a, b], [c, d]], [[e, g], [f, h]]]


def _anti_coordination(u: _Draw) -> _Table:
    a = -1 - u()
    c = a + u()
    if u() < 0.5:
        b = abs(a) - 0.1 * u()
        d = min(abs(c), b) - 0.1 * u()
    else:
        d = c + 0.1 * u()
        b = d + 0.1 * u()
    e, g = _rising(u)
    h, f = _rising(u)
    return [[[a, b], [c, d]], [[e, g], [f, h]]]


def _cyclic(u: _Draw) -> _Table:
    kept = u() < 0.5
    e, g = _rising(u)
    h, f = _rising(u)
    a = 0.5 + u()
    c = -a + 0.1 * u()
    d = abs(c) - 0.1 * u()
    b = d - 0.1 * u()
    if kept:
        return [[[a, b], [c, d]], [[e, g], [f, h]]]
    return [[[c, d], [a, b]], [[g, e], [h, f]]]  # what actions pay is exchanged


_CLASSES: dict[str, Callable[[_Draw], _Table]] = {
    "coordination": _coordination,
    "anti_coordination": _anti_coordination,
    "cyclic": _cyclic,
}
CLASSES = ("coordination", "anti_coordination", "cyclic")
"""The classes of Table 1."""

NAMED = (
    "matching_pennies",
    "prisoners_dilemma",
    "stag_hunt",
    "chicken",
    "deadlock",
    "harmony",
    "coordination",
    "battle_of_the_sexes",
)
"""Named games whose trajectories the paper's appendix draws."""


def named(name: str) -> Entry:
    """A named game with its known equilibria.

    Raises:
      UserError: the name is not in ``NAMED``.
    """
    if name not in NAMED:
        raise unknown("named()", "game", name, NAMED)
    return _harmony() if name == "harmony" else catalogued(name)


def _harmony() -> Entry:
    payoff = np.array([[3.0, 2.0], [1.0, 0.0]])
    certain = np.array([1.0, 0.0])
    return Entry(
        name="harmony",
        game=Game(np.stack([payoff, payoff.T]), symmetric=True),
        source="Rapoport & Guyer 1966; action 0 strictly dominates and is efficient",
        nash=((certain, certain),),
        values=(3.0, 3.0),
        facts={"ce_welfare": 6.0},
    )


def gather(names: Sequence[str]) -> Games:
    """The named games as one batch."""
    return Games.of(np.stack([named(name).game.payoffs for name in names]))
