"""Exact oracle and evaluator on games in sequence form.

Policies are realisation plans, so policies that differ only where their owner never
arrives are one policy.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.treeplex import TIE_TOLERANCE, TieBreak
from metaspiel.games.zero_sum import Pools
from metaspiel.nfg.errors import UserError, unknown
from metaspiel.nfg.game import Game
from metaspiel.nfg.gaps import expected
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint
from psro.parts import (
    INITIAL,
    Initial,
    Member,
    Population,
    Response,
    Table,
    Target,
    TargetConcept,
)
from psro.targets import gap_of, played, targets

_NUMBERS = 2**20  # of what is reached against one block of products: 8 MiB


@dataclass(frozen=True, eq=False)
class ExactOracle:
    """Best responses over all policies of the game.

    Attributes:
      form: sequence form of the game.
      tie_break: which of several best actions is taken; it changes results.
      initial_policies: "uniform", or one random deterministic policy a player.
      shared: one pool for all players; the game must be symmetric.
      ties: actions whose values differ by less than this fraction tie, see
        ``Treeplex.best_response``; values and gains are those of the best all the same.
    """

    form: SequenceForm
    _: KW_ONLY
    tie_break: TieBreak = "random"
    initial_policies: Initial = "uniform"
    shared: bool = False
    ties: float = TIE_TOLERANCE

    def __post_init__(self) -> None:
        if self.initial_policies not in INITIAL:
            raise unknown(
                "ExactOracle()", "initial_policies", self.initial_policies, INITIAL
            )
        if not 0 <= self.ties < 1:
            raise UserError(f"ExactOracle(): ties must be in [0, 1); got {self.ties}")
        if self.shared:
            require_symmetric(self.form)

    def initial(self, rng: Generator) -> Population:
        """One policy a player (one in all when shared)."""
        population = Population(((),) * self.form.players, shared=self.shared)
        for player, tree in enumerate(self.form.trees[: 1 if self.shared else None]):
            behaviour = (
                tree.uniform()
                if self.initial_policies == "uniform"
                else tree.random_deterministic(rng)
            )
            population = population.add(player, tree.plan(behaviour))
        return population

    def respond(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response]:
        """Exact best responses, by one pass over the game for each player."""
        plans = population.stacked()
        answers: dict[int, Response] = {}
        for player, tree in enumerate(self.form.trees):
            asked = [i for i, t in enumerate(targets) if t.player == player]
            if not asked:
                continue
            worth = self._worth(player, plans, [targets[i].co_play for i in asked])
            values, behaviours = tree.best_response(
                worth, self.tie_break, rng, ties=self.ties
            )
            for i, value, plan in zip(
                asked, values, tree.plan(behaviours), strict=True
            ):
                gain = targets[i].weight * (float(value) - targets[i].value)
                gain = gain if gain > self.form.noise else 0.0
                answers[i] = Response(
                    player=player, policy=plan, value=float(value), gain=gain
                )
        return [answers[i] for i in range(len(targets))]

    def _worth(
        self, player: int, plans: Sequence[ndarray], co_play: Sequence[Joint]
    ) -> Float64[ndarray, "M S"]:
        """Value at each of the player's sequences against M kinds of co-play."""
        if not isinstance(co_play[0], Products):
            return self.form.values(player, plans, np.stack(co_play))
        pools = [plans[q] for q in range(len(plans)) if q != player]
        return np.stack([self._mixed(player, pools, one) for one in co_play])

    def _mixed(
        self, player: int, pools: Sequence[ndarray], co_play: Products
    ) -> Float64[ndarray, " S"]:
        """The same against one sum of products, some of them at a time."""
        length = max(1, _NUMBERS // self.form.ends.shape[1])
        total = np.zeros(self.form.trees[player].sequences)
        for start in range(0, len(co_play.weights), length):
            part = slice(start, start + length)
            pairs = zip(co_play.strategies, pools, strict=True)
            mixed = [own[part] @ pool for own, pool in pairs]
            mixed.insert(player, np.zeros((len(mixed[0]), 0)) if mixed else total[None])
            total += co_play.weights[part] @ self.form.values_against(player, mixed)
        return total

    def measure(
        self, population: Population, targets: Sequence[Target], rng: Generator
    ) -> list[Response] | None:
        """Exact best responses, whose gains are known without training."""
        return self.respond(population, targets, rng)

    def grow(
        self, population: Population, chosen: Sequence[Response], rng: Generator
    ) -> Population:
        """Appends novel policies and counts known ones once more."""
        for response in chosen:
            population = population.add(response.player, response.policy, response.play)
        return population


@dataclass(frozen=True, eq=False)
class ExactEvaluator:
    """Exact expected payoffs; only profiles with a new policy are computed."""

    form: SequenceForm
    ensemble: int = 1

    def pools(self, population: Population) -> Pools:
        """The policies in the tree, for what asks what their mixtures guarantee."""
        return Pools(self.form, tuple(population.stacked()))

    def fill(self, population: Population, table: Table, rng: Generator) -> Table:
        """``table`` with no cell missing; what is known elsewhere stays."""
        missing = table.missing
        if not missing.any():
            return table
        known = []
        for axis in range(missing.ndim):
            rest = tuple(i for i in range(missing.ndim) if i != axis)
            known.append(int(np.sum(~missing.all(axis=rest))))
        old = table.values[0][(slice(None), *(slice(0, k) for k in known))]
        if np.isnan(old).any():  # not a block of the oldest policies
            old = old[(slice(None), *(slice(0, 0) for _ in known))]
        values = self.form.extend(old, population.stacked())
        return Table.exact(table.uids, np.where(missing, values, table.values[0])[None])


def require_symmetric(form: SequenceForm) -> None:
    """Raises a ``UserError`` unless exchanging any two players changes nothing.

    Players are matched by the order in which their information sets appear.
    """
    first = form.trees[0]
    for player, tree in enumerate(form.trees[1:], start=1):
        same = np.array_equal(first.first, tree.first) and np.array_equal(
            first.parent, tree.parent
        )
        if same:
            order = list(range(form.players))
            order[0], order[player] = player, 0
            one = np.lexsort(form.ends)
            two = np.lexsort(form.ends[order])
            same = np.array_equal(form.ends[:, one], form.ends[order][:, two])
            worth = form.payoffs[order][:, two]
            apart = np.abs(form.payoffs[:, one] - worth).max(initial=0.0)
            same = same and bool(apart <= form.noise)
        if not same:
            raise UserError(
                f"symmetric PSRO: '{form.name}' must look the same after exchanging "
                f"players 0 and {player}; it does not (run it without a shared pool)"
            )


def judge(
    form: SequenceForm,
    plans: Sequence[Float64[ndarray, "K S"]],
    joint: Float64[ndarray, "*K"],
    concept: TargetConcept,
) -> tuple[float, float]:
    """Full-game gap and value sum of a joint, by exact payoffs and best responses.

    Args:
      form: the game.
      plans: of each player the realisation plans that are mixed, whoever made them.
      joint: distribution over their profiles.
      concept: of which the gap is.
    """
    meta = Game(form.tensor(list(plans)))
    pools = tuple(tuple(Member(i, p) for i, p in enumerate(pool)) for pool in plans)
    oracle, rng = ExactOracle(form, tie_break="first"), np.random.default_rng(0)
    asked = targets(meta, joint, concept)
    gap = gap_of(form.players, oracle.respond(Population(pools), asked, rng)).sum()
    return float(gap), float(expected(meta, played(joint, concept)).sum())
