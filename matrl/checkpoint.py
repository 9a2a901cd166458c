"""Checkpoints of a run: one file of tensors, written atomically."""

from pathlib import Path

import torch

from matrl.loop import MATRLRun
from metaspiel import files
from metaspiel.learn.agents import Agents, Trainable
from metaspiel.nfg.errors import UserError

_FILE = "agents.safetensors"
_PARTS = ("weights", "mean", "square", "count")
_FORMAT = 2


def save(state: MATRLRun, folder: Path) -> None:
    """Writes the agents to ``folder/agents.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{role}.{name}": part.detach().cpu().numpy()
        for role in ("actor", "critic")
        for name, part in zip(_PARTS, getattr(state.agents, role).parts, strict=True)
    }
    facts = {"format": _FORMAT, "iteration": state.iteration, "seed": state.seed}
    files.write_arrays(folder / _FILE, arrays, facts)


def load(folder: Path) -> MATRLRun:
    """Reads what ``save`` has written.

    Raises:
      UserError: the folder is not one, or it is damaged.
    """
    if (folder / "state.json").exists():
        raise UserError(
            f"load(): '{folder}' must be of format {_FORMAT}; got 1, of an earlier "
            "metaspiel, whose runs this one cannot continue"
        )
    try:
        facts, arrays = files.read_arrays(folder / _FILE)
        if facts["format"] != _FORMAT:
            raise UserError(f"it is of format {facts['format']}, not {_FORMAT}")
        learners = (
            Trainable(*(torch.from_numpy(arrays[f"{role}.{name}"]) for name in _PARTS))
            for role in ("actor", "critic")
        )
        return MATRLRun(int(facts["iteration"]), int(facts["seed"]), Agents(*learners))
    except (KeyError, TypeError, ValueError) as bad:
        raise UserError(
            f"load(): '{folder}' must be a whole checkpoint; {bad}"
        ) from None
