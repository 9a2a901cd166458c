"""A game in which only those who remember do well."""

from dataclasses import dataclass, replace

import torch

from metaspiel.games.simulator import Position, RealGame, merge


@dataclass(frozen=True, eq=False, kw_only=True)
class EchoPosition(Position):
    bit: torch.Tensor
    stage: torch.Tensor


@dataclass(frozen=True)
class Echo(RealGame):
    """Player 0 sees a bit; player 1 moves; player 0 sees nothing and names the bit.

    It wins 1 from player 1 where it is right and loses 1 where it is not; all other
    moves are free and without effect.
    """

    name = "echo"
    players = 2
    actions = 2
    inputs = 3
    draws = 1
    longest = 3
    symmetric = False
    reads = "observation"

    def start(self, uniforms):
        bit = (uniforms[..., 0] >= 0.5).long()
        blank = torch.zeros_like(bit)
        return self._shown(
            EchoPosition(
                mover=blank,
                done=blank.bool(),
                inputs=torch.zeros(*bit.shape, 3, device=bit.device),
                legal=torch.ones(*bit.shape, 2, dtype=torch.bool, device=bit.device),
                returns=torch.zeros(*bit.shape, 2, device=bit.device),
                penalty=torch.zeros(bit.shape, device=bit.device),
                bit=bit,
                stage=blank,
            )
        )

    def restart(self, position, where, uniforms):
        return merge(where, self.start(uniforms), position)

    def step(self, position, action, where):
        moved = where & ~position.done
        stage = position.stage + moved
        over = stage == 3
        named = moved & over
        won = torch.where(action == position.bit, 1.0, -1.0) * named
        returns = position.returns + torch.stack([won, -won], -1)
        changed = replace(position, stage=stage, done=over, returns=returns)
        return self._shown(changed)

    def _shown(self, position):
        stage, going = position.stage, ~position.done
        bits = torch.nn.functional.one_hot(position.bit, 2) * (stage == 0)[..., None]
        last = (stage == 2)[..., None]
        return replace(
            position,
            mover=(stage == 1).long(),
            inputs=torch.cat([bits, last], -1).float() * going[..., None],
            legal=going[..., None].expand(*going.shape, 2),
        )
