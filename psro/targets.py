"""From a joint meta-strategy to what each player must respond to."""

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from nfg.game import Game
from nfg.simplex import marginals, product
from psro.parts import Target, Target_Concept


def played(
    joint: Float64[ndarray, "*K"], concept: Target_Concept
) -> Float64[ndarray, "*K"]:
    """The joint that is really played: for NE the product of the marginals."""
    return product(marginals(joint)) if concept == "ne" else joint


def targets(
    game: Game, joint: Float64[ndarray, "*K"], concept: Target_Concept
) -> list[Target]:
    """One target a player (NE, CCE), or one a played recommendation (CE).

    NE and CCE ask for a response to ``sigma_-p``, the co-players' joint marginal; for
    NE it is a product. CE asks, for each own policy a that is ever recommended, for a
    response to ``sigma_-p(. | a)`` (Marris et al. 2021, section 3).
    """
    joint = played(joint, concept)
    found = []
    for player in range(game.players):
        own_first = np.moveaxis(joint, player, 0)
        worth = np.moveaxis(game.payoffs[player] * joint, player, 0)
        if concept != "ce":
            found.append(Target(player, own_first.sum(axis=0), float(worth.sum())))
            continue
        for told, row in enumerate(own_first):
            weight = float(row.sum())
            if weight > 0:
                value = float(worth[told].sum()) / weight
                found.append(Target(player, row / weight, value, weight, told))
    return found


def gaps(players: int, gains: list[tuple[int, float]]) -> Float64[ndarray, " N"]:
    """Full-game gap of each player from (player, gain) of every response."""
    total = np.zeros(players)
    for player, gain in gains:
        total[player] += gain
    return total
