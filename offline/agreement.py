"""Errors of a learned model's payoffs, measured in the true game.

Every pure profile of a population is replayed in the true game (Nguyen & Wellman 2026,
section 5.4, and the authors' code). Two errors are told: that of the empirical game,
whose payoffs come from roll-outs in the model, and that of the reward networks alone,
asked about the last moves of the true episodes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.bargaining import Bargaining, BargainingPosition, state
from metaspiel.learn.evaluate import drawn_numbers, moves, pure
from metaspiel.learn.nets import Network, check_network
from metaspiel.learn.policies import Bank, Pool
from metaspiel.nfg.errors import UserError
from offline.intervals import told
from offline.model import ModelSimulator

_ROWS = 40_000  # episodes played at a time; it bounds memory


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """Utilities of C pure profiles in the true game and in the model.

    Attributes:
      profiles: the policy of each player.
      true: mean payoffs in the true game.
      members: those of the empirical game, according to each member.
      on_true: what the reward networks say of the true episodes' last moves.
      uncertainty: mean disagreement u of the networks about those moves.
    """

    profiles: Int64[ndarray, "C N"]
    true: Float64[ndarray, "C N"]
    members: Float64[ndarray, "E C N"]
    on_true: Float64[ndarray, "C N"]
    uncertainty: Float64[ndarray, " C"]

    @property
    def model(self) -> Float64[ndarray, "C N"]:
        """Utilities of the empirical game, means over the ensemble."""
        mean: Float64[ndarray, "C N"] = self.members.mean(0)
        return mean

    @property
    def told(self) -> dict[str, float]:
        """How the empirical game's intervals lie: see ``offline.intervals.told``."""
        return told(self.members.reshape(len(self.members), -1), self.true.ravel())

    @property
    def utility_error(self) -> float:
        """Mean over profiles and players of the empirical game's absolute error."""
        return float(np.abs(self.true - self.model).mean())

    @property
    def utility_error_on_true(self) -> float:
        """The error of the reward networks' utilities on the true episodes."""
        return float(np.abs(self.true - self.on_true).mean())


def agreement(
    simulator: Bargaining,
    model: ModelSimulator,
    network: Network,
    policies: Pool,
    payoffs: Float64[ndarray, "E N L L"],
    episodes: int,
    seed: tuple[int, ...],
) -> Agreement:
    """Replays every pair of policies in the true game.

    Args:
      simulator: the true game.
      model: model of one trial, on the device where all of this runs.
      network: network of the policies.
      policies: one pool of K, shared by both players.
      payoffs: the empirical game's table, which is symmetric; L must be K.
      episodes: number of episodes of each pair; all pairs play the same ones.
      seed: seed of the episodes.

    Raises:
      UserError: the table does not fit the policies or is not symmetric, or there are
        no episodes.
    """
    check_network("agreement()", network, simulator)
    if payoffs.shape[2:] != (len(policies),) * 2:
        raise UserError(
            f"agreement(): the table must be of {len(policies)} policies; got "
            f"{list(payoffs.shape[2:])}"
        )
    if not np.array_equal(payoffs[:, 0], payoffs[:, 1].swapaxes(1, 2)):
        raise UserError(
            "agreement(): the table must be that of a symmetric game, whose players "
            "share one pool; its payoffs change when the players are exchanged"
        )
    if episodes < 1:
        raise UserError(f"agreement(): episodes must be at least 1; got {episodes}")
    first, second = np.triu_indices(len(policies))
    profiles = np.stack([first, second], 1)
    bank = Bank(network, (policies,), None, model.learned.f.device)
    numbers = drawn_numbers(simulator, episodes, seed)
    replays = [
        _replayed(simulator, model, bank, some, numbers)
        for some in _batches(profiles, max(1, _ROWS // episodes))
    ]
    true, on_true, u = (np.concatenate(parts) for parts in zip(*replays, strict=True))
    equal = first == second  # both players earn the same there, but for noise
    for values in (true, on_true):
        values[equal] = values[equal].mean(1, keepdims=True)
    return Agreement(
        profiles=profiles,
        true=true,
        members=payoffs[:, :, first, second].swapaxes(1, 2),
        on_true=on_true,
        uncertainty=u,
    )


def _batches(
    profiles: Int64[ndarray, "C N"], size: int
) -> Iterator[Int64[ndarray, "c N"]]:
    for begin in range(0, len(profiles), size):
        yield profiles[begin : begin + size]


def _replayed(
    simulator: Bargaining,
    model: ModelSimulator,
    bank: Bank,
    profiles: Int64[ndarray, "C N"],
    numbers: Float64[Tensor, "M columns"],
) -> tuple[ndarray, ndarray, ndarray]:
    """True payoffs, payoffs by the reward networks, and u, for each profile."""
    lead = (len(profiles), len(numbers))
    device = bank.device
    seats = torch.as_tensor(pure(profiles, len(numbers)), device=device)
    last = torch.zeros((), device=device)
    done_by = torch.zeros((), dtype=torch.int64, device=device)
    for before, action, live, after in moves(
        simulator, bank, seats, numbers.to(device)
    ):
        assert isinstance(before, BargainingPosition)
        last = torch.where(live[..., None], state(before), last)
        done_by = torch.where(live, action, done_by)
        position = after
    everywhere = torch.ones_like(position.done)
    pays = model.predictor.payoffs(last, done_by, everywhere)
    u = model.predictor.disagreement(pays)[..., None]
    true, on_true, doubt = (
        part[0].double().unflatten(0, lead).mean(1).cpu().numpy()
        for part in (position.returns, pays.mean(2), u)
    )
    return true, on_true, doubt[:, 0]
