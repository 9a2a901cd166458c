"""Settings of learned models and of cloned behaviours, without torch."""

from dataclasses import dataclass
from typing import Literal, get_args

from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError, positive, share, unknown

Norm = Literal["scalar", "dimension"]
History = Literal["predicted", "actual"]
Uncertainty = Literal["deviation", "pairwise"]
RewardInputs = Literal["shared", "entries", "products"]

JUDGING = DDQN(
    decisions=400_000,
    games=512,
    rate=1e-3,
    batch=128,
    capacity=100_000,
    minimum=100_000,
    updates=0.03,
    target_every=300,
    explore_decisions=320_000,
)
"""How a response is learned that judges a profile in a game that is quick to play.

Many decisions and few updates find more than the published schedule, in less time: once
learning has begun there are 4 draws from the replay a decision, and 40 there.
"""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Training settings of an ensemble; the defaults are the authors'.

    Attributes:
      members: networks of the ensemble, M.
      width: units of each hidden layer.
      rate: step size of Adam.
      batch: transitions of a minibatch, drawn with replacement.
      steps: gradient steps of f and h together, and again of g.
      norm: mean and deviation over all entries of all vectors ("scalar") or entry by
        entry ("dimension", where entries that never vary are only centred).
      members_share_batches: members differ in their first weights only. Otherwise each
        has minibatches of its own, from its own bootstrap of the episodes.
      reward_scale_bug: payoffs are divided by their deviation over all moves, and
        predictions multiplied by that over last moves: the error of the authors' code.
      reward_inputs: what g reads. "shared" is what f reads; "entries" has states and
        actions normalised entry by entry, whatever ``norm`` is; "products" adds every
        product of two of these (a payoff of Bargaining is a sum of some).
      calibrate: share of held-out deals whose payoffs the interval between the members
        must hold; it is stretched about their mean until it does (see
        ``offline.intervals``). Bounds of payoffs follow it, u does not. 0: as it is.
      held_out: share of the episodes that calibrates and is not trained on; read with
        ``calibrate`` only.

    Raises:
      UserError: a number is not positive or a name unknown.
    """

    members: int = 4
    width: int = 250
    rate: float = 3e-4
    batch: int = 64
    steps: int = 10_000
    norm: Norm = "scalar"
    members_share_batches: bool = True
    reward_scale_bug: bool = False
    reward_inputs: RewardInputs = "shared"
    calibrate: float = 0.0
    held_out: float = 0.2

    def __post_init__(self) -> None:
        positive(self, "members", "width", "rate")
        positive(self, "batch", "steps")
        if self.norm not in get_args(Norm):
            raise unknown("Training()", "norm", self.norm, get_args(Norm))
        if self.reward_inputs not in get_args(RewardInputs):
            known = get_args(RewardInputs)
            raise unknown("Training()", "reward_inputs", self.reward_inputs, known)
        share(self, "calibrate", "held_out", below=True)
        if self.calibrate and self.members < 2:
            raise UserError(
                "Training(): calibrate needs at least 2 members, between which there "
                f"is an interval; got {self.members}"
            )


@dataclass(frozen=True, kw_only=True)
class Cloning:
    """Settings of behaviour cloning, which the paper leaves open.

    Attributes:
      width: units of both hidden layers.
      rate: Adam's learning rate.
      batch: decisions of a minibatch, drawn with replacement.
      steps: Adam steps.
      held_out: share of the episodes that only measures; 0 uses them all.
    """

    width: int = 250
    rate: float = 3e-4
    batch: int = 64
    steps: int = 10_000
    held_out: float = 0.1

    def __post_init__(self) -> None:
        positive(self, "width", "rate", "batch", "steps")
        share(self, "held_out", below=True)
