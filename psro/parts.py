"""The values a PSRO loop passes around."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from meta_solvers.base import MetaSolution
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.game import Game
from metaspiel.nfg.implicit import ImplicitGame
from metaspiel.nfg.products import Products
from metaspiel.nfg.simplex import Joint

if TYPE_CHECKING:  # it loads scipy
    from metaspiel.games.sequence import SequenceForm

TargetConcept = Literal["ne", "cce", "ce"]
CONCEPTS: tuple[TargetConcept, ...] = get_args(TargetConcept)
Timed = Literal["respond", "evaluate", "solve"]
TIMED: tuple[Timed, ...] = get_args(Timed)
Initial = Literal["uniform", "random_deterministic"]
INITIAL: tuple[Initial, ...] = get_args(Initial)
Start = Literal["scratch", "last", "mixture"]
STARTS: tuple[Start, ...] = get_args(Start)
PLAN = "plan"
"""The mode of play of an exact policy: its realisation plan."""


@dataclass(frozen=True, eq=False)
class Member:
    """One policy of a population.

    Attributes:
      uid: never reused; payoffs are keyed by it. A policy that changes is a new uid.
      policy: the policy as its oracle writes it (exact: a realisation plan ``[S_p]``).
      repeats: how often it was found; solvers may count it that many times.
      play: how the policy is played: "plan" as a realisation plan, or one of
        ``metaspiel.learn.policies.PLAYS`` where it is the weights of a network.
    """

    uid: int
    policy: ndarray
    repeats: int = 1
    play: str = PLAN


@dataclass(frozen=True, eq=False)
class Population:
    """The pools of all players.

    Attributes:
      pools: for each player its members, oldest first.
      shared: all players draw from one pool (symmetric games).
      next_uid: the uid the next new member gets.
      common: numbers that all members share, such as weights of which each policy is
        a condition ``[...]``; None where every policy stands alone.
      notes: what the oracle recorded of how the population grew, as JSON values.
    """

    pools: tuple[tuple[Member, ...], ...]
    _: KW_ONLY
    shared: bool = False
    next_uid: int = 0
    common: ndarray | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> int:
        """The number of members in all; a shared pool counts once."""
        return sum(self.sizes[: 1 if self.shared else None])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of members of each player's pool."""
        return tuple(len(pool) for pool in self.pools)

    @property
    def uids(self) -> tuple[tuple[int, ...], ...]:
        """The uids of each player's pool."""
        return tuple(tuple(m.uid for m in pool) for pool in self.pools)

    @property
    def counts(self) -> list[list[int]] | None:
        """How often each policy was found; None where each was once."""
        if all(m.repeats == 1 for pool in self.pools for m in pool):
            return None
        return [[m.repeats for m in pool] for pool in self.pools]

    def stacked(self) -> list[ndarray]:
        """The policies of each player as one array ``[K_p, ...]``."""
        return [np.stack([m.policy for m in pool]) for pool in self.pools]

    def find(self, player: int, policy: ndarray, play: str = PLAN) -> int | None:
        """Index of the pool member with this policy and mode of play, or None."""
        for index, member in enumerate(self.pools[player]):
            if member.play == play and np.array_equal(member.policy, policy):
                return index
        return None

    def add(self, player: int, policy: ndarray, play: str = PLAN) -> "Population":
        """The population with this policy added, or counted once more if known."""
        known = self.find(player, policy, play)
        pool = self.pools[player]
        if known is None:
            pool = (*pool, Member(self.next_uid, policy, play=play))
            grown = replace(self, next_uid=self.next_uid + 1)
        else:
            again = replace(pool[known], repeats=pool[known].repeats + 1)
            pool = (*pool[:known], again, *pool[known + 1 :])
            grown = self
        if self.shared:
            pools = (pool,) * len(self.pools)
        else:
            pools = (*self.pools[:player], pool, *self.pools[player + 1 :])
        return replace(grown, pools=pools)


def as_it_is(population: Population) -> Population:
    """A population whose members are separate policies already."""
    return population


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """The co-players' distribution that one player is to respond to.

    Attributes:
      player: the player that responds.
      co_play: distribution over co-players' profiles ``[*K_q for q != player]``, or as
        ``Products``; its correlation is kept. Drawn once an episode, not once a step.
      own: distribution over the player's own policies there ``[K_p]``.
      value: what the player gets there now, to be beaten.
      weight: probability that this target is played (1 for NE and CCE).
      recommendation: index of the recommended policy (CE), else None.
    """

    player: int
    co_play: Joint
    own: Float64[ndarray, " K_p"]
    value: float
    weight: float = 1.0
    recommendation: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Response:
    """An oracle's response to one target.

    Attributes:
      player: the player that responds.
      policy: the responding policy.
      value: its expected payoff against the target.
      gain: ``weight * max(value - target.value, 0)``: its part of the full-game gap.
      error: standard error of the value; 0 where it is exact.
      play: how the policy is played, as in ``Member``.
    """

    player: int
    policy: ndarray
    value: float
    gain: float
    error: float = 0.0
    play: str = PLAN


@dataclass(frozen=True, eq=False)
class Table:
    """Payoffs of every profile of a population, keyed by uid.

    Attributes:
      uids: for each player the uids of its axis.
      values: ``[E, N, *K]``; E = 1 for a real game. NaN where missing.
      errors: standard errors of the payoffs; 0 where they are exact.
      episodes: from how many episodes ``[*K]``; 0 where they are exact, or were not
        played but estimated.
      notes: what the evaluator recorded of how it filled the table, as JSON values.
    """

    uids: tuple[tuple[int, ...], ...]
    values: Float64[ndarray, "E N *K"]
    errors: Float64[ndarray, "E N *K"]
    episodes: Int64[ndarray, "*K"]
    _: KW_ONLY
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def exact(
        cls, uids: tuple[tuple[int, ...], ...], values: Float64[ndarray, "E N *K"]
    ) -> "Table":
        """A table of exact payoffs."""
        none = np.zeros(values.shape[2:], dtype=np.int64)
        return cls(uids, values, np.zeros_like(values), none)

    @classmethod
    def empty(cls, players: int, ensemble: int = 1) -> "Table":
        """A table of no policies."""
        values = np.zeros((ensemble, players, *(0,) * players))
        return cls.exact(((),) * players, values)

    @property
    def missing(self) -> Bool[ndarray, "*K"]:
        """Boolean array, true where a profile has no payoffs yet."""
        return np.isnan(self.values).any(axis=(0, 1))

    def grow(self, population: Population) -> "Table":
        """The table extended to a population's policies; new cells are missing."""
        uids = population.uids
        here, there = [], []
        for known, wanted in zip(self.uids, uids, strict=True):
            position = {uid: i for i, uid in enumerate(known)}
            pairs = [(position[u], i) for i, u in enumerate(wanted) if u in position]
            there.append([new for _, new in pairs])
            here.append([old for old, _ in pairs])
        lead = [list(range(n)) for n in self.values.shape[:2]]

        def moved(old: ndarray, blank: float, *lead: list[int]) -> ndarray:
            sizes = (*(len(n) for n in lead), *population.sizes)
            new = np.full(sizes, blank, dtype=old.dtype)
            new[np.ix_(*lead, *there)] = old[np.ix_(*lead, *here)]
            return new

        return Table(
            uids,
            moved(self.values, np.nan, *lead),
            moved(self.errors, 0.0, *lead),
            moved(self.episodes, 0.0),
        )

    def error(self, joint: Float64[ndarray, "*K"]) -> float:
        """Standard error of what a joint earns, at most: errors add up."""
        return float((self.errors.mean(axis=0) * joint).sum())

    def game(self, population: Population, repeats: bool) -> Game:
        """The meta-game of this table, an ensemble when E > 1."""
        counts = population.counts if repeats else None
        symmetric = population.shared
        if self.values.shape[0] == 1:
            return Game(self.values[0], repeats=counts, symmetric=symmetric)
        return Game.ensemble(self.values, counts, symmetric)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reaches:
    """What stands for a payoff table without its tensor: the tree of the game.

    Attributes:
      uids: for each player the uids of its axis.
      form: the tree; None where a checkpoint was read without its game.
      low: the least payoff of each player in the profiles looked at ``[N]``.
      high: the largest one ``[N]``.
      looked: of how many policies of each player, oldest first, all profiles were
        looked at.
      notes: as of a ``Table``.
    """

    uids: tuple[tuple[int, ...], ...]
    form: "SequenceForm | None"
    low: Float64[ndarray, " N"]
    high: Float64[ndarray, " N"]
    looked: tuple[int, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def grow(self, population: Population) -> "Reaches":
        """The same for a population's policies."""
        return replace(self, uids=population.uids)

    def error(self, joint: Products) -> float:
        """Payoffs are exact."""
        return 0.0

    @property
    def scale(self) -> Float64[ndarray, " N"]:
        """The range of each player's payoffs, 1 where it is nothing, as in ``Game``."""
        spread = self.high - self.low
        return np.where(spread > 0, spread, 1.0)

    def game(self, population: Population, repeats: bool) -> ImplicitGame:
        """The meta-game, which the tree answers for.

        Raises:
          UserError: there is no tree.
        """
        if self.form is None:
            raise UserError(
                "a meta-game without its tensor must have the tree of its game, "
                "StoredRun.meta_game; got a checkpoint alone"
            )
        from metaspiel.games.population import population_game  # it loads scipy

        counts = population.counts if repeats else None
        checked = None if counts is None else tuple(map(np.array, counts))
        return population_game(self.form, population.stacked(), self.scale, checked)


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """The state of PSRO between two iterations.

    Attributes:
      iteration: number of steps done.
      population: the pools.
      table: complete payoff ``Table`` of the population, or ``Reaches``, which stand
        for it without the tensor.
      train: the meta-strategy that is responded to.
      evaluation: the meta-strategy of the evaluation solver; ``train`` without one.
      responses: answers to the targets of ``train``: the next step's candidates. None
        before ``loop.respond`` has trained them, where an oracle must.
      gaps: concept -> full-game gap of ``train`` per player ``[N]``; None where it was
        not measured.
      evaluation_gaps: full-game gap of ``evaluation`` per player ``[N]``, or None.
      novel: policies that the last step added.
      cpu: CPU seconds so far of each kind of work.
      past: the meta-strategies responded to before ``train``, oldest first, each as
        large as its meta-game was ``[*K]``; kept for a solver that ``uses_past``.
    """

    iteration: int
    population: Population
    table: Any
    train: MetaSolution
    evaluation: MetaSolution
    responses: tuple[Response, ...] | None = None
    gaps: dict[str, Float64[ndarray, " N"] | None]
    evaluation_gaps: Float64[ndarray, " N"] | None = None
    novel: int
    cpu: dict[str, float]
    past: tuple[Any, ...] = ()

    def gap(self, concept: TargetConcept) -> float | None:
        """Full-game gap of ``train``, summed over players; None if not measured."""
        return _total(self.gaps.get(concept))

    @property
    def evaluation_gap(self) -> float | None:
        """Full-game gap of ``evaluation``, summed over players, or None."""
        return _total(self.evaluation_gaps)


def _total(gap: Float64[ndarray, " N"] | None) -> float | None:
    return None if gap is None else float(gap.sum())
