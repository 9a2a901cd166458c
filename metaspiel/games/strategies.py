"""The reduced normal form of a game in sequence form."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.treeplex import Treeplex
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

_STRATEGIES = 10_000  # of a player
_NUMBERS = 20_000_000  # payoffs of all players together, or numbers in plans


def normal_form(form: SequenceForm) -> Game:
    """Payoffs of every profile of pure strategies, as a normal-form game.

    Strategies that differ only where their owner's own moves never lead are one (von
    Stengel 1996, section 3). Of a form that was split to make recall perfect it is the
    normal form of the game itself: parts of one information state are played alike.

    Args:
      form: of the game.

    Raises:
      UserError: there are too many strategies.
    """
    plans = []
    for player, tree in enumerate(form.trees):
        most = min(_STRATEGIES, _NUMBERS // tree.sequences)
        strategies = _pure(tree, most)
        if strategies is None:
            raise UserError(
                f"normal_form(): '{form.name}' must have at most {most} reduced "
                f"strategies of player {player}; it has more (PSRO plays the tree)"
            )
        plans.append(strategies)
    sizes = [len(pool) for pool in plans]
    if math.prod(sizes) * form.players > _NUMBERS:
        raise UserError(
            f"normal_form(): '{form.name}' must have a reduced normal form of at most "
            f"{_NUMBERS} payoffs; it has {'x'.join(map(str, sizes))} profiles (PSRO "
            "plays the tree)"
        )
    return Game(form.tensor(plans))


def _pure(tree: Treeplex, most: int) -> Float64[ndarray, "K S"] | None:
    """Realisation plans of the reduced pure strategies; None if there are too many."""
    count = sum(1 for _ in islice(_strategies(tree), most + 1))
    if count > most:
        return None
    plans = np.zeros((count, tree.sequences))
    plans[:, 0] = 1.0
    for row, played in enumerate(_strategies(tree)):
        plans[row, list(played)] = 1.0
    return plans


def _strategies(tree: Treeplex) -> Iterator[Iterable[int]]:
    """The sequences that each reduced pure strategy plays, one strategy at a time.

    An odometer: the last information set whose move is free turns first.
    """
    parent, first, names = tree.parent.tolist(), tree.first.tolist(), tree.names
    chosen: dict[str, int] = {}  # the move at each name that was met
    met: list[tuple[int, bool]] = []  # information sets, and whether the move was free
    reached = {0}
    number = 0
    while True:
        for at in range(number, tree.infosets):  # parents stand before their children
            if parent[at] in reached:
                met.append((at, names[at] not in chosen))
                reached.add(first[at] + chosen.setdefault(names[at], 0))
        yield (first[at] + chosen[names[at]] for at, _ in met)
        while met:
            number, free = met.pop()
            move = chosen[names[number]]
            reached.remove(first[number] + move)
            if free and first[number] + move + 1 < first[number + 1]:
                break
            if free:
                del chosen[names[number]]
        else:
            return
        chosen[names[number]] = move + 1
        met.append((number, True))
        reached.add(first[number] + move + 1)
        number += 1
