"""Learned runs of one game against each other, in sampled episodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.evaluate import Matches, Scores, play, pure
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Pool
from metaspiel.nfg.errors import UserError
from psro.crossplay import CrossPlay, Entry, check_size, owned, seatings, weights
from psro.network_policies import Networks

_DRAWN, _PLAYED = 0, 1  # purposes of random numbers
_BATCH = 40  # profiles at a time


@dataclass(frozen=True)
class OneOf:
    """Networks of different runs as one, whose weights begin with which it is.

    Attributes:
      networks: of the runs, with the same inputs and actions.
    """

    networks: tuple[Network, ...]

    @property
    def inputs(self) -> int:
        """Numbers in an observation."""
        return self.networks[0].inputs

    @property
    def actions(self) -> int:
        """Scores that come out."""
        return self.networks[0].actions

    @property
    def size(self) -> int:
        """Numbers in a weight vector: which network, and room for the largest."""
        return 1 + max(network.size for network in self.networks)

    def initial(self, generator: torch.Generator) -> Float32[Tensor, " P"]:
        """Draws fresh weights of the first network."""
        made = torch.zeros(self.size)
        own = self.networks[0].initial(generator)
        made[1 : 1 + len(own)] = own
        return made

    def scores(
        self, weights: Float32[Tensor, " P"], x: Float32[Tensor, "R D"]
    ) -> Float32[Tensor, "R A"]:
        """What the network scores that the weights begin with."""
        network = self.networks[int(weights[0])]
        return network.scores(weights[1 : 1 + network.size], x)

    def pool(self, number: int, own: Pool) -> Pool:
        """The policies of one network as policies of this one."""
        room = np.zeros((len(own), self.size), dtype=np.float32)
        room[:, 0] = number
        room[:, 1 : 1 + own.weights.shape[1]] = own.weights
        return Pool(room, own.plays)


def by_playing(
    entries: Sequence[Entry],
    networks: Sequence[Networks],
    *,
    members: bool,
    episodes: int,
    seed: int,
) -> CrossPlay:
    """Payoffs averaged over episodes that all seatings share.

    Args:
      entries: the runs.
      networks: their policies, which see the same.
      members: every profile of members as well.
      episodes: of each payoff.
      seed: of the episodes.

    Raises:
      UserError: the runs' players do not see the same.
    """
    simulator = networks[0].simulator
    for entry, other in zip(entries, networks, strict=True):
        if other.simulator != simulator:
            raise UserError(
                "cross_play(): learned policies must see the same game the same way; "
                f"'{entries[0].name}' sees {simulator.reads} of '{simulator.name}', "
                f"'{entry.name}' {other.simulator.reads} of '{other.simulator.name}'"
            )
    one = OneOf(tuple(other.network for other in networks))
    pools = [
        [one.pool(r, pool) for pool in other.pools] for r, other in enumerate(networks)
    ]
    union = tuple(_joined([own[p] for own in pools]) for p in range(simulator.players))
    match = Matches(
        simulator=simulator,
        network=one,
        pools=union,
        profiles=_mixtures(entries, episodes, seed),
        seed=(seed, _PLAYED),
    )
    (scores,) = play([match])
    shape = (simulator.players, *(len(entries),) * simulator.players)
    means, errors = _tensors([scores], shape)
    table: tuple[ndarray, ndarray] | tuple[None, None] = (None, None)
    if members:
        check_size(entries)
        table = _every(match, episodes)
    return CrossPlay(
        names=tuple(entry.name for entry in entries),
        how=f"means of {episodes} episodes each, which all seatings share",
        means=means,
        errors=errors,
        member_means=table[0],
        member_errors=table[1],
        owners=owned(entries),
    )


def _joined(pools: Sequence[Pool]) -> Pool:
    first, *rest = pools
    for pool in rest:
        first = first + pool
    return first


def _mixtures(entries: Sequence[Entry], episodes: int, seed: int) -> ndarray:
    """Members that each seating plays in each episode ``[C, M, N]``."""
    rng, drawn = np.random.default_rng((seed, _DRAWN)), []
    players = entries[0].joint.ndim
    sizes = np.array([entry.joint.shape for entry in entries])
    begins = np.cumsum(sizes, axis=0) - sizes
    for seating in seatings(len(entries), players):
        joint = weights(entries, seating)
        number = rng.choice(joint.size, episodes, p=joint.ravel() / joint.sum())
        chosen = np.stack(np.unravel_index(number, joint.shape), axis=1)
        drawn.append(chosen + begins[list(seating), range(players)])
    return np.stack(drawn).astype(np.int64)


def _every(match: Matches, episodes: int) -> tuple[ndarray, ndarray]:
    """Payoffs of all profiles of members, and their errors ``[N, *U]``."""
    sizes = tuple(len(pool) for pool in match.pools)
    cells = np.argwhere(np.ones(sizes))
    parts = [
        replace(match, profiles=pure(cells[at : at + _BATCH], episodes))
        for at in range(0, len(cells), _BATCH)
    ]
    return _tensors(play(parts), (len(sizes), *sizes))


def _tensors(
    scores: Sequence[Scores], shape: tuple[int, ...]
) -> tuple[ndarray, ndarray]:
    means = np.concatenate([one.mean.mean(axis=0) for one in scores])
    errors = np.concatenate([one.error.mean(axis=0) for one in scores])
    return means.T.reshape(shape), errors.T.reshape(shape)
