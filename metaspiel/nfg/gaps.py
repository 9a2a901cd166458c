"""Equilibrium gaps: how far a joint is from each kind of equilibrium."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, marginals

Concept = Literal["ne", "cce", "ce", "none"]


@dataclass(frozen=True, eq=False)
class Gaps:
    """Per-player gains ``[N]``, in units of payoff, never negative.

    Attributes:
      ce: what the player gains by the best rule "when told a, play f(a) instead":
        sum over recommendations of the best deviation's gain (swap regret).
      cce: what the player gains by the best single action chosen before being told.
      ne: the same against the product of the joint's marginals; their sum is NashConv
        of the marginals. Equals ``cce`` when the joint is a product.
    """

    ce: Float64[ndarray, " N"]
    cce: Float64[ndarray, " N"]
    ne: Float64[ndarray, " N"]

    def of(self, concept: Concept) -> Float64[ndarray, " N"]:
        """The gaps that must vanish for ``concept``; zeros where it promises none."""
        if concept == "none":
            return np.zeros_like(self.cce)
        chosen: ndarray = getattr(self, concept)
        return chosen


def expected(game: Game | ImplicitGame, joint: Joint | Any) -> Float64[ndarray, " N"]:
    """Each player's expected payoff under ``joint`` ``[A1, ..., AN]`` or ``Products``.

    Raises:
      UserError: the joint is no array of the game's shape.
    """
    joint = _checked(game, joint, "expected()")
    if isinstance(game, ImplicitGame):
        return _by_worth(game, joint)[1]
    return game.payoffs.reshape(game.players, -1) @ joint.ravel()


def against(
    payoff: Float64[ndarray, "*A"], profile: list[ndarray], player: int
) -> ndarray:
    """Payoff of each own action when the others mix independently: ``[A_p]``.

    ``payoff`` is one player's tensor, ``profile`` a mixed strategy for each player.
    """
    result = np.moveaxis(payoff, player, 0)
    for other in reversed([q for q in range(len(profile)) if q != player]):
        result = result @ profile[other]
    return result


def measure(game: Game | ImplicitGame, joint: Joint | Any) -> Gaps:
    """CE, CCE and NE gaps of any joint ``[A1, ..., AN]``, exact up to rounding.

    A game without its tensor takes ``Products``.

    Raises:
      UserError: the joint is no array of the game's shape.
    """
    joint = _checked(game, joint, "measure()")
    if isinstance(game, ImplicitGame):
        return _by_worth(game, joint)[0]
    single = [np.asarray(m) for m in marginals(joint)]
    ce, cce, ne = (np.zeros(game.players) for _ in range(3))
    for player in range(game.players):
        payoff = game.own_first(player)
        recommended = np.moveaxis(joint, player, 0).reshape(payoff.shape)
        gains = recommended @ payoff.T  # [recommended, played]
        obeyed = np.diagonal(gains)
        ce[player] = np.sum(gains.max(axis=1) - obeyed)
        cce[player] = gains.sum(axis=0).max() - obeyed.sum()
        values = against(game.moved[player], single, player)
        ne[player] = values.max() - values @ single[player]
    return Gaps(*(np.maximum(gap, 0.0) for gap in (ce, cce, ne)))


def measure_and_expected(
    game: Game | ImplicitGame, joint: Joint | Any
) -> tuple[Gaps, Float64[ndarray, " N"]]:
    """``measure`` and ``expected``, together where that saves time."""
    if isinstance(game, ImplicitGame):
        return _by_worth(game, _checked(game, joint, "measure_and_expected()"))
    return measure(game, joint), expected(game, joint)


def _by_worth(
    game: ImplicitGame, joint: Products
) -> tuple[Gaps, Float64[ndarray, " N"]]:
    """Gaps and expected payoffs, by what actions are worth in each product."""
    single = [own[None] for own in joint.marginals]
    ce, cce, ne, values = (np.zeros(game.players) for _ in range(4))
    for player, own in enumerate(joint.strategies):
        worth = game.worth(player, joint.strategies)
        gains = (joint.weights[:, None] * own).T @ worth  # [recommended, played]
        obeyed = np.diagonal(gains)
        values[player] = obeyed.sum()
        ce[player] = np.sum(gains.max(axis=1) - obeyed)
        cce[player] = gains.sum(axis=0).max() - obeyed.sum()
        alone = game.worth(player, single)[0]
        ne[player] = alone.max() - alone @ single[player][0]
    return Gaps(*(np.maximum(gap, 0.0) for gap in (ce, cce, ne))), values


def _checked(game: Game | ImplicitGame, joint: Any, where: str) -> Any:
    if isinstance(game, ImplicitGame):
        if not (isinstance(joint, Products) and joint.shape == game.actions):
            raise UserError(
                f"{where}: the joint of a game without its tensor must be Products "
                f"over {list(game.actions)} actions; got {type(joint).__name__}"
            )
        return joint
    array = arrays.numbers(joint, where, "the joint")
    if array.shape != game.actions:
        raise UserError(
            f"{where}: the joint must have shape {list(game.actions)}; "
            f"got {list(array.shape)}"
        )
    return array
