"""Two-player zero-sum trees by linear programs: equilibria, and what pools guarantee.

A player picks from a polytope of its own, all its policies or the mixtures of a pool,
and its opponent answers with any policy of the game. What the answer leaves is a linear
program over both players' sequences (von Stengel 1996; Koller, Megiddo & von Stengel
1996). HiGHS solves it (Huangfu & Hall 2018), and is not believed: policies are mended
to probabilities and measured by exact best responses.

Exploitability is OpenSpiel's: NashConv, what both players together gain by best
responses, divided by the number of players, which is 2.

>>> from metaspiel.games.openspiel import sequence_form
>>> played = equilibrium(sequence_form("kuhn_poker"))
>>> round(float(played.values[0]), 6), played.exploitability < 1e-12
(-0.055556, True)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import sparse

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.treeplex import Treeplex
from metaspiel.nfg.errors import UserError

MOST_SEQUENCES = 1_000_000
"""Sequences of both players of the largest game that is asked of HiGHS."""
CERTAIN = 1e-9
"""Gaps up to this fraction of the expected size of payoffs count as rounding."""
# The tightest HiGHS takes; its defaults of 1e-7 would be seen in a gap.
_OPTIONS = {
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}


def objection(form: SequenceForm, most: int = MOST_SEQUENCES) -> str | None:
    """Why a tree has no such linear program, as what must hold; None where it has.

    Args:
      form: the tree.
      most: sequences of both players that it may have.
    """
    if form.players != 2:
        return f"the game must have exactly 2 players; got {form.players}"
    sums = float(np.abs(form.payoffs.sum(axis=0)).max(initial=0.0))
    if sums > form.noise:
        return (
            "the game must be zero-sum; got payoffs that sum to something else than 0 "
            f"at some end of '{form.name}'"
        )
    if any(form.split):
        return (
            f"players must remember all they saw and did; got '{form.name}', in which "
            f"{sum(form.split)} information states forget their owner's moves"
        )
    size = sum(tree.sequences for tree in form.trees)
    if size > most:
        return (
            f"the players' sequences must be at most {most:,} together; got {size:,} "
            f"of '{form.name}'"
        )
    return None


@dataclass(frozen=True, eq=False, kw_only=True)
class Equilibrium:
    """A Nash equilibrium of a tree, with the certificate that it is one.

    Attributes:
      form: the tree.
      behaviours: of each player, the probability of each sequence ``[S_p]``.
      values: what each player gets when these play each other ``[2]``.
      gains: what each player would get more by an exact best response ``[2]``.
    """

    form: SequenceForm
    behaviours: tuple[Float64[ndarray, "_"], ...]
    values: Float64[ndarray, "2"]
    gains: Float64[ndarray, "2"]

    @property
    def gap(self) -> float:
        """NashConv, the sum of the gains."""
        return float(self.gains.sum())

    @property
    def exploitability(self) -> float:
        """NashConv / 2, as OpenSpiel has it."""
        return self.gap / 2

    @property
    def certain(self) -> bool:
        """Whether the gap is rounding, as measured by the game's payoffs."""
        scale = float(np.abs(self.form.payoffs).sum(axis=1).max())
        return self.gap <= CERTAIN * scale

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the value of the game lies, for the first player.

        It gets no less than what an exact best response to its policy leaves, and no
        more than its own best response gets.
        """
        value = float(self.values[0])
        return value - float(self.gains[1]), value + float(self.gains[0])


def equilibrium(form: SequenceForm) -> Equilibrium:
    """A Nash equilibrium of a two-player zero-sum tree, by one linear program.

    Raises:
      UserError: the game is another, forgetful, or too large, see ``objection``.
      numpy.linalg.LinAlgError: HiGHS gave no answer.
    """
    _require("equilibrium()", form)
    tree, other = form.trees
    every = _Choice(*_constraints(tree), sparse.eye_array(tree.sequences).tocsr())
    plans = _best_of(form, 0, every)
    behaviours = tuple(
        _mended(tree, plan) for tree, plan in zip((tree, other), plans, strict=True)
    )
    played = [t.plan(b)[None] for t, b in zip(form.trees, behaviours, strict=True)]
    return Equilibrium(
        form=form,
        behaviours=behaviours,
        values=form.tensor(played)[:, 0, 0],
        gains=form.nash_conv(behaviours),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Guarantee:
    """The mixture of a player's pool that does best against any policy of the game.

    Attributes:
      weights: of the policies of the pool ``[K]``.
      value: what it gets against an exact best response.
      bound: no mixture of the pool gets more, as one policy of the opponent shows.
    """

    weights: Float64[ndarray, " K"]
    value: float
    bound: float


@dataclass(frozen=True, eq=False)
class Pools:
    """The policies of a population in its tree, and what their mixtures guarantee.

    Attributes:
      form: the tree.
      plans: for each player the realisation plans of its policies ``[K_p, S_p]``.
    """

    form: SequenceForm
    plans: tuple[Float64[ndarray, "_ _"], ...]

    @cached_property
    def objection(self) -> str | None:
        """Why nothing can be guaranteed, as what must hold; None where it can."""
        return objection(self.form)

    def guarantee(
        self, player: int, more: Float64[ndarray, "C S"] | None = None
    ) -> Guarantee:
        """The best mixture of a player's pool against all policies of the game.

        Args:
          player: whose pool is mixed.
          more: realisation plans that join the pool.

        Raises:
          UserError: the game is no such game, see ``objection``.
          numpy.linalg.LinAlgError: HiGHS gave no answer.
        """
        _require("guarantee()", self.form)
        own = self.plans[player]
        own = own if more is None else np.concatenate([own, more])
        count, other = len(own), 1 - player
        ones = sparse.csr_array(np.ones((1, count)))
        pool = _Choice(ones, np.ones(1), sparse.csr_array(own))
        weights, answer = _best_of(self.form, player, pool)
        weights = np.maximum(weights, 0.0)
        weights /= weights.sum()
        tree = self.form.trees[other]
        opposed = tree.plan(_mended(tree, answer))[None]
        pair: list[Any] = [own, opposed] if player == 0 else [opposed, own]
        one = np.ones((1, 1))
        best, _ = self.form.best_responses(other, pair, weights[None])
        return Guarantee(
            weights=weights,
            value=-float(best[0]),
            bound=float((own @ self.form.values(player, pair, one)[0]).max()),
        )

    def best_values(
        self, mixtures: Sequence[Float64[ndarray, "_"]]
    ) -> Float64[ndarray, "2"]:
        """What an exact best response of each player gets against the other's mixture.

        Args:
          mixtures: weights of each player's policies ``[K_p]``.
        """
        best = [
            self.form.best_responses(player, self.plans, mixtures[1 - player][None])[0]
            for player in range(2)
        ]
        return np.concatenate(best)

    @cached_property
    def guarantees(self) -> tuple[Guarantee, ...]:
        """The guarantee of each player."""
        return tuple(self.guarantee(player) for player in range(2))

    @property
    def exploitability(self) -> float:
        """The least exploitability of any mixtures of the pools: NashConv / 2.

        Rounding is written as 0.
        """
        gap = -sum(one.value for one in self.guarantees)
        return gap / 2 if gap > self.form.noise else 0.0

    @property
    def uncertain(self) -> float:
        """By how much the least exploitability may be lower, as duality shows."""
        return sum(one.bound - one.value for one in self.guarantees) / 2


@dataclass(frozen=True, eq=False)
class _Choice:
    """A polytope of a player, and the realisation plans that its points stand for.

    Attributes:
      rows: ``rows @ x = to`` with ``x >= 0`` is the polytope.
      to: right-hand sides.
      plans: the plan of a point x is ``x @ plans``.
    """

    rows: Any
    to: Float64[ndarray, " R"]
    plans: Any


def _best_of(form: SequenceForm, player: int, own: _Choice) -> tuple[ndarray, ndarray]:
    """The point that leaves its player most, and the plan of the opponent's answer.

    The opponent's part is the dual of its best response: a variable v an information
    set, what the player can get there at most; v of the root is maximised. The plan of
    the answer is the multipliers of its sequences' rows.

    Raises:
      numpy.linalg.LinAlgError: HiGHS gave no answer.
    """
    from scipy.optimize import linprog  # which takes its time to load

    other = form.trees[1 - player]
    unit = float(np.abs(form.payoffs).max(initial=0.0)) or 1.0
    ends = (form.ends[player], form.ends[1 - player])
    size = (form.trees[player].sequences, other.sequences)
    payoffs = sparse.csr_array((form.payoffs[player] / unit, ends), shape=size)
    theirs, _ = _constraints(other)
    count, infosets = own.plans.shape[0], theirs.shape[0]
    below = sparse.hstack([-(own.plans @ payoffs).T, theirs.T]).tocsr()
    equal = sparse.hstack([own.rows, sparse.csr_array((len(own.to), infosets))])
    cost = np.zeros(count + infosets)
    cost[count] = -1.0
    bounds = np.full((count + infosets, 2), np.inf)
    bounds[:, 0] = np.append(np.zeros(count), np.full(infosets, -np.inf))
    optimum = linprog(
        cost,
        A_ub=below,
        b_ub=np.zeros(other.sequences),
        A_eq=equal.tocsr(),
        b_eq=own.to,
        bounds=bounds,
        method="highs-ds",
        options=_OPTIONS,
    )
    if optimum.status != 0:
        raise np.linalg.LinAlgError(f"HiGHS, on '{form.name}': {optimum.message}")
    return optimum.x[:count], -optimum.ineqlin.marginals


def _constraints(tree: Treeplex) -> tuple[Any, Float64[ndarray, " R"]]:
    """``rows @ plan = to``: plans start at 1, and each information set passes on."""
    sets, count = np.arange(1, tree.infosets + 1), tree.sequences
    rows = np.concatenate([[0], np.repeat(sets, np.diff(tree.first)), sets])
    columns = np.concatenate([np.arange(count), tree.parent])
    signs = np.concatenate([np.ones(count), -np.ones(tree.infosets)])
    size = (tree.infosets + 1, count)
    return sparse.csr_array((signs, (rows, columns)), shape=size), np.eye(1, size[0])[0]


def _mended(tree: Treeplex, plan: ndarray) -> Float64[ndarray, " S"]:
    """The behaviour of a plan that holds up to rounding; uniform where it never is."""
    plan = np.maximum(plan, 0.0)
    sizes = np.diff(tree.first)
    sums = np.repeat(np.add.reduceat(plan, tree.first[:-1]), sizes)
    shares = np.divide(plan[1:], sums, out=tree.uniform()[1:], where=sums > CERTAIN)
    return np.append(1.0, shares)


def _require(where: str, form: SequenceForm) -> None:
    reason = objection(form)
    if reason is not None:
        raise UserError(f"{where}: {reason}")
