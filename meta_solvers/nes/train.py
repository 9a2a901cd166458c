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

from meta_solvers.exact.problem import Problem
from meta_solvers.nes.descents import Descents, Eager, Graphs
from meta_solvers.nes.drawn import drawn, generator
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
        fused = True if self.device.type == "cuda" else None  # steps stay on the device
        self.optimiser = torch.optim.AdamW(
            groups, lr=recipe.rate, betas=(0.9, 0.99), fused=fused
        )
        # Sizes without end would be graphs without end.
        few = self.device.type == "cuda" and recipe.games.shapes
        self.descents: Descents = (Graphs if few else Eager)(self.network, recipe)

    def update(self) -> Tensor:
        """One step; returns its loss, on the device.

        Raises:
          UserError: the gradient is not finite (on another device than the CPU that is
            only seen by ``train``, which reads the loss).
        """
        recipe = self.recipe
        loss = self.descents(self._problem())
        named = dict(self.network.named_parameters())
        weights: list[Tensor] = list(named.values())
        norm = torch.nn.utils.clip_grad_norm_(weights, recipe.clip)
        if self.device.type == "cpu":
            self.sound(norm)
        rate = self.rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.step += 1
        keep = 1 - 1 / min(recipe.average, self.step)
        with torch.no_grad():
            average = [self.average[name] for name in named]
            torch._foreach_lerp_(average, weights, 1 - keep)
        return loss

    def sound(self, norm: Tensor | float) -> None:
        """Refuses a gradient, or a loss, that is not finite."""
        if not math.isfinite(float(norm)):
            raise UserError(
                f"Training.update(): the gradient must be finite; got {float(norm)} at "
                f"step {self.step}: a smaller rate than {self.recipe.rate} may help"
            )

    def _problem(self) -> Problem:
        """The games of the coming step."""
        recipe, kind = self.recipe, self.recipe.architecture
        rng = np.random.default_rng([recipe.seed, self.step])
        actions = recipe.games.sizes(kind.players, rng)
        batch = recipe.batch(actions)
        if recipe.draws == "numpy":
            return as_float32(recipe.problems(batch, actions, rng), self.device)
        return drawn(
            recipe.games,
            batch,
            actions,
            generator(self.device, recipe.seed, self.step),
            concept=kind.concept,
            selects=kind.selects,
        )

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
    total, count = torch.zeros((), dtype=torch.float64, device=training.device), 0
    while training.step < training.recipe.steps:
        rate = training.rate()
        total, count = total + training.update().double(), count + 1
        if training.step % every == 0 or training.step == training.recipe.steps:
            loss = float(total) / count
            training.sound(loss)
            network = training.averaged()
            yield Evaluation(
                step=training.step,
                loss=loss,
                rate=rate,
                sizes=[reference.distance(network) for reference in held],
            )
            total, count = torch.zeros_like(total), 0
