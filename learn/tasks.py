"""What a response is learned from, how, and what comes of it."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from games.simulator import Simulator
from learn.policies import Habit
from learn.update import Engine
from nfg.errors import UserError, unknown


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a response; the defaults are those of COffeE-PSRO's Table 2.

    The paper counts updates, targets and epsilon in calls of its agent, of which an
    episode's end is one; in Bargaining there are about 1.25 calls a decision.

    Attributes:
      decisions: decisions of the learner in all.
      games: played side by side; 1 is the strict schedule.
      width: units of both hidden layers.
      rate: of Adam.
      batch: transitions in an update.
      discount: a decision.
      capacity: of the replay.
      minimum: transitions before learning begins.
      updates: a decision, once learning has begun.
      target_every: updates between copies of the target network (made between rounds).
      explore: epsilon at the start.
      explore_last: epsilon at the end.
      explore_decisions: over which epsilon falls linearly.
      engine: "written" or "autograd" (the slower reference).
      device: of torch.
      graph: on a CUDA device, updates are recorded once and replayed (written engine).
    """

    decisions: int = 200_000
    games: int = 64
    width: int = 200
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
    device: Literal["cpu", "cuda"] = "cpu"
    graph: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("engine", "device", "graph"):
                continue
            low = (
                0 if field.name.startswith("explore") or field.name == "updates" else 1
            )
            bad = not np.isfinite(value) or value < (low if field.type is int else 0)
            if bad or (field.name == "rate" and value == 0):
                raise UserError(
                    f"Settings(): {field.name} must be a number of at least {low}; "
                    f"got {value}"
                )
        if max(self.discount, self.explore, self.explore_last) > 1:
            raise UserError(
                "Settings(): discount, explore and explore_last must be at most 1; got "
                f"{self.discount}, {self.explore}, {self.explore_last}"
            )
        if self.minimum > self.capacity:
            raise UserError(
                "Settings(): minimum must be at most the replay's capacity; got "
                f"{self.minimum} > {self.capacity}"
            )
        for name, known in (
            ("engine", ("written", "autograd")),
            ("device", ("cpu", "cuda")),
        ):
            if getattr(self, name) not in known:
                raise unknown("Settings()", name, getattr(self, name), known)

    @classmethod
    def budget(
        cls, decisions: int, device: Literal["cpu", "cuda"] = "cpu"
    ) -> "Settings":
        """The published schedule in proportion to a budget of decisions.

        Learning begins after a quarter of them, the replay holds as many, and epsilon
        falls over four fifths; with 200,000 these are the published settings.
        """
        kept = max(1, decisions // 4)
        return cls(
            decisions=decisions,
            capacity=kept,
            minimum=kept,
            explore_decisions=decisions * 4 // 5,
            device=device,
        )

    @property
    def rounds(self) -> int:
        """Rounds of one decision a game."""
        return -(-self.decisions // self.games)

    def epsilon(self, made: int) -> float:
        """Chance of a random action after ``made`` decisions."""
        part = (
            min(1.0, made / self.explore_decisions) if self.explore_decisions else 1.0
        )
        return self.explore + part * (self.explore_last - self.explore)


@dataclass(frozen=True, eq=False)
class Task:
    """A best response to be learned.

    Attributes:
      simulator: where it is learned.
      settings: how.
      player: who responds.
      pools: policies of every player ``[K_q, P]`` (the learner's own are not used).
      co_play: distribution over co-players' profiles; drawn once an episode.
      seed: of everything random.
      penalty: lambda, the weight of the outcome's uncertainty (Eq. 3).
      coverage: alpha, the chance that in an episode one co-player is the uniform policy
        and only the uncertainty counts (Eq. 4).
      scale: rewards are divided by this; a deviation of payoffs, say.
      habit: what co-players fall back on.
    """

    simulator: Simulator
    settings: Settings
    player: int
    pools: tuple[ndarray, ...]
    co_play: Float64[ndarray, "*K"]
    seed: tuple[int, ...]
    penalty: float = 0.0
    coverage: float = 0.0
    scale: float = 1.0
    habit: Habit | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """A trained response.

    Attributes:
      policy: its weights ``[P]``.
      returns: mean payoff an episode in each tenth of training (in each round, when
        there are fewer), exploration included.
      losses: mean loss there; NaN before learning began.
      episodes: finished in training.
      updates: made.
    """

    policy: Float32[ndarray, " P"]
    returns: Float64[ndarray, " tenths"]
    losses: Float64[ndarray, " tenths"]
    episodes: int
    updates: int
