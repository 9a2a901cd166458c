"""State of a learner from replay between two iterations, and its checkpoints.

A checkpoint holds the replay too: a run that was killed and resumed gives the same
bits.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel import files
from metaspiel.games.markov import MarkovGame
from metaspiel.learn.memory import Memory
from metaspiel.nfg.errors import UserError

_FORMAT = 2
_FILE = "state.safetensors"
_PARTS = ("weights", "target", "mean", "square")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReplayRun:
    """State of a learner from replay between two iterations.

    Only the newest state may be stepped: all states of a run share one replay.

    Attributes:
      game: name of the game.
      seed: seed of the run.
      iteration: iterations made.
      updates: gradient steps made.
      weights: weights of all networks.
      target: weights of the target networks.
      mean, square: Adam's moments.
      memory: the replay.
    """

    game: str
    seed: int
    iteration: int
    updates: int
    weights: Float32[Tensor, " P"]
    target: Float32[Tensor, " P"]
    mean: Float32[Tensor, " P"]
    square: Float32[Tensor, " P"]
    memory: Memory


def start(
    game: MarkovGame, capacity: int, seed: int, weights: Float32[Tensor, " P"]
) -> ReplayRun:
    """The state before the first iteration: fresh weights and an empty replay."""
    zeros = torch.zeros_like(weights)
    memory = Memory.empty(game, capacity)
    return ReplayRun(
        game=game.name,
        seed=seed,
        iteration=0,
        updates=0,
        weights=weights,
        target=weights.clone(),
        mean=zeros,
        square=zeros.clone(),
        memory=memory,
    )


def copied(game: MarkovGame, capacity: int, state: ReplayRun, size: int) -> ReplayRun:
    """A copy of the state with its own weights, checked to fit the game and the replay.

    Raises:
      UserError: it does not.
    """
    if state.game != game.name or len(state.weights) != size:
        raise UserError(
            f"step(): the state must be one of {game.name} with {size} weights; got "
            f"one of {state.game} with {len(state.weights)}"
        )
    if state.memory.capacity != capacity:
        raise UserError(
            f"step(): the replay must hold {capacity} steps; got one of "
            f"{state.memory.capacity}"
        )
    return ReplayRun(
        game=state.game,
        seed=state.seed,
        iteration=state.iteration,
        updates=state.updates,
        weights=state.weights.clone(),
        target=state.target.clone(),
        mean=state.mean.clone(),
        square=state.square.clone(),
        memory=state.memory,
    )


def save(state: ReplayRun, folder: Path) -> None:
    """Writes ``folder/state.safetensors``, whole or not at all; replay included."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(state, name) for name in _PARTS}
    tensors |= {f"memory.{name}": row for name, row in state.memory.held.items()}
    facts = {
        "format": _FORMAT,
        "game": state.game,
        "seed": state.seed,
        "iteration": state.iteration,
        "updates": state.updates,
        "capacity": state.memory.capacity,
        "next": state.memory.next,
    }
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    files.write_arrays(folder / _FILE, arrays, facts)


def load(folder: Path) -> ReplayRun:
    """Reads what ``save`` has written.

    Raises:
      UserError: there is nothing, or it is damaged or of another format.
    """
    path = folder / _FILE
    try:
        facts, arrays = files.read_arrays(path)
        if facts["format"] != _FORMAT:
            raise UserError(f"it is of format {facts['format']}, not {_FORMAT}")
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        prefix = "memory."
        held = {n.removeprefix(prefix): t for n, t in tensors.items() if prefix in n}
        return ReplayRun(
            game=str(facts["game"]),
            seed=int(facts["seed"]),
            iteration=int(facts["iteration"]),
            updates=int(facts["updates"]),
            weights=tensors["weights"],
            target=tensors["target"],
            mean=tensors["mean"],
            square=tensors["square"],
            memory=Memory(int(facts["capacity"]), held, int(facts["next"])),
        )
    except (KeyError, TypeError, ValueError) as bad:
        raise UserError(f"load(): '{path}' must be a whole checkpoint; {bad}") from None
