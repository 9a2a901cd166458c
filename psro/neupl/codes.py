"""Codes of a neural population: how they begin, and how pools grow by them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from psro.parts import Member, Population


def learners(population: Population) -> int:
    """How many pools are distinct: one where all players share it."""
    return 1 if population.shared else len(population.pools)


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
