"""Exact full-game gaps of learned policies, where the tree of the game fits in memory.

A learned oracle measures a gap by what it learned to gain, a lower bound. A referee
plays the same policies at every information state of the tree instead, and measures
them by exact best responses.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64
from numpy import ndarray

from metaspiel.games.sequence import SequenceForm
from metaspiel.games.simulator import Replayable, Simulator
from metaspiel.games.treeplex import Treeplex
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import chances
from metaspiel.nfg.errors import UserError
from psro.exact import judge
from psro.parts import Member, Population, TargetConcept, as_it_is


@dataclass(frozen=True, eq=False)
class Seen:
    """What a player sees and may do at each of its information states.

    Attributes:
      inputs: as its network sees them.
      legal: actions it may take.
      columns: action of each sequence but the empty one.
      states: information state of each of these sequences.
    """

    inputs: Float32[ndarray, "I D"]
    legal: Bool[ndarray, "I A"]
    columns: ndarray
    states: ndarray

    @classmethod
    def of(cls, game: Simulator, tree: Treeplex, player: int) -> "Seen":
        """Replays one history to each of the information states.

        Raises:
          UserError: the game has no histories of OpenSpiel's to replay.
        """
        if not isinstance(game, Replayable):
            raise UserError(
                f"Referee.of(): the game must be one of OpenSpiel; got '{game.name}'"
            )
        inputs = np.zeros((tree.infosets, game.inputs), dtype=np.float32)
        for row, history in enumerate(tree.histories):
            inputs[row] = game.trail(history, player).inputs[-1]
        states = np.repeat(np.arange(tree.infosets), np.diff(tree.first))
        columns = tree.action[1:]
        legal = np.zeros((tree.infosets, game.actions), dtype=bool)
        legal[states, columns] = True
        return cls(inputs, legal, columns, states)

    def behaviour(self, network: Network, member: Member) -> Float64[ndarray, " S"]:
        """The probabilities of all sequences of a policy, played as it is played."""
        does = chances(
            network,
            torch.from_numpy(member.policy),
            member.play,
            inputs=torch.from_numpy(self.inputs),
            legal=torch.from_numpy(self.legal),
        ).numpy()
        return np.append(1.0, does[self.states, self.columns])


@dataclass(frozen=True, eq=False)
class Referee:
    """A judge of learned policies in a game whose tree fits.

    Attributes:
      form: the tree of the game.
      network: network of all policies.
      seen: what each player sees.
      realised: the policies of networks that a population stands for.
    """

    form: SequenceForm
    network: Network
    seen: tuple[Seen, ...]
    realised: Callable[[Population], Population] = as_it_is

    @classmethod
    def of(cls, game: Simulator, form: SequenceForm, network: Network) -> "Referee":
        """A referee of a simulated game, given its tree.

        Raises:
          UserError: the game is not OpenSpiel's, or the network does not fit it.
        """
        check_network("Referee()", network, game)
        seen = (Seen.of(game, tree, p) for p, tree in enumerate(form.trees))
        return cls(form, network, tuple(seen))

    def plans(self, population: Population) -> list[Float64[ndarray, "K S"]]:
        """The realisation plans of all policies of each player."""
        pools = self.realised(population).pools
        return [
            tree.plan(
                np.stack([seen.behaviour(self.network, member) for member in pool])
            )
            for tree, seen, pool in zip(self.form.trees, self.seen, pools, strict=True)
        ]

    def judge(
        self,
        population: Population,
        joint: Float64[ndarray, "*K"],
        concept: TargetConcept,
    ) -> tuple[float, float]:
        """Exact full-game gap and value sum of a meta-strategy."""
        return judge(self.form, self.plans(population), joint, concept)
