"""The baselines OEF and OEF-BC, which COffeE-PSRO is compared with.

OEF (Li et al. 2022) is the same loop on the same model with neither penalty nor
coverage: ``coffee.APPROACHES``. OEF-BC then lets every policy of the population imitate
the behaviour of the data in a share w of its decisions; the meta-strategy stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray
from torch import Tensor

from metaspiel import files
from metaspiel.learn.mlp import MLP, Stack
from metaspiel.learn.policies import Habit
from metaspiel.learn.random import generators
from metaspiel.learn.update import Adam
from metaspiel.nfg.errors import UserError
from offline.data import Dataset
from offline.settings import Cloning
from offline.tables import moves_made

_MEASURED = ("trained", "held_out", "uniform")


def network_of(cloning: Cloning, inputs: int, actions: int) -> MLP:
    """The network of a clone for these sizes of observations and actions."""
    return MLP(inputs, cloning.width, actions)


@dataclass(frozen=True, eq=False, kw_only=True)
class Clone:
    """A cloned behaviour, one network for all players.

    Attributes:
      network: whose outputs are logits.
      weights: weights of the network.
      trained: cross-entropy over legal actions, in nats, on its training decisions.
      held_out: the same on held-out episodes; NaN without any.
      uniform: that of the uniform policy on the latter (on all, without any).
    """

    network: MLP
    weights: Float32[ndarray, " P"]
    trained: float
    held_out: float
    uniform: float

    @property
    def measured(self) -> dict[str, float]:
        """Cross-entropies of the clone by the name of what they were measured on."""
        return {name: getattr(self, name) for name in _MEASURED}

    def habit(self, chance: float, sizes: tuple[int, ...]) -> Habit:
        """The clone as behaviour of all policies of each pool, with this chance."""
        chances = tuple(np.full(size, float(chance)) for size in sizes)
        return Habit(self.network, self.weights, chances)


def save(clone: Clone, place: Path, bound: Mapping[str, str] | None = None) -> None:
    """Writes a clone's numbers; ``bound`` says what they belong to."""
    arrays = {name: np.asarray(value) for name, value in clone.measured.items()}
    arrays["weights"] = clone.weights
    files.write_arrays(place, arrays, dict(bound or {}))


def load(place: Path, network: MLP, bound: Mapping[str, str] | None = None) -> Clone:
    """Reads what ``save`` wrote of a clone with this network.

    Raises:
      UserError: it is damaged, or belongs to something else.
    """
    own, arrays = files.read_arrays(place)
    if own != dict(bound or {}):
        raise UserError(f"'{place}' must be as this run wrote it; it is another's")
    known = {name: float(arrays[name]) for name in _MEASURED}
    return Clone(network=network, weights=arrays["weights"], **known)


def decisions(data: Dataset) -> tuple[Tensor, Tensor, Tensor]:
    """Information states ``[R, D]``, legal actions ``[R, A]`` and actions ``[R]``.

    An information state is the mover's newest observation up to what a history keeps,
    then what was kept of all later observations in order (after the first).
    """
    made, sizes = moves_made(data), data.sizes
    n, longest = data.action.shape
    mover = data.mover[..., None, None]
    seen = np.take_along_axis(data.observations, mover, 2)[:, :, 0]
    kept = np.zeros((n, longest, longest, sizes.kept), dtype=np.float32)
    for t in range(1, longest):
        kept[:, t:, t - 1] = seen[:, None, t, sizes.head :]
    inputs = np.concatenate(
        [seen[..., : sizes.head], kept.reshape(n, longest, -1)], axis=2
    )
    return (
        torch.from_numpy(inputs[made].astype(np.float32)),
        torch.from_numpy(data.legal[made]),
        torch.from_numpy(data.action[made]),
    )


def clone(data: Dataset, seed: int, cloning: Cloning | None = None) -> Clone:
    """A softmax policy over legal actions, fitted to the data's actions.

    Raises:
      UserError: the held-out share leaves no episode to train on or to measure with.
    """
    cloning = cloning or Cloning()
    train, held = data, None
    if cloning.held_out:
        train, held = data.split(cloning.held_out, seed)
    inputs, legal, action = decisions(train)
    network = network_of(cloning, inputs.shape[1], legal.shape[1])
    first, draws = generators((seed, 0), 2)
    net = Stack(network, 1, torch.device("cpu"))
    net.load(network.initial(first)[None])
    flat = net.flat.clone().requires_grad_()
    adam = Adam(len(flat), cloning.rate, flat.device)
    for _ in range(cloning.steps):
        rows = torch.randint(len(action), (cloning.batch,), generator=draws)
        loss = _entropy(flat, network, inputs[rows], legal[rows], action[rows])
        (gradient,) = torch.autograd.grad(loss, flat)
        with torch.no_grad():
            adam.step(flat, gradient)
    with torch.no_grad():
        weights = flat[: network.size].detach()
        trained = float(_entropy(weights, network, inputs, legal, action))
        measured = float("nan")
        if held is not None:
            inputs, legal, action = decisions(held)
            measured = float(_entropy(weights, network, inputs, legal, action))
    uniform = float(legal.sum(1).double().log().mean())
    return Clone(
        network=network,
        weights=weights.numpy().copy(),
        trained=trained,
        held_out=measured,
        uniform=uniform,
    )


def _entropy(
    flat: Tensor, network: MLP, inputs: Tensor, legal: Tensor, action: Tensor
) -> Tensor:
    """Mean cross-entropy of the actions under the softmax over legal ones."""
    scores = network.scores(flat, inputs).masked_fill(~legal, -torch.inf)
    return torch.nn.functional.cross_entropy(scores, action)
