"""Hyper-parameters of learned best responses, and checks of them."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar, get_args

import numpy as np

from metaspiel.nfg.errors import (
    BadField,
    UserError,
    at_least,
    finite,
    positive,
    share,
    unknown,
)

Engine = Literal["written", "autograd"]
Products = Literal["float32", "bfloat16"]
NetworkName = Literal["mlp", "gru", "lstm"]
NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
Conditioning = Literal["concat", "film", "bilinear", "attention"]
CONDITIONINGS: tuple[Conditioning, ...] = get_args(Conditioning)
_WHOLE = dict.fromkeys(
    ("decisions", "games", "batch", "capacity", "minimum", "target_every"), 1
) | {"explore_decisions": 0}
_REAL = {"rate": 1, "discount": 1, "updates": 1e3, "explore": 1, "explore_last": 1}


def check_device(where: str, device: str) -> None:
    """Raises a ``UserError`` if torch has no such device here."""
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            f"{where}: device cuda was asked for, but torch sees no CUDA device"
        )


def check_products(where: str, products: Products) -> None:
    """Raises a ``UserError`` if products cannot be of such numbers here."""
    if products == "float32":
        return
    from metaspiel.learn.products import rounds

    if not rounds():
        raise UserError(
            f"{where}: products {products} need a CPU that makes them (AMX); torch "
            "makes float32 ones here"
        )


def check_objective(where: str, penalty: float, coverage: float, scale: float) -> None:
    """Raises a ``UserError`` unless the numbers make an objective (Eq. 4)."""
    fits = 0 <= penalty < np.inf and 0 <= coverage <= 1 and 0 < scale < np.inf
    if not fits:
        raise UserError(
            f"{where}: penalty must be at least 0, coverage in [0, 1] and scale "
            f"positive; got {penalty}, {coverage} and {scale}"
        )


Settings = TypeVar("Settings", bound="DDQN")


@dataclass(frozen=True, kw_only=True)
class DDQN:
    """Hyper-parameters of a Double DQN response; defaults: COffeE-PSRO's Table 2.

    The paper counts updates, targets and epsilon in calls of its agent, of which an
    episode's end is one; in Bargaining there are about 1.25 calls a decision.

    Attributes:
      decisions: decisions of the learner in all.
      games: games played side by side; 1 is the strict schedule.
      rate: Adam's learning rate.
      batch: transitions in an update.
      discount: discount factor of a decision.
      capacity: capacity of the replay.
      minimum: transitions before learning begins.
      updates: updates a decision, once learning has begun.
      target_every: updates between copies of the target network (made between rounds).
      explore: epsilon at the start.
      explore_last: epsilon at the end.
      explore_decisions: decisions over which epsilon falls linearly.
      engine: "written" or "autograd" (the slower reference).
      products: factors of the matrix products of an update: "bfloat16" rounds them to
        8 bits, on a CPU with AMX; weights, sums and all else keep float32.
      device: torch device.
      graph: on a CUDA device, updates are recorded once and replayed (written engine).
    """

    decisions: int = 200_000
    games: int = 64
    rate: float = 1e-4
    batch: int = 64
    discount: float = 0.99
    capacity: int = 50_000
    minimum: int = 50_000
    updates: float = 0.625
    target_every: int = 500
    explore: float = 1.0
    explore_last: float = 0.02
    explore_decisions: int = 160_000
    engine: Engine = "written"
    products: Products = "float32"
    device: Literal["cpu", "cuda"] = "cpu"
    graph: bool = True

    name: ClassVar[str] = "ddqn"
    play: ClassVar[str] = "greedy"

    def __post_init__(self) -> None:
        for name, low in _WHOLE.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise BadField(
                    type(self),
                    name,
                    f"must be a whole number of at least {low}; got {value}",
                )
        for name, high in _REAL.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value <= high):
                raise BadField(
                    type(self), name, f"must be a number in [0, {high:g}]; got {value}"
                )
        if not self.games <= self.capacity >= self.minimum:
            raise BadField(
                type(self),
                "capacity",
                "must be at least games and minimum; got "
                f"{self.capacity} for {self.games} games and {self.minimum}",
            )
        if self.minimum > self.rounds * self.games and self.updates:
            raise BadField(
                type(self),
                "minimum",
                f"must be at most the {self.decisions} decisions, or nothing is "
                f"learned; got {self.minimum}",
            )
        known = {
            "engine": get_args(Engine),
            "products": get_args(Products),
            "device": ("cpu", "cuda"),
        }
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise unknown("DDQN()", name, getattr(self, name), words)
        if self.products != "float32" and self.device != "cpu":
            raise BadField(
                type(self),
                "products",
                f"must be float32 on a GPU: others are of a CPU; got {self.products}",
            )

    def check_here(self, where: str) -> None:
        """Raises a ``UserError`` if this machine cannot learn so.

        Whoever only reads what was learned elsewhere does not ask.
        """
        check_device(where, self.device)
        check_products(where, self.products)

    @classmethod
    def budget(
        cls: type[Settings], decisions: int, device: Literal["cpu", "cuda"] = "cpu"
    ) -> Settings:
        """The published schedule in proportion to a budget of decisions.

        Learning begins after a quarter of them, the replay holds as many, and epsilon
        falls over four fifths; with 200,000 these are the published settings.
        """
        published = cls(device=device)

        def part(count: int) -> int:
            return count * decisions // published.decisions

        minimum = max(1, part(published.minimum))
        return replace(
            published,
            decisions=decisions,
            games=min(published.games, minimum),
            capacity=max(minimum, part(published.capacity)),
            minimum=minimum,
            explore_decisions=part(published.explore_decisions),
        )

    def part(self, fraction: float) -> "DDQN":
        """A fraction of the decisions, each phase as much shorter; the replay stays.

        At least two minibatches are decided and one is stored before learning begins.
        """
        return replace(
            self,
            decisions=max(2 * self.batch, round(fraction * self.decisions)),
            minimum=max(self.batch, round(fraction * self.minimum)),
            explore_decisions=round(fraction * self.explore_decisions),
        )

    @property
    def rounds(self) -> int:
        """The number of rounds, each of one decision in every parallel game."""
        return -(-self.decisions // self.games)

    @property
    def total_updates(self) -> int:
        """Updates of a response: those of its rounds once learning has begun."""
        silent = -(-self.minimum // self.games) - 1
        return int(self.rounds * self.games * self.updates) - int(
            silent * self.games * self.updates
        )

    @property
    def budgeted(self) -> dict[str, int]:
        """What a response may spend, by name."""
        return {"decisions": self.rounds * self.games}

    def epsilon(self, made: int) -> float:
        """Chance of a random action after ``made`` decisions."""
        part = (
            min(1.0, made / self.explore_decisions) if self.explore_decisions else 1.0
        )
        return self.explore + part * (self.explore_last - self.explore)


@dataclass(frozen=True, kw_only=True)
class PPOResponse:
    """Hyper-parameters of a PPO response; the policy it learns is sampled.

    Actor and critic are separate networks with optimisers of their own.

    Attributes:
      decisions: decisions of the learner in all.
      episodes: a budget in finished episodes instead of decisions.
      games: played side by side.
      rounds: decisions in each game between two updates.
      rate: Adam's learning rate.
      anneal: the rate falls linearly to 0 as the budget is spent.
      epochs: passes over a batch of ``games * rounds`` decisions.
      minibatch: decisions in a gradient step.
      clip: epsilon, by which the ratio of an action's probabilities may leave 1.
      clip_norm: largest norm of a gradient; a longer one is shortened to it.
      entropy: coefficient of the entropy bonus.
      gamma: discount factor of a decision.
      lam: lambda of generalised advantage estimation.
      width: units of each hidden layer of the critic.
      device: torch device.
    """

    decisions: int = 200_000
    episodes: int | None = None
    games: int = 64
    rounds: int = 8
    rate: float = 1e-3
    anneal: bool = True
    epochs: int = 4
    minibatch: int = 64
    clip: float = 0.2
    clip_norm: float = 0.5
    entropy: float = 0.01
    gamma: float = 1.0
    lam: float = 0.95
    width: int = 128
    device: Literal["cpu", "cuda"] = "cpu"

    name: ClassVar[str] = "ppo"
    play: ClassVar[str] = "sampled"

    def __post_init__(self) -> None:
        whole = ("decisions", "games", "rounds", "epochs", "minibatch", "width")
        at_least(self, **dict.fromkeys(whole, 1))
        if self.episodes is not None:
            at_least(self, episodes=1)
        finite(self, "rate")
        positive(self, "clip", "clip_norm")
        share(self, "gamma", "lam")
        if not 0 <= self.entropy < np.inf:
            raise BadField(
                type(self),
                "entropy",
                f"must be a number of at least 0; got {self.entropy}",
            )
        if self.device not in ("cpu", "cuda"):
            raise unknown("PPOResponse()", "device", self.device, ("cpu", "cuda"))

    def check_here(self, where: str) -> None:
        """Raises a ``UserError`` if this machine cannot learn so."""
        check_device(where, self.device)

    def part(self, fraction: float) -> "PPOResponse":
        """A fraction of the budget, of at least one decision or episode."""
        episodes = None if self.episodes is None else round(fraction * self.episodes)
        return replace(
            self,
            decisions=max(1, round(fraction * self.decisions)),
            episodes=None if episodes is None else max(1, episodes),
        )

    def spent(self, decisions: int, episodes: int) -> float:
        """The share of the budget that is spent; above 1 where a batch went beyond."""
        if self.episodes is None:
            return decisions / self.decisions
        return episodes / self.episodes

    @property
    def budgeted(self) -> dict[str, int]:
        """What a response may spend, by name; it finishes its last batch."""
        if self.episodes is not None:
            return {"learning_episodes": self.episodes}
        batch = self.games * self.rounds
        return {"decisions": -(-self.decisions // batch) * batch}
