"""What parts of a user's own are made for: a game, as each of them needs it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metaspiel.games.sequence import SequenceForm

if TYPE_CHECKING:  # it loads torch
    from metaspiel.games.simulator import Simulator


@dataclass(frozen=True, eq=False, kw_only=True)
class Ground:
    """A game of OpenSpiel's by its name, made of it what is asked for.

    Attributes:
      name: the game, parameters included.
      players: sets the game's own ``players`` parameter; None leaves it.
      seed: of the trial.
      memory_gb: refuse a tree that takes more.
      tree: the tree, where it is at hand.
    """

    name: str
    players: int | None = None
    seed: int = 0
    memory_gb: float = 4.0
    tree: SequenceForm | None = None

    @cached_property
    def game(self) -> Any:
        """The turn-based ``pyspiel.Game``.

        Raises:
          UserError: OpenSpiel has no such game.
        """
        from metaspiel.games.openspiel import load

        return load(self.name, self.players)

    @cached_property
    def form(self) -> SequenceForm:
        """The tree in sequence form.

        Raises:
          UserError: it does not fit.
        """
        if self.tree is not None:
            return self.tree
        from metaspiel.games.openspiel import sequence_form

        return sequence_form(self.name, self.players, self.memory_gb)

    @property
    def walked(self) -> SequenceForm | None:
        """The tree, if a part has asked for it."""
        return vars(self).get("form")

    @cached_property
    def simulator(self) -> "Simulator":
        """The game as a batched simulator.

        Raises:
          UserError: it shows its players no tensors.
        """
        from metaspiel.games.named import named_simulator

        return named_simulator(self.name, self.players)
