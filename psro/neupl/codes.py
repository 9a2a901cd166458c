"""Codes of a neural population: how they begin, and how pools grow by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.learn.conditional import CONDITIONINGS, Conditioning
from metaspiel.nfg.errors import BadField, UserError, at_least
from psro.parts import Member, Population

NewCode = Literal["nearest", "normal"]
Networks = Literal["player", "all"]


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The conditional network of a neural population, and how its codes begin.

    Attributes:
      size: d, numbers in a code.
      conditioning: how codes enter the network: "film", "concat", "bilinear" or
        "attention".
      width: units of each of the two hidden layers.
      networks: one network a "player", or one for "all" of them.
      new: a new code begins as the mean of the two codes that behave most like its
        teacher ("nearest"), or at 0 ("normal"), plus noise.
      noise: standard deviation of that noise.
    """

    size: int = 16
    conditioning: Conditioning = "film"
    width: int = 128
    networks: Networks = "player"
    new: NewCode = "nearest"
    noise: float = 0.3

    def __post_init__(self) -> None:
        at_least(self, size=1, width=1, noise=0)
        named("conditioning", self, CONDITIONINGS)
        named("networks", self, ("player", "all"))
        named("new", self, ("nearest", "normal"))

    def groups(self, players: int) -> tuple[tuple[int, ...], ...]:
        """The players whom each network plays."""
        if self.networks == "all":
            return (tuple(range(players)),)
        return tuple((player,) for player in range(players))

    def of(self, population: Population, player: int) -> Float64[ndarray, "K d"]:
        """The codes of a player's pool.

        Raises:
          UserError: they have another size.
        """
        pool = [member.policy for member in population.pools[player]]
        for code in pool:
            if code.shape != (self.size,):
                raise UserError(
                    f"Codes: the population must have codes of {self.size} numbers; "
                    f"got {list(code.shape)}"
                )
        return np.array(pool, dtype=np.float64).reshape(len(pool), self.size)

    def first(
        self,
        codes: Float[ndarray, "K d"],
        apart: Sequence[float],
        rng: Generator,
    ) -> Float64[ndarray, " d"]:
        """Where a new code begins.

        Args:
          codes: those there are.
          apart: how far each of them behaves from the new policy.
          rng: of the noise.
        """
        noise = rng.normal(scale=self.noise, size=self.size)
        if self.new == "normal" or not len(codes):
            return noise
        near = np.argsort(np.asarray(apart), kind="stable")[:2]
        begun: ndarray = codes[near].mean(axis=0) + noise
        return begun


def named(field: str, settings: object, known: Sequence[str]) -> None:
    """Refuses settings whose field is none of the known names."""
    value = getattr(settings, field)
    if value not in known:
        reason = f"must be one of {', '.join(known)}; got {value}"
        raise BadField(type(settings), field, reason)


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
