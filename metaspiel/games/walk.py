"""Walks a game tree once and keeps what the sequence form needs."""

import math
import resource
import sys
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from metaspiel.games.estimate import estimate
from metaspiel.games.sequence import SequenceForm, group
from metaspiel.games.treeplex import Treeplex
from metaspiel.nfg.errors import UserError

MEMORY_GB = 4.0
Progress = Callable[[int, float], None]
"""Told now and then how many states were seen, and of about how many."""
Names = Callable[[Any, int], str]
"""What a player knows at a state, as a string."""

_SMALL = 2000  # states; a smaller tree is walked before it could be estimated


class TreeTooBig(UserError):
    """The tree of a game does not fit in the memory that it may take."""


class _Player:
    """Information sets of one player in order of discovery."""

    def __init__(self) -> None:
        self.index: dict[tuple[int, str], int] = {}
        self.parent = array("q")
        self.first = array("q", [1])
        self.actions: list[tuple[int, ...]] = []
        self.histories: list[tuple[int, ...]] = []

    def sequences(self, own: int, name: str, legal: list[int], state: Any) -> range:
        """Sequences of the information set (own sequence, name), added if it is new."""
        key = (own, name)
        number = self.index.get(key)
        if number is None:
            number = self.index[key] = len(self.index)
            self.parent.append(own)
            self.actions.append(tuple(legal))
            self.first.append(self.first[-1] + len(self.actions[-1]))
            self.histories.append(tuple(state.history()))
        elif tuple(legal) != self.actions[number]:
            raise UserError(
                "sequence_form(): a player must have the same legal actions wherever "
                f"the information state is the same; got {name!r} with both "
                f"{self.actions[number]} and {tuple(legal)}"
            )
        return range(self.first[number], self.first[number + 1])

    def ordered(self) -> tuple[Treeplex, np.ndarray, int]:
        """Treeplex by depth, new number of each sequence, count of split sets."""
        parent = np.array(self.parent, dtype=np.int64)
        first = np.array(self.first, dtype=np.int64)
        sizes = np.diff(first)
        owner = np.concatenate([[-1], np.repeat(np.arange(len(sizes)), sizes)])
        depth = np.zeros(len(sizes), dtype=np.int64)
        for i, before in enumerate(self.parent):  # parents are discovered first
            depth[i] = depth[owner[before]] + 1 if before > 0 else 0
        number = np.zeros(len(owner), dtype=np.int64)
        order: list[np.ndarray] = []
        levels, start = [0], 1
        for level in range(int(depth.max(initial=-1)) + 1):
            here = np.flatnonzero(depth == level)
            here = here[np.argsort(number[parent[here]], kind="stable")]
            for i in here.tolist():
                number[first[i] : first[i + 1]] = start + np.arange(sizes[i])
                start += int(sizes[i])
            order.append(here)
            levels.append(levels[-1] + len(here))
        by_depth = np.concatenate(order) if order else np.zeros(0, dtype=np.int64)
        keys = list(self.index)
        names = tuple(keys[i][1] for i in by_depth)
        action = [-1, *(a for i in by_depth for a in self.actions[i])]
        tree = Treeplex(
            parent=number[parent[by_depth]],
            first=np.concatenate([[1], 1 + np.cumsum(sizes[by_depth])]),
            levels=np.array(levels),
            names=names,
            action=np.array(action),
            histories=tuple(self.histories[i] for i in by_depth),
        )
        return tree, number, len(names) - len(set(names))


def walk(
    game: Any,
    *,
    memory_gb: float = MEMORY_GB,
    progress: Progress | None = None,
    names: Names | None = None,
    states: int | None = None,
) -> SequenceForm:
    """The sequence form of a turn-based game.

    Information sets that do not recall their owner's past are split until they do.

    Args:
      game: a ``pyspiel.Game`` whose dynamics are sequential, or an ``ExtensiveGame``.
      memory_gb: refuse when the walk has made the process grow by more than this, or
        when an estimate says that it will.
      progress: told now and then how many states were seen, and of about how many.
      names: of information states; what the states call them if it is not given.
      states: how many there are, where that is known; else it is estimated.

    Raises:
      TreeTooBig: the game does not fit, or is not a game of finite depth.
    """
    count = game.num_players()
    players = [_Player() for _ in range(count)]
    ends, payoffs = array("l"), array("d")
    named = names or _own_name
    visited, watch = 0, _Watch(game, memory_gb, progress)
    watch.states = states
    # What is still to visit: a state, an action to take there (None: stay), last own
    # sequences and chance after it.
    stack: list[tuple[Any, int | None, tuple[int, ...], float]] = [
        (game.new_initial_state(), None, (0,) * count, 1.0)
    ]
    while stack:
        parent, taken, own, chance = stack.pop()
        state = parent if taken is None else parent.child(taken)
        visited += 1
        if visited == _SMALL or visited % 1024 == 0:
            watch.look(visited, len(ends) // count)
        if state.is_terminal():
            ends.extend(own)
            payoffs.extend([chance * value for value in state.returns()])
        elif state.is_chance_node():
            for action, probability in reversed(state.chance_outcomes()):
                if probability > 0:
                    stack.append((state, action, own, chance * probability))
        else:
            player = state.current_player()
            name, legal = named(state, player), state.legal_actions()
            sequences = players[player].sequences(own[player], name, legal, state)
            for action, sequence in zip(
                reversed(legal), reversed(sequences), strict=True
            ):
                after = (*own[:player], sequence, *own[player + 1 :])
                stack.append((state, action, after, chance))
    return _merged(name_of(game), players, ends, payoffs)


def _own_name(state: Any, player: int) -> str:
    name: str = state.information_state_string(player)
    return name


class _Watch:
    """Holds a walk against the memory that it may take, and shows how far it is."""

    def __init__(self, game: Any, memory_gb: float, progress: Progress | None) -> None:
        self._game, self._gb, self._progress = game, memory_gb, progress
        self.states: float | None = None
        self._begin = _resident()
        players = game.num_players()
        self._kept = 16 * players  # bytes of a terminal history while it is kept
        self._merged = 8 * players + 40  # and so many more while it is merged

    def look(self, visited: int, ends: int) -> None:
        """After so many states and terminal histories.

        Raises:
          TreeTooBig: they take too much memory, or all are sure to.
        """
        if visited == _SMALL and self.states is None:
            self.states = self._estimated()
        need = _resident() - self._begin + ends * self._merged
        if need > self._gb * 1e9:
            raise TreeTooBig(
                f"{self._must} but its tree took more after {visited} states"
            )
        if self._progress is not None and self.states is not None:
            self._progress(visited, max(self.states, visited))

    def _estimated(self) -> float:
        """How many states there may be; refuses where a lower bound is too much."""
        fits = self._gb * 1e9 / (self._kept + self._merged)
        size = estimate(self._game, fits=fits)
        if size.least_ends > fits:
            digits = math.floor(math.log10(size.least_ends))
            least = math.floor(size.least_ends / 10**digits) * 10.0**digits
            raise TreeTooBig(
                f"{self._must} where {fits:.2g} terminal histories fit; its tree is "
                f"estimated to have more than {least:.0e}"
            )
        return size.states

    @property
    def _must(self) -> str:
        name = name_of(self._game)
        return f"sequence_form(): '{name}' must fit in {self._gb:g} GB,"


def name_of(game: Any) -> str:
    """OpenSpiel's name of a game, parameters included, in one line."""
    return " ".join(str(game).split())


def _resident() -> int:
    """Bytes of memory this process holds (its peak, where Linux's file is missing)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _merged(
    name: str, players: list[_Player], ends: array, payoffs: array
) -> SequenceForm:
    count = len(players)
    trees, split = [], []
    last = np.frombuffer(ends, dtype=np.int64).reshape(-1, count).T.copy()
    worth = np.frombuffer(payoffs, dtype=np.float64).reshape(-1, count).T
    for player, raw in enumerate(players):
        tree, number, extra = raw.ordered()
        trees.append(tree)
        split.append(extra)
        last[player] = number[last[player]]
    index, kind = group(last)
    total = np.stack(
        [np.bincount(kind, weights=row, minlength=index.size) for row in worth]
    )
    return SequenceForm(
        name=name,
        trees=tuple(trees),
        ends=last[:, index],
        payoffs=total,
        split=tuple(split),
        absent_minded=tuple(_met_twice(tree) for tree in trees),
        histories=last.shape[1],
    )


def _met_twice(tree: Treeplex) -> int:
    """How many of the player's information states can be met twice on one path.

    Parts of a split one lie behind each other then.
    """
    counts = Counter(tree.names)
    owner = np.repeat(np.arange(tree.infosets), np.diff(tree.first))
    twice = set()
    for i, name in enumerate(tree.names):
        if counts[name] == 1 or name in twice:
            continue
        before = int(tree.parent[i])
        while before > 0:
            earlier = int(owner[before - 1])
            if tree.names[earlier] == name:
                twice.add(name)
                break
            before = int(tree.parent[earlier])
    return len(twice)
