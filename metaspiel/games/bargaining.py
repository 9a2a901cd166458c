"""The generalised Bargaining game, many episodes at once.

Importing this also makes OpenSpiel know the game, as ``bargaining_generalized``.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor
from torch.nn.functional import embedding

import metaspiel.games.bargaining_openspiel  # noqa: F401  it registers the game
from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining_rules import ACCEPT, ACTIONS, LONGEST, Exponent, Terms
from metaspiel.games.simulator import (
    Moves,
    Position,
    RealGame,
    Uniforms,
    Where,
    merge,
    own,
)
from metaspiel.nfg.errors import UserError

_POOLS = 31
_FIRST = 2  # where a player's information begins to tell the pool
_VALUES = slice(5, 8)  # and its own valuation
_OFFERS = 8  # and the offers


def vectors() -> Float32[Tensor, "109 3"]:
    """Actions as inputs of a learned model: the offer; accepting is (-1, -1, -1)."""
    return torch.from_numpy(rules.vectors())


@dataclass(frozen=True, eq=False, kw_only=True)
class BargainingPosition(Position):
    """Episodes of the Bargaining game.

    Attributes:
      pool: number of the pool among the 31 of ``bargaining_rules.pools``.
      valuations: what an item of each type is worth to each player.
      made: offers made so far, k.
      last: the offer that stands, as its proposer wants it; 0 before the first.
    """

    pool: Int64[Tensor, "S B"]
    valuations: Float32[Tensor, "S B 2 3"]
    made: Int64[Tensor, "S B"]
    last: Float32[Tensor, "S B 3"]


class _Tables(NamedTuple):
    """Effects of moves, by row = offers made * 109 + action; the last row: no move.

    Attributes:
      change: what is added to the mover's information.
      offers: 1 where the move is an offer.
      ends: the move ends the game.
      factor: discount of a deal; 0 where the move is none.
      legal: legal actions: 31 pools before the first offer, 31 after it, none.
      menu: first row of those in ``legal``, by offers made.
      wants: what the proposer wants, by action; 0 for accepting.
      pools: the 31 pools.
      players: 0 and 1.
    """

    change: Float32[Tensor, "R 41"]
    offers: Int64[Tensor, " R"]
    ends: Bool[Tensor, " R"]
    factor: Float32[Tensor, " R"]
    legal: Bool[Tensor, "63 109"]
    menu: Int64[Tensor, "12"]
    wants: Float32[Tensor, "109 3"]
    pools: Float32[Tensor, "31 3"]
    players: Int64[Tensor, "2"]


@lru_cache(maxsize=16)
def _tables(discount: float, exponent: Exponent, device: str) -> _Tables:
    """The tables of one game on one device, built once."""
    wants, pools = torch.from_numpy(rules.offers()), rules.pools()
    change = torch.zeros(LONGEST, ACTIONS, rules.INFORMATION)
    change[:, :ACCEPT, 1] = 1  # one more offer
    for made in range(LONGEST):
        slot = _OFFERS + rules.ITEMS * made
        change[made, :ACCEPT, slot : slot + rules.ITEMS] = wants.float()
    change[:, ACCEPT, 0] = 1  # agreed
    offers = torch.ones(LONGEST, ACTIONS, dtype=torch.int64)
    offers[:, ACCEPT] = 0
    ends = offers == 0
    ends[rules.ROUNDS] = True
    factor = torch.zeros(LONGEST, ACTIONS)
    made_at = torch.arange(1, LONGEST).numpy()
    factor[1:, ACCEPT] = torch.from_numpy(
        rules.factor(discount, exponent, made_at)
    ).float()
    legal = torch.zeros(2 * _POOLS + 1, ACTIONS, dtype=torch.bool)
    for after in (0, 1):
        made_before = torch.full((_POOLS,), after).numpy()
        legal[_POOLS * after : _POOLS * (after + 1)] = torch.from_numpy(
            rules.legal_actions(pools, made_before)
        )
    menu = torch.full((LONGEST + 1,), _POOLS)
    menu[0] = 0
    tables = _Tables(
        change=torch.cat([change.flatten(0, 1), torch.zeros(1, rules.INFORMATION)]),
        offers=torch.cat([offers.flatten(), torch.tensor([0])]),
        ends=torch.cat([ends.flatten(), torch.tensor([False])]),
        factor=torch.cat([factor.flatten(), torch.tensor([0.0])]),
        legal=legal,
        menu=menu,
        wants=torch.cat([wants.float(), torch.zeros(1, rules.ITEMS)]),
        pools=torch.from_numpy(pools).float(),
        players=torch.arange(rules.PLAYERS),
    )
    return _Tables(*(table.to(device) for table in tables))


def sample_valuations(uniforms: Float64[Tensor, "*n 4"]) -> Float32[Tensor, "*n 3"]:
    """Uniform on {v_i >= 1, 5 <= sum v <= 10}, one valuation for four uniforms.

    The sum above (1, 1, 1) has a density proportional to its square on [2, 7]; how it
    is shared out is Dirichlet(1, 1, 1), from three exponential variables.

    Args:
      uniforms: numbers in [0, 1).
    """
    above = (8 + 335 * uniforms[..., :1]) ** (1 / 3)
    parts = -torch.log1p(-uniforms[..., 1:])
    return (1 + above * parts / parts.sum(-1, keepdim=True)).float()


@dataclass(frozen=True)
class Bargaining(Terms, RealGame):
    """The generalised Bargaining game as a simulator.

    A player's information is, unscaled: agreed, offers made, the pool (3), its own
    valuation (3), all offers in order, padded with zeros to 11 x 3. Eleven offers
    without a deal pay (0, 0). Terms of the game: ``metaspiel.games.bargaining_rules``.
    """

    players = rules.PLAYERS
    actions = ACTIONS
    inputs = rules.INFORMATION
    draws = 10  # first mover, pool, 2 x 4 for the valuations
    longest = LONGEST
    symmetric = True

    @classmethod
    def of(cls, terms: Terms) -> "Bargaining":
        """The game on given terms."""
        return cls(discount=terms.discount, exponent=terms.exponent)

    def start(self, uniforms: Uniforms) -> BargainingPosition:
        """New episodes, on the device of the uniforms.

        Args:
          uniforms: numbers in [0, 1): first mover, pool, valuation of player 0, of 1.

        Raises:
          UserError: an episode does not have ten numbers.
        """
        if uniforms.shape[-1] != self.draws:
            raise UserError(
                f"Bargaining.start(): an episode needs {self.draws} uniform numbers; "
                f"got {uniforms.shape[-1]}"
            )
        mover = (uniforms[..., 0] >= 0.5).long()
        pool = (uniforms[..., 1] * _POOLS).long()
        return self.deal(mover, pool, sample_valuations(_by_player(uniforms[..., 2:])))

    def deal(
        self,
        mover: Int64[Tensor, "S B"],
        pool: Int64[Tensor, "S B"],
        valuations: Float32[Tensor, "S B 2 3"],
    ) -> BargainingPosition:
        """Episodes of given instances: who moves first, pool (0 to 30), valuations."""
        tables = self._on(mover)
        inputs = valuations.new_zeros(*mover.shape, self.inputs)
        inputs[..., _FIRST : _FIRST + rules.ITEMS] = embedding(pool, tables.pools)
        inputs[..., _VALUES] = _of(mover, valuations)
        return BargainingPosition(
            mover=mover,
            done=torch.zeros_like(mover, dtype=torch.bool),
            inputs=inputs,
            legal=embedding(pool, tables.legal),
            returns=torch.zeros_like(valuations[..., 0]),
            penalty=torch.zeros_like(valuations[..., 0, 0]),
            pool=pool,
            valuations=valuations,
            made=torch.zeros_like(pool),
            last=torch.zeros_like(valuations[..., 0, :]),
        )

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> BargainingPosition:
        """New episodes where asked, the others as they were."""
        return merge(
            where,
            self.start(uniforms),
            own(position, BargainingPosition, "Bargaining.restart()"),
        )

    def step(
        self, position: Position, action: Moves, where: Where
    ) -> BargainingPosition:
        """Positions after the movers' actions where asked; the others as they were.

        Actions are not checked: they must be legal where asked and not over.
        """
        old = own(position, BargainingPosition, "Bargaining.step()")
        tables = self._on(action)
        moves = where & ~old.done
        row = torch.where(moves, old.made * ACTIONS + action, LONGEST * ACTIONS)
        is_offer = torch.take(tables.offers, row)
        mover, made = old.mover ^ is_offer, old.made + is_offer
        done = old.done | torch.take(tables.ends, row)
        inputs = old.inputs + embedding(row, tables.change)
        inputs[..., _VALUES] = _of(mover, old.valuations)
        menu = torch.where(done, 2 * _POOLS, old.pool + torch.take(tables.menu, made))
        wants = embedding(torch.where(moves, action, ACCEPT), tables.wants)
        # The share of the one who accepts is the rest of the pool.
        takes = (tables.players == old.mover[..., None])[..., None]
        rest = inputs[..., _FIRST : _FIRST + rules.ITEMS] - old.last
        share = torch.where(takes, rest[..., None, :], old.last[..., None, :])
        worth = (old.valuations * share).sum(-1)
        discount = torch.take(tables.factor, row)[..., None]
        return replace(
            old,
            mover=mover,
            done=done,
            inputs=inputs,
            legal=embedding(menu, tables.legal),
            returns=torch.addcmul(old.returns, worth, discount),
            made=made,
            last=torch.where(is_offer.bool()[..., None], wants, old.last),
        )

    def _on(self, like: Tensor) -> _Tables:
        return _tables(self.discount, self.exponent, str(like.device))


def state(position: BargainingPosition) -> Float32[Tensor, "S B 15"]:
    """The true state: agreed, k, pool (3), v^0 (3), standing offer (3), v^1 (3), mover.

    Where the episode is over, it is the state after the last move.
    """
    values = position.valuations
    parts = [
        position.inputs[..., : _VALUES.start],
        values[..., 0, :],
        position.last,
        values[..., 1, :],
        position.mover[..., None].float(),
    ]
    return torch.cat(parts, -1)


def observations(position: BargainingPosition) -> Float32[Tensor, "S B 2 11"]:
    """What each player observes: agreed, k, pool (3), v^p (3), standing offer (3)."""
    both = (*position.mover.shape, rules.PLAYERS)
    public = position.inputs[..., None, : _VALUES.start].expand(*both, _VALUES.start)
    last = position.last[..., None, :].expand(*both, rules.ITEMS)
    return torch.cat([public, position.valuations, last], -1)


def _by_player(uniforms: Float64[Tensor, "S B 8"]) -> Float64[Tensor, "S B 2 4"]:
    return uniforms.unflatten(-1, (rules.PLAYERS, 4))


def _of(
    player: Int64[Tensor, "S B"], values: Float32[Tensor, "S B 2 3"]
) -> Float32[Tensor, "S B 3"]:
    """The values of one given player in each episode."""
    return torch.where(player.bool()[..., None], values[..., 1, :], values[..., 0, :])
