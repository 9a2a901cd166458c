"""The information states of a player, as its network sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.treeplex import Treeplex
from psro.neupl.settings import Weighting
from psro.referee import Seen

_LIKELY = 0.5


@dataclass(frozen=True, eq=False)
class Board:
    """The information states of one player, as its network sees them.

    Attributes:
      tree: the player's decisions.
      seen: what it sees and may do there.
    """

    tree: Treeplex
    seen: Seen

    @cached_property
    def x(self) -> Float64[Tensor, "I D"]:
        """What is seen."""
        return torch.from_numpy(self.seen.inputs).double()

    @cached_property
    def legal(self) -> Bool[Tensor, "I A"]:
        """What may be done."""
        return torch.from_numpy(self.seen.legal)

    @cached_property
    def uniform(self) -> Float64[ndarray, " I"]:
        """How likely uniform play lets each state be reached."""
        reach: ndarray = self.tree.plan(self.tree.uniform())[self.tree.parent]
        return reach

    def plans(self, chances: Float64[ndarray, "K I A"]) -> Float64[ndarray, "K S"]:
        """Realisation plans of behaviours."""
        own = chances[:, self.seen.states, self.seen.columns]
        lead = np.ones((len(chances), 1))
        return self.tree.plan(np.concatenate([lead, own], axis=1))

    def behaviour(self, plan: Float64[ndarray, " S"]) -> Float64[ndarray, "I A"]:
        """The behaviour of a plan; uniform where the plan does not arrive."""
        chances = np.zeros(self.seen.legal.shape)
        chances[self.seen.states, self.seen.columns] = self.tree.behaviour(plan)[1:]
        return chances

    def nearest(
        self,
        plan: Float64[ndarray, " S"],
        known: Sequence[Float64[ndarray, "I A"]],
    ) -> tuple[int, float]:
        """Which of some behaviours is most like a plan, and how far it is from it.

        How far is the largest difference of a probability where the plan arrives.
        """
        rows, own = self.reached(plan, "own_reach"), self.behaviour(plan)
        apart = [float(np.abs(one[rows] - own[rows]).max()) for one in known]
        at = int(np.argmin(apart)) if apart else 0
        return at, apart[at] if apart else np.inf

    def reached(
        self, plan: Float64[ndarray, " S"], weighting: Weighting
    ) -> Int64[ndarray, " R"]:
        """The states that count for a policy.

        A state that a policy itself avoids says nothing of it, whatever others do. A
        softmax avoids nothing wholly, so a state counts where the policy is at least
        half as likely as uniform play to let it be reached. Best responses and uniform
        play are never less likely where they arrive at all.
        """
        if weighting == "all":
            return np.arange(self.tree.infosets)
        reach = plan[self.tree.parent]
        return np.flatnonzero(reach >= _LIKELY * self.uniform)
