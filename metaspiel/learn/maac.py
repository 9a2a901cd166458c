"""The critic of multi-actor attention critics (MAAC), for any number of agents.

Agents share one encoder, whose inputs do not depend on how many they are.
Source: Iqbal & Sha 2019 (arXiv 1810.02912) and their code.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import leaky_relu, one_hot

from metaspiel.games.entities import Sight
from metaspiel.learn import flat
from metaspiel.learn.entities_seen import OverEntities
from metaspiel.learn.relational_graph import attend, others
from metaspiel.nfg.errors import UserError, at_least

_EPSILON = 1e-5


@dataclass(frozen=True)
class MAACCritic(OverEntities):
    """What each action of an agent is worth, by attention to what others see and do.

    Attributes:
      actions: A.
      width: units of all layers, shared out to the heads of attention.
    """

    actions: int = 5
    width: int = 128

    heads: ClassVar[int] = 4
    penalty: ClassVar[float] = 1e-3  # of the mean squared logits of attention

    def __post_init__(self) -> None:
        at_least(self, actions=1, width=1)
        if self.width % self.heads:
            raise UserError(
                f"MAACCritic(): width must be a multiple of heads, {self.heads}; "
                f"got {self.width}"
            )

    @property
    def shapes(self) -> flat.Shapes:
        """Matrices of the weight vector."""
        own, h = self.reader.own, self.width
        return {
            **self.reader.around.shapes,
            **flat.linear("state", own, h),
            **flat.linear("joint", own + self.actions, h),
            "query": (h, h),
            "key": (h, h),
            **flat.linear("value", h, h),
            **flat.linear("head", 2 * h, h),
            **flat.linear("values", h, self.actions),
        }

    def values(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n N"],
        actions: Int64[Tensor, "R N"],
    ) -> Float[Tensor, "R n A"]:
        """The values of all actions of a group's agents.

        Args:
          weights: of this network.
          sight: what all agents see.
          who: the group.
          g: not used: the critic has an attention of its own.
          actions: of all agents; one's own is not used.
        """
        return self.assessed(weights, sight, who, g, actions)[0]

    def assessed(
        self,
        weights: Float[Tensor, " P"],
        sight: Sight,
        who: slice,
        g: Float[Tensor, "R n N"],
        actions: Int64[Tensor, "R N"],
    ) -> tuple[Float[Tensor, "R n A"], Float[Tensor, ""]]:
        """The values, and the penalty that a loss adds for large logits.

        Inputs are normalised by their mean and deviation over the living agents of
        these situations, as by a batch normalisation without weights.
        """
        w = flat.views(self.shapes, weights)
        seen = self.reader.read(w, sight)
        own, live = seen.own.permute(2, 1, 0), sight.live
        taken = one_hot(actions, self.actions).to(own.dtype)
        x = _normal(torch.cat([own, taken], 2), live)
        state = leaky_relu(_layer(w, "state", x[..., : own.shape[2]]))
        joint = leaky_relu(_layer(w, "joint", x))
        each = self.width // self.heads

        def split(y: Tensor) -> Float[Tensor, "R heads _ each"]:
            return y.unflatten(2, (self.heads, each)).transpose(1, 2)

        query, key = split(state[:, who] @ w["query"]), split(joint @ w["key"])
        value = split(leaky_relu(_layer(w, "value", joint)))
        logits = query @ key.transpose(2, 3) / each**0.5
        mask = others(seen.live, who)
        heed = attend(logits.permute(1, 3, 2, 0), mask).permute(3, 0, 2, 1)
        read = (heed @ value).transpose(1, 2).flatten(2)
        head = leaky_relu(_layer(w, "head", torch.cat([state[:, who], read], 2)))
        seen_logits = mask.permute(2, 1, 0)[:, None] * live[:, None, who, None]
        squares = (logits.square() * seen_logits).sum()
        count = (seen_logits.sum() * self.heads).clamp(min=1)
        # The authors add the mean of every head.
        penalty = self.penalty * self.heads * squares / count
        return _layer(w, "values", head), penalty


def _normal(
    x: Float[Tensor, "R N F"], live: Bool[Tensor, "R N"]
) -> Float[Tensor, "R N F"]:
    """Each number with mean 0 and deviation 1 over the living; the dead are zeros."""
    there = live[..., None].to(x.dtype)
    count = there.sum().clamp(min=1)
    centred = (x - (x * there).sum((0, 1)) / count) * there
    return centred * (centred.square().sum((0, 1)) / count + _EPSILON).rsqrt()


def _layer(w: flat.Views, name: str, x: Tensor) -> Tensor:
    return x @ w[name] + w[f"{name}+"][0]
