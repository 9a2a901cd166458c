"""Predictions of single moves by a learned ensemble, from true or predicted states."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn.functional import embedding

from metaspiel.learn.mlp import Stack, stacked_values
from offline.ensemble import Ensemble
from offline.settings import Uncertainty
from offline.tables import TERMINAL, reward_inputs

_BLOCK = 8  # rows of a product
_NEAR = 0.5  # mean distance from the terminal state at which an episode is over


class Prediction(NamedTuple):
    """The prediction of one move.

    Attributes:
      state: mean of the members' next states.
      fired: that state is terminal.
      observations: what the players see in it.
      legal: what its mover may do.
    """

    state: Float32[Tensor, "S B X"]
    fired: Bool[Tensor, "S B"]
    observations: Float32[Tensor, "S B N O"]
    legal: Bool[Tensor, "S B A"]


@dataclass(frozen=True, eq=False)
class Predictor:
    """The networks of S trained ensembles.

    Attributes:
      learned: their weights.
      uncertainty: what u is, as in ``ModelSimulator``.
      round_state: predicted states are rounded.
    """

    learned: Ensemble
    uncertainty: Uncertainty = "deviation"
    round_state: bool = False

    @cached_property
    def _nets(self) -> tuple[Stack, Stack, Stack]:
        return self.learned.stacks()

    def predict(
        self, state: Float32[Tensor, "S B X"], action: Int64[Tensor, "S B"]
    ) -> Prediction:
        """Predictions for actions in states, which may be true or predicted."""
        scale = self.learned.scales.state
        change = self._members(self._nets[0], self._inputs(state, action)).mean(1)
        after = torch.addcmul(state, change, scale[:, 1:])
        if self.round_state:
            after = after.round()
        observations, legal = self._seen(after)
        fired = (after - TERMINAL).abs().mean(2) < _NEAR
        return Prediction(after, fired, observations, legal)

    def payoffs(
        self,
        state: Float32[Tensor, "S B X"],
        action: Int64[Tensor, "S B"],
        where: Bool[Tensor, "S B"],
    ) -> Float32[Tensor, "S B M N"]:
        """Each member's payoffs of actions as last moves; 0 where not asked."""
        x, net = self._read(state, action), self._nets[1]
        m, players = self.learned.training.members, self.learned.sizes.players
        scale = self.learned.scales.reward[:, None, None, None]
        if x.is_cuda:  # to look where would halt the device
            pays = self._members(net, x) * scale
            return self._reaching(pays.transpose(1, 2) * where[..., None, None])
        pays = x.new_zeros(*where.shape, m, players)
        for s, asked in enumerate(where):
            rows = asked.nonzero()[:, 0]
            if len(rows):
                # Repeats do no harm; whole blocks of rows are rounded alike.
                rows = torch.cat([rows, rows[:1].expand(-len(rows) % _BLOCK)])
                own = x[s, rows].expand(m, -1, -1)
                said = _some(net, slice(s * m, (s + 1) * m), own)
                pays[s, rows] = said.transpose(0, 1)
        return self._reaching(pays.mul_(scale))

    def _read(
        self, state: Float32[Tensor, "S B X"], action: Int64[Tensor, "S B"]
    ) -> Float32[Tensor, "S B R"]:
        """What g reads."""
        training = self.learned.training
        if training.reward_inputs == "shared":
            return self._inputs(state, action)
        both = torch.cat([state, embedding(action, self.learned.vectors)], 2)
        return reward_inputs(both, self.learned.scales, training)

    def _reaching(self, pays: Float32[Tensor, "S B M N"]) -> Float32[Tensor, "S B M N"]:
        """The members' payoffs, as far from their mean as calibration says."""
        if not self.learned.training.calibrate:
            return pays
        mean, reach = pays.mean(2, keepdim=True), self.learned.scales.reach
        return mean + reach[:, None, None, None] * (pays - mean)

    def _inputs(
        self, state: Float32[Tensor, "S B X"], action: Int64[Tensor, "S B"]
    ) -> Float32[Tensor, "S B I"]:
        """Normalised states and actions."""
        scales = self.learned.scales
        vector = embedding(action, self.learned.vectors)
        return torch.cat([_norm(state, scales.state), _norm(vector, scales.action)], 2)

    def _members(
        self, nets: Stack, x: Float32[Tensor, "S B I"]
    ) -> Float32[Tensor, "S M B O"]:
        """Outputs of every member on the same inputs."""
        trials, members = x.shape[0], self.learned.training.members
        rows = x[:, None].expand(-1, members, -1, -1).flatten(0, 1)
        return nets.values(rows).unflatten(0, (trials, members))

    def _seen(
        self, state: Float32[Tensor, "S B X"]
    ) -> tuple[Float32[Tensor, "S B N O"], Bool[Tensor, "S B A"]]:
        """Observations of all players and legal actions of the mover in a state."""
        scales, sizes = self.learned.scales, self.learned.sizes
        out = self._nets[2].values(_norm(state, scales.state))
        split = sizes.players * sizes.observation
        seen = out[..., :split].unflatten(2, (sizes.players, sizes.observation))
        mean, sd = scales.observation[:, :1, None], scales.observation[:, 1:, None]
        return torch.addcmul(mean, seen, sd), out[..., split:] > 0.5

    def disagreement(self, pays: Float32[Tensor, "S B M N"]) -> Float32[Tensor, "S B"]:
        """u, the members' disagreement about payoffs (equation 1), in their unit.

        It is that of the networks, whatever calibration made of their payoffs.
        """
        if self.uncertainty == "deviation":
            other = pays.mean(2, keepdim=True)
            u = (pays - other).abs().mean(3).amax(2)
        else:
            apart = (pays[:, :, None] - pays[:, :, :, None]).abs().mean(4)
            u = apart.amax((2, 3))
        calibrated = self.learned.training.calibrate > 0
        return u / self.learned.scales.reach[:, None] if calibrated else u


def _some(
    nets: Stack, which: slice, x: Float32[Tensor, "G B I"]
) -> Float32[Tensor, "G B O"]:
    """Outputs of some of the networks of a stack."""
    return stacked_values([view[which] for view in nets.views], x)


def _norm(
    values: Float32[Tensor, "S B W"], scale: Float32[Tensor, "S 2 W"]
) -> Float32[Tensor, "S B W"]:
    return (values - scale[:, :1]) / scale[:, 1:]
