"""The states of an OpenSpiel game, many at once, moved on one by one."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.chance import cumulative_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """What there is to see in M states, of which none is a chance node.

    Attributes:
      mover: who is to move; 0 where the episode is over.
      done: the episode is over.
      inputs: what the mover sees; 0 where it is over.
      legal: what it may do; nothing where it is over.
      returns: of each player; 0 until it is over.
    """

    mover: Int64[ndarray, " M"]
    done: Bool[ndarray, " M"]
    inputs: Float32[ndarray, "M D"]
    legal: Bool[ndarray, "M A"]
    returns: Float32[ndarray, "M N"]


@runtime_checkable
class Rules(Protocol):
    """Protocol of how the states of one game are kept and moved on.

    States are an array ``[M]`` of whatever stands for a state.
    """

    def begin(self, count: int) -> ndarray:
        """So many initial states."""

    def after(self, states: ndarray, actions: Int64[ndarray, " M"]) -> ndarray:
        """The states after legal actions; those before stay as they are."""

    def chancy(self, states: ndarray) -> Bool[ndarray, " M"]:
        """Which states are chance nodes."""

    def met(self, states: ndarray, numbers: Float64[ndarray, " M"]) -> ndarray:
        """Chance nodes after the outcomes at these quantiles; moved on in place."""

    def shown(self, states: ndarray) -> Shown:
        """What there is to see."""

    def history(self, state: Any) -> list[int]:
        """All actions that led to a state, chance included."""


class Stepped:
    """OpenSpiel's own states in a Python loop, for games of any size.

    Attributes:
      game: OpenSpiel's turn-based game.
      informed: players see information states; else they see observations.
    """

    def __init__(self, game: Any) -> None:
        self.game = game
        self.informed = bool(game.get_type().provides_information_state_tensor)

    @property
    def inputs(self) -> int:
        """Observation size D."""
        if self.informed:
            return int(self.game.information_state_tensor_size())
        return int(self.game.observation_tensor_size())

    def look(self, state: Any, player: int) -> Float32[ndarray, " D"]:
        """What a player sees in a state."""
        tensor = (
            state.information_state_tensor(player)
            if self.informed
            else state.observation_tensor(player)
        )
        return np.asarray(tensor, dtype=np.float32)

    def begin(self, count: int) -> ndarray:
        """So many initial states."""
        return _objects([self.game.new_initial_state() for _ in range(count)])

    def after(self, states: ndarray, actions: Int64[ndarray, " M"]) -> ndarray:
        """Copies of the states, after the actions."""
        moved = [state.clone() for state in states]
        for state, action in zip(moved, actions.tolist(), strict=True):
            state.apply_action(action)
        return _objects(moved)

    def chancy(self, states: ndarray) -> Bool[ndarray, " M"]:
        """Which states are chance nodes."""
        return np.array([state.is_chance_node() for state in states], dtype=bool)

    def met(self, states: ndarray, numbers: Float64[ndarray, " M"]) -> ndarray:
        """Chance nodes after the outcomes at these quantiles; moved on in place."""
        for state, number in zip(states, numbers.tolist(), strict=True):
            outcomes, cumulative = cumulative_of(tuple(state.chance_outcomes()))
            state.apply_action(outcomes[bisect_right(cumulative, number)])
        return states

    def shown(self, states: ndarray) -> Shown:
        """What there is to see."""
        count, game = len(states), self.game
        mover, done = np.zeros(count, dtype=np.int64), np.ones(count, dtype=bool)
        inputs = np.zeros((count, self.inputs), dtype=np.float32)
        legal = np.zeros((count, game.num_distinct_actions()), dtype=bool)
        returns = np.zeros((count, game.num_players()), dtype=np.float32)
        for row, state in enumerate(states):
            if state.is_terminal():
                returns[row] = state.returns()
                continue
            mover[row], done[row] = state.current_player(), False
            inputs[row] = self.look(state, int(mover[row]))
            legal[row, state.legal_actions()] = True
        return Shown(
            mover=mover, done=done, inputs=inputs, legal=legal, returns=returns
        )

    def history(self, state: Any) -> list[int]:
        """All actions that led to a state, chance included."""
        made: list[int] = state.history()
        return made


def _objects(states: list[Any]) -> ndarray:
    made = np.empty(len(states), dtype=object)
    made[:] = states
    return made
