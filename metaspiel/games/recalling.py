"""A game whose players remember: what is seen is a window of what was seen and done.

A recurrent network that reads such a window is an ordinary ``Network`` value, a
function of its weights and one row of numbers, so that banks, learners, evaluators and
the referee need to know nothing of hidden states.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from metaspiel.games.simulator import (
    Enumerable,
    Moves,
    Position,
    Replayable,
    Simulator,
    Trail,
    Uniforms,
    Where,
    own,
)
from metaspiel.nfg.errors import UserError, at_least


@dataclass(frozen=True, eq=False, kw_only=True)
class RecallingPosition(Position):
    """Episodes of a game whose players remember.

    Not for ``simulator.merge``: the game's own position is no tensor.

    Attributes:
      game: the position in the game itself.
      seen: what each of N players saw at its last W decisions, newest last; the open
        one of the mover is among them.
      did: what it did at the decision before each; -1 where that was its first.
      count: decisions that each player has met so far.
      last: what each player did last; -1 before its first action.
    """

    game: Position
    seen: Float32[Tensor, "S B N W look"]
    did: Int64[Tensor, "S B N W"]
    count: Int64[Tensor, "S B N"]
    last: Int64[Tensor, "S B N"]


@dataclass(frozen=True)
class Recalling:
    """A simulator with a memory in front of its players, of any game.

    What the mover sees are its own last ``window`` decisions, oldest first, so that
    the open one comes last. A slot has what was seen there, which action the player
    took at its decision before (one-hot, zeros before its first), and 1; an empty slot
    is all zeros. What it would have observed while others moved is not among them, as
    simulators show only the mover.

    Attributes:
      game: the game that is played.
      window: W, decisions that are remembered, the open one included.

    Raises:
      UserError: the window is below 1.
    """

    game: Simulator
    window: int

    def __post_init__(self) -> None:
        at_least(self, window=1)

    @property
    def name(self) -> str:
        """The name of the game that is played."""
        return self.game.name

    @property
    def players(self) -> int:
        """N, the number of players."""
        return self.game.players

    @property
    def actions(self) -> int:
        """A, the number of actions."""
        return self.game.actions

    @property
    def slot(self) -> int:
        """Numbers in a slot: those that are seen, the action before, and a mark."""
        return self.game.inputs + self.game.actions + 1

    @property
    def inputs(self) -> int:
        """Numbers in a window."""
        return self.window * self.slot

    @property
    def draws(self) -> int:
        """Uniform numbers that one new episode of the game needs."""
        return self.game.draws

    @property
    def longest(self) -> int:
        """The game's bound on the number of moves."""
        return self.game.longest

    @property
    def symmetric(self) -> bool:
        """Whether exchanging the players of the game changes nothing."""
        return self.game.symmetric

    @property
    def ensemble(self) -> int:
        """The number of outcomes that the game tells apart."""
        return self.game.ensemble

    @property
    def whole(self) -> bool:
        """Whether no own decision is ever forgotten, however an episode goes."""
        return self.window >= self.game.longest

    @property
    def reads(self) -> str:
        """What is remembered, in words."""
        count = "all" if self.whole else f"the last {self.window}"
        return f"{count} own {self.game.reads}s and actions"

    def start(self, uniforms: Uniforms) -> RecallingPosition:
        """New episodes, of which nothing is remembered."""
        inner = self.game.start(uniforms)
        lead = (*inner.mover.shape, self.players)
        count = torch.zeros(lead, dtype=torch.int64, device=inner.inputs.device)
        none = torch.full_like(count, -1)
        blank = RecallingPosition(
            mover=inner.mover,
            done=inner.done,
            inputs=inner.inputs.new_zeros(*inner.mover.shape, self.inputs),
            legal=inner.legal,
            returns=inner.returns,
            penalty=inner.penalty,
            game=inner,
            seen=inner.inputs.new_zeros(*lead, self.window, self.game.inputs),
            did=none[..., None].repeat(1, 1, 1, self.window),
            count=count,
            last=none,
        )
        return self._looked(blank, inner, ~inner.done)

    def restart(
        self, position: Position, where: Where, uniforms: Uniforms
    ) -> RecallingPosition:
        """New episodes where asked, the others as they were."""
        old = own(position, RecallingPosition, "Recalling.restart()")
        inner = self.game.restart(old.game, where, uniforms)
        forgotten = where[..., None]
        emptied = replace(
            old,
            count=old.count.masked_fill(forgotten, 0),
            last=old.last.masked_fill(forgotten, -1),
        )
        return self._looked(emptied, inner, where & ~inner.done)

    def step(
        self, position: Position, action: Moves, where: Where
    ) -> RecallingPosition:
        """Positions after the movers' actions where asked; the others as they were."""
        old = own(position, RecallingPosition, "Recalling.step()")
        inner = self.game.step(old.game, action, where)
        moved = where & ~old.done
        mine = torch.arange(self.players, device=action.device) == old.mover[..., None]
        last = torch.where(mine & moved[..., None], action[..., None], old.last)
        return self._looked(replace(old, last=last), inner, moved & ~inner.done)

    def _looked(
        self, old: RecallingPosition, inner: Position, where: Where
    ) -> RecallingPosition:
        """The position once the movers have seen what there is to see, where asked."""
        mover = inner.mover.masked_fill(inner.done, 0)
        numbers = torch.arange(self.players, device=mover.device)
        looks = (numbers == mover[..., None]) & where[..., None]
        lead = (*looks.shape, 1)
        now = inner.inputs[:, :, None, None].expand(*lead, self.game.inputs)
        seen = torch.cat([old.seen[..., 1:, :], now], -2)
        did = torch.cat([old.did[..., 1:], old.last[..., None]], -1)
        seen = torch.where(looks[..., None, None], seen, old.seen)
        did = torch.where(looks[..., None], did, old.did)
        count = old.count + looks
        trials, episodes = (
            torch.arange(size, device=mover.device) for size in mover.shape
        )
        at = trials[:, None], episodes, mover
        met = count[at].masked_fill(inner.done, 0)
        return RecallingPosition(
            mover=inner.mover,
            done=inner.done,
            inputs=self._window(seen[at], did[at], met),
            legal=inner.legal,
            returns=inner.returns,
            penalty=inner.penalty,
            game=inner,
            seen=seen,
            did=did,
            count=count,
            last=old.last,
        )

    def _window(
        self,
        seen: Float32[Tensor, "*R W look"],
        did: Int64[Tensor, "*R W"],
        count: Int64[Tensor, "*R"],
    ) -> Float32[Tensor, "*R inputs"]:
        """What a player sees who has met ``count`` decisions."""
        slots = torch.arange(self.window, device=seen.device)
        filled = slots >= self.window - count[..., None]
        shown = seen.new_zeros(*did.shape, self.slot)
        looks, actions, mark = shown.split([seen.shape[-1], self.actions, 1], -1)
        looks.copy_(seen.masked_fill(~filled[..., None], 0))
        acted = (filled & (did >= 0))[..., None]
        actions.scatter_(-1, did.clamp(min=0)[..., None], acted.to(seen.dtype))
        mark.copy_(filled[..., None])
        return shown.flatten(-2)

    def outcomes(self, position: Position) -> Float32[Tensor, "S B E N"]:
        """Payoffs of the finished episodes, as the game has them."""
        held = own(position, RecallingPosition, "Recalling.outcomes()")
        return self.game.outcomes(held.game)

    def together(self, others: Sequence["Recalling"]) -> "Recalling":
        """One simulator for S trials, whose players remember as much.

        Raises:
          UserError: they do not, or the games cannot be played together.
        """
        windows = {self.window, *(other.window for other in others)}
        if len(windows) > 1:
            raise UserError(
                "Recalling.together(): the trials must have one window; got "
                f"{sorted(windows)}"
            )
        return replace(self, game=self.game.together([o.game for o in others]))

    def instances(self) -> tuple[Float64[Tensor, "K draws"], Float64[Tensor, " K"]]:
        """All outcomes of the game's chance; see ``Enumerable``.

        Raises:
          UserError: the game has no list of them.
        """
        if not isinstance(self.game, Enumerable):
            raise UserError(
                "Recalling.instances(): chance must have finitely many outcomes, all "
                f"before the first move; '{self.name}' has not"
            )
        return self.game.instances()

    def trail(self, history: Sequence[int], player: int) -> Trail:
        """What a player saw, window by window, and did along a history; see ``Trail``.

        Raises:
          UserError: the game has no histories.
        """
        if not isinstance(self.game, Replayable):
            raise UserError(
                f"Recalling.trail(): the game must be one of OpenSpiel; got "
                f"'{self.name}'"
            )
        inner = self.game.trail(history, player)
        seen = torch.from_numpy(inner.inputs)
        before = torch.cat([torch.tensor([-1]), torch.from_numpy(inner.actions)])
        count = torch.arange(1, len(seen) + 1)
        # Slots before the first decision are empty, whatever they name.
        at = (count[:, None] - self.window + torch.arange(self.window)).clamp(min=0)
        return Trail(self._window(seen[at], before[at], count).numpy(), inner.actions)
