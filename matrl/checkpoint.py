"""A run between two iterations as a folder: tensors and JSON, whole or absent."""

import json
import os
import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from matrl.loop import MATRLRun
from metaspiel.learn.agents import Agents, Trainable
from metaspiel.nfg.errors import UserError

_PARTS = ("weights", "mean", "square", "count")
_FORMAT = 1


def save(state: MATRLRun, folder: Path) -> None:
    """Writes the state beside its place and renames it."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tensors = {
        f"{role}.{name}": part.contiguous()
        for role in ("actor", "critic")
        for name, part in zip(_PARTS, getattr(state.agents, role).parts, strict=True)
    }
    save_file(tensors, aside / "agents.safetensors")
    about = {"format": _FORMAT, "iteration": state.iteration, "seed": state.seed}
    (aside / "state.json").write_text(json.dumps(about) + "\n", "utf-8")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(aside, folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> MATRLRun:
    """Reads what ``save`` has written.

    Raises:
      UserError: the folder is not one, or it is damaged.
    """
    try:
        about = json.loads((folder / "state.json").read_text("utf-8"))
        tensors = load_file(folder / "agents.safetensors")
        if about["format"] != _FORMAT:
            raise UserError(
                f"load(): '{folder}' must be of format {_FORMAT}; got {about['format']}"
            )
        learners = (
            Trainable(*(tensors[f"{role}.{name}"] for name in _PARTS))
            for role in ("actor", "critic")
        )
        return MATRLRun(int(about["iteration"]), int(about["seed"]), Agents(*learners))
    except (OSError, KeyError, TypeError, json.JSONDecodeError, SafetensorError) as bad:
        raise UserError(
            f"load(): '{folder}' must be a whole checkpoint; {bad}"
        ) from None
