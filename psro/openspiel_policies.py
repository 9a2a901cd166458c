"""What a meta-strategy plays, as policies of OpenSpiel."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyspiel
from jaxtyping import Float64
from numpy import ndarray
from open_spiel.python import policy as openspiel_policy

from metaspiel.games.openspiel import SequencePolicy
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.simplex import independent, marginals
from psro.mixture import Mixture

Cast = Callable[[Mapping[int, ndarray]], openspiel_policy.Policy]
"""How often some players play each of their policies, to the policy that does so."""


def cast_of(game: Any, mixture: Mixture) -> Cast:
    """Policies of the players of a tree.

    Args:
      game: the turn-based ``pyspiel.Game``.
      mixture: whose realisation plans are played.
    """

    def cast(weights: Mapping[int, ndarray]) -> SequencePolicy:
        behaviours = {p: mixture.behaviour(p, own) for p, own in weights.items()}
        return SequencePolicy(game, mixture.form, behaviours)

    return cast


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
      joint: probability of each profile.
      cast: makes the policies.
    """

    def __init__(self, game: Any, joint: Float64[ndarray, "*K"], cast: Cast) -> None:
        super().__init__(game, list(range(joint.ndim)))
        self.probabilities, self._cast = joint, cast

    def draw(self, rng: np.random.Generator) -> openspiel_policy.Policy:
        """The policies of all players for one episode."""
        number = rng.choice(self.probabilities.size, p=self.probabilities.ravel())
        return self.profile(np.unravel_index(number, self.probabilities.shape))

    def profile(self, members: Any) -> openspiel_policy.Policy:
        """One policy of each player, by their numbers ``[N]``."""
        sizes = self.probabilities.shape
        return self._cast({p: np.eye(sizes[p])[int(k)] for p, k in enumerate(members)})

    def marginals(self) -> openspiel_policy.Policy:
        """Players who draw alone, each as often as here."""
        return self._cast(dict(enumerate(marginals(self.probabilities))))

    def device(self) -> list[tuple[float, "pyspiel.TabularPolicy"]]:
        """Each profile that is played, with its probability, as OpenSpiel writes it.

        Raises:
          UserError: the tree does not fit, or its information states do not recall what
            their owner did.
        """
        made = []
        for members in np.argwhere(self.probabilities > 0):
            policy = self.profile(members)
            if not isinstance(policy, SequencePolicy):
                raise UserError(
                    "device(): the tree of the game must fit in memory, as tabular "
                    "policies list all information states; draw(rng) needs none"
                )
            made.append((float(self.probabilities[tuple(members)]), policy.tabular()))
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


def joint_policy(
    game: Any, joint: Float64[ndarray, "*K"], cast: Cast
) -> openspiel_policy.Policy:
    """What all players play: independently where that is what the joint is."""
    if independent(joint):
        return cast(dict(enumerate(marginals(joint))))
    return CorrelatedPolicy(game, joint, cast)
