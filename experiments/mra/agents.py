"""Files of trained agents: the weights of all networks, and who they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from metaspiel import files
from metaspiel.learn.agents import Trainable
from metaspiel.nfg.errors import UserError
from mra.state import DELAYED, MRAState

_FORMAT = 1
_SHAPE = {"world": str, "method": str, "seed": int, "sizes": [str], "sweep": int}


def write(path: Path, state: MRAState, facts: Mapping[str, Any]) -> None:
    """Writes the weights of a state, without its replays and moments."""
    tensors = dict(state.weights) | {f"slow.{n}": state.delayed[n] for n in DELAYED}
    arrays = {name: one.detach().numpy() for name, one in tensors.items()}
    more = {"format": _FORMAT, "sweep": state.sweep, "games": list(state.games)}
    files.write_arrays(path, arrays, {**facts, **more})


def read(path: Path) -> tuple[dict[str, Any], MRAState]:
    """Who the agents are, and a state with their weights that can be adapted.

    Raises:
      UserError: there are none, or the file is damaged or of another format.
    """
    facts, arrays = files.read_arrays(path)
    files.check_shape(f"'{path}'", facts, _SHAPE)
    if facts.get("format") != _FORMAT:
        raise UserError(f"'{path}' must hold agents of format {_FORMAT}")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        delayed = {name: tensors.pop(f"slow.{name}") for name in DELAYED}
    except KeyError as gone:
        raise UserError(f"'{path}' must hold {gone}; it is missing") from None
    state = MRAState(
        games=tuple(facts["games"]),
        seed=facts["seed"],
        sweep=facts["sweep"],
        learners={name: Trainable.fresh(one) for name, one in tensors.items()},
        delayed=delayed,
        replays=(),
    )
    return facts, state
