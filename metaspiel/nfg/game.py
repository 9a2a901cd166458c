"""``Game``: a finite normal-form game as a read-only value."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.nfg import arrays, views
from metaspiel.nfg.errors import UserError

CLOSE = 1e-3  # range over size of payoffs below which they are moved to 0


def _read_only(array: ndarray) -> ndarray:
    array = np.array(array, order="C")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Game:
    """An N-player game in normal form, possibly known only through an ensemble.

    Attributes:
      payoffs: ``[N, A1, ..., AN]``, utility of each player at each joint action.
      members: ``[E, N, A1, ..., AN]`` or None: an ensemble of payoff tensors (model
        ensemble, bootstrap), on which robust solvers base their bounds.
      repeats: per player a positive integer for each action, or None. Action k counts
        as ``repeats[p][k]`` identical copies of itself.
      symmetric: the players are interchangeable; checked, not believed.

    Raises:
      UserError: a shape is impossible, an entry is not finite, or a game declared
        symmetric is not.
    """

    payoffs: Float64[ndarray, "N *A"]
    members: Float64[ndarray, "E N *A"] | None = None
    repeats: tuple[Int64[ndarray, " A_p"], ...] | None = None
    symmetric: bool = False

    def __init__(
        self,
        payoffs: Any,
        members: Any = None,
        repeats: Sequence[Any] | None = None,
        symmetric: bool = False,
    ) -> None:
        payoffs = arrays.payoffs(payoffs, "Game()", "payoffs")
        _check_shape(payoffs)
        object.__setattr__(self, "payoffs", _read_only(payoffs))
        if members is not None:
            members = arrays.payoffs(members, "Game()", "members")
            if members.ndim != payoffs.ndim + 1 or members.shape[1:] != payoffs.shape:
                raise UserError(
                    "Game(): members must have shape [E, *payoffs.shape] = "
                    f"[E, {', '.join(map(str, payoffs.shape))}]; "
                    f"got {list(members.shape)}"
                )
            if members.shape[0] == 0:
                raise UserError("Game(): members must hold at least one tensor; got 0")
            members = _read_only(members)
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "repeats", _check_repeats(repeats, payoffs.shape[1:]))
        object.__setattr__(self, "symmetric", bool(symmetric))
        if symmetric:
            _check_symmetric(self)

    @classmethod
    def ensemble(
        cls, members: Any, repeats: Sequence[Any] | None = None, symmetric: bool = False
    ) -> "Game":
        """A game known through ``members`` ``[E, N, A1, ..., AN]``; mean payoffs."""
        array = arrays.payoffs(members, "Game.ensemble()", "members")
        if array.ndim < 3 or array.shape[0] == 0:
            raise UserError(
                "Game.ensemble(): members must have shape [E, N, A1, ..., AN] with "
                f"E >= 1; got {list(array.shape)}"
            )
        return cls(array.mean(axis=0), array, repeats, symmetric)

    @classmethod
    def zero_sum(cls, matrix: Any) -> "Game":
        """Two players: one gets ``matrix`` ``[A1, A2]`` by row, the other minus it."""
        array = arrays.payoffs(matrix, "Game.zero_sum()", "matrix")
        if array.ndim != 2:
            raise UserError(
                "Game.zero_sum(): matrix must have shape [A1, A2]; "
                f"got {list(array.shape)}"
            )
        return cls(np.stack([array, -array]))

    def __repr__(self) -> str:
        return f"<Game: {', '.join(self._facts.values())}>"

    def _repr_html_(self) -> str:
        """The facts for a notebook; of two players also the payoffs, if few."""
        table = views.matrix(self.payoffs) if self.players == 2 else ""
        return views.html("Game", self._facts, table)

    @property
    def _facts(self) -> dict[str, str]:
        """What there is to say, in words."""
        zero_sum = self.players == 2 and not np.any(self.payoffs.sum(axis=0))
        facts = {
            "players": "two-player zero-sum" if zero_sum else f"{self.players} players",
            "actions": f"{views.size(self.actions)} actions",
        }
        if self.symmetric:
            facts["symmetry"] = "symmetric"
        if self.members is not None:
            facts["ensemble"] = f"mean of an ensemble of {len(self.members)}"
        if self.repeats is not None:
            facts["repeats"] = "with repeated actions"
        return facts

    @property
    def players(self) -> int:
        """The number of players, N."""
        return int(self.payoffs.shape[0])

    @property
    def actions(self) -> tuple[int, ...]:
        """The number of actions of each player, ``(A1, ..., AN)``."""
        return self.payoffs.shape[1:]

    @property
    def profiles(self) -> int:
        """Number of joint actions."""
        return math.prod(self.actions)

    @cached_property
    def lower(self) -> Float64[ndarray, "N *A"]:
        """Entry-wise minimum over the ensemble; the payoffs without one."""
        if self.members is None:
            return self.payoffs
        return _read_only(self.members.min(axis=0))

    @cached_property
    def upper(self) -> Float64[ndarray, "N *A"]:
        """Entry-wise maximum over the ensemble; the payoffs without one."""
        if self.members is None:
            return self.payoffs
        return _read_only(self.members.max(axis=0))

    @cached_property
    def scale(self) -> Float64[ndarray, " N"]:
        """Range of each player's payoffs, 1 where all of them are equal.

        Dividing by it makes a tolerance mean the same at every unit of payoff.
        """
        flat = self.payoffs.reshape(self.players, -1)
        spread = flat.max(axis=1) - flat.min(axis=1)
        return _read_only(np.where(spread > 0, spread, 1.0))

    @cached_property
    def normalised(self) -> Float64[ndarray, "N *A"]:
        """Payoffs moved and scaled per player to [0, 1]; the equilibria are the same.

        However close together payoffs lie their differences are exact, so nobody is
        taken for constant whose payoffs are not equal.
        """
        flat = self.payoffs.reshape(self.players, -1)
        unit = (flat - flat.min(axis=1)[:, None]) / self.scale[:, None]
        return _read_only(unit.reshape(self.payoffs.shape))

    @cached_property
    def moved(self) -> Float64[ndarray, "N *A"]:
        """Payoffs, less their least one where they lie close together and far from 0.

        Gains are the same, but sums of products do not drown the differences.
        """
        flat = self.payoffs.reshape(self.players, -1)
        close = np.ptp(flat, axis=1) < CLOSE * np.abs(flat).max(axis=1)
        least = np.where(close, flat.min(axis=1), 0.0)
        return _read_only((flat - least[:, None]).reshape(self.payoffs.shape))

    @cached_property
    def copies(self) -> Float64[ndarray, "*A"]:
        """Number of copies of each joint action (1 without repeats)."""
        weights = np.ones(self.actions)
        for player, counts in enumerate(self.repeats or ()):
            shape = [1] * self.players
            shape[player] = -1
            weights = weights * counts.reshape(shape)
        return _read_only(weights)

    @cached_property
    def weights(self) -> tuple[Float64[ndarray, " A_p"], ...]:
        """How often each player has each of its actions (1 without repeats)."""
        if self.repeats is None:
            return tuple(_read_only(np.ones(size)) for size in self.actions)
        return tuple(_read_only(counts.astype(float)) for counts in self.repeats)

    @property
    def interchangeable(self) -> bool:
        """Whether the game is declared symmetric, and is with its repeats."""
        counts = self.weights
        return self.symmetric and all(np.array_equal(c, counts[0]) for c in counts)

    def own_first(self, player: int) -> Float64[ndarray, "A_p M"]:
        """``moved`` payoffs of ``player``: own action by co-players' profile."""
        first = np.moveaxis(self.moved[player], player, 0)
        return first.reshape(self.actions[player], -1)

    def restrict(self, keep: Sequence[Sequence[int]]) -> "Game":
        """The game in which player p has only the actions ``keep[p]``, in order."""
        index = np.ix_(list(range(self.players)), *keep)
        members = None
        if self.members is not None:
            lead = [list(range(size)) for size in self.members.shape[:2]]
            members = self.members[np.ix_(*lead, *keep)]
        repeats = None
        if self.repeats is not None:
            pairs = zip(self.repeats, keep, strict=True)
            repeats = [counts[list(kept)] for counts, kept in pairs]
        alike = all(list(kept) == list(keep[0]) for kept in keep)
        return Game(self.payoffs[index], members, repeats, self.symmetric and alike)

    def expanded(self) -> "Game":
        """The game with every action written out as often as it is repeated."""
        if self.repeats is None:
            return self
        index = [np.repeat(np.arange(len(r)), r) for r in self.repeats]
        whole = Game(self.payoffs, self.members, symmetric=self.symmetric)
        return whole.restrict([i.tolist() for i in index])

    def folded(self, joint: Float64[ndarray, "*R"]) -> Float64[ndarray, "*A"]:
        """A joint of ``expanded()`` summed back onto this game's actions."""
        for player, counts in enumerate(self.repeats or ()):
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            joint = np.add.reduceat(joint, starts, axis=player)
        return joint


def _check_shape(payoffs: ndarray) -> None:
    if payoffs.ndim < 2:
        raise UserError(
            "Game(): payoffs must have shape [N, A1, ..., AN]; "
            f"got an array of shape {list(payoffs.shape)}"
        )
    players = payoffs.ndim - 1
    if payoffs.shape[0] != players:
        raise UserError(
            f"Game(): payoffs of shape {list(payoffs.shape)} have {players} action "
            f"axes, so the first axis must be {players} (one tensor per player); "
            f"got {payoffs.shape[0]}"
        )
    if 0 in payoffs.shape:
        raise UserError(
            "Game(): every player must have at least one action; "
            f"got shape {list(payoffs.shape)}"
        )


def _check_repeats(
    repeats: Sequence[Any] | None, actions: tuple[int, ...]
) -> tuple[ndarray, ...] | None:
    if repeats is None:
        return None
    if len(repeats) != len(actions):
        raise UserError(
            f"Game(): repeats must have one list for each of the {len(actions)} "
            f"players; got {len(repeats)}"
        )
    checked = []
    for player, (counts, size) in enumerate(zip(repeats, actions, strict=True)):
        numbers = arrays.numbers(counts, "Game()", f"repeats of player {player}")
        whole = numbers.astype(np.int64)
        if numbers.shape != (size,) or np.any(whole != numbers) or np.any(whole < 1):
            raise UserError(
                f"Game(): repeats of player {player} must be {size} integers >= 1; "
                f"got {numbers.tolist()}"
            )
        checked.append(_read_only(whole))
    return tuple(checked)


def _check_symmetric(game: Game) -> None:
    if len(set(game.actions)) > 1:
        raise UserError(
            "Game(): a symmetric game must give all players the same actions; "
            f"got {list(game.actions)}"
        )
    tensors = [game.payoffs, *(() if game.members is None else game.members)]
    tolerance = 1e-9 * max(float(np.abs(t).max()) for t in tensors)
    for one, two in itertools.combinations(range(game.players), 2):
        order = list(range(game.players))
        order[one], order[two] = two, one
        axes = [0, *(1 + i for i in order)]
        errors = [np.abs(t[order].transpose(axes) - t).max() for t in tensors]
        error = float(max(errors))
        if error > tolerance:
            raise UserError(
                "Game(): a symmetric game must look the same after exchanging players "
                f"{one} and {two}; got payoffs that differ by {error:.3g}"
            )
