"""Response targets of all players from a joint meta-strategy."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from meta_solvers.base import AnyGame
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint, marginals, product
from psro.parts import Response, Target, TargetConcept


def played(joint: Joint, concept: TargetConcept) -> Joint:
    """The joint that is played: for NE, the product of the marginals."""
    if isinstance(joint, Products):
        return joint.alone if concept == "ne" else joint
    return product(marginals(joint)) if concept == "ne" else joint


def targets(game: AnyGame, joint: Joint, concept: TargetConcept) -> list[Target]:
    """One target a player (NE, CCE), or one a played recommendation (CE).

    NE and CCE ask for a response to ``sigma_-p``, the co-players' joint marginal; for
    NE it is a product. CE asks, for each own policy a that is ever recommended, for a
    response to ``sigma_-p(. | a)`` (Marris et al. 2021, section 3).
    """
    joint = played(joint, concept)
    if isinstance(game, ImplicitGame):
        return [
            target
            for player in range(game.players)
            for target in _of_products(game, joint, concept, player)
        ]
    asked = []
    for player in range(game.players):
        own_first = np.moveaxis(joint, player, 0)
        worth = np.moveaxis(game.payoffs[player] * joint, player, 0)
        if concept != "ce":
            asked.append(
                Target(
                    player=player,
                    co_play=np.asarray(own_first.sum(axis=0)),
                    own=own_first.reshape(len(own_first), -1).sum(axis=1),
                    value=float(worth.sum()),
                )
            )
            continue
        for recommended, row in enumerate(own_first):
            weight = float(row.sum())
            if weight > 0:
                value = float(worth[recommended].sum()) / weight
                co_play = np.asarray(row / weight)
                asked.append(
                    Target(
                        player=player,
                        co_play=co_play,
                        own=np.eye(len(own_first))[recommended],
                        value=value,
                        weight=weight,
                        recommendation=recommended,
                    )
                )
    return asked


def _of_products(
    game: ImplicitGame, joint: Products, concept: TargetConcept, player: int
) -> Iterator[Target]:
    """The targets of one player, where no joint action has a cell of its own."""
    own = joint.strategies[player]
    worth = game.worth(player, joint.strategies)
    if concept != "ce":
        yield Target(
            player=player,
            co_play=joint.others(player),
            own=joint.weights @ own,
            value=float(joint.weights @ (worth * own).sum(axis=1)),
        )
        return
    for recommended in range(own.shape[1]):
        told = joint.weights * own[:, recommended]
        weight = float(told.sum())
        if weight > 0:
            yield Target(
                player=player,
                co_play=joint.others(player, told / weight),
                own=np.eye(own.shape[1])[recommended],
                value=float(told @ worth[:, recommended]) / weight,
                weight=weight,
                recommendation=recommended,
            )


def gap_of(players: int, responses: Sequence[Response]) -> Float64[ndarray, " N"]:
    """Full-game gap of each player: the sum of its responses' gains."""
    gap = np.zeros(players)
    for response in responses:
        gap[response.player] += response.gain
    return gap
