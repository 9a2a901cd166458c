"""What learns: weights, moments and delayed copies, and one step of descent."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.learn.offpolicy import shorten
from mra.nets import Nets
from mra.settings import Training
from mra.state import MRAState


@dataclass(frozen=True, eq=False, kw_only=True)
class Learning:
    """What is learned in a sweep; the weights and moments change in place.

    Attributes:
      nets: the networks.
      training: how they learn.
      learners: weights and moments of every part, one row a group.
      delayed: slow copies of policies and critics.
      only: the groups that learn from rewards, if not all do.
    """

    nets: Nets
    training: Training
    learners: dict[str, Trainable]
    delayed: dict[str, Float32[Tensor, "G P"]]
    only: tuple[int, ...] | None = None

    @classmethod
    def of(cls, nets: Nets, training: Training, state: MRAState) -> "Learning":
        """Copies of what a state has."""
        return cls(
            nets=nets,
            training=training,
            learners={name: one.copy() for name, one in state.learners.items()},
            delayed={name: one.clone() for name, one in state.delayed.items()},
        )

    def after(self, state: MRAState) -> MRAState:
        """The state that follows the one of which these were copies."""
        return replace(
            state,
            sweep=state.sweep + 1,
            learners=self.learners,
            delayed=self.delayed,
        )

    @property
    def parts(self) -> dict[str, Tensor]:
        """The weights of every part, which change in place."""
        return {name: one.weights for name, one in self.learners.items()}

    def learners_of(self, game: Populated) -> list[tuple[int, slice]]:
        """Number and agents of each group that learns and has agents in this game."""
        return [
            (group, who)
            for group, who in enumerate(self.nets.groups(game))
            if who.start < who.stop and (self.only is None or group in self.only)
        ]

    def weights(self, part: str, group: int) -> Float32[Tensor, " P"]:
        """The weights of a group's network."""
        return self.learners[part].weights[group]

    def descend(
        self,
        group: int,
        loss: Callable[..., Tensor],
        *parts: str,
        rate: float | None = None,
        decay: float | None = None,
        clip: float | None = None,
        floor: float = -float("inf"),
    ) -> float:
        """One step of Adam on a loss of the weights of some parts; returns the loss.

        Args:
          group: whose weights.
          loss: of the weights of the parts, in their order.
          parts: what learns.
          rate: of learning, if it is not that of the training.
          decay: of weights, likewise.
          clip: largest norm of a part's gradient.
          floor: no step is taken where the loss is not above it (or not a number).
        """
        leaves = [self.weights(part, group).detach().clone() for part in parts]
        with torch.enable_grad():
            value = loss(*(leaf.requires_grad_() for leaf in leaves))
            before = float(value.detach())
            if not before > floor:
                return before
            slopes = torch.autograd.grad(value, leaves, allow_unused=True)
        decay = self.training.decay if decay is None else decay
        for part, leaf, slope in zip(parts, leaves, slopes, strict=True):
            if slope is None:
                continue
            if clip is not None:
                shorten(slope, clip)
            learner = self.learners[part]
            row = (slope + decay * leaf.detach()).expand_as(learner.weights)
            learner.adam(row, [group], rate or self.training.rate)
        return before

    def follow(self, group: int) -> None:
        """Renews a share of the delayed networks."""
        for part, slow in self.delayed.items():
            slow[group].lerp_(self.weights(part, group), self.training.soft)
