"""The architecture of the Neural Equilibrium Solver's network, without torch."""

from dataclasses import dataclass
from typing import Literal

from meta_solvers.exact.problem import Concept
from metaspiel.nfg.errors import BadField

Selects = Literal["entropy", "any"]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The architecture of a network: all but its weights.

    Attributes:
      concept: "cce" or "ce".
      players: number of players; their numbers of actions are free.
      selects: "entropy": uniform target, no welfare, epsilon 0; "any": the network
        sees ``ln target + mu W`` and epsilon.
      payoff: channels of the payoff layers.
      dual: channels of the dual layers and blocks.
      dual_layers: feed-forward dual layers.
      unrolled: blocks that see the gradient.
      hidden: hidden channels of a block.
      memory: blocks see as well what the last step changed, and gains given a
        recommendation.
      hears: blocks hear of the actions that the joint recommends with theirs.
      tries: blocks take the best of their step, half of it and twice of it.
      rounds: of conjugate gradients for a Newton step in every block; 0 for none.
      norm: how feed-forward layers get unit variance: "root" over the channels of each
        entry, "standard" over the entries of each channel (as batch normalisation does,
        but of one game). Without blocks "standard" learns far better.
      linear: payoff and dual layers without ReLU or products (the paper's ablation);
        their scaling stays.
    """

    concept: Concept = "cce"
    players: int = 2
    selects: Selects = "entropy"
    payoff: tuple[int, ...] = (12, 12)
    dual: int = 24
    dual_layers: int = 1
    unrolled: int = 6
    hidden: int = 48
    memory: bool = False
    hears: bool = False
    tries: bool = False
    rounds: int = 0
    norm: Literal["root", "standard"] = "root"
    linear: bool = False

    def __post_init__(self) -> None:
        if not self.payoff or min(self.payoff) < 1:
            raise BadField(
                type(self),
                "payoff",
                f"must be channel counts of at least 1; got {self.payoff}",
            )
        lows = {"players": 1, "dual": 1, "hidden": 1}
        lows |= {"dual_layers": 0, "unrolled": 0, "rounds": 0}
        for name, low in lows.items():
            if getattr(self, name) < low:
                raise BadField(
                    type(self),
                    name,
                    f"must be at least {low}; got {getattr(self, name)}",
                )
