"""Trained ensembles: settings, weights, scales, and their files.

M transition networks f_m, M reward networks g_m and one network h that tells what the
players see in a state and what the mover may do, all with two hidden ReLU layers
(Nguyen & Wellman 2026, appendix A, and the authors' code).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel import files
from metaspiel.learn.mlp import MLP, Stack
from metaspiel.nfg.errors import UserError
from offline.data import Sizes
from offline.settings import Training

FORMAT = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Scales:
    """Means and deviations of S data sets.

    Attributes:
      state, action, observation: mean and deviation, ``[S, 2, size]``. Observations are
        the movers'.
      entries: mean and deviation of each entry of states and actions.
      reward: what predictions of payoffs are multiplied by.
      reach: what the members' distances from their mean payoffs are multiplied by.
    """

    state: Float32[Tensor, "S 2 X"]
    action: Float32[Tensor, "S 2 V"]
    observation: Float32[Tensor, "S 2 O"]
    entries: Float32[Tensor, "S 2 I"]
    reward: Float32[Tensor, " S"]
    reach: Float32[Tensor, " S"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """S trained ensembles; weights are flat, laid out by ``metaspiel.learn.mlp``.

    Attributes:
      game: name of the game of the data.
      symmetric: the game is symmetric.
      sizes: sizes of the data.
      training: how it was trained.
      networks: f, g and h.
      f, g, h: their weights.
      scales: scales of the data.
      vectors: what each action looks like.
    """

    game: str
    symmetric: bool
    sizes: Sizes
    training: Training
    networks: tuple[MLP, MLP, MLP]
    f: Float32[Tensor, "S M Pf"]
    g: Float32[Tensor, "S M Pg"]
    h: Float32[Tensor, "S Ph"]
    scales: Scales
    vectors: Float32[Tensor, "A V"]

    @property
    def trials(self) -> int:
        """S, the number of trials."""
        return len(self.h)

    def stacks(self) -> tuple[Stack, Stack, Stack]:
        """Number of stacked networks f and g (trials times members) and h (trials)."""
        made = []
        every = self.f, self.g, self.h
        for network, weights in zip(self.networks, every, strict=True):
            rows = weights.reshape(-1, network.size)
            stack = Stack(network, len(rows), rows.device)
            stack.load(rows)
            made.append(stack)
        return made[0], made[1], made[2]


def networks_of(sizes: Sizes, training: Training) -> tuple[MLP, MLP, MLP]:
    """Networks f, g and h for data of these sizes."""
    both, width = sizes.state + sizes.vector, training.width
    products = training.reward_inputs == "products"
    read = both + both * (both + 1) // 2 if products else both
    seen = sizes.players * sizes.observation + sizes.actions
    return (
        MLP(both, width, sizes.state),
        MLP(read, width, sizes.players),
        MLP(sizes.state, width, seen),
    )


T = TypeVar("T")


def moved(value: T, device: torch.device) -> T:
    """The ensemble with every tensor on another device."""
    if isinstance(value, Tensor):
        return value.to(device)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: moved(getattr(value, f.name), device) for f in fields(value)}
        return replace(value, **inside)
    return value


def same(one: Any, two: Any) -> bool:
    """Whether two values of dataclasses and tensors are equal in every field."""
    if type(one) is not type(two):
        return False
    if isinstance(one, Tensor):
        return one.device == two.device and torch.equal(one, two)
    if is_dataclass(one):
        return all(
            same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one)
        )
    return bool(one == two)


def together(ensembles: Sequence[Ensemble]) -> Ensemble:
    """The joint ensemble of all trials.

    Raises:
      UserError: they are of different games or were trained differently.
    """
    one = ensembles[0]
    for other in ensembles[1:]:
        for name in ("game", "symmetric", "sizes", "training", "vectors"):
            if not same(getattr(one, name), getattr(other, name)):
                raise UserError(
                    f"together(): all ensembles must have the same {name}; got "
                    f"{getattr(one, name)} and {getattr(other, name)}"
                )
    scales = stacked([each.scales for each in ensembles])
    weights: dict[str, Any] = {
        name: torch.cat([getattr(each, name) for each in ensembles]) for name in "fgh"
    }
    return replace(one, scales=scales, **weights)


def stacked(scales: Sequence[Scales], device: torch.device | None = None) -> Scales:
    """The scales of several data sets together, on the given device."""
    return Scales(
        **{
            field.name: torch.cat([getattr(one, field.name) for one in scales]).to(
                device
            )
            for field in fields(Scales)
        }
    )


def only(ensemble: Ensemble, trial: int) -> Ensemble:
    """The ensemble of one trial."""
    here = slice(trial, trial + 1)
    own = {name: part[here] for name, part in vars(ensemble.scales).items()}
    return replace(
        ensemble,
        f=ensemble.f[here],
        g=ensemble.g[here],
        h=ensemble.h[here],
        scales=Scales(**own),
    )


def save(
    ensemble: Ensemble, place: Path, bound: Mapping[str, str] | None = None
) -> None:
    """Writes one safetensors file; its header says what was trained and how.

    Args:
      ensemble: to write.
      place: path of the file.
      bound: what it belongs to, which ``load`` can ask for.
    """
    tensors = {name: getattr(ensemble, name) for name in (*"fgh", "vectors")}
    for field in fields(Scales):
        tensors[f"scales.{field.name}"] = getattr(ensemble.scales, field.name)
    about = {
        "format": FORMAT,
        "game": ensemble.game,
        "symmetric": ensemble.symmetric,
        "sizes": asdict(ensemble.sizes),
        "training": asdict(ensemble.training),
        "bound": dict(bound or {}),
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    files.write_arrays(place, arrays, about)


def load(place: Path, bound: Mapping[str, str] | None = None) -> Ensemble:
    """Reads what ``save`` wrote.

    Args:
      place: path of the file.
      bound: what it must have been saved with.

    Raises:
      UserError: it is not such a file, or one of another format or run.
    """
    where = f"ensemble '{place}'"
    about, arrays = files.read_arrays(place)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if bound is not None and about.get("bound") != dict(bound):
        raise UserError(f"{where}: it must be as this run wrote it; it is another's")
    game, symmetric, sizes, training = _about(where, about)
    networks = networks_of(sizes, training)
    shapes = _shapes(sizes, training.members, networks, tensors.get("h"))
    for name, shape in shapes.items():
        if name not in tensors:
            raise UserError(f"{where}: it must hold '{name}'; it is missing")
        if tensors[name].dtype != torch.float32 or tensors[name].shape != shape:
            raise UserError(
                f"{where}: '{name}' must be float32 of shape {list(shape)}; got "
                f"{tensors[name].dtype} of shape {list(tensors[name].shape)}"
            )
    return Ensemble(
        game=game,
        symmetric=symmetric,
        sizes=sizes,
        training=training,
        networks=networks,
        scales=Scales(**{f.name: tensors[f"scales.{f.name}"] for f in fields(Scales)}),
        **{name: tensors[name] for name in (*"fgh", "vectors")},
    )


def _about(where: str, about: Any) -> tuple[str, bool, Sizes, Training]:
    """Game, symmetry, sizes and training from the header of a file."""
    if not isinstance(about, dict):
        raise UserError(f"{where}: its header must be an object; got {about!r}")
    if about.get("format") != FORMAT:
        got = about.get("format")
        raise UserError(f"{where}: the format must be {FORMAT}; got {got}")
    try:
        game, symmetric = about["game"], about["symmetric"]
        sizes, training = Sizes(**about["sizes"]), Training(**about["training"])
        numbers = vars(sizes).values()
        if not (type(game) is str and type(symmetric) is bool):
            raise TypeError("game must be str and symmetric bool")
        if not all(type(n) is int and n >= 0 for n in numbers):
            raise TypeError(f"sizes must be whole numbers; got {sizes}")
        if not all(type(n) is int for n in (training.members, training.width)):
            raise TypeError(f"members and width must be whole; got {training}")
    except KeyError as error:
        raise UserError(f"{where}: its header must have {error}") from None
    except (TypeError, UserError) as error:
        raise UserError(f"{where}: its header must be readable; {error}") from None
    return game, symmetric, sizes, training


def _shapes(
    sizes: Sizes, members: int, networks: tuple[MLP, MLP, MLP], h: Tensor | None
) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors of a file; ``h`` says of how many trials."""
    sizes_of = [network.size for network in networks]
    trials = len(h) if h is not None and h.ndim else 1
    return {
        "f": (trials, members, sizes_of[0]),
        "g": (trials, members, sizes_of[1]),
        "h": (trials, sizes_of[2]),
        "vectors": (sizes.actions, sizes.vector),
        "scales.state": (trials, 2, sizes.state),
        "scales.action": (trials, 2, sizes.vector),
        "scales.observation": (trials, 2, sizes.observation),
        "scales.entries": (trials, 2, sizes.state + sizes.vector),
        "scales.reward": (trials,),
        "scales.reach": (trials,),
    }
