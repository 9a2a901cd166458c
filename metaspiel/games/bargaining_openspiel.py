"""The generalised Bargaining game in OpenSpiel: ``bargaining_generalized``.

OpenSpiel wants chance to be finite, valuations are real. So the eight uniform numbers
behind the valuations are drawn digit by digit, three digits of base 256 each: they are
multiples of 2^-24, as fine as the single-precision tensors that show the valuations.
A history therefore tells everything, and states can be copied, saved and replayed.
"""

import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pyspiel

from metaspiel.games import bargaining_rules as rules
from metaspiel.games.bargaining_rules import (
    ACCEPT,
    ITEMS,
    PLAYERS,
    ROUNDS,
    SHORT_NAME,
    Exponent,
)
from metaspiel.nfg.errors import UserError, unknown

_BASE, _DIGITS = 256, 3
_UNIFORMS = 8  # behind the valuations: a sum and three shares for each player
_CHANCE = 2 + _UNIFORMS * _DIGITS
_OFFERS = [tuple(offer) for offer in rules.offers().tolist()]
_POOLS = [tuple(pool) for pool in rules.pools().tolist()]
_BEST = 42.0  # 5 + 1 + 1 items at 8, 1 and 1: no split is worth more


def _even(outcomes: int) -> list[tuple[int, float]]:
    return [(outcome, 1 / outcomes) for outcome in range(outcomes)]


_OUTCOMES = [_even(PLAYERS), _even(len(_POOLS)), _even(_BASE)]

_GAME_TYPE = pyspiel.GameType(
    short_name=SHORT_NAME,
    long_name="Bargaining, generalised",
    dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL,
    chance_mode=pyspiel.GameType.ChanceMode.EXPLICIT_STOCHASTIC,
    information=pyspiel.GameType.Information.IMPERFECT_INFORMATION,
    utility=pyspiel.GameType.Utility.GENERAL_SUM,
    reward_model=pyspiel.GameType.RewardModel.TERMINAL,
    max_num_players=PLAYERS,
    min_num_players=PLAYERS,
    provides_information_state_string=True,
    provides_information_state_tensor=True,
    provides_observation_string=True,
    provides_observation_tensor=True,
    provides_factored_observation_string=False,
    parameter_specification={"discount": 0.99, "exponent": "offers"},
)


class BargainingGame(pyspiel.Game):
    """The generalised Bargaining game as an OpenSpiel game written in Python.

    Parameters of the game: ``discount`` in (0, 1] and ``exponent``, "offers" or
    "offers_before"; they mean what they mean there.

    Raises:
      UserError: no such discount or exponent.
    """

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        params = params or {}
        self.discount = float(params.get("discount", 0.99))
        self.exponent: Exponent = params.get("exponent", "offers")
        if not 0 < self.discount <= 1:
            raise UserError(
                f"{SHORT_NAME}: discount must be in (0, 1]; got {self.discount}"
            )
        if self.exponent not in get_args(Exponent):
            raise unknown(SHORT_NAME, "exponent", self.exponent, get_args(Exponent))
        info = pyspiel.GameInfo(
            num_distinct_actions=rules.ACTIONS,
            max_chance_outcomes=_BASE,
            num_players=PLAYERS,
            min_utility=0.0,
            max_utility=_BEST,
            utility_sum=None,
            max_game_length=rules.LONGEST,
        )
        super().__init__(_GAME_TYPE, info, params)

    def new_initial_state(self) -> "BargainingState":
        """The root state, before first mover, pool and valuations are drawn."""
        return BargainingState(self)

    def make_py_observer(
        self, iig_obs_type: Any = None, params: dict[str, Any] | None = None
    ) -> "_Observer":
        """An observer of 41 numbers with perfect recall, of 11 without.

        Raises:
          UserError: the observer is asked for parameters; it has none.
        """
        if params:
            raise UserError(
                f"{SHORT_NAME}: its observers must have no parameters; got {params}"
            )
        default = pyspiel.IIGObservationType(perfect_recall=False)
        return _Observer(iig_obs_type or default)

    def max_chance_nodes_in_history(self) -> int:
        """Number of chance events: first mover, pool and digits of the valuations."""
        return _CHANCE


class BargainingState(pyspiel.State):
    """The state of one episode.

    Attributes:
      drawn: chance outcomes: first mover, pool, digits of the valuations.
      pool: items of each type; 0 until drawn.
      valuations: valuations of both players; empty until drawn.
      offers: all offers in order, as their proposers wanted them.
      agreed: the last one was accepted.
    """

    def __init__(self, game: Any) -> None:
        super().__init__(game)
        self._discount, self._exponent = game.discount, game.exponent
        self.drawn: list[int] = []
        self.pool: tuple[int, ...] = (0,) * ITEMS
        self.valuations: list[tuple[float, ...]] = []
        self.offers: list[tuple[int, ...]] = []
        self.agreed = False
        self._mover = 0

    def current_player(self) -> int:
        """The player to move, or OpenSpiel's number for chance or a terminal state."""
        if self.agreed or len(self.offers) > ROUNDS:
            return int(pyspiel.PlayerId.TERMINAL)
        return self._mover if self._dealt() else int(pyspiel.PlayerId.CHANCE)

    def is_terminal(self) -> bool:
        """Whether an offer was accepted or eleven were made."""
        return self.agreed or len(self.offers) > ROUNDS

    def _dealt(self) -> bool:
        return len(self.drawn) == _CHANCE

    def _legal_actions(self, player: int) -> list[int]:
        fits = [
            action
            for action, offer in enumerate(_OFFERS)
            if all(want <= there for want, there in zip(offer, self.pool, strict=True))
        ]
        return [*fits, ACCEPT] if self.offers else fits

    def chance_outcomes(self) -> list[tuple[int, float]]:
        """Outcomes and probabilities of the next chance event: mover, pool or digit."""
        return _OUTCOMES[min(len(self.drawn), 2)]

    def _apply_action(self, action: int) -> None:
        if not self._dealt():
            self._draw(action)
        elif action == ACCEPT:
            self.agreed = True
        else:
            self.offers.append(_OFFERS[action])
            self._mover = 1 - self._mover

    def _draw(self, outcome: int) -> None:
        self.drawn.append(outcome)
        if len(self.drawn) == 1:
            self._mover = outcome
        elif len(self.drawn) == 2:
            self.pool = _POOLS[outcome]
        elif self._dealt():
            uniforms = [
                _number(self.drawn[start : start + _DIGITS])
                for start in range(2, _CHANCE, _DIGITS)
            ]
            half = _UNIFORMS // PLAYERS
            self.valuations = [_valuation(uniforms[:half]), _valuation(uniforms[half:])]

    def _action_to_string(self, player: int, action: int) -> str:
        if player == pyspiel.PlayerId.CHANCE:
            kinds = ("first mover", "pool", "digit")
            return f"{kinds[min(len(self.drawn), 2)]} {action}"
        if action == ACCEPT:
            return "accept"
        return "offer " + " ".join(map(str, _OFFERS[action]))

    def returns(self) -> list[float]:
        """Discounted payoffs of both players; 0 without a deal."""
        if not self.agreed:
            return [0.0, 0.0]
        t = len(self.offers) - (self._exponent == "offers_before")
        last = self.offers[-1]
        rest = [there - want for there, want in zip(self.pool, last, strict=True)]
        paid = []
        for player, values in enumerate(self.valuations):
            share = rest if player == self._mover else last
            worth = sum(v * n for v, n in zip(values, share, strict=True))
            paid.append(self._discount**t * worth)
        return paid

    def __str__(self) -> str:
        """The whole state as text, chance included."""
        said = " ".join(map(str, self.offers))
        return (
            f"drawn {self.drawn} pool {self.pool} valuations {self.valuations} "
            f"offers {said} mover {self._mover} agreed {self.agreed}"
        )


class _Observer:
    """OpenSpiel's observer of what a player sees."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        sizes: dict[str, int] = {}
        if kind.public_info:
            sizes |= {"agreed": 1, "made": 1, "pool": ITEMS}
        if kind.private_info == pyspiel.PrivateInfoType.SINGLE_PLAYER:
            sizes["valuation"] = ITEMS
        elif kind.private_info == pyspiel.PrivateInfoType.ALL_PLAYERS:
            sizes["valuation"] = ITEMS * PLAYERS
        if kind.public_info:
            sizes["offers"] = ITEMS * (rules.LONGEST if kind.perfect_recall else 1)
        self.tensor = np.zeros(sum(sizes.values()), np.float32)
        self.dict: dict[str, np.ndarray] = {}
        start = 0
        for name, size in sizes.items():
            self.dict[name] = self.tensor[start : start + size]
            start += size

    def _numbers(self, state: Any, player: int) -> dict[str, list[float]]:
        values = state.valuations or [(0.0,) * ITEMS] * PLAYERS
        if self._kind.private_info == pyspiel.PrivateInfoType.SINGLE_PLAYER:
            values = [values[player]]
        offers = state.offers if self._kind.perfect_recall else state.offers[-1:]
        return {
            "agreed": [float(state.agreed)],
            "made": [float(len(state.offers))],
            "pool": [float(n) for n in state.pool],
            "valuation": [v for one in values for v in one],
            "offers": [float(n) for offer in offers for n in offer],
        }

    def set_from(self, state: Any, player: int) -> None:
        """Writes what a player sees into the tensor."""
        self.tensor.fill(0)
        seen = self._numbers(state, player)
        for name, part in self.dict.items():
            part[: len(seen[name])] = seen[name]

    def string_from(self, state: Any, player: int) -> str:
        """What a player observes, in words."""
        seen = self._numbers(state, player)
        words = [f"{name} {seen[name]}" for name in self.dict]
        return " ".join([f"player {player}", *words])


def _number(digits: Sequence[int]) -> float:
    """A number in [0, 1) from its digits."""
    return sum(d / _BASE ** (i + 1) for i, d in enumerate(digits))


def _valuation(uniforms: Sequence[float]) -> tuple[float, ...]:
    """A valuation as ``metaspiel.games.bargaining.sample_valuations`` makes it."""
    above = (8 + 335 * uniforms[0]) ** (1 / 3)
    parts = [-math.log1p(-u) for u in uniforms[1:]]
    whole = sum(parts) or 1.0
    return tuple(1 + above * part / whole for part in parts)


def new_state(game: Any, uniforms: Sequence[float]) -> Any:
    """An episode of a given instance, ready for its first move.

    Args:
      game: ``bargaining_generalized`` as OpenSpiel loads it.
      uniforms: the ten numbers in [0, 1) that ``Bargaining.start`` takes. Of the last
        eight, what is below 2^-24 is lost; numbers that are multiples of it give the
        same instance there and here.

    Raises:
      UserError: there are not ten numbers in [0, 1).
    """
    if len(uniforms) != 2 + _UNIFORMS or not all(0 <= u < 1 for u in uniforms):
        raise UserError(
            f"new_state(): an instance needs {2 + _UNIFORMS} numbers in [0, 1); "
            f"got {list(uniforms)}"
        )
    state = game.new_initial_state()
    state.apply_action(int(uniforms[0] >= 0.5))
    state.apply_action(int(uniforms[1] * len(_POOLS)))
    for uniform in uniforms[2:]:
        whole = int(uniform * _BASE**_DIGITS)
        for place in reversed(range(_DIGITS)):
            state.apply_action(whole // _BASE**place % _BASE)
    return state


if SHORT_NAME not in pyspiel.registered_names():
    pyspiel.register_game(_GAME_TYPE, BargainingGame)
