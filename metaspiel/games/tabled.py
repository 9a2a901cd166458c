"""The whole tree of a small game in arrays, in which many states move at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from metaspiel.games.chance import cumulative_of
from metaspiel.games.estimate import estimate
from metaspiel.games.stepped import Shown, Stepped

_NODES = 200_000  # of a tree that is small
_NUMBERS = 25_000_000  # four bytes each, of what players can see and may do in it


@dataclass(frozen=True, eq=False, kw_only=True)
class Tabled:
    """A game whose states are the numbers of K nodes of its tree.

    The children of a node have consecutive numbers, in the order of their actions. What
    a mover sees and may do is kept once for all V views that differ; view 0 is that of
    nobody, where chance moves or the game is over.

    Attributes:
      first: number of the first child.
      width: number of children.
      upper: where the parent is a chance node, the cumulative probability of its
        outcomes up to this node's; else 0.
      parent: number of the parent; that of the root is -1.
      action: what was done there.
      view: number of the view.
      returns: of each player; 0 until the game is over.
      mover: who sees a view.
      inputs: what is seen in it.
      rank: which child an action leads to; -1 where it is illegal.
    """

    first: Int64[ndarray, " K"]
    width: Int64[ndarray, " K"]
    upper: Float64[ndarray, " K"]
    parent: Int64[ndarray, " K"]
    action: Int64[ndarray, " K"]
    view: Int64[ndarray, " K"]
    returns: Float32[ndarray, "K N"]
    mover: Int64[ndarray, " V"]
    inputs: Float32[ndarray, "V D"]
    rank: Int64[ndarray, "V A"]

    def begin(self, count: int) -> Int64[ndarray, " M"]:
        """So many times the root."""
        return np.zeros(count, dtype=np.int64)

    def after(
        self, states: Int64[ndarray, " M"], actions: Int64[ndarray, " M"]
    ) -> Int64[ndarray, " M"]:
        """The children that legal actions lead to."""
        moved: ndarray = self.first[states] + self.rank[self.view[states], actions]
        return moved

    def chancy(self, states: Int64[ndarray, " M"]) -> Bool[ndarray, " M"]:
        """Which nodes are chance nodes."""
        nobody: ndarray = (self.view[states] == 0) & (self.width[states] > 0)
        return nobody

    def met(
        self, states: Int64[ndarray, " M"], numbers: Float64[ndarray, " M"]
    ) -> Int64[ndarray, " M"]:
        """The outcomes at these quantiles: ``bisect_right`` in all nodes at once."""
        low = self.first[states]
        high = low + self.width[states]
        while (low < high).any():
            middle = (low + high) // 2
            right = self.upper[middle] <= numbers
            # Where low and high have met, the middle is both, beyond the number.
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        return low

    def shown(self, states: Int64[ndarray, " M"]) -> Shown:
        """What there is to see."""
        view = self.view[states]
        return Shown(
            mover=self.mover[view],
            done=view == 0,
            inputs=self.inputs[view],
            legal=self.rank[view] >= 0,
            returns=self.returns[states],
        )

    def history(self, state: Any) -> list[int]:
        """All actions that led to a node, chance included."""
        made, node = list[int](), int(state)
        while self.parent[node] >= 0:
            made.append(int(self.action[node]))
            node = int(self.parent[node])
        return made[::-1]


def tabled(rules: Stepped) -> Tabled | None:
    """The tree of a game, or None where it is not small."""
    if estimate(rules.game, fits=float(_NODES)).states > _NODES:
        return None  # where the estimate is too low, the walk ends at the limit
    return _Walk(rules).table()


class _Walk:
    """A tree as it is walked, depth first; lists have an entry a node."""

    def __init__(self, rules: Stepped) -> None:
        self.rules, self.game = rules, rules.game
        self.choices = rules.game.num_distinct_actions()  # eight bytes each, of a view
        self.views: dict[tuple[int, bytes, tuple[int, ...]], int] = {}
        self.first, self.width, self.view = [0], [0], [0]
        self.parent, self.action, self.upper = [-1], [-1], [0.0]
        self.ends, self.payoffs = list[int](), list[list[float]]()

    def table(self) -> Tabled | None:
        """The whole tree, or None where it is not small."""
        ahead = [(0, self.game.new_initial_state())]
        while ahead:
            node, state = ahead.pop()
            if state.is_terminal():
                self.ends.append(node)
                self.payoffs.append(state.returns())
                continue
            actions = self._opened(node, state)
            begin = self.first[node]
            ahead += [(begin + i, state.child(a)) for i, a in enumerate(actions)]
            seen = len(self.views) * (self.rules.inputs + 2 * self.choices)
            if len(self.first) > _NODES or seen > _NUMBERS:
                return None
        return self._arrays()

    def _opened(self, node: int, state: Any) -> Sequence[int]:
        """Numbers the children of a node; returns the actions that lead to them."""
        actions: Sequence[int]
        if state.is_chance_node():
            event = tuple(one for one in state.chance_outcomes() if one[1] > 0)
            actions, upper = cumulative_of(event)
        else:
            actions = state.legal_actions()
            upper = (0.0,) * len(actions)
            mover = state.current_player()
            seen = self.rules.look(state, mover).tobytes()
            key = mover, seen, tuple(actions)
            self.view[node] = self.views.setdefault(key, len(self.views) + 1)
        count = len(actions)
        self.first[node], self.width[node] = len(self.first), count
        for part in (self.first, self.width, self.view):
            part += [0] * count
        self.parent += [node] * count
        self.action += actions
        self.upper += upper
        return actions

    def _arrays(self) -> Tabled:
        views = len(self.views) + 1
        mover = np.zeros(views, dtype=np.int64)
        inputs = np.zeros((views, self.rules.inputs), dtype=np.float32)
        rank = np.full((views, self.game.num_distinct_actions()), -1, dtype=np.int64)
        for (player, seen, actions), view in self.views.items():
            mover[view], inputs[view] = player, np.frombuffer(seen, dtype=np.float32)
            rank[view, list(actions)] = np.arange(len(actions))
        returns = np.zeros((len(self.first), self.game.num_players()), dtype=np.float32)
        returns[self.ends] = self.payoffs
        return Tabled(
            first=np.array(self.first),
            width=np.array(self.width),
            upper=np.array(self.upper),
            parent=np.array(self.parent),
            action=np.array(self.action),
            view=np.array(self.view),
            returns=returns,
            mover=mover,
            inputs=inputs,
            rank=rank,
        )
