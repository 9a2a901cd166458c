"""Initial states of episodes in a learned model, taken from the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from offline.data import Dataset
from offline.ensemble import moved


@dataclass(frozen=True, eq=False, kw_only=True)
class Starts:
    """First moments of the trajectories of S data sets, padded to the longest set.

    Attributes:
      state: true state.
      inputs: what the first mover knows.
      legal: what it may do.
      mover: who moves first.
      count: trajectories of each data set.
    """

    state: Float32[Tensor, "S n X"]
    inputs: Float32[Tensor, "S n D"]
    legal: Bool[Tensor, "S n A"]
    mover: Int64[Tensor, "S n"]
    count: Int64[Tensor, " S"]


def starts(datasets: Sequence[Dataset], device: torch.device | None = None) -> Starts:
    """The first moments of the data sets, on the given device."""
    return joined([_starts(data, device or torch.device("cpu")) for data in datasets])


def _starts(data: Dataset, device: torch.device) -> Starts:
    sizes = data.sizes
    mover = torch.from_numpy(data.mover[:, 0].copy())
    seen = torch.from_numpy(data.observations[:, 0].copy())
    inputs = torch.zeros(data.trajectories, sizes.inputs)
    inputs[:, : sizes.head] = seen[torch.arange(len(mover)), mover, : sizes.head]
    first = Starts(
        state=torch.from_numpy(data.states[:, 0].copy())[None],
        inputs=inputs[None],
        legal=torch.from_numpy(data.legal[:, 0].copy())[None],
        mover=mover[None],
        count=torch.tensor([data.trajectories]),
    )
    return moved(first, device)


def joined(parts: Sequence[Starts]) -> Starts:
    """The starts of all trials; shorter sets are padded, but padding is never drawn."""
    longest = max(part.state.shape[1] for part in parts)

    def all_of(name: str) -> Tensor:
        tables = []
        for part in parts:
            table = getattr(part, name)
            short = longest - table.shape[1]
            rest = table.new_zeros(len(table), short, *table.shape[2:])
            tables.append(torch.cat([table, rest], 1))
        return torch.cat(tables)

    return Starts(
        state=all_of("state"),
        inputs=all_of("inputs"),
        legal=all_of("legal"),
        mover=all_of("mover"),
        count=torch.cat([part.count for part in parts]),
    )


def sliced(starts: Starts, trial: int) -> Starts:
    """The starts of one trial, without padding."""
    here, count = slice(trial, trial + 1), int(starts.count[trial])
    return Starts(
        state=starts.state[here, :count],
        inputs=starts.inputs[here, :count],
        legal=starts.legal[here, :count],
        mover=starts.mover[here, :count],
        count=starts.count[here],
    )
