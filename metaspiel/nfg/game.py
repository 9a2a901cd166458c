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

from metaspiel.nfg.errors import UserError


def _read_only(array: ndarray) -> ndarray:
    array = np.array(array, order="C")
    array.flags.writeable = False
    return array


def _numbers(values: Any, where: str, what: str) -> ndarray:
    """``values`` as a float64 array; a ``UserError`` where they are none."""
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array):
            raise TypeError("complex numbers")
        array = np.asarray(array, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{where}: {what} must be a rectangular array of real numbers; got {error}"
        ) from None
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        where_bad = tuple(int(i) for i in bad[0])
        raise UserError(
            f"{where}: {what} must be finite; got {array[where_bad]} at index "
            f"{where_bad} ({len(bad)} such entries)"
        )
    if array.size and max(abs(float(array.max())), abs(float(array.min()))) > 1e150:
        raise UserError(
            f"{where}: {what} must be at most 1e150 in size, so that differences and "
            f"squares exist; got {float(np.abs(array).max()):.3g}"
        )
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
        payoffs = _numbers(payoffs, "Game()", "payoffs")
        _check_shape(payoffs)
        object.__setattr__(self, "payoffs", _read_only(payoffs))
        if members is not None:
            members = _numbers(members, "Game()", "members")
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
        array = _numbers(members, "Game.ensemble()", "members")
        if array.ndim < 3 or array.shape[0] == 0:
            raise UserError(
                "Game.ensemble(): members must have shape [E, N, A1, ..., AN] with "
                f"E >= 1; got {list(array.shape)}"
            )
        return cls(array.mean(axis=0), array, repeats, symmetric)

    @classmethod
    def zero_sum(cls, matrix: Any) -> "Game":
        """Two players: one gets ``matrix`` ``[A1, A2]`` by row, the other minus it."""
        array = _numbers(matrix, "Game.zero_sum()", "matrix")
        if array.ndim != 2:
            raise UserError(
                "Game.zero_sum(): matrix must have shape [A1, A2]; "
                f"got {list(array.shape)}"
            )
        return cls(np.stack([array, -array]))

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
        """Range of each player's payoffs, 1 where it is constant.

        Dividing by it makes a tolerance mean the same at every unit of payoff.
        """
        flat = self.payoffs.reshape(self.players, -1)
        spread = flat.max(axis=1) - flat.min(axis=1)
        noise = 1e-13 * np.abs(flat).max(axis=1)
        return _read_only(np.where(spread > noise, spread, 1.0))

    @cached_property
    def normalised(self) -> Float64[ndarray, "N *A"]:
        """Payoffs moved and scaled per player to [0, 1]; the equilibria are the same.

        A player whose payoffs differ only by rounding gets zeros.
        """
        flat = self.payoffs.reshape(self.players, -1)
        low, spread = flat.min(axis=1), np.ptp(flat, axis=1)
        live = spread > 1e-13 * np.abs(flat).max(axis=1)
        unit = np.where(live[:, None], (flat - low[:, None]) / self.scale[:, None], 0.0)
        return _read_only(unit.reshape(self.payoffs.shape))

    @cached_property
    def copies(self) -> Float64[ndarray, "*A"]:
        """Number of copies of each joint action (1 without repeats)."""
        weights = np.ones(self.actions)
        for player, counts in enumerate(self.repeats or ()):
            shape = [1] * self.players
            shape[player] = -1
            weights = weights * counts.reshape(shape)
        return _read_only(weights)

    def own_first(self, player: int) -> Float64[ndarray, "A_p M"]:
        """Payoffs of ``player`` as a matrix: own action by co-players' profile."""
        moved = np.moveaxis(self.payoffs[player], player, 0)
        return moved.reshape(self.actions[player], -1)

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
        numbers = _numbers(counts, "Game()", f"repeats of player {player}")
        whole = numbers.astype(np.int64)
        if numbers.shape != (size,) or np.any(whole != numbers) or np.any(whole < 1):
            raise UserError(
                f"Game(): repeats of player {player} must be {size} integers >= 1; "
                f"got {np.asarray(counts).tolist()}"
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
