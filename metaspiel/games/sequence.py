"""Any finite game as flat arrays in sequence form; everything exact, in float64.

Histories with the same last sequence of every player are one terminal: their chance
probabilities and payoffs add up. One structure then answers what a tabular PSRO asks:
payoff tensors of whole populations, best responses to correlated co-players, gaps,
NashConv and values (von Stengel 1996; Marris et al. 2021, section 3).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from scipy import sparse

from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak, Treeplex
from metaspiel.nfg import arrays
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game

Plans = Sequence[ndarray]
"""For each player the realisation plans of a pool of policies, ``[K_p, S_p]``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceForm:
    """A game with perfect recall (after refinement) as arrays.

    Attributes:
      name: what the game is called, parameters included.
      trees: one ``Treeplex`` for each of the N players.
      ends: ``[N, Z]`` last sequence of each player at each merged terminal.
      payoffs: ``[N, Z]`` expected payoff times chance probability.
      split: for each player, how many information states of the original game had to
        be split because their string does not recall the player's own actions.
      absent_minded: for each player, how many of them can be met twice on one path.
      observations: information states are the game's observations, which may be alike
        where a player could tell histories apart.
      histories: number of terminal histories that were merged.
    """

    name: str
    trees: tuple[Treeplex, ...]
    ends: Int64[ndarray, "N Z"]
    payoffs: Float64[ndarray, "N Z"]
    split: tuple[int, ...]
    absent_minded: tuple[int, ...] = ()
    observations: bool = False
    histories: int

    @property
    def played(self) -> str:
        """Which game this is the form of: the game itself, or one made of it."""
        made = ["split"] * any(self.split) + ["observed"] * self.observations
        return f"the {' and '.join(made)} game" if made else "the game itself"

    @property
    def caveats(self) -> tuple[str, ...]:
        """A sentence on each way in which this is another game than its name says."""
        said = []
        if any(self.split):
            said.append(
                f"imperfect recall: {_states(sum(self.split))} split by the owner's "
                "past actions, so that nobody forgets; results are of the split game, "
                "which is another game"
            )
        if any(self.absent_minded):
            said.append(
                f"absent-mindedness: {_states(sum(self.absent_minded))} met twice on "
                "one path; in the split game the owner can tell the first time from "
                "the next, so its values and equilibria need not be those of the game "
                "itself"
            )
        if self.observations:
            said.append(
                "observations: players know what they observe where they move, and "
                "their own past moves; that may merge histories which they could tell "
                "apart, so results are of the observed game, which is another game"
            )
        return tuple(said)

    @property
    def players(self) -> int:
        """N, the number of players."""
        return len(self.trees)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the whole game: two games share it only if they are the same."""
        digest = hashlib.sha256()
        for tree in self.trees:
            for array in (tree.parent, tree.first, tree.action):
                digest.update(array.tobytes())
        digest.update(self.ends.tobytes())
        digest.update(self.payoffs.tobytes())
        return digest.hexdigest()

    @cached_property
    def noise(self) -> float:
        """The threshold below which payoffs and gains are rounding and written as 0."""
        return 1e-12 * float(np.abs(self.payoffs).sum(axis=1).max())

    @cached_property
    def views(self) -> list[tuple[ndarray, sparse.csr_array]]:
        """Co-players' ends ``[N, Y]`` and payoffs ``[S_p, Y]``, for each player.

        Terminals that differ only in the player's own sequence share one column, so a
        two-player game needs no more columns than the other player has sequences.
        """
        views = []
        for player, tree in enumerate(self.trees):
            others = [q for q in range(self.players) if q != player]
            index, column = group(self.ends[others])
            entries = (self.payoffs[player], (self.ends[player], column))
            matrix = sparse.csr_array(entries, shape=(tree.sequences, index.size))
            views.append((self.ends[:, index], matrix))
        return views

    def values(
        self, player: int, plans: Plans, co_play: Float64[ndarray, "M *K"]
    ) -> Float64[ndarray, "M S"]:
        """Value at each of the player's sequences against M mixtures of co-players.

        Args:
          player: player whose values are computed.
          plans: pools of all players (the player's own is not read).
          co_play: ``[M, *co-players' pool sizes]`` weights of co-players' profiles,
            correlated or not; they need not sum to one.
        """
        ends, matrix = self.views[player]
        others = [q for q in range(self.players) if q != player]
        weights, reach = co_play, co_play[:, None]
        pools = []
        for axis, other in enumerate(others, start=1):  # cut what is never played
            rest = tuple(i for i in range(weights.ndim) if i != axis)
            played = np.flatnonzero(weights.any(axis=rest))
            weights = weights.take(played, axis=axis)
            pools.append(plans[other][played][:, ends[other]])
        for position, pool in enumerate(reversed(pools)):
            reach = (
                weights @ pool
                if position == 0
                else np.einsum("...ky,ky->...y", reach, pool)
            )
        return np.ascontiguousarray((matrix @ reach.T).T)

    def values_against(
        self, player: int, mixed: Sequence[Float64[ndarray, "T _"]]
    ) -> Float64[ndarray, "T S"]:
        """``values`` against one realisation plan of each co-player, T times.

        Args:
          player: player whose values are computed.
          mixed: T plans a player (the player's own are not read).
        """
        ends, matrix = self.views[player]
        reach = np.ones((ends.shape[1], len(mixed[player])))
        for other, plans in enumerate(mixed):
            if other != player:
                reach *= np.ascontiguousarray(plans.T)[ends[other]]  # whole rows
        return np.ascontiguousarray((matrix @ reach).T)

    def best_responses(
        self,
        player: int,
        plans: Plans,
        co_play: Float64[ndarray, "M *K"],
        tie_break: TieBreak = "first",
        rng: np.random.Generator | None = None,
        *,
        ties: float = TIE_TOLERANCE,
    ) -> tuple[Float64[ndarray, " M"], Float64[ndarray, "M S"]]:
        """Values and behaviours of exact best responses to M mixtures of co-players."""
        values = self.values(player, plans, co_play)
        return self.trees[player].best_response(values, tie_break, rng, ties=ties)

    def tensor(self, plans: Plans) -> Float64[ndarray, "N *K"]:
        """Expected payoffs of every profile of a population, ``[N, K1, ..., KN]``."""
        return self._fill(plans, [slice(0, len(pool)) for pool in plans])

    def extend(
        self, old: Float64[ndarray, "N *K_old"], plans: Plans
    ) -> Float64[ndarray, "N *K"]:
        """``tensor(plans)`` when ``old`` already holds it for the first policies.

        Only profiles with a new policy are computed.
        """
        known, sizes = old.shape[1:], [len(pool) for pool in plans]
        new = np.empty((self.players, *sizes))
        new[(slice(None), *(slice(k) for k in known))] = old
        for block in _new_blocks(known, sizes):
            new[(slice(None), *block)] = self._fill(plans, block)
        return new

    def extremes(
        self, known: Sequence[int], plans: Plans
    ) -> tuple[Float64[ndarray, " N"], Float64[ndarray, " N"]]:
        """Least and largest payoffs of the profiles with a policy after the known."""
        low, high = np.full(self.players, np.inf), np.full(self.players, -np.inf)
        for block in _new_blocks(known, [len(pool) for pool in plans]):
            flat = self._fill(plans, block).reshape(self.players, -1)
            low = np.minimum(low, flat.min(axis=1))
            high = np.maximum(high, flat.max(axis=1))
        return low, high

    def _fill(self, plans: Plans, block: Sequence[slice]) -> Float64[ndarray, "N *K"]:
        """Payoffs of the profiles in ``block``, in which one player leads.

        The leader is the player with the fewest policies there; for each of them only
        the terminals it reaches are looked at, few when it is deterministic.
        """
        sizes = [b.stop - b.start for b in block]
        lead = int(np.argmin(sizes))
        others = [q for q in range(self.players) if q != lead]
        out = np.empty((sizes[lead], self.players, *(sizes[q] for q in others)))
        for row, plan in enumerate(plans[lead][block[lead]]):
            reach = plan[self.ends[lead]]
            alive = np.flatnonzero(reach)
            total = self.payoffs[:, alive] * reach[alive]
            for position, other in enumerate(others):
                own = plans[other][block[other]][:, self.ends[other, alive]]
                if position == len(others) - 1:
                    total = total @ own.T
                else:
                    total = total[..., None, :] * own
            out[row] = total if others else total.sum(axis=-1)
        out[np.abs(out) < self.noise] = 0.0
        return np.moveaxis(np.moveaxis(out, 0, 1), 1, 1 + lead)

    def nash_conv(self, behaviours: Iterable[Any]) -> Float64[ndarray, " N"]:
        """What each player gains by a best response to one policy of each co-player.

        The sum is NashConv; ``behaviours`` holds one ``[S_p]`` array a player.

        Raises:
          UserError: there is not one policy a player, or one is of another shape or no
            probabilities.
        """
        policies = [arrays.real(own, "nash_conv()", "a policy") for own in behaviours]
        wanted, got = [(t.sequences,) for t in self.trees], [p.shape for p in policies]
        if got != wanted:
            shapes = ", ".join(map(str, got[:4])) + (", ..." if len(got) > 4 else "")
            raise UserError(
                f"nash_conv(): behaviours must hold one policy for each of "
                f"{self.players} players, of shapes {', '.join(map(str, wanted))}; "
                f"got {len(got)} of shapes {shapes}"
            )
        for player, (tree, own) in enumerate(zip(self.trees, policies, strict=True)):
            if not tree.is_behaviour(own):
                raise UserError(
                    "nash_conv(): a policy must be probabilities that sum to 1 in "
                    f"every information set; got another for player {player}"
                )
        plans = [t.plan(b)[None] for t, b in zip(self.trees, policies, strict=True)]
        return self.cce_gap(plans, np.ones((1,) * self.players))

    def cce_gap(
        self, plans: Plans, joint: Float64[ndarray, "*K"]
    ) -> Float64[ndarray, " N"]:
        """Full-game CCE gap of each player: all policies count as deviations."""
        payoffs = self.tensor(plans)
        gaps = np.zeros(self.players)
        for player in range(self.players):
            co_play = joint.sum(axis=player)[None]
            best, _ = self.best_responses(player, plans, co_play)
            gaps[player] = best[0] - np.sum(payoffs[player] * joint)
        return np.maximum(gaps, 0.0)


def _new_blocks(known: Sequence[int], sizes: Sequence[int]) -> Iterator[list[slice]]:
    """Blocks of the profiles with a policy after the ``known`` first, each once.

    In each one player takes new policies, earlier ones any, later ones only old ones.
    """
    for player in range(len(sizes)):
        block = [
            slice(0, sizes[q])
            if q < player
            else slice(known[q], sizes[q])
            if q == player
            else slice(0, known[q])
            for q in range(len(sizes))
        ]
        if all(b.stop > b.start for b in block):
            yield block


def _states(count: int) -> str:
    return f"{count} information state{' was' if count == 1 else 's were'}"


def group(
    ends: Int64[ndarray, "K Z"],
) -> tuple[Int64[ndarray, " Y"], Int64[ndarray, " Z"]]:
    """Groups equal columns of ``ends``: one column of each group, group of each."""
    index, kind = np.zeros(1, dtype=np.int64), np.zeros(ends.shape[1], dtype=np.int64)
    for row in ends:  # kinds stay below Z, so no product of sizes can overflow
        code = kind * (int(row.max()) + 1) + row
        _, index, kind = np.unique(code, return_index=True, return_inverse=True)
    return index, kind


def from_normal_form(game: Game, name: str = "normal_form") -> SequenceForm:
    """A normal-form game as one information set for each player.

    Names are ``"player p"``; actions are action indices.
    """
    trees = tuple(
        Treeplex(
            parent=np.zeros(1, dtype=np.int64),
            first=np.array([1, 1 + size]),
            levels=np.array([0, 1]),
            names=(f"player {player}",),
            action=np.arange(-1, size),
            histories=((),),
        )
        for player, size in enumerate(game.actions)
    )
    ends = np.indices(game.actions).reshape(game.players, -1) + 1
    payoffs = game.payoffs.reshape(game.players, -1).copy()
    return SequenceForm(
        name=name,
        trees=trees,
        ends=ends,
        payoffs=payoffs,
        split=(0,) * game.players,
        histories=game.profiles,
    )
