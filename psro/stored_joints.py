"""Joints and tables among the arrays of a checkpoint, with the tensor and without."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint
from psro.parts import Population, Reaches, Table


def written(prefix: str, joint: Joint) -> dict[str, ndarray]:
    """A joint as arrays by name: its cells, or weights and strategies."""
    if not isinstance(joint, Products):
        return {f"{prefix}joint": joint}
    strategies = enumerate(joint.strategies)
    arrays = {f"{prefix}strategies_{player}": own for player, own in strategies}
    return {f"{prefix}weights": joint.weights, **arrays}


def put(name: str, joint: Joint, arrays: dict[str, ndarray]) -> None:
    """Adds a joint to ``arrays``, under its name."""
    arrays |= written(f"{name}_", joint)


def taken(name: str, players: int, arrays: Mapping[str, ndarray]) -> Joint:
    """The joint that ``put`` added.

    Raises:
      KeyError: there is none.
    """
    weights = arrays.get(f"{name}_weights")
    if weights is None:
        return arrays[f"{name}_joint"]
    own = tuple(arrays[f"{name}_strategies_{player}"] for player in range(players))
    if any(len(each) != len(weights) for each in own):
        raise ValueError("its joint counts its products in two ways")
    return Products(weights, own)


def put_past(name: str, joint: Joint, arrays: dict[str, ndarray]) -> None:
    """A joint of the past, which of cells is its support: indices, probabilities."""
    if isinstance(joint, Products):
        put(name, joint, arrays)
        return
    indices = np.flatnonzero(joint.reshape(-1).view(np.int64))  # -0.0 stays
    arrays[f"{name}_indices"] = indices.astype(np.int32)
    arrays[f"{name}_probabilities"] = joint.reshape(-1)[indices]


def past(
    name: str, shape: Sequence[int], latest: Joint, arrays: Mapping[str, ndarray]
) -> Joint:
    """The joint that ``put_past`` added; ``latest`` is the last one."""
    if math.prod(shape) > latest.size:  # joints only grow
        raise ValueError(f"a joint of the past has shape {shape}, too large a one")
    if isinstance(latest, Products):
        return taken(name, len(shape), arrays)
    joint = np.zeros(shape)
    joint.reshape(-1)[arrays[f"{name}_indices"]] = arrays[f"{name}_probabilities"]
    joint.flags.writeable = False
    return joint


def put_table(table: Table | Reaches, arrays: dict[str, ndarray]) -> list[int] | None:
    """Adds a table to ``arrays``; without the tensor, of how many policies it knows."""
    if isinstance(table, Table):
        arrays["table"] = table.values
        arrays["table_errors"] = table.errors
        arrays["table_episodes"] = table.episodes
        return None
    arrays["table_low"], arrays["table_high"] = table.low, table.high
    return list(table.looked)


def table_of(
    population: Population,
    notes: Mapping[str, Any],
    looked: Sequence[int] | None,
    arrays: Mapping[str, ndarray],
) -> Table | Reaches:
    """The table that ``put_table`` added; without the tensor it has no tree yet."""
    if looked is None:
        return Table(
            population.uids,
            arrays["table"],
            arrays["table_errors"],
            arrays["table_episodes"],
            notes=notes,
        )
    if len(looked) != len(population.pools):
        raise ValueError("its table is of another number of players")
    return Reaches(
        uids=population.uids,
        form=None,
        low=arrays["table_low"],
        high=arrays["table_high"],
        looked=tuple(looked),
        notes=notes,
    )
