"""Which responses join the population, and whose turn it is."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from metaspiel.nfg.errors import unknown
from psro.parts import Population, Response

Selection = Literal["all", "all_novel", "random", "random_novel", "largest_gap"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
Update = Literal["all", "cycle", "random"]
UPDATES: tuple[Update, ...] = get_args(Update)


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
) -> list[Response]:
    """The responses that are taken (Marris et al. 2021; OpenSpiel's names).

    A response is novel when no pooled policy of its player equals it, nor an earlier
    response. ``largest_gap``
    takes the novel response with the largest gain, a random novel one if that gain is
    0, and a random known one, which is then counted once more, if none is novel.
    """
    chosen: list[Response] = []
    for player in players:
        found = [r for r in responses if r.player == player]
        novel: list[Response] = []
        for response in found:
            again = any(
                response.play == r.play and np.array_equal(response.policy, r.policy)
                for r in novel
            )
            pooled = population.find(player, response.policy, response.play)
            if not again and pooled is None:
                novel.append(response)
        if not found:
            continue
        if selection == "all":
            chosen += found
        elif selection == "all_novel":
            chosen += novel
        elif selection == "random":
            chosen.append(found[rng.integers(len(found))])
        elif selection == "random_novel":
            pool = novel or found
            chosen.append(pool[rng.integers(len(pool))])
        elif selection == "largest_gap":
            best = max(novel, key=lambda r: r.gain, default=None)
            if best is None or best.gain == 0.0:
                pool = novel or found
                best = pool[rng.integers(len(pool))]
            chosen.append(best)
        else:
            raise unknown("psro", "selection", selection, SELECTIONS)
    return chosen
