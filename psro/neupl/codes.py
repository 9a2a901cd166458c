"""Codes of a neural population: how they begin, and how pools grow by them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from numpy.random import Generator

from psro.parts import Member, Population, Response


@runtime_checkable
class Begins(Protocol):
    """Protocol of networks that draw fresh weights."""

    def initial(self, generator: torch.Generator) -> Float32[torch.Tensor, " P"]:
        """Draws fresh weights."""


def learners(population: Population) -> int:
    """How many pools are distinct: one where all players share it."""
    return 1 if population.shared else len(population.pools)


def begun(
    population: Population, parts: Sequence[Begins], rng: Generator
) -> tuple[Population, list[Response]]:
    """A population of no codes with fresh weights, and what its first codes learn.

    Args:
      population: the first policies, as the teacher has them.
      parts: what the weights are of, in the order of ``common``.
      rng: seeds the weights of each part.
    """
    chosen = [
        Response(
            player=player, policy=member.policy, value=0.0, gain=0.0, play=member.play
        )
        for player in range(learners(population))
        for member in population.pools[player]
    ]
    seeds = rng.integers(2**63, size=len(parts)).tolist()
    fresh = [
        part.initial(torch.Generator().manual_seed(seed)).numpy()
        for part, seed in zip(parts, seeds, strict=True)
    ]
    empty = ((),) * len(population.pools)
    common = np.concatenate(fresh)
    return replace(population, pools=empty, next_uid=0, common=common), chosen


def grown(
    population: Population,
    codes: Sequence[Float[ndarray, "_ d"]],
    *,
    common: Float[ndarray, " P"],
    play: str,
    notes: Mapping[str, Any],
) -> Population:
    """The population with these codes, the old ones first, all members renewed.

    The weights have changed, and every policy with them: all uids are new.

    Args:
      population: the pools so far.
      codes: of each distinct pool, old and new.
      common: the weights.
      play: how new members are played.
      notes: what there is to record.
    """
    pools, uid = [], population.next_uid
    for pool, own in zip(population.pools, codes, strict=False):
        blank = Member(0, own[0], play=play)
        members = (*pool, *(blank,) * (len(own) - len(pool)))
        pools.append(
            tuple(
                replace(member, uid=uid + n, policy=code)
                for n, (member, code) in enumerate(zip(members, own, strict=True))
            )
        )
        uid += len(own)
    if population.shared:
        pools = pools * len(population.pools)
    return replace(
        population, pools=tuple(pools), next_uid=uid, common=common, notes=notes
    )
