"""Training of the ensembles of S trials at once.

With s the state before an action a, s' the state after it (all -1 where the episode is
over):

- f_m([s, a]) predicts (s' - s) / sd; the loss is the mean square.
- h(s) predicts the observations of all players and the 0/1 mask of legal actions; the
  loss is the sum of the two mean squares. f and h are trained together.
- g_m([s, a]) predicts payoffs / sd, from the last moves of episodes only. What it reads
  is ``Training.reward_inputs``.

States, actions and observations enter normalised. A trial's weights do not depend, bit
for bit on a CPU, on the trials beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy import ndarray
from torch import Tensor

from metaspiel.learn.mlp import MLP, Stack
from metaspiel.learn.update import Adam
from metaspiel.nfg.errors import UserError
from offline.data import Dataset
from offline.ensemble import Ensemble, networks_of, only, stacked
from offline.intervals import check_enough, stretch
from offline.predict import Predictor
from offline.settings import Training
from offline.tables import pools_of, scales_of, tables_of

_relu_back = torch.ops.aten.threshold_backward
_CHUNK = 25  # steps whose minibatches are gathered at once


def train(
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
    training: Training | None = None,
    device: torch.device | None = None,
) -> Ensemble:
    """One ensemble for each data set and seed, all trained together.

    Args:
      datasets: data sets of one game and one shape; their lengths may differ.
      seeds: seeds of the first weights and minibatches of each trial.
      training: None: the authors' settings.
      device: where to train.

    Raises:
      UserError: no data sets, not one seed each, data sets of different games, or too
        few episodes to calibrate by.
    """
    training = training or Training()
    device = device or torch.device("cpu")
    _check(datasets, seeds)
    if not training.calibrate:
        return _fitted(datasets, seeds, training, device)
    parts = [
        data.split(training.held_out, seed)
        for data, seed in zip(datasets, seeds, strict=True)
    ]
    _check_held_out([held for _, held in parts], training)
    learned = _fitted([data for data, _ in parts], seeds, training, device)
    reach = [
        _reach(only(learned, number), held) for number, (_, held) in enumerate(parts)
    ]
    told = torch.tensor(reach, device=device)
    return replace(learned, scales=replace(learned.scales, reach=told))


def _fitted(
    datasets: Sequence[Dataset],
    seeds: Sequence[int],
    training: Training,
    device: torch.device,
) -> Ensemble:
    """The trained networks of every data set, which is used whole."""
    sizes = datasets[0].sizes
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    networks = networks_of(sizes, training)
    counts = training.members, training.members, 1
    f, g, h = [
        _Fit(network, generators, members, training, device)
        for network, members in zip(networks, counts, strict=True)
    ]
    scales = [scales_of(data, training) for data in datasets]
    tables = [tables_of(*pair, training) for pair in zip(datasets, scales, strict=True)]
    pools = [
        pools_of(data, seed, training)
        for data, seed in zip(datasets, seeds, strict=True)
    ]
    x, b, m = sizes.state + sizes.vector, training.batch, training.members
    y, seen = x + sizes.state, sizes.players * sizes.observation
    slope = torch.full((seen + sizes.actions,), 2 / (b * sizes.actions), device=device)
    slope[:seen] = 2 / (b * seen)
    moves = _Minibatches([t.moves for t in tables], [p.moves for p in pools], device)
    for rows in moves.draw(generators, training):
        own = _of_members(rows[..., :y], m)
        f.step(own[..., :x], own[..., x:], 2 / (b * sizes.state * m))
        h.step(rows[:, -1, :, : sizes.state], rows[:, -1, :, y:], slope)
    ends = _Minibatches([t.ends for t in tables], [p.ends for p in pools], device)
    read = networks[1].inputs
    for rows in ends.draw(generators, training):
        own = _of_members(rows, m)
        g.step(own[..., :read], own[..., read:], 2 / (b * sizes.players * m))
    return Ensemble(
        game=datasets[0].game,
        symmetric=datasets[0].symmetric,
        sizes=sizes,
        training=training,
        networks=networks,
        f=f.net.vectors().unflatten(0, (len(datasets), -1)),
        g=g.net.vectors().unflatten(0, (len(datasets), -1)),
        h=h.net.vectors(),
        scales=stacked(scales, device),
        vectors=torch.from_numpy(datasets[0].vectors.copy()).to(device),
    )


def _reach(learned: Ensemble, held: Dataset) -> float:
    """How far the members of one trial must reach to hold what held-out deals pay.

    What one episode pays, to both players and in its mirror, is not independent: the
    episode's largest score stands for all of it.
    """
    deal = _deals(held)
    rows = np.flatnonzero(deal), held.length[deal] - 1
    device = learned.f.device
    state = torch.from_numpy(held.states[rows])[None].to(device)
    action = torch.from_numpy(held.action[rows])[None].to(device)
    everywhere = torch.ones_like(action, dtype=torch.bool)
    pays = Predictor(learned).payoffs(state, action, everywhere)[0].cpu().numpy()
    groups = np.repeat(held.episode[deal], held.sizes.players)
    members = pays.transpose(1, 0, 2).reshape(pays.shape[1], -1)
    true = held.returns[deal].ravel()
    return stretch(members, true, learned.training.calibrate, groups)


def _deals(data: Dataset) -> ndarray:
    """Mask of the trajectories that end with a deal, ``[n]``."""
    last = data.action[np.arange(data.trajectories), data.length - 1]
    mask: ndarray = data.paying[last]
    return mask


class _Fit:
    """Stacked training of G networks of one kind."""

    def __init__(
        self,
        network: MLP,
        generators: Sequence[torch.Generator],
        members: int,
        training: Training,
        device: torch.device,
    ) -> None:
        stacked = len(generators) * members
        self.net = Stack(network, stacked, device)
        self.grad = Stack(network, stacked, device)
        first = [network.initial(gen) for gen in generators for _ in range(members)]
        self.net.load(torch.stack(first))
        self.adam = Adam(len(self.net.flat), training.rate, device)
        hidden = (stacked, training.batch, network.width)
        self.first = torch.empty(hidden, device=device)
        self.second = torch.empty(hidden, device=device)
        self.back = torch.empty(hidden, device=device)

    def step(
        self,
        x: Float32[Tensor, "G b I"],
        target: Float32[Tensor, "G b O"],
        slope: float | Float32[Tensor, " O"],
    ) -> None:
        """One Adam step; ``slope`` times the error is the gradient of the loss."""
        net, grad = self.net, self.grad
        h1 = torch.baddbmm(net.b1, x, net.w1, out=self.first).relu_()
        h2 = torch.baddbmm(net.b2, h1, net.w2, out=self.second).relu_()
        out = torch.baddbmm(net.b3, h2, net.w3.transpose(1, 2))
        error = out.sub_(target).mul_(slope)
        torch.bmm(error.transpose(1, 2), h2, out=grad.w3)
        torch.sum(error, 1, keepdim=True, out=grad.b3)
        back = _relu_back(torch.bmm(error, net.w3, out=self.back), h2, 0)
        torch.bmm(h1.transpose(1, 2), back, out=grad.w2)
        torch.sum(back, 1, keepdim=True, out=grad.b2)
        back = torch.bmm(back, net.w2.transpose(1, 2), out=self.back)
        back = _relu_back(back, h1, 0)
        torch.bmm(x.transpose(1, 2), back, out=grad.w1)
        torch.sum(back, 1, keepdim=True, out=grad.b1)
        self.adam.step(net.flat, grad.flat)


class _Minibatches:
    """Training rows of S trials on the device, and the rows each stream draws from."""

    def __init__(
        self,
        tables: Sequence[ndarray],
        pools: Sequence[Sequence[ndarray]],
        device: torch.device,
    ) -> None:
        self.device = device
        self.table = torch.from_numpy(np.concatenate(tables)).to(device)
        self.pools, offset = [], 0
        for table, streams in zip(tables, pools, strict=True):
            self.pools.append([torch.from_numpy(rows + offset) for rows in streams])
            offset += len(table)

    def draw(
        self, generators: Sequence[torch.Generator], training: Training
    ) -> Iterator[Float32[Tensor, "S K b W"]]:
        """The minibatches of all steps."""
        for begin in range(0, training.steps, _CHUNK):
            steps = min(_CHUNK, training.steps - begin)
            rows = torch.stack(
                [
                    torch.stack(
                        [_some(pool, steps, training.batch, gen) for pool in streams], 1
                    )
                    for streams, gen in zip(self.pools, generators, strict=True)
                ],
                1,
            ).to(self.device)
            chunk = self.table.index_select(0, rows.flatten())
            yield from chunk.view(*rows.shape, -1)


def _some(
    pool: Int64[Tensor, " R"], steps: int, batch: int, generator: torch.Generator
) -> Int64[Tensor, "steps batch"]:
    """Draws the rows of every minibatch from the pool, with replacement."""
    return pool[torch.randint(len(pool), (steps, batch), generator=generator)]


def _of_members(
    rows: Float32[Tensor, "S K b W"], members: int
) -> Float32[Tensor, "G b W"]:
    """The minibatch of every member of every trial."""
    if rows.shape[1] == 1:
        rows = rows.expand(-1, members, -1, -1)
    return rows[:, :members].flatten(0, 1)


def _check(datasets: Sequence[Dataset], seeds: Sequence[int]) -> None:
    if not datasets or len(seeds) != len(datasets):
        raise UserError(
            "train(): there must be data sets and one seed for each; got "
            f"{len(datasets)} data sets and {len(seeds)} seeds"
        )
    one = datasets[0]
    for number, data in enumerate(datasets):
        if (data.game, data.sizes) != (one.game, one.sizes) or not np.array_equal(
            data.vectors, one.vectors
        ):
            raise UserError(
                "train(): all data sets must be of one game; number "
                f"{number} is of {data.game}, {data.sizes}"
            )


def _check_held_out(parts: Sequence[Dataset], training: Training) -> None:
    """Refuses, before anything is learned, what could not be calibrated."""
    for held in parts:
        check_enough(len(set(held.episode[_deals(held)])), training.calibrate)
