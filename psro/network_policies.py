"""Learned policies as policies of OpenSpiel, whatever the size of the game's tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from open_spiel.python import policy as openspiel_policy

from metaspiel.games.simulator import Replayable, Simulator
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Pool, chances
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, eq=False)
class Networks:
    """The policies of all players as weights of one network.

    Attributes:
      simulator: the game, as its players see it.
      network: of all policies.
      pools: of each player.
    """

    simulator: Simulator
    network: Network
    pools: tuple[Pool, ...]

    def cast(self, game: Any) -> Any:
        """Makes the policy of each player from how often it plays which network.

        Args:
          game: the turn-based ``pyspiel.Game``.

        Raises:
          UserError: the simulator does not play one of OpenSpiel's games.
        """
        if not isinstance(self.simulator, Replayable):
            raise UserError(
                "Networks.cast(): the game must be one of OpenSpiel's; got "
                f"'{self.simulator.name}'"
            )
        return lambda weights: NetworkPolicy(game, self, weights)


class NetworkPolicy(openspiel_policy.Policy):
    """Players who draw one of their networks an episode, as one policy each.

    At a state a network counts as often as it was drawn, times how likely it is to have
    done what its player did before (Kuhn 1953). Where none of them would have, all
    count as they were drawn.

    Args:
      game: the turn-based ``pyspiel.Game``.
      networks: of all players.
      weights: how often each player that is played draws each network.
    """

    def __init__(
        self, game: Any, networks: Networks, weights: Mapping[int, ndarray]
    ) -> None:
        super().__init__(game, list(weights))
        self._networks, self._weights = networks, weights

    def action_probabilities(
        self, state: Any, player_id: int | None = None
    ) -> dict[int, float]:
        """Probabilities of the legal actions at ``state``."""
        player = state.current_player() if player_id is None else player_id
        if player not in self._weights:
            raise UserError(
                f"NetworkPolicy: the player must be of {self.player_ids}; got {player}"
            )
        simulator, weights = self._networks.simulator, self._weights[player]
        assert isinstance(simulator, Replayable)  # as ``Networks.cast`` has checked
        trail = simulator.trail(state.history(), player)
        legal = self._legal(state, player)
        drawn = np.flatnonzero(weights).tolist()
        does = np.stack([self._does(player, k, trail.inputs, legal) for k in drawn])
        made = np.arange(len(trail.actions))
        reach = weights[drawn] * does[:, made, trail.actions].prod(axis=1)
        reach = reach if reach.sum() > 0 else weights[drawn]
        mixed = (reach / reach.sum()) @ does[:, -1]
        return {action: float(mixed[action]) for action in state.legal_actions(player)}

    def _does(
        self, player: int, number: int, inputs: ndarray, legal: ndarray
    ) -> Float64[ndarray, "T A"]:
        """What one network does at each of the player's decisions."""
        pool = self._networks.pools[player]
        return chances(
            self._networks.network,
            torch.from_numpy(pool.weights[number]),
            pool.plays[number],
            inputs=torch.from_numpy(inputs),
            legal=torch.from_numpy(legal),
        ).numpy()

    def _legal(self, state: Any, player: int) -> ndarray:
        """What was legal at each of the player's decisions, the open one included."""
        replay, rows = self.game.new_initial_state(), []
        for action in state.history():
            if replay.current_player() == player:
                rows.append(replay.legal_actions(player))
            replay.apply_action(action)
        rows.append(state.legal_actions(player))
        legal = np.zeros((len(rows), self._networks.simulator.actions), dtype=bool)
        for number, row in enumerate(rows):
            legal[number, row] = True
        return legal
