"""The two-player meta-game: keep the current policy (0) or switch to the predicted (1).

Wen et al., MATRL, section 3.2. Many games at once; every equilibrium, then one of them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from meta_solvers.two_action import equilibria_of_gains
from metaspiel.nfg.errors import unknown

SELECT = ("random", "first", "max_welfare", "risk_dominant")
"""Ways to choose among several equilibria; `choose` says what they mean."""


@dataclass(frozen=True, eq=False)
class MetaGames:
    """B meta-games; payoffs are measured from both players keeping their policies.

    Attributes:
      gain: ``[B, player, other]``: what a player gains by switching while the other
        keeps (0) or switches (1).
      cross: ``[B, player]``: what it gains if only the other switches.
    """

    gain: Float64[ndarray, "B 2 2"]
    cross: Float64[ndarray, "B 2"]

    @property
    def payoffs(self) -> Float64[ndarray, "B 2 2 2"]:
        """Payoffs ``[B, player, row, column]``."""
        payoffs = np.zeros((len(self.gain), 2, 2, 2))
        payoffs[:, 0, 1], payoffs[:, 1, :, 1] = self.gain[:, 0], self.gain[:, 1]
        payoffs[:, 0, :, 1] += self.cross[:, :1]
        payoffs[:, 1, 1] += self.cross[:, 1:]
        return payoffs


@dataclass(frozen=True, eq=False)
class Listed:
    """All equilibria of B meta-games, of at most nine candidates each.

    Attributes:
      switch: probability of switching ``[B, 9, player]``, NaN where not one.
      mask: which of the nine candidates are equilibria.
    """

    switch: Float64[ndarray, "B 9 2"]
    mask: Bool[ndarray, "B 9"]


def scaled(gain: Float64[ndarray, "B 2 2"]) -> Float64[ndarray, "B 2 2"]:
    """Each player's gains as a fraction of its largest gain.

    A player with no gain at all (its predicted policy is the current one) keeps zeros.
    """
    size = np.maximum(np.abs(gain[..., 0]), np.abs(gain[..., 1]))
    return gain / np.where(size > 0, size, 1.0)[..., None]


def equilibria(meta: MetaGames) -> Listed:
    """All equilibria, with regret of at most 1e-9 of a player's largest gain."""
    return Listed(*equilibria_of_gains(scaled(meta.gain)))


def regret(
    meta: MetaGames, rho: Float64[ndarray, "B 2"]
) -> Float64[ndarray, "B player=2"]:
    """What each player gains by its better policy, as a fraction of its largest gain.

    Args:
      meta: the meta-games.
      rho: probability with which each player keeps its policy.
    """
    gain = scaled(meta.gain)
    other = rho[:, ::-1]
    at = gain[..., 0] * other + gain[..., 1] * (1 - other)
    return np.maximum(rho * at, -(1 - rho) * at)


def choose(
    meta: MetaGames,
    listed: Listed,
    select: str,
    uniform: Float64[ndarray, "B"],
) -> Float64[ndarray, "B 2"]:
    """One equilibrium of each game, as probabilities of keeping, rho.

    Args:
      meta: the meta-games.
      listed: all equilibria of these games.
      select: "random": uniform over the list (the paper's); "first": pure before mixed,
        keeping before switching; "max_welfare": largest sum of payoffs;
        "risk_dominant": largest product of losses from deviating alone. Ties go to the
        earlier one.
      uniform: numbers in [0, 1) that decide "random".

    Raises:
      UserError: ``select`` is not one of these.
    """
    mask = listed.mask
    if select == "first":
        index = mask.argmax(axis=1)
    elif select == "random":
        wanted = np.floor(uniform * mask.sum(axis=1)).astype(np.int64)
        index = (mask.cumsum(axis=1) > wanted[:, None]).argmax(axis=1)
    elif select in SELECT:
        score, unit = (_welfare if select == "max_welfare" else _risk)(meta, listed)
        score = np.where(mask, score, -np.inf)
        best = score.max(axis=1)
        index = (score >= (best - 1e-12 * unit)[:, None]).argmax(axis=1)
    else:
        raise unknown("choose()", "selection", select, SELECT)
    return 1 - listed.switch[np.arange(len(mask)), index]


def _welfare(meta: MetaGames, listed: Listed) -> tuple[ndarray, ndarray]:
    """Sum of payoffs at each candidate ``[B, 9]``, and payoff units ``[B]``."""
    total = meta.payoffs.sum(axis=1)
    chances = np.stack([1 - listed.switch, listed.switch], axis=-1)
    score = np.einsum("brc,bkr,bkc->bk", total, chances[:, :, 0], chances[:, :, 1])
    return score, np.abs(total).max(axis=(1, 2))


def _risk(meta: MetaGames, listed: Listed) -> tuple[ndarray, ndarray]:
    """Product of losses from leaving each candidate alone ``[B, 9]``; units are 1."""
    gain = scaled(meta.gain)
    own, other = listed.switch, listed.switch[..., ::-1]
    at = gain[:, None, :, 0] * (1 - other) + gain[:, None, :, 1] * other
    loss = np.where(own == 1, at, np.where(own == 0, -at, 0.0))
    return np.maximum(loss, 0.0).prod(axis=2), np.ones(len(gain))
