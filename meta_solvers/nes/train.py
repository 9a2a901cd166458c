"""Training without labels: descent of the dual of freshly drawn games.

The loss of a batch is the mean of L (``meta_solvers.exact.dual``) at the network's
duals: convex in them, and minimal at the equilibrium (Marris et al. 2022, eq. 8). Every
step's games come from (seed, step), so a run that stops and goes on is the same run.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from meta_solvers.nes.measure import Distance, Reference
from meta_solvers.nes.network import Network
from meta_solvers.nes.recipe import Recipe
from meta_solvers.nes.tensors import as_float32
from metaspiel import files
from metaspiel.nfg.errors import UserError

FILE = "training.safetensors"


class Training:
    """The state of a training run between two steps."""

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        self.recipe, self.device, self.step = recipe, torch.device(device), 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = Network(recipe.architecture)
        self.network.to(self.device)
        self.average = {
            name: p.detach().clone() for name, p in self.network.named_parameters()
        }
        named = dict(self.network.named_parameters())
        weights = [p for p in named.values() if p.ndim > 1]
        biases = [p for p in named.values() if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": recipe.decay},
            {"params": biases, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.99))

    def update(self) -> dict[str, float]:
        """One step; returns its loss, gradient norm and rate."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, self.step])
        actions = recipe.games.sizes(recipe.architecture.players, rng)
        batch = min(max(recipe.work // math.prod(actions), recipe.fewest), 512)
        problem = as_float32(recipe.problems(batch, actions, rng), self.device)
        points = self.network.path(problem)
        loss = points[-1].value.mean()
        for point in points[:-1]:
            loss = loss + recipe.deep * point.value.mean()
        self.optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        if not bool(torch.isfinite(norm)):
            raise UserError(
                f"Training.update(): the gradient must be finite; got {float(norm)} at "
                f"step {self.step}: a smaller rate than {recipe.rate} may help"
            )
        rate = self.rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.step += 1
        keep = 1 - 1 / min(recipe.average, self.step)
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.average[name].lerp_(parameter, 1 - keep)
        value = float(points[-1].value.detach().mean())
        return {"loss": value, "norm": float(norm), "rate": rate}

    def rate(self) -> float:
        """Learning rate of the coming step."""
        recipe = self.recipe
        part = min(self.step / recipe.steps, 1.0)
        falling = 0.5 * (1 + math.cos(math.pi * part)) + 0.002
        return recipe.rate * min(1.0, (self.step + 1) / max(recipe.warm, 1)) * falling

    def averaged(self) -> Network:
        """A network with the averaged weights."""
        with torch.random.fork_rng(devices=[]):
            network = Network(self.recipe.architecture).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, folder: Path, bound: Mapping[str, str] | None = None) -> None:
        """Saves everything that continues the run in one atomic write.

        Args:
          folder: folder of the run; the file is ``training.safetensors``.
          bound: what the state belongs to, which ``load`` gives back.
        """
        tensors: dict[str, Tensor] = {
            f"network.{n}": p for n, p in self.network.named_parameters()
        }
        tensors |= {f"average.{n}": p for n, p in self.average.items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{n}": torch.as_tensor(x) for n, x in state.items()}
        arrays = {n: x.detach().cpu().numpy() for n, x in tensors.items()}
        facts = {
            "step": self.step,
            "recipe": asdict(self.recipe),
            "bound": dict(bound or {}),
        }
        files.write_arrays(folder / FILE, arrays, facts)

    def load(self, folder: Path) -> dict[str, str]:
        """Continues from what ``save`` wrote; returns what that was bound to.

        Raises:
          UserError: the file is damaged, or belongs to another recipe.
        """
        path = folder / FILE
        facts, arrays = files.read_arrays(path)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        try:
            recipe = Recipe.of(facts["recipe"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"'{path}' must hold a run's recipe; {error}") from None
        if recipe != self.recipe:
            raise UserError(
                f"'{path}' must hold a run of the same recipe; got {recipe} instead of "
                f"{self.recipe}"
            )
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "adam": {}}
        for name, tensor in tensors.items():
            kind, rest = name.split(".", 1)
            parts[kind][rest] = tensor.to(self.device)
        self.network.load_state_dict(parts["network"])
        self.average = parts["average"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["adam"].items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        whole = self.optimiser.state_dict()
        whole["state"] = state
        self.optimiser.load_state_dict(whole)
        self.step = int(facts["step"])
        return {str(name): str(value) for name, value in facts["bound"].items()}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is known of a training after some steps.

    Attributes:
      step: updates so far.
      loss: mean over the updates since the last evaluation.
      rate: learning rate of the last update.
      sizes: for each reference, how far the averaged network is from exact.
    """

    step: int
    loss: float
    rate: float
    sizes: list[Distance]


def train(
    training: Training, every: int, held: Sequence[Reference]
) -> Iterator[Evaluation]:
    """Runs to the end; every so many steps the network is held against references."""
    total, count = 0.0, 0
    while training.step < training.recipe.steps:
        measured = training.update()
        total, count = total + measured["loss"], count + 1
        if training.step % every == 0 or training.step == training.recipe.steps:
            network = training.averaged()
            yield Evaluation(
                step=training.step,
                loss=total / count,
                rate=measured["rate"],
                sizes=[reference.distance(network) for reference in held],
            )
            total, count = 0.0, 0
