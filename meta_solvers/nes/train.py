"""Training without labels: descent of the dual of freshly drawn games.

The loss of a batch is the mean of L (``meta_solvers.exact.dual``) at the network's
duals: convex in them, and minimal at the equilibrium (Marris et al. 2022, eq. 8). Every
step's games come from (seed, step), so a run that stops and goes on is the same run.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from meta_solvers.exact.dual import Dual
from meta_solvers.exact.interior import SOLVED, solve
from meta_solvers.nes.data import Games, as_float32, as_float64
from meta_solvers.nes.network import Architecture, Network
from metaspiel import files
from metaspiel.nfg.errors import UserError

FILE = "training.safetensors"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what a training run computes.

    Attributes:
      architecture: the network.
      games: the distribution of games to train on.
      seed: seed of the weights and of the games.
      steps: number of updates.
      work: joint actions in a batch, which so has ``work / prod A`` games,
      fewest: but at least so many, and at most 512.
      rate: learning rate, reached after ``warm`` steps, then falling as a cosine.
      warm: steps of warm-up.
      decay: weight decay, on weights but not on biases.
      deep: weight of the loss after each block but the last.
      clip: largest norm of the gradient.
      average: horizon of the exponential average of weights that is kept, in steps.
    """

    architecture: Architecture = field(default_factory=Architecture)
    games: Games = field(default_factory=Games)
    seed: int = 0
    steps: int = 20_000
    work: int = 16_384
    fewest: int = 16
    rate: float = 2e-3
    warm: int = 300
    decay: float = 1e-5
    deep: float = 0.1
    clip: float = 1.0
    average: int = 500

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "Recipe":
        """The recipe that was stored as JSON."""
        parts = dict(stored)
        architecture = dict(parts.pop("architecture"))
        architecture["payoff"] = tuple(architecture["payoff"])
        games = Games(**parts.pop("games"))
        return Recipe(architecture=Architecture(**architecture), games=games, **parts)


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
        actions = recipe.games.sizes(rng)
        batch = min(max(recipe.work // math.prod(actions), recipe.fewest), 512)
        problem = as_float32(recipe.games.draw(batch, actions, rng), self.device)
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


class Reference:
    """Held-out games with exact joints, which networks are compared with.

    Games that the exact solver does not solve are left out.
    """

    def __init__(
        self,
        games: Games,
        actions: tuple[int, ...],
        count: int,
        rng: np.random.Generator,
    ) -> None:
        problem = as_float64(games.draw(count, actions, rng))
        answers = solve(problem)
        solved = answers.status == SOLVED
        self.actions = actions
        self.dual = Dual(problem.take(solved))
        self.exact = answers.point.sigma[solved]

    def row(self, network: Network) -> dict[str, Any]:
        """Means over the games for a network, and for duals 0 (``_uniform``).

        ``solver_gap`` is the total variation to the exact joint, ``gap`` the sum over
        players of the largest gain, in the unit of the games drawn; ``size`` names it.
        """
        device = next(network.parameters()).device
        with torch.no_grad():
            alpha = network(as_float32(self.dual.problem, device)).cpu().double()
        row: dict[str, Any] = {"size": "x".join(map(str, self.actions))}
        for name, at in (("", alpha), ("_uniform", 0 * alpha)):
            point = self.dual.at(at)
            apart = 0.5 * (point.sigma - self.exact).abs().flatten(1).sum(1)
            gains = [-point.slack[:, part] for part in self.dual.parts]
            worst = torch.stack([g.amax(1).clamp(min=0) for g in gains]).sum(0)
            row["solver_gap" + name] = float(apart.mean())
            row["gap" + name] = float(worst.mean())
        return row


def references(
    games: Games, sizes: list[tuple[int, ...]], count: int, seed: int
) -> list[Reference]:
    """One ``Reference`` of ``count`` games for each size."""
    return [
        Reference(games, size, count, np.random.default_rng([seed, *size, 77]))
        for size in sizes
    ]


def train(
    training: Training, every: int, sizes: list[tuple[int, ...]], games: int
) -> Iterator[dict[str, Any]]:
    """Trains to the end; yields loss and reference rows every ``every`` steps."""
    held = references(training.recipe.games, sizes, games, 12345)
    total, count = 0.0, 0
    while training.step < training.recipe.steps:
        measured = training.update()
        total, count = total + measured["loss"], count + 1
        if training.step % every == 0 or training.step == training.recipe.steps:
            network = training.averaged()
            loss = {
                "step": training.step,
                "loss": total / count,
                "rate": measured["rate"],
            }
            yield {**loss, "sizes": [reference.row(network) for reference in held]}
            total, count = 0.0, 0
