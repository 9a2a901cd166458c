"""Arithmetic in a fixed order, so that numpy and compiled loops give the same bits.

Floating-point sums depend on their order, and a matrix product of BLAS orders them by
the processor; exponentials depend on who wrote them. Here both are fixed, with no fused
operations, and ``meta_solvers.compiled`` does the same term by term: which of the two
works changes the time and no bit of the result.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.constants import LN2_HIGH, LN2_LOW, LOG2_E, SHIFT, TAYLOR
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame

Profile = Sequence[ndarray]
"""Mixed strategies ``[B, A_p]`` of each player."""
Table = ndarray | Callable[[Profile, int], ndarray]
"""One player's payoffs, from ``own_last``; or what answers for them."""


@cache
def compiled(name: str = "compiled") -> Any:
    """A module of compiled loops; None where numba is not installed or told not to."""
    try:
        from numba import config

        return None if config.DISABLE_JIT else import_module(f"meta_solvers.{name}")
    except ImportError:  # absent, or not made for this numpy: the same bits without
        return None


def loops_for(game: Game | ImplicitGame, name: str = "compiled") -> Any:
    """A module of compiled loops for a game, or None where numpy steps it."""
    known = not isinstance(game, ImplicitGame) or game.sides is not None
    return compiled(name) if known else None


def kernel(game: Game | ImplicitGame | None = None) -> str:
    """What steps the dynamics here: it says how fast an answer came, never which."""
    known = not isinstance(game, ImplicitGame) or game.sides is not None
    return "numpy" if compiled() is None or not known else "numba"


def total(x: Float64[ndarray, "*B A"]) -> Float64[ndarray, "*B"]:
    """Sum over the last axis: every fourth term from the first on, then of these."""
    size = x.shape[-1]
    lanes = np.zeros((*x.shape[:-1], -(-size // 4), 4))
    lanes.reshape(*x.shape[:-1], -1)[..., :size] = x
    four = np.add.reduce(lanes, axis=-2)
    return (four[..., 0] + four[..., 1]) + (four[..., 2] + four[..., 3])


def exponential(x: Float64[ndarray, "*B"], least: float) -> Float64[ndarray, "*B"]:
    """``exp(x)`` of entries <= 0 to a unit in the last place; 0 below ``least``.

    With whole n, ``exp(x) = 2^n exp(x - n log 2)``, the latter by its series.
    """
    kept = np.maximum(x, least)
    shifted = kept * LOG2_E + SHIFT
    whole = shifted - SHIFT
    rest = (kept - whole * LN2_HIGH) - whole * LN2_LOW
    series = np.full_like(x, TAYLOR[-1])
    for coefficient in reversed(TAYLOR[:-1]):
        series = series * rest + coefficient
    # Added to the bits of a number, n << 52 raises its exponent by n.
    bits = series.view(np.int64) + (shifted.view(np.int64) << 52)
    return np.where(x >= least, bits.view(np.float64), 0.0)


def even(copies: Float64[ndarray, "*B A"]) -> Float64[ndarray, "*B A"]:
    """Uniform play of all copies: probabilities of actions that are there so often."""
    return copies / total(copies)[..., None]


def log_weights(copies: Float64[ndarray, "*B A"]) -> Float64[ndarray, "*B A"]:
    """Logarithms of ``even``, up to a constant: numpy's, others' differ by an ulp."""
    return np.log(copies / copies.max(axis=-1, keepdims=True))


def own_last(
    payoffs: Float64[ndarray, "*B_N_A"], movers: int
) -> list[Float64[ndarray, "B *others A_p"]]:
    """The payoffs of each player that moves, the others' axes in order, then its own.

    Args:
      payoffs: ``[B, N, A1, ..., AN]``, a batch of games.
      movers: how many players move; 1 where interchangeable players move as one.
    """
    tables = (np.moveaxis(payoffs[:, p], p + 1, -1) for p in range(movers))
    return [np.ascontiguousarray(table) for table in tables]


def tables_of(
    game: Game | ImplicitGame,
    payoffs: Callable[[Game], ndarray],
    units: Float64[ndarray, " N"],
) -> list[Table]:
    """One game as the dynamics take it, with its tensor or without.

    Args:
      game: the game.
      payoffs: the payoffs ``[N, A1, ..., AN]`` that are wanted of one with its tensor.
      units: of each player, what they are of the game's own where it has none; a
        constant more or less changes no dynamics.
    """
    if not isinstance(game, ImplicitGame):
        return [*own_last(payoffs(game)[None], game.players)]
    return [Answering(game, float(unit)) for unit in units]


@dataclass(frozen=True, eq=False)
class Answering:
    """One player's payoffs where no table has them: what answers for them.

    Attributes:
      game: the game.
      unit: what they are multiplied by.
    """

    game: ImplicitGame
    unit: float

    def __call__(self, profile: Profile, player: int) -> Float64[ndarray, "B A_p"]:
        """Payoff of each own action when the others mix alone."""
        if self.game.sides is None:
            return self.unit * self.game.worth(player, profile)
        side = self.game.sides[player]
        reach = np.ones((len(profile[player]), side.ends.shape[1]))
        for other, own in enumerate(profile):
            if other != player:
                plans = self.game.sides[other].plans
                mixed = _added(own[:, :, None] * plans[None])
                reach *= mixed[:, side.ends[other]]
        values = np.ascontiguousarray((side.matrix @ reach.T).T)
        return self.unit * _added(side.plans.T[None] * values[:, :, None])


def _added(terms: Float64[ndarray, "T K S"]) -> Float64[ndarray, "T S"]:
    """Sums over the middle axis, one term after the other.

    In rows: ``reduce`` adds what is contiguous in pairs.
    """
    terms = np.ascontiguousarray(terms)
    if terms.shape[2] > 1:
        return np.asarray(np.add.reduce(terms, axis=1))
    return np.asarray(np.add.accumulate(terms, axis=1)[:, -1])


def deviations(
    table: Table, profile: Profile, player: int
) -> Float64[ndarray, "#B A_p"]:
    """Payoff of each own action when the others mix alone.

    One game may meet many profiles.
    """
    if not isinstance(table, ndarray):
        return table(profile, player)
    left: ndarray = table
    for other, own in enumerate(profile):
        if other != player:
            weights = own.reshape(*own.shape, *(1,) * (left.ndim - 2))
            products = left * weights
            if math.prod(products.shape[2:]) > 1:
                left = np.add.reduce(products, axis=1)
            else:  # one contiguous row, which ``reduce`` would add in pairs
                left = np.add.accumulate(products, axis=1)[:, -1]
    return left


def split(flat: Float64[ndarray, "*T S"], actions: Sequence[int]) -> list[ndarray]:
    """Each player's part of the last axis, on which players stand in a row."""
    return np.split(flat, np.cumsum(actions)[:-1], axis=-1)


def in_a_row(tables: Sequence[Any], actions: Sequence[int]) -> tuple[Any, ...]:
    """One game as compiled loops take it: payoffs, sizes and bounds of players."""
    sizes = np.array(actions, dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    if isinstance(tables[0], Answering):
        return _tree(tables), sizes, bounds
    return np.concatenate([table.ravel() for table in tables]), sizes, bounds


def _tree(tables: Sequence[Answering]) -> tuple[ndarray, ...]:
    """The sides of a tree, of all players in a row; see ``compiled.by_tree``."""
    sides = tables[0].game.sides
    assert sides is not None  # as ``loops_for`` asks

    def row(parts: Sequence[ndarray]) -> tuple[ndarray, ndarray]:
        flat = np.concatenate([part.ravel() for part in parts])
        starts = np.cumsum([0, *(part.size for part in parts)], dtype=np.int64)
        return flat, starts

    matrices = [side.matrix for side in sides]
    return (
        *row([side.plans for side in sides]),
        *row([side.ends.astype(np.int64) for side in sides]),
        *row([matrix.indptr.astype(np.int64) for matrix in matrices]),
        row([matrix.indices.astype(np.int64) for matrix in matrices])[0],
        *row([matrix.data for matrix in matrices]),
        np.array([table.unit for table in tables]),
    )


Values = Callable[[Any, list[ndarray], int], ndarray]
"""Payoffs of own actions, from a table, a profile and a player."""
