"""Batched simulators: the games that learners and sampled evaluators play.

S independent trials of B episodes each are played at once: every tensor begins with
``[S, B]``. A trial may have parameters of its own (a learned model); what happens in it
never depends on the trials beside it. All randomness comes from outside, as uniform
numbers, so that the same numbers give the same episode to every pair of policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.nfg.errors import UserError

Uniforms = Float64[Tensor, "S B draws"]
"""Numbers in [0, 1) from which episodes start; ``draws`` of them each."""

Moves = Int64[Tensor, "S B"]
"""An action in each episode."""

Where = Bool[Tensor, "S B"]
"""Which episodes are asked for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Position:
    """S x B episodes, each between two moves. Simulators add fields of their own.

    Attributes:
      mover: whose turn it is; anything where done.
      done: the episode is over.
      inputs: information state of the mover, as its network sees it.
      legal: actions the mover may take; all False only where done.
      returns: payoff of each player; 0 until done.
      penalty: uncertainty of the outcome in units of payoff; 0 in a real game.
    """

    mover: Int64[Tensor, "S B"]
    done: Bool[Tensor, "S B"]
    inputs: Float32[Tensor, "S B D"]
    legal: Bool[Tensor, "S B A"]
    returns: Float32[Tensor, "S B N"]
    penalty: Float32[Tensor, "S B"]


@runtime_checkable
class Simulator(Protocol):
    """A game as arrays. Implementations are values: they can be compared and pickled.

    Attributes:
      name: the game's name, parameters included.
      players: N.
      actions: A, the same numbering for all players.
      inputs: D, numbers in an information state.
      draws: uniform numbers that one new episode needs.
      longest: no episode has more moves.
      symmetric: exchanging the players changes nothing.
      ensemble: E, number of outcomes that ``outcomes`` tells apart; 1 in a real game.
      reads: what ``inputs`` are, in words: "information state" where they hold all that
        the mover knows, "observation" where they need not hold the history.
    """

    @property
    def name(self) -> str: ...
    @property
    def players(self) -> int: ...
    @property
    def actions(self) -> int: ...
    @property
    def inputs(self) -> int: ...
    @property
    def draws(self) -> int: ...
    @property
    def longest(self) -> int: ...
    @property
    def symmetric(self) -> bool: ...
    @property
    def ensemble(self) -> int: ...
    @property
    def reads(self) -> str: ...

    def start(self, uniforms: Uniforms) -> Position:
        """New episodes; they live on the device of the uniforms."""

    def restart(self, position: Position, where: Where, uniforms: Uniforms) -> Position:
        """New episodes where asked, the others as they were."""

    def step(self, position: Position, action: Moves, where: Where) -> Position:
        """After the movers' actions where asked; other episodes stay as they are.

        Episodes that are over stay as they are as well. Actions must be legal.
        """

    def outcomes(self, position: Position) -> Float32[Tensor, "S B E N"]:
        """Payoffs of the finished episodes according to each ensemble member."""

    def together(self, others: Sequence[Any]) -> Any:
        """One simulator for S trials: this one's, then the others', of its type."""


@runtime_checkable
class Enumerable(Protocol):
    """A simulator whose chance acts before the first move only, in K known ways."""

    def instances(self) -> tuple[Float64[Tensor, "K draws"], Float64[Tensor, " K"]]:
        """Uniform numbers that start each instance, and its probability."""


@dataclass(frozen=True, eq=False)
class Trail:
    """A player's decisions along one history, of which the last is still open.

    Attributes:
      inputs: what the player saw at each of them.
      actions: what it did at all but the last.
    """

    inputs: Float32[ndarray, "T D"]
    actions: Int64[ndarray, " T_minus_1"]


@runtime_checkable
class Replayable(Protocol):
    """A simulator that can say what a player sees along a history of its tree."""

    def trail(self, history: Sequence[int], player: int) -> Trail:
        """What a player saw and did along a history that ends at a decision of its."""


T = TypeVar("T", bound="RealGame")


class RealGame:
    """What simulators share that play one known game in all trials.

    Attributes:
      ensemble: 1, a real game has one outcome.
    """

    ensemble: ClassVar[int] = 1

    @property
    def reads(self) -> str:
        """Information states, unless a game says otherwise."""
        return "information state"

    def outcomes(self, position: Position) -> Float32[Tensor, "S B 1 N"]:
        """Outcomes of the only member of the ensemble: the returns."""
        return position.returns[..., None, :]

    def together(self: T, others: Sequence[T]) -> T:
        """This simulator: its trials share all parameters.

        Raises:
          UserError: the others are not equal to it.
        """
        for other in others:
            if other != self:
                raise UserError(
                    f"{type(self).__name__}.together(): the trials must play one "
                    f"game; got {self} and {other}"
                )
        return self


P = TypeVar("P", bound=Position)


def merge(where: Where, new: P, old: P) -> P:
    """Episodes of ``new`` where asked, of ``old`` elsewhere, field by field."""
    changed = {}
    for field in fields(old):
        one, two = getattr(new, field.name), getattr(old, field.name)
        mask = where.reshape(*where.shape, *(1,) * (two.ndim - 2))
        changed[field.name] = torch.where(mask, one, two)
    return replace(old, **changed)


def own(position: Position, kind: type[P], where: str) -> P:
    """The position, if it is one of the simulator that asks in ``where``.

    Raises:
      UserError: it is not.
    """
    if not isinstance(position, kind):
        raise UserError(
            f"{where}: the position must be a {kind.__name__}; "
            f"got a {type(position).__name__}"
        )
    return position
