"""Protocol of networks for everything that plays, learns or stores them.

A network is a value that says how a vector of weights turns what a player sees into a
score for each action. Weights travel apart from it, as one vector ``[P]`` a policy.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.nfg.errors import UserError


@runtime_checkable
class Network(Protocol):
    """A function from weights and observations to action scores; a frozen value.

    Attributes:
      inputs: D, numbers in an observation.
      actions: A, scores that come out.
      size: P, numbers in a weight vector.
    """

    @property
    def inputs(self) -> int: ...
    @property
    def actions(self) -> int: ...
    @property
    def size(self) -> int: ...

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights."""

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """The scores of all actions for R rows of observations."""


@runtime_checkable
class Sized(Protocol):
    """Anything with a size of observations and a number of actions."""

    @property
    def inputs(self) -> int: ...
    @property
    def actions(self) -> int: ...


def check_network(where: str, network: Network, game: Sized) -> None:
    """Raises a ``UserError`` unless the network fits what players see and may do."""
    if (network.inputs, network.actions) != (game.inputs, game.actions):
        raise UserError(
            f"{where}: the network must have {game.inputs} inputs and {game.actions} "
            f"actions, as the game has; got {network}"
        )
