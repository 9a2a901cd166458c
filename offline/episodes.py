"""Checks of Bargaining episodes before they are replayed."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining import Bargaining, BargainingPosition
from metaspiel.nfg.errors import UserError
from offline.data import check_mirror

Fault = tuple[int, str]
"""A fault: number of the episode, and end of the error message about it."""


def check_number(where: str, mirror: str, trajectories: int) -> None:
    """Raises a ``UserError`` for an impossible number of trajectories."""
    check_mirror(where, mirror)
    if trajectories < 1 or (mirror == "counted" and trajectories % 2):
        raise UserError(
            f"{where}: trajectories must be at least 1, and even with mirrors counted; "
            f"got {trajectories}"
        )


def check_shapes(
    where: str,
    first: Any,
    pools: Any,
    valuations: Any,
    actions: Sequence[Any],
) -> None:
    """Raises a ``UserError`` where arrays lack the shapes of Bargaining episodes.

    Args:
      where: begins the sentence.
      first: must be ``[n]`` int64.
      pools: must be ``[n, 3]`` int64.
      valuations: must be ``[n, 2, 3]`` of floats.
      actions: must have n entries.

    Raises:
      UserError: an array is none, or its shape or kind of number is another one.
    """
    n = len(actions)
    wanted = (
        ("first", first, "i", (n,)),
        ("pools", pools, "i", (n, rules.ITEMS)),
        ("valuations", valuations, "f", (n, rules.PLAYERS, rules.ITEMS)),
    )
    for name, array, kind, shape in wanted:
        right = isinstance(array, ndarray) and array.dtype.kind == kind
        if not right or array.shape != shape or (kind == "i" and array.itemsize != 8):
            got = (
                f"{array.dtype} of shape {array.shape}"
                if isinstance(array, ndarray)
                else type(array).__name__
            )
            raise UserError(
                f"{where}: for {n} lists of actions {name} must be an array of "
                f"{'int64' if kind == 'i' else 'floats'} of shape {shape}; got {got}"
            )


def bad_instances(
    first: Int64[ndarray, " n"],
    pools: Int64[ndarray, "n 3"],
    valuations: ndarray,
) -> list[Fault]:
    """Impossible instances, of which the first episode of each kind is reported.

    Args:
      first: who moves first.
      pools: items of each type.
      valuations: what an item is worth to each player, ``[n, 2, 3]``.
    """
    low, high = rules.VALUE_SUMS
    total, slack = valuations.sum(2), 1e-4
    inside = (valuations >= 1 - slack).all(2) & (total >= low - slack)
    inside &= total <= high + slack
    tests = (
        ((first < 0) | (first > 1), "must begin with player 0 or 1"),
        (
            ~(pools[:, None] == rules.pools()).all(2).any(1),
            "must have a pool of at least one item of each type and 5 to 7 in all",
        ),
        (
            ~inside.all(1),
            "must have valuations of at least 1 that sum to 5 to 10",
        ),
    )
    return [
        (int(number), f"{sentence}; it does not")
        for wrong, sentence in tests
        for number in np.flatnonzero(wrong)[:1]
    ]


def bad_moves(
    simulator: Bargaining,
    position: BargainingPosition,
    actions: Sequence[Sequence[Any]],
    skip: set[int],
) -> list[Fault]:
    """Impossible moves, of which the first of each episode is reported.

    Args:
      simulator: the game.
      position: where the episodes begin.
      actions: actions of each episode in order.
      skip: episodes that are known to be bad.
    """
    problems: dict[int, str] = {}
    for move in range(simulator.longest + 1):
        now = torch.zeros_like(position.mover)
        for number, wrong in _of_move(position, actions, move, now):
            problems.setdefault(number, wrong)
        alive = ~position.done
        for number in problems:
            alive[0, number] = False
        position = simulator.step(position, now, alive)
    return [(number, wrong) for number, wrong in problems.items() if number not in skip]


def _of_move(
    position: BargainingPosition,
    actions: Sequence[Sequence[Any]],
    move: int,
    now: Int64[Tensor, "1 n"],
) -> Iterator[Fault]:
    """Writes the legal actions of one move to ``now``; yields faults of the others."""
    done, legal, chosen = position.done[0].tolist(), position.legal[0].numpy(), now[0]
    for number, episode in enumerate(actions):
        if move >= len(episode):
            if not done[number]:
                yield number, f"must go on to its end; it has {len(episode)} moves"
        elif done[number]:
            yield number, f"must stop at its end; it has {len(episode)} moves"
        else:
            action = episode[move]
            if not isinstance(action, int | np.integer) or isinstance(action, bool):
                yield number, f"must take whole numbers; move {move} is {action!r}"
            elif not 0 <= action < rules.ACTIONS or not legal[number, action]:
                yield number, f"must take legal actions; move {move} is {action}"
            else:
                chosen[number] = int(action)
