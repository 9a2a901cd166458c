"""Training rows of the networks, from a data set with normalised entries."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from metaspiel.nfg.errors import UserError
from offline.data import Dataset
from offline.ensemble import Scales
from offline.settings import Norm, Training

TERMINAL = -1.0  # every entry of the state after the last move
VARIES = 1e-6  # smaller deviations are rounding
_BOOTSTRAP = 7919  # apart from the shuffles of ``Dataset.split``


class Tables(NamedTuple):
    """Normalised rows of a data set.

    Attributes:
      moves: state, action, change of state, observations, mask; for every move.
      ends: what g reads, payoffs; for every last move.
    """

    moves: Float32[ndarray, "R Wm"]
    ends: Float32[ndarray, "n We"]


class Pools(NamedTuple):
    """Rows that each of K streams of minibatches draws from."""

    moves: list[ndarray]
    ends: list[ndarray]


def tables_of(data: Dataset, scales: Scales, training: Training) -> Tables:
    """The normalised rows of one data set."""
    made = moves_made(data)
    size = data.sizes
    state, vector, seen = (
        value[0].double().numpy()
        for value in (scales.state, scales.action, scales.observation)
    )
    states = data.states[made].astype(np.float64)
    after = np.full_like(states, TERMINAL)
    last = last_moves(data)
    after[~last] = states[np.flatnonzero(~last) + 1]
    actions = data.vectors[data.action[made]]
    inputs = np.concatenate(
        [(states - state[0]) / state[1], (actions - vector[0]) / vector[1]], 1
    )
    watched = (data.observations[made] - seen[0]) / seen[1]
    moves = [
        inputs,
        (after - states) / state[1],
        watched.reshape(len(states), size.players * size.observation),
        data.legal[made],
    ]
    unit = float(scales.reward[0])
    if training.reward_scale_bug:
        unit = _reward_deviation(data, ends_only=False)
    read = inputs[last]
    if training.reward_inputs != "shared":
        both = np.concatenate([states, actions], 1)[last]
        read = reward_inputs(torch.from_numpy(both)[None], scales, training)[0].numpy()
    ends = [read, data.returns / unit]
    return Tables(*(np.concatenate(p, 1).astype(np.float32) for p in (moves, ends)))


def reward_inputs(
    both: Float[Tensor, "S B I"], scales: Scales, training: Training
) -> Float[Tensor, "S B R"]:
    """What g reads of states and actions, where that is not what f reads."""
    entries = scales.entries.to(both.dtype)
    x = (both - entries[:, :1]) / entries[:, 1:]
    if training.reward_inputs == "entries":
        return x
    first, second = torch.triu_indices(x.shape[2], x.shape[2], device=x.device)
    return torch.cat([x, x[..., first] * x[..., second]], 2)


def moves_made(data: Dataset) -> ndarray:
    """Mask of moves that were made, ``[n, L]``."""
    return np.arange(data.sizes.longest) < data.length[:, None]


def last_moves(data: Dataset) -> ndarray:
    """Mask of the last moves among the moves made, in order, ``[R]``."""
    last = np.zeros(data.length.sum(), dtype=bool)
    last[data.length.cumsum() - 1] = True
    return last


def pools_of(data: Dataset, seed: int, training: Training) -> Pools:
    """Rows to draw from: all for everyone, or a bootstrap of episodes per member."""
    end = data.length.cumsum()
    every, n = np.arange(end[-1]), data.trajectories
    if training.members_share_batches:
        return Pools([every], [np.arange(n)])
    rng = np.random.default_rng([seed, _BOOTSTRAP])
    moves, ends = [], []
    episodes = int(data.episode[-1]) + 1
    for _ in range(training.members):
        times = np.bincount(rng.integers(episodes, size=episodes), minlength=episodes)
        chosen = np.repeat(np.arange(n), times[data.episode])
        ends.append(chosen)
        moves.append(
            np.concatenate([every[end[i] - data.length[i] : end[i]] for i in chosen])
        )
    return Pools([*moves, every], ends)


def scales_of(data: Dataset, training: Training) -> Scales:
    """Means and deviations of one data set; computed in double precision.

    States, actions or observations (entries of them, by ``Training.norm``) that vary by
    less than 1e-6 are only centred: there is nothing to tell apart.

    Raises:
      UserError: all payoffs are equal, so that there is nothing to learn.
    """
    made = moves_made(data)
    mover = data.mover[..., None, None]
    seen = np.take_along_axis(data.observations, mover, 2)[:, :, 0]
    state, action, observation = (
        torch.from_numpy(_moments(rows, training.norm)[None])
        for rows in (data.states[made], data.vectors[data.action[made]], seen[made])
    )
    both = np.concatenate([data.states[made], data.vectors[data.action[made]]], 1)
    return Scales(
        state=state,
        action=action,
        observation=observation,
        entries=torch.from_numpy(_moments(both, "dimension")[None]),
        reward=torch.tensor([_reward_deviation(data, ends_only=True)]),
        reach=torch.ones(1),
    )


def _moments(rows: ndarray, norm: Norm) -> Float32[ndarray, "2 W"]:
    wide = rows.astype(np.float64)
    axis = 0 if norm == "dimension" else None
    mean, sd = wide.mean(axis), wide.std(axis)
    sd = np.where(sd < VARIES, 1.0, sd)
    scale = np.stack([mean, sd]).reshape(2, -1)
    return np.broadcast_to(scale, (2, rows.shape[1])).astype(np.float32)


def _reward_deviation(data: Dataset, ends_only: bool) -> float:
    """Standard deviation of payoffs of last moves, or of all moves (most pay 0)."""
    wide = data.returns.astype(np.float64)
    share = 1.0 if ends_only else data.trajectories / float(data.length.sum())
    sd = float(np.sqrt(share * (wide**2).mean() - (share * wide.mean()) ** 2))
    if not sd > VARIES:
        raise UserError(
            f"data set of '{data.game}': payoffs must vary for rewards to be learned; "
            f"all {data.trajectories} trajectories pay {wide.flat[0]:g}"
        )
    return sd
