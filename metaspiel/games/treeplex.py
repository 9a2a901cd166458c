"""One player's decisions in sequence form: information sets, sequences, plans."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from metaspiel.nfg.errors import unknown

TieBreak = Literal["first", "random", "uniform"]
TIE_BREAKS: tuple[TieBreak, ...] = get_args(TieBreak)

# Actions whose values differ by rounding tie; a fraction of all absolute values.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class Treeplex:
    """Information sets of a player with perfect recall, ordered by depth.

    A sequence is an information set with one of its actions; sequence 0 is empty.
    Information sets of one depth are neighbours, and among them those with the same
    parent, so that every pass over the player's decisions is a few array operations
    for each depth.

    Attributes:
      parent: ``[I]`` the sequence that leads to each information set.
      first: ``[I + 1]`` where its sequences start; the last entry is S.
      levels: ``[D + 1]`` where the information sets of each depth start; ends with I.
      names: OpenSpiel's information state string of each information set, or a file's
        number and label. Equal names mean parts of one set that was split, since its
        name alone does not recall the player's own actions.
      action: ``[S]`` the game's own action of each sequence (-1 for the empty one).
      histories: for each information set the actions, chance included, of one history
        that passes through it.
    """

    parent: Int64[ndarray, " I"]
    first: Int64[ndarray, " I_plus_1"]
    levels: Int64[ndarray, " D_plus_1"]
    names: tuple[str, ...]
    action: Int64[ndarray, " S"]
    histories: tuple[tuple[int, ...], ...]

    @property
    def infosets(self) -> int:
        """I, after refining by the player's own actions."""
        return len(self.names)

    @property
    def sequences(self) -> int:
        """S, the empty sequence included."""
        return int(self.first[-1])

    @cached_property
    def _passes(self) -> list[tuple[ndarray, ndarray, ndarray, int, int]]:
        """Index arrays of the bottom-up pass over each depth's information sets."""
        passes = []
        for i, j in zip(self.levels[:-1], self.levels[1:], strict=True):
            begin, end = int(self.first[i]), int(self.first[j])
            parent = self.parent[i:j]
            groups = np.flatnonzero(np.r_[True, parent[1:] != parent[:-1]])
            starts = self.first[i:j] - begin
            passes.append((starts, groups, parent[groups], begin, end))
        return passes

    def uniform(self) -> Float64[ndarray, " S"]:
        """The behaviour that plays all legal actions with equal probability."""
        sizes = np.diff(self.first)
        return np.concatenate([[1.0], np.repeat(1.0 / sizes, sizes)])

    def is_behaviour(self, behaviour: Float64[ndarray, " S"]) -> bool:
        """Whether it holds probabilities that sum to one in every information set."""
        sums = np.add.reduceat(behaviour, np.append(0, self.first[:-1]))
        return bool(np.all(behaviour >= 0) and np.all(np.abs(sums - 1) <= 1e-9))

    def random_deterministic(self, rng: np.random.Generator) -> Float64[ndarray, " S"]:
        """A behaviour with one action, drawn uniformly, at each information set."""
        behaviour = np.zeros(self.sequences)
        behaviour[0] = 1.0
        sizes = np.diff(self.first)
        behaviour[self.first[:-1] + rng.integers(sizes)] = 1.0
        return behaviour

    def plan(self, behaviour: Float64[ndarray, "*B S"]) -> Float64[ndarray, "*B S"]:
        """Realisation plan: the product of the player's own probabilities so far."""
        plan = np.array(behaviour)
        parents = np.concatenate([[0], np.repeat(self.parent, np.diff(self.first))])
        for _, _, _, begin, end in self._passes:
            plan[..., begin:end] *= plan[..., parents[begin:end]]
        return plan

    def behaviour(self, plan: Float64[ndarray, " S"]) -> Float64[ndarray, " S"]:
        """Inverse of ``plan``; uniform where the plan never arrives."""
        parents = np.concatenate([[0], np.repeat(self.parent, np.diff(self.first))])
        reach = plan[parents]
        return np.where(reach > 0, plan / np.where(reach > 0, reach, 1), self.uniform())

    def best_response(
        self,
        values: Float64[ndarray, "M S"],
        tie_break: TieBreak = "first",
        rng: np.random.Generator | None = None,
        *,
        ties: float = TIE_TOLERANCE,
    ) -> tuple[Float64[ndarray, " M"], Float64[ndarray, "M S"]]:
        """Best responses to M value vectors at once, in one bottom-up pass.

        Args:
          values: for each problem, the value realised at the terminals whose last own
            sequence is s, already weighted by chance and by the co-players.
          tie_break: among actions that tie: the first, one at random, or all alike.
          rng: needed by "random".
          ties: actions whose values differ by less than this fraction of the sum of all
            absolute values tie; above rounding, responses are nearly best.

        Returns:
          The best values ``[M]`` and behaviours ``[M, S]``.
        """
        if tie_break not in TIE_BREAKS:
            raise unknown("best_response()", "tie_break", tie_break, TIE_BREAKS)
        values = np.array(values)
        behaviour = np.zeros_like(values)
        behaviour[:, 0] = 1.0
        slack = ties * np.abs(values).sum(axis=1, keepdims=True)
        for starts, groups, parents, begin, end in reversed(self._passes):
            level = values[:, begin:end]
            best = np.maximum.reduceat(level, starts, axis=1)
            values[:, parents] += np.add.reduceat(best, groups, axis=1)
            sizes = np.diff(np.append(starts, end - begin))
            tied = level >= np.repeat(best, sizes, axis=1) - slack
            behaviour[:, begin:end] = _choose(tied, starts, sizes, tie_break, rng)
        return values[:, 0].copy(), behaviour


def _choose(
    ties: ndarray,
    starts: ndarray,
    sizes: ndarray,
    tie_break: TieBreak,
    rng: np.random.Generator | None,
) -> ndarray:
    """Probabilities over each group's tied actions."""
    if tie_break == "uniform":
        counts = np.add.reduceat(ties.astype(np.float64), starts, axis=1)
        return ties / np.repeat(counts, sizes, axis=1)
    if tie_break == "first":
        rank = np.broadcast_to(-np.arange(ties.shape[1], dtype=float), ties.shape)
    else:
        assert rng is not None, "tie_break='random' needs a generator"
        rank = rng.random(ties.shape)
    rank = np.where(ties, rank, -np.inf)
    top = np.repeat(np.maximum.reduceat(rank, starts, axis=1), sizes, axis=1)
    return (rank == top).astype(np.float64)
