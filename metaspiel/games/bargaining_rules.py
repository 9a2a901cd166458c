"""Rules of the generalised Bargaining game as tables and pure functions.

Two players divide a pool of three item types. An offer is what its proposer wants for
itself; the other player accepts it or makes an offer of its own. Each player knows
the pool and its own valuation of the items. The game is that of appendix B of Nguyen
and Wellman, "Conservative Equilibrium Discovery in Offline Game-Theoretic Multiagent
Reinforcement Learning", AAMAS 2026, arXiv 2603.00374.
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64
from numpy import ndarray

from metaspiel.nfg.errors import UserError, unknown

SHORT_NAME = "bargaining_generalized"  # as OpenSpiel loads it
PLAYERS = 2
ITEMS = 3
POOL_SUMS = (5, 7)  # items in a pool
VALUE_SUMS = (5.0, 10.0)  # sum of a valuation; each entry is at least 1
ROUNDS = 10  # T: one more offer than this ends the game without a deal
LONGEST = ROUNDS + 1  # moves: T offers and an answer
ACTIONS = 109
ACCEPT = 108
OBSERVATION = 11
INFORMATION = 41
STATE = 15

Exponent = Literal["offers", "offers_before"]


@dataclass(frozen=True)
class Terms:
    """Terms of the game: what a deal is worth.

    Attributes:
      discount: gamma; payoffs of a deal are multiplied by gamma^t. In (0, 1].
      exponent: t is the number of offers made at the deal ("offers"), or of those
        before the accepted one ("offers_before").

    Raises:
      UserError: no such discount or exponent.
    """

    discount: float = 0.99
    exponent: Exponent = "offers"

    def __post_init__(self) -> None:
        if not 0 < self.discount <= 1:
            raise UserError(
                f"Bargaining(): discount must be in (0, 1]; got {self.discount}"
            )
        if self.exponent not in get_args(Exponent):
            raise unknown("Bargaining()", "exponent", self.exponent, get_args(Exponent))

    @property
    def name(self) -> str:
        """The game as OpenSpiel writes it; ``pyspiel.load_game`` takes it."""
        parts = f"discount={self.discount!r},exponent={self.exponent}"
        return f"{SHORT_NAME}({parts})"


def offers() -> Int64[ndarray, "108 3"]:
    """Items that each offer keeps: all of (0..5)^3 with at most 7 items, in order."""
    wants = [o for o in product(range(6), repeat=ITEMS) if sum(o) <= POOL_SUMS[1]]
    return np.array(wants, dtype=np.int64)


def pools() -> Int64[ndarray, "31 3"]:
    """All pools, equally likely: at least one item of each type, 5 to 7 in all."""
    low, high = POOL_SUMS
    wants = product(range(1, 6), repeat=ITEMS)
    return np.array([c for c in wants if low <= sum(c) <= high], dtype=np.int64)


def vectors() -> Float32[ndarray, "109 3"]:
    """Actions as inputs of a learned model: the offer; accepting is (-1, -1, -1)."""
    accept = np.full((1, ITEMS), -1.0)
    return np.concatenate([offers(), accept]).astype(np.float32)


def legal_actions(
    pool: Float[ndarray, "*n 3"] | Int[ndarray, "*n 3"],
    made: Float[ndarray, "*n"] | Int[ndarray, "*n"],
) -> Bool[ndarray, "*n 109"]:
    """Offers that the pool can fill, and accepting once an offer was made.

    Args:
      pool: items of each type.
      made: offers made so far. The mask of a position that is not over is meant.
    """
    fits = (offers() <= pool[..., None, :]).all(-1)
    return np.concatenate([fits, (np.asarray(made) > 0)[..., None]], -1)


def factor(
    discount: float,
    exponent: Exponent,
    made: Float[ndarray, "*n"] | Int[ndarray, "*n"],
) -> Float64[ndarray, "*n"]:
    """The factor by which a deal's payoffs are discounted: discount^t.

    Args:
      discount: gamma.
      exponent: t is the offers made at the deal, or those before the accepted one.
      made: offers made at the deal, at least 1.
    """
    shift = 1.0 if exponent == "offers_before" else 0.0
    return np.asarray(discount ** (np.asarray(made, dtype=np.float64) - shift))


def deal(
    pool: Float[ndarray, "*n 3"] | Int[ndarray, "*n 3"],
    valuations: Float[ndarray, "*n 2 3"],
    offer: Float[ndarray, "*n 3"] | Int[ndarray, "*n 3"],
    proposer: Int[ndarray, "*n"],
) -> Float64[ndarray, "*n 2"]:
    """Undiscounted payoffs of both players when an offer is accepted.

    The proposer gets its valuation of the offer, the other its valuation of the rest.
    """
    mine = np.arange(PLAYERS) == np.asarray(proposer)[..., None]
    rest = (pool - offer)[..., None, :]
    share = np.where(mine[..., None], offer[..., None, :], rest)
    return (np.asarray(valuations, dtype=np.float64) * share).sum(-1)
