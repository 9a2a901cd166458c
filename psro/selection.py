"""Which responses join the population, and whose turn it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from metaspiel.nfg.errors import UserError, unknown
from psro.parts import Population, Response

if TYPE_CHECKING:  # it loads scipy
    from metaspiel.games.zero_sum import Pools

Selection = Literal[
    "all",
    "all_novel",
    "random",
    "random_novel",
    "largest_gap",
    "population_exploitability",
]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
Update = Literal["all", "cycle", "random"]
UPDATES: tuple[Update, ...] = get_args(Update)

NO_TREE = (
    "the policies must be known in the tree of their game, as exact payoffs know them; "
    "got an evaluator that does not"
)
"""Why nothing can be guaranteed where the evaluator has no tree."""


def updated(
    update: Update, iteration: int, players: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """Players whose pools may grow in this iteration."""
    if update == "all":
        return tuple(range(players))
    if update == "cycle":
        return (iteration % players,)
    if update == "random":
        return (int(rng.integers(players)),)
    raise unknown("psro", "update", update, UPDATES)


def select(
    selection: Selection,
    population: Population,
    responses: Sequence[Response],
    players: Sequence[int],
    rng: np.random.Generator,
    *,
    pools: "Pools | None" = None,
) -> list[Response]:
    """The responses that are taken (Marris et al. 2021; OpenSpiel's names).

    A response is novel when no pooled policy of its player equals it, nor an earlier
    response. ``largest_gap``
    takes the novel response with the largest gain, a random novel one if that gain is
    0, and a random known one, which is then counted once more, if none is novel.
    ``population_exploitability`` takes the novel response with which the player's pool
    guarantees most against any policy of the game, a random known one if none is novel.

    Args:
      selection: which are taken.
      population: what there is.
      responses: to choose from; under NE and CCE one a player.
      players: whose pools may grow.
      rng: for what is random.
      pools: the population in its tree, for ``population_exploitability``.

    Raises:
      UserError: there is no such selection, or no tree for it.
    """
    chosen: list[Response] = []
    for player in players:
        own = [r for r in responses if r.player == player]
        novel: list[Response] = []
        for response in own:
            again = any(
                response.play == r.play and np.array_equal(response.policy, r.policy)
                for r in novel
            )
            pooled = population.find(player, response.policy, response.play)
            if not again and pooled is None:
                novel.append(response)
        if not own:
            continue
        if selection == "all":
            chosen += own
        elif selection == "all_novel":
            chosen += novel
        elif selection == "random":
            chosen.append(own[rng.integers(len(own))])
        elif selection == "random_novel":
            pool = novel or own
            chosen.append(pool[rng.integers(len(pool))])
        elif selection == "largest_gap":
            best = max(novel, key=lambda r: r.gain, default=None)
            if best is None or best.gain == 0.0:
                pool = novel or own
                best = pool[rng.integers(len(pool))]
            chosen.append(best)
        elif selection == "population_exploitability":
            reason = NO_TREE if pools is None else pools.objection
            if pools is None or reason is not None:
                raise UserError(f"selection '{selection}': {reason}")
            chosen.append(_holding_most(pools, novel) or own[rng.integers(len(own))])
        else:
            raise unknown("psro", "selection", selection, SELECTIONS)
    return chosen


def _holding_most(pools: "Pools", novel: Sequence[Response]) -> Response | None:
    """The first response with which its player's pool guarantees most, if any."""
    if len(novel) < 2:
        return novel[0] if novel else None
    values = [pools.guarantee(r.player, r.policy[None]).value for r in novel]
    return novel[int(np.argmax(values))]
