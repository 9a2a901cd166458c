"""Settings of neural populations: the network, how it learns, how responses begin.

Nothing heavy is imported here, so that pages can show them as flags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray
from numpy.random import Generator

from metaspiel.learn.settings import CONDITIONINGS, DDQN, Conditioning
from metaspiel.nfg.errors import (
    BadField,
    UserError,
    at_least,
    at_most,
    finite,
    positive,
)
from psro.parts import Population

NewCode = Literal["nearest", "normal"]
Networks = Literal["player", "all"]
Optimiser = Literal["lbfgs", "adam"]
Weighting = Literal["own_reach", "all"]
Begin = Literal["warm", "cold"]
Prior = Literal["sigma", "dirichlet", "half"]
_MOST = 16_384  # units or numbers; more would not fit in memory
_LOWEST = 1e-12  # of a tolerance: differences of probabilities in float64


def named(field: str, settings: object, known: Sequence[str]) -> None:
    """Refuses settings whose field is none of the known names."""
    value = getattr(settings, field)
    if value not in known:
        reason = f"must be one of {', '.join(known)}; got {value}"
        raise BadField(type(settings), field, reason)


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The conditional network of a neural population, and how its codes begin.

    Attributes:
      size: d, numbers in a code.
      conditioning: how codes enter the network: "film", "concat", "bilinear" or
        "attention".
      width: units of each of the two hidden layers.
      networks: one network a "player", or one for "all" of them.
      new: a new code begins as the mean of the two codes that behave most like its
        teacher ("nearest"), or at 0 ("normal"), plus noise.
      noise: standard deviation of that noise.
    """

    size: int = 16
    conditioning: Conditioning = "film"
    width: int = 128
    networks: Networks = "player"
    new: NewCode = "nearest"
    noise: float = 0.3

    def __post_init__(self) -> None:
        at_least(self, size=1, width=1)
        at_most(self, size=_MOST, width=_MOST)
        if not 0 <= self.noise < np.inf:
            reason = f"must be a number of at least 0; got {self.noise}"
            raise BadField(type(self), "noise", reason)
        named("conditioning", self, CONDITIONINGS)
        named("networks", self, ("player", "all"))
        named("new", self, ("nearest", "normal"))

    def groups(self, players: int) -> tuple[tuple[int, ...], ...]:
        """The players whom each network plays."""
        if self.networks == "all":
            return (tuple(range(players)),)
        return tuple((player,) for player in range(players))

    def of(self, population: Population, player: int) -> Float64[ndarray, "K d"]:
        """The codes of a player's pool.

        Raises:
          UserError: they have another size.
        """
        pool = [member.policy for member in population.pools[player]]
        for code in pool:
            if code.shape != (self.size,):
                raise UserError(
                    f"Codes: the population must have codes of {self.size} numbers; "
                    f"got {list(code.shape)}"
                )
        return np.array(pool, dtype=np.float64).reshape(len(pool), self.size)

    def first(
        self,
        codes: Float[ndarray, "K d"],
        apart: Sequence[float],
        rng: Generator,
    ) -> Float64[ndarray, " d"]:
        """Where a new code begins.

        Args:
          codes: those there are.
          apart: how far each of them behaves from the new policy.
          rng: of the noise.
        """
        noise = rng.normal(scale=self.noise, size=self.size)
        if self.new == "normal" or not len(codes):
            return noise
        near = np.argsort(np.asarray(apart), kind="stable")[:2]
        begun: ndarray = codes[near].mean(axis=0) + noise
        return begun


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How a conditional network learns new policies and keeps the earlier ones.

    Attributes:
      tolerance: it ends when no probability is further from its teacher's than this.
      steps: most evaluations of the loss; reaching it is recorded.
      new_weight: w_d, weight of the new policies' mean divergence.
      old_weight: w_r, weight of the earlier policies'; 0 leaves them out.
      optimiser: "lbfgs", or "adam" with a rate that rises and falls once.
      rate: Adam's highest learning rate; of no use with L-BFGS, and refused there.
      memory: pairs of vectors that L-BFGS remembers; refused with Adam.
      batch: rows in a step of Adam's, in float32; None for all of them in each, in
        float64.
    """

    tolerance: float = 1e-3
    steps: int = 1000
    new_weight: float = 1.0
    old_weight: float = 1.0
    optimiser: Optimiser = "lbfgs"
    rate: float = 0.01
    memory: int = 20
    batch: int | None = None

    def __post_init__(self) -> None:
        at_least(self, steps=1, memory=1)
        if self.batch is not None:
            at_least(self, batch=1)
        if not _LOWEST <= self.tolerance < 1:
            raise BadField(
                type(self),
                "tolerance",
                f"must be in [{_LOWEST:g}, 1), or no probability could reach it; got "
                f"{self.tolerance}",
            )
        finite(self, "new_weight", "rate")
        if not 0 <= self.old_weight < np.inf:
            reason = f"must be a number of at least 0; got {self.old_weight}"
            raise BadField(type(self), "old_weight", reason)
        named("optimiser", self, ("lbfgs", "adam"))
        unused = ("memory",) if self.optimiser == "adam" else ("rate", "batch")
        for name in unused:
            value = getattr(self, name)
            if value != getattr(type(self), name):
                other = "lbfgs" if self.optimiser == "adam" else "adam"
                reason = f"goes with the optimiser {other}; got {value}"
                raise BadField(type(self), name, reason)


@dataclass(frozen=True, kw_only=True)
class Head:
    """How responses begin, and what they are told of their co-players.

    Attributes:
      start: a response begins with the population's network ("warm"), or with fresh
        weights ("cold", a control).
      persist: what was learned of summaries stays for the next response.
      most: k, profiles of co-players in a summary, the most likely ones.
      width: units of the network that makes summaries.
      blank: the summary is zeros, whoever the co-players are (a control).
      frozen: only the summary is learned, and the network stays as it is.
      prior: mixtures that are learned against, one after the other: the meta-strategy
        alone ("sigma"), ``parts`` drawn from a flat Dirichlet distribution over
        profiles ("dirichlet"), or half as many and then the meta-strategy for half of
        the budget ("half"). A response always plays, and is measured, by the summary
        of the meta-strategy.
      parts: in how many parts the budget is split where mixtures are drawn; each
        finishes its last batch.
      heat: scores are divided by this where a warm response begins: what the network
        plays is nearly deterministic, and would explore little.
    """

    start: Begin = "warm"
    persist: bool = True
    most: int = 96
    width: int = 64
    blank: bool = False
    frozen: bool = False
    prior: Prior = "sigma"
    parts: int = 4
    heat: float = 4.0

    def __post_init__(self) -> None:
        at_least(self, most=1, width=1, parts=2)
        at_most(self, width=_MOST)
        positive(self, "heat")
        named("start", self, ("warm", "cold"))
        named("prior", self, ("sigma", "dirichlet", "half"))
        if self.blank and self.frozen:
            reason = "must not go with blank; nothing would be learned"
            raise BadField(type(self), "frozen", reason)

    @property
    def shares(self) -> tuple[tuple[bool, float], ...]:
        """Whether each part draws a mixture, and its share of the budget."""
        if self.prior == "sigma":
            return ((False, 1.0),)
        drawn = ((True, 1 / self.parts),)
        if self.prior == "dirichlet":
            return drawn * self.parts
        ahead = self.parts // 2
        return drawn * ahead + ((False, 1 - ahead / self.parts),)

    def check(self, settings: object) -> None:
        """Refuses what a learner cannot do.

        Raises:
          UserError: Double DQN, whose network has no summary that it could learn.
        """
        if isinstance(settings, DDQN) and (self.frozen or self.prior != "sigma"):
            raise UserError(
                "Head(): Double DQN learns a plain network, so it must go without "
                f"frozen and with prior sigma; got frozen={self.frozen} and "
                f"prior={self.prior}"
            )


@dataclass(frozen=True, kw_only=True)
class States:
    """How many states of sampled episodes a network learns from.

    Attributes:
      own: of a new policy's episodes.
      old: of each earlier policy's; collected anew whenever the network learns.
      most: of all earlier policies of a player together; where they are many, each has
        its part.
    """

    own: int = 4096
    old: int = 1024
    most: int = 65_536

    def __post_init__(self) -> None:
        at_least(self, own=2, old=2, most=2)

    def each(self, policies: int) -> int:
        """States of each of so many earlier policies."""
        return max(2, min(self.old, self.most // max(1, policies)))


@dataclass(frozen=True, kw_only=True)
class PayoffNetwork:
    """A network from codes to payoffs, how it learns, and when it is believed.

    Attributes:
      share: of the cells that are to be filled, those that are played for certain; 1
        plays all, and nothing is estimated.
      held: share of the played cells that the network is judged on, and does not learn
        of.
      within: it is believed where its largest error there, eta, is at most this share
        of the range of payoffs; else all cells are played.
      width: units of each of its two hidden layers.
      steps: gradient steps, anew each time.
      rate: Adam's learning rate, which falls to 0.
      batch: cells in a step.
    """

    share: float = 1.0
    held: float = 0.2
    within: float = 0.01
    width: int = 128
    steps: int = 1000
    rate: float = 3e-3
    batch: int = 256

    def __post_init__(self) -> None:
        at_least(self, width=1, steps=1, batch=1)
        positive(self, "rate")
        for name, closed in (("share", True), ("held", False), ("within", True)):
            value = getattr(self, name)
            if not (0 < value < 1 or (closed and value == 1)):
                reason = f"must be in (0, 1{']' if closed else ')'}; got {value}"
                raise BadField(type(self), name, reason)


@dataclass(frozen=True, kw_only=True)
class Neural:
    """A neural population in a game that is played, and how it learns.

    Attributes:
      codes: the network and its codes; its width is that of all policies.
      distillation: how it learns.
      states: how many states of sampled episodes it learns from.
      head: how responses begin, and what they are told of their co-players.
      payoffs: how payoffs are estimated, where not all cells are played.
    """

    codes: Codes = Codes(size=64)
    distillation: Distillation = Distillation(
        optimiser="adam", batch=512, steps=2000, rate=3e-3, tolerance=0.02
    )
    states: States = States()
    head: Head = Head()
    payoffs: PayoffNetwork = PayoffNetwork()
