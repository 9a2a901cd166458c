"""What a meta-strategy plays, as policies of OpenSpiel."""

from typing import Any

import numpy as np
import pyspiel
from open_spiel.python import policy as openspiel_policy

from metaspiel.games.openspiel import SequencePolicy, to_tabular
from metaspiel.nfg.errors import UserError
from psro.mixture import Mixture


class CorrelatedPolicy(openspiel_policy.Policy):
    """Players whose policies are drawn together, one profile an episode.

    No probabilities of actions say what that is: who knows its own policy knows
    something of the others'. So OpenSpiel's algorithms for independent players are
    refused, and ``device`` goes to those for correlation devices (``pyspiel.cce_dist``,
    ``pyspiel.ce_dist``). ``marginals`` is what players do who draw alone, which is
    another meta-strategy; in a two-player zero-sum game its NashConv is the CCE gap of
    this one.

    Args:
      game: the turn-based ``pyspiel.Game``.
      mixture: the policies, and how often each profile is played.
    """

    def __init__(self, game: Any, mixture: Mixture) -> None:
        super().__init__(game, list(range(mixture.players)))
        self.mixture = mixture

    def draw(self, rng: np.random.Generator) -> SequencePolicy:
        """The policies of all players for one episode."""
        return self.profile(self.mixture.draw(rng))

    def profile(self, members: tuple[int, ...]) -> SequencePolicy:
        """One policy of each player, by their numbers."""
        behaviours = [self.mixture.member(p, k) for p, k in enumerate(members)]
        return SequencePolicy(self.game, self.mixture.form, behaviours)

    def marginals(self) -> SequencePolicy:
        """Players who draw alone, each as often as here."""
        return independent(self.game, self.mixture)

    def device(self) -> list[tuple[float, "pyspiel.TabularPolicy"]]:
        """Each profile that is played, with its probability, as OpenSpiel writes it.

        Raises:
          UserError: information states do not recall what their owner did.
        """
        joint, made = self.mixture.joint, []
        for members in map(tuple, np.argwhere(joint > 0).tolist()):
            behaviours = [self.mixture.member(p, k) for p, k in enumerate(members)]
            policy = to_tabular(self.mixture.form, behaviours)
            made.append((float(joint[members]), policy))
        return made

    def action_probabilities(
        self, state: Any, player_id: int | None = None
    ) -> dict[int, float]:
        """Refuses: players who are correlated have no policies of their own.

        Raises:
          UserError: always.
        """
        raise UserError(
            "CorrelatedPolicy: players must draw independently to have policies of "
            "their own, and these are correlated: draw(rng) gives those of one "
            "episode, device() what pyspiel.cce_dist measures, marginals() the "
            "product of the marginals, which is another meta-strategy"
        )


def independent(game: Any, mixture: Mixture) -> SequencePolicy:
    """The product of a mixture's marginals: each player draws alone."""
    behaviours = [mixture.behaviour(p) for p in range(mixture.players)]
    return SequencePolicy(game, mixture.form, behaviours)


def joint_policy(game: Any, mixture: Mixture) -> SequencePolicy | CorrelatedPolicy:
    """What all players play: independently where that is what it is."""
    if mixture.independent:
        return independent(game, mixture)
    return CorrelatedPolicy(game, mixture)


def seat_policy(game: Any, mixture: Mixture, player: int) -> SequencePolicy:
    """What one player plays, whatever the others know of its draws."""
    return SequencePolicy(game, mixture.form, {player: mixture.behaviour(player)})
