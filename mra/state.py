"""The state of a run between two sweeps, and its file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32
from numpy import ndarray
from torch import Tensor

from metaspiel import files
from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.learn.random import generators
from metaspiel.nfg.errors import UserError
from mra.nets import Nets
from mra.replay import Episodes
from mra.settings import Method, Training

_FILE = "state.safetensors"
_FORMAT = 1
_PARTS = ("weights", "mean", "square", "count")
DELAYED = ("policy", "critic")


@dataclass(frozen=True, eq=False, kw_only=True)
class MRAState:
    """A run between two sweeps.

    Attributes:
      games: names of the games that are learned.
      seed: seed of the run.
      sweep: sweeps done.
      learners: weights and Adam's moments of "graph", "policy", "critic", "prior" and
        "classifier" and "counter", one row a group of agents.
      delayed: slow copies of the weights of "policy" and "critic".
      replays: one a game; the next sweep writes into them.
    """

    games: tuple[str, ...]
    seed: int
    sweep: int
    learners: Mapping[str, Trainable]
    delayed: Mapping[str, Float32[Tensor, "G P"]]
    replays: tuple[Episodes, ...]

    @property
    def iteration(self) -> int:
        """The number of sweeps done."""
        return self.sweep

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights of every part."""
        return {name: one.weights for name, one in self.learners.items()}


def capacity(game: Populated, training: Training) -> int:
    """Episodes that a replay holds: at least those of one turn."""
    return max(training.capacity // game.limit, training.envs)


def start(
    games: Sequence[Populated], method: Method, training: Training, seed: int
) -> MRAState:
    """The state before the first sweep, with untrained agents.

    Raises:
      UserError: the method does not fit the games.
    """
    return fresh(games, Nets.of(method, games), training, seed)


def fresh(
    games: Sequence[Populated], nets: Nets, training: Training, seed: int
) -> MRAState:
    """The state before the first sweep of any networks."""
    groups = len(nets.groups(games[0]))
    learners = {}
    for number, (name, net) in enumerate(nets.parts.items()):
        made = generators((seed, number), groups)
        learners[name] = Trainable.fresh(torch.stack([net.initial(g) for g in made]))
    return MRAState(
        games=tuple(game.name for game in games),
        seed=seed,
        sweep=0,
        learners=learners,
        delayed={name: learners[name].weights.clone() for name in DELAYED},
        replays=tuple(Episodes(capacity(game, training), {}) for game in games),
    )


def check(state: MRAState, games: Sequence[Populated], nets: Nets) -> None:
    """Refuses a state that is not one of these games and networks.

    Raises:
      UserError: it is not.
    """
    names = tuple(game.name for game in games)
    if state.games != names:
        raise UserError(
            f"sweep(): the state must be one of {', '.join(names)}; got one of "
            f"{', '.join(state.games)}"
        )
    groups = len(nets.groups(games[0]))
    for name, net in nets.parts.items():
        have, size = state.learners[name].weights.shape
        if (have, size) != (groups, net.size):
            raise UserError(
                f"sweep(): the state's {name} must be {groups} networks of {net.size} "
                f"weights, as the method asks; got {have} of {size}"
            )


def packed(state: MRAState) -> tuple[dict[str, Any], dict[str, ndarray]]:
    """A state as facts and arrays; replays included."""
    tensors: dict[str, Tensor] = {}
    for name, learner in state.learners.items():
        for part, value in zip(_PARTS, learner.parts, strict=True):
            tensors[f"{name}.{part}"] = value
    tensors |= {f"delayed.{name}": one for name, one in state.delayed.items()}
    for number, replay in enumerate(state.replays):
        tensors |= {f"replay.{number}.{n}": r for n, r in replay.held.items()}
    facts = {
        "games": list(state.games),
        "seed": state.seed,
        "sweep": state.sweep,
        "capacities": [replay.capacity for replay in state.replays],
        "next": [replay.next for replay in state.replays],
    }
    return facts, {name: one.detach().numpy() for name, one in tensors.items()}


def unpacked(facts: Mapping[str, Any], arrays: Mapping[str, ndarray]) -> MRAState:
    """The state that ``packed`` has taken apart.

    Raises:
      KeyError, TypeError, ValueError: it is not whole.
    """
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    learners = {
        name.removesuffix(".weights"): Trainable(
            *(tensors[f"{name.removesuffix('.weights')}.{p}"] for p in _PARTS)
        )
        for name in tensors
        if name.endswith(".weights") and "replay" not in name
    }
    return MRAState(
        games=tuple(facts["games"]),
        seed=int(facts["seed"]),
        sweep=int(facts["sweep"]),
        learners=learners,
        delayed={name: tensors[f"delayed.{name}"] for name in DELAYED},
        replays=tuple(_replays(facts, tensors)),
    )


def save(state: MRAState, folder: Path) -> None:
    """Writes ``folder/state.safetensors``, whole or not at all; replays included."""
    facts, arrays = packed(state)
    write(folder, facts, arrays)


def load(folder: Path) -> MRAState:
    """Reads what ``save`` has written.

    Raises:
      UserError: there is nothing, or it is damaged or of another format.
    """
    with reading(folder) as (facts, arrays):
        return unpacked(facts, arrays)


def write(
    folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, ndarray]
) -> None:
    """Writes a checkpoint of this format, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_arrays(folder / _FILE, dict(arrays), {"format": _FORMAT, **facts})


@contextmanager
def reading(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, ndarray]]]:
    """The facts and arrays of a checkpoint; what is wrong with it becomes one sentence.

    Raises:
      UserError: there is nothing, or it is damaged or of another format.
    """
    path = folder / _FILE
    try:
        facts, arrays = files.read_arrays(path)
        if facts["format"] != _FORMAT:
            raise UserError(f"it is of format {facts['format']}, not {_FORMAT}")
        yield facts, arrays
    except (KeyError, TypeError, ValueError) as bad:
        raise UserError(f"load(): '{path}' must be a whole checkpoint; {bad}") from None


def _replays(
    facts: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Sequence[Episodes]:
    made = []
    sizes = zip(facts["capacities"], facts["next"], strict=True)
    for number, (room, following) in enumerate(sizes):
        begin = f"replay.{number}."
        held = {
            name.removeprefix(begin): row
            for name, row in tensors.items()
            if name.startswith(begin)
        }
        made.append(Episodes(int(room), held, int(following)))
    return made
