"""Files of weights (safetensors) with their recipe and record; some are shipped."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe
from metaspiel import files
from metaspiel.nfg.errors import UserError, first_line, unknown

# What ships, by concept, players and what the network selects.
SHIPPED: Mapping[tuple[str, int, str], str] = {
    ("cce", 2, "entropy"): "mecce2",
    ("ce", 2, "entropy"): "mece2",
    ("cce", 3, "entropy"): "mecce3",
    ("cce", 2, "any"): "mwmrecce2",
    ("cce", 3, "any"): "mwmrecce3",
}


def save(
    path: Path, network: Network, recipe: Recipe, record: Mapping[str, Any]
) -> None:
    """Writes a network with its recipe and a record of how it was trained."""
    arrays = {n: p.detach().cpu().numpy() for n, p in network.named_parameters()}
    files.write_arrays(path, arrays, {"recipe": asdict(recipe), "record": dict(record)})


def load(path: Path) -> tuple[Network, Recipe, dict[str, Any]]:
    """A network, its recipe and its record.

    Raises:
      UserError: the file is missing, damaged or no network of this library.
    """
    facts, arrays = files.read_arrays(path, unsealed=True)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        recipe = Recipe.of(_value(facts["recipe"]))
        # A checkpoint of a running training holds its averaged weights.
        averaged = {
            n.removeprefix("average."): t
            for n, t in tensors.items()
            if n.startswith("average.")
        }
        _check_size(recipe.architecture, averaged or tensors)
        with torch.random.fork_rng(devices=[]):
            network = Network(recipe.architecture)
        network.load_state_dict(averaged or tensors)
        record = _value(facts.get("record", {}))
    except files.UNREADABLE as error:
        raise UserError(
            f"'{path}' must hold the weights of a network of this library; "
            f"{first_line(error)}"
        ) from None
    return network.eval(), recipe, record


def _check_size(architecture: Architecture, tensors: Mapping[str, Tensor]) -> None:
    """Refuses an architecture of another size than the tensors, before it is built.

    Raises:
      ValueError: it has more layers, or other shapes.
    """
    layers = (architecture.dual_layers, architecture.unrolled, architecture.players)
    if max(layers) > len(tensors):
        raise ValueError("its architecture has more layers than it has tensors")
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        wanted = {n: p.shape for n, p in Network(architecture).named_parameters()}
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise ValueError("its tensors do not have the shapes of its architecture")


def _value(fact: Any) -> Any:
    """A fact as stored; files without a checksum hold their facts as JSON text."""
    return files.parse_json(fact) if isinstance(fact, str) else fact


@cache
def shipped(name: str) -> tuple[Network, Recipe, dict[str, Any]]:
    """A network that came with the package.

    Raises:
      UserError: there is none of this name.
    """
    if name not in SHIPPED.values():
        raise unknown("shipped()", "network", name, SHIPPED.values())
    place = resources.files("meta_solvers.nes") / "weights" / f"{name}.safetensors"
    with resources.as_file(place) as path:
        return load(path)
