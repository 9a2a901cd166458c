"""Seeded families of random games, for tests, training and experiments.

rng = np.random.default_rng(0)
for name in families(players=3):
    game = sample(name, (3, 3, 3), rng)
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy import ndarray

from metaspiel.nfg import gamut
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game

Make = Callable[[tuple[int, ...], np.random.Generator], ndarray]


@dataclass(frozen=True)
class Family:
    """A family of random games: how one is drawn, and for how many players.

    Attributes:
      make: ``(actions, rng)`` to payoffs ``[N, A1, ..., AN]``.
      players: smallest and largest number of players its definition allows.
      square: all players must have equally many actions.
      symmetric: its games are declared symmetric.
    """

    make: Make
    players: tuple[int, int | float] = (1, math.inf)
    square: bool = False
    symmetric: bool = False


def uniform(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Independent payoffs, uniform in [-1, 1]."""
    return rng.uniform(-1, 1, (len(actions), *actions))


def gaussian(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Independent standard normal payoffs."""
    return rng.standard_normal((len(actions), *actions))


def l2_invariant(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Payoffs uniform on the sphere with zero mean and unit variance per player.

    Mean and variance over all joint actions. Every game has an equivalent one here
    (Marris et al. 2022, section 4.1). A single joint action gives 0.
    """
    payoffs = gaussian(actions, rng)
    axes = tuple(range(1, payoffs.ndim))
    payoffs -= payoffs.mean(axis=axes, keepdims=True)
    spread = payoffs.std(axis=axes, keepdims=True)
    return np.divide(payoffs, spread, out=np.zeros_like(payoffs), where=spread > 0)


def zero_sum(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Two-player zero-sum games with standard normal payoffs."""
    payoff = rng.standard_normal(actions)
    return np.stack([payoff, -payoff])


def symmetric(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Symmetric games: standard normal payoff of own action and others' actions."""
    base = rng.standard_normal(actions)
    played = np.indices(actions)
    payoffs = []
    for player in range(len(actions)):
        others = np.sort(np.delete(played, player, axis=0), axis=0)
        payoffs.append(base[(played[player], *others)])
    return np.stack(payoffs)


def covariant(
    actions: tuple[int, ...], rng: np.random.Generator, rho: float | None = None
) -> ndarray:
    """Standard normal payoffs, correlated between players at each joint action.

    Args:
      actions: number of actions of each player.
      rng: source of randomness.
      rho: correlation in ``[-1/(N-1), 1]``; None means ``-0.5/(N-1)``: competitive, but
        short of zero-sum.

    Raises:
      UserError: no N variables can be correlated so.
    """
    players = len(actions)
    least = -1.0 / max(players - 1, 1)
    rho = least / 2 if rho is None else rho
    if not least - 1e-12 <= rho <= 1:
        raise UserError(
            f"covariant(): rho must be in [{least:.4g}, 1] with {players} players; "
            f"got {rho}"
        )
    matrix = np.full((players, players), float(rho))
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = rng.standard_normal((players, *actions))
    mixed: ndarray = np.tensordot(root, normal, axes=1)
    return mixed


def common_interest(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """All players get the same standard normal payoff."""
    return np.stack([rng.standard_normal(actions)] * len(actions))


def constant(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """One random number per player, whatever is played: every joint is optimal."""
    payoffs = np.empty((len(actions), *actions))
    payoffs[...] = rng.standard_normal(len(actions)).reshape(-1, *[1] * len(actions))
    return payoffs


def duplicated_actions(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Normal payoffs; the second half of everybody's actions copies the first."""
    distinct = tuple((size + 1) // 2 for size in actions)
    index = [np.arange(a) % d for a, d in zip(actions, distinct, strict=True)]
    return gaussian(distinct, rng)[np.ix_(np.arange(len(actions)), *index)]


def integer(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Integer payoffs from -2 to 2, with many ties."""
    return rng.integers(-2, 3, (len(actions), *actions)).astype(np.float64)


def tiny_scale(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Uniform payoffs times 1e-6, where tolerances that ignore the scale fail."""
    return 1e-6 * uniform(actions, rng)


def huge_scale(actions: tuple[int, ...], rng: np.random.Generator) -> ndarray:
    """Uniform payoffs times 1e6."""
    return 1e6 * uniform(actions, rng)


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "uniform": Family(uniform),
        "gaussian": Family(gaussian),
        "l2_invariant": Family(l2_invariant),
        "zero_sum": Family(zero_sum, players=(2, 2)),
        "symmetric": Family(symmetric, square=True, symmetric=True),
        "covariant": Family(covariant),
        "common_interest": Family(common_interest),
        "congestion": Family(gamut.congestion),
        "dispersion": Family(gamut.dispersion),
        "majority_voting": Family(gamut.majority_voting),
        "minimum_effort": Family(gamut.minimum_effort),
        "travellers_dilemma": Family(gamut.travellers_dilemma, players=(2, math.inf)),
        "war_of_attrition": Family(gamut.war_of_attrition, players=(2, math.inf)),
        "bertrand": Family(gamut.bertrand),
        "grab_the_dollar": Family(gamut.grab_the_dollar, players=(2, math.inf)),
        "location": Family(gamut.location, players=(2, 2)),
        "polymatrix": Family(gamut.polymatrix, players=(2, math.inf)),
        "random_graphical": Family(gamut.random_graphical, players=(2, math.inf)),
        "constant": Family(constant),
        "duplicated_actions": Family(duplicated_actions),
        "integer": Family(integer),
        "tiny_scale": Family(tiny_scale),
        "huge_scale": Family(huge_scale),
    }
)


def families(players: int | None = None) -> list[str]:
    """Names of all families, or of those that allow this number of players."""
    return [
        name
        for name, family in FAMILIES.items()
        if players is None or family.players[0] <= players <= family.players[1]
    ]


def player_range(family: str) -> tuple[int, int | float]:
    """Smallest and largest number of players of a family.

    Raises:
      UserError: no such family.
    """
    return _family(family, "player_range()").players


def fits(family: str, actions: tuple[int, ...]) -> bool:
    """Whether a family has games with these numbers of actions.

    Raises:
      UserError: no such family.
    """
    low, high = player_range(family)
    even = len(set(actions)) == 1 or not FAMILIES[family].square
    return even and low <= len(actions) <= high and min(actions, default=0) > 0


def sample(family: str, actions: tuple[int, ...], rng: np.random.Generator) -> Game:
    """Draws a random game of a family.

    Args:
      family: one of ``families()``.
      actions: number of actions of each player, e.g. ``(3, 3, 2)``.
      rng: the only source of randomness; the same state gives the same game.

    Raises:
      UserError: no such family, or its definition excludes these players or actions.
    """
    chosen = _family(family, "sample()")
    if not actions or min(actions) < 1:
        raise UserError(
            "sample(): actions must be one whole number >= 1 for each player; "
            f"got {tuple(actions)}"
        )
    low, high = chosen.players
    if not low <= len(actions) <= high:
        wanted = f"exactly {low}" if low == high else f"at least {low}"
        raise UserError(
            f"sample(): family '{family}' must have {wanted} players; "
            f"got {len(actions)}"
        )
    if chosen.square and len(set(actions)) > 1:
        raise UserError(
            f"sample(): family '{family}' must give all players the same number of "
            f"actions; got {tuple(actions)}"
        )
    return Game(chosen.make(tuple(actions), rng), symmetric=chosen.symmetric)


def _family(name: str, where: str) -> Family:
    if name not in FAMILIES:
        raise unknown(where, "family", name, FAMILIES)
    return FAMILIES[name]
