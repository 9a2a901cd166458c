"""Solvers of entropy CCE that can be differentiated: times, and errors of gradients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from experiments.lab.options import shape
from experiments.speed.measuring import repeated
from meta_solvers.exact.batch import equilibria
from meta_solvers.exact.implicit import equilibrium
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.sample import sample

_STEP = 1e-5  # of a central difference
_CHECKED = 6  # payoffs of the first game that are moved for central differences


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One solver on one size; None where it is not installed or did not answer.

    Attributes:
      ms: CPU milliseconds a game, joint and gradient.
      off_exact: largest total variation between a joint and the exact one.
      off_differences: largest error of the gradient beside central differences.
      note: why there are no numbers.
    """

    solver: str
    size: str
    games: int
    ms: float | None = None
    off_exact: float | None = None
    off_differences: float | None = None
    note: str = ""


def outcome(cells: Sequence[Cell]) -> str:
    """Who answered soonest at each size, and how far off its gradient is."""
    said = []
    for size in dict.fromkeys(cell.size for cell in cells):
        able = [c for c in cells if c.size == size and c.off_differences is not None]
        best = min(able, key=lambda cell: cell.ms or 0.0, default=None)
        who = (
            "none"
            if best is None
            else f"{best.solver}, {best.ms:.3g} ms (gradient off by "
            f"{best.off_differences:.1g})"
        )
        said.append(f"{size}: {who}")
    return f"Soonest joint and gradient, by size: {'; '.join(said)}."


def ours(games: Tensor) -> Callable[[Tensor], Tensor]:
    """Our own differentiable solver, ``equilibrium``."""
    return equilibrium


def layers(games: Tensor) -> Callable[[Tensor], Tensor]:
    """The program as a user of cvxpy states it, a layer driven by moreau.

    Raises:
      ModuleNotFoundError: a package is not installed.
    """
    # An extra; cvxpylayers does not say that moreau is missing.
    names = ("cvxpy", "moreau", "cvxpylayers.torch")
    cp, _, torch_layers = (cast(Any, import_module(name)) for name in names)

    actions = games.shape[2:]
    x = cp.Variable(actions.numel())
    gains = cp.Parameter((sum(actions), actions.numel()))
    problem = cp.Problem(
        cp.Maximize(cp.sum(cp.entr(x))), [cp.sum(x) == 1, gains @ x <= 0]
    )
    layer = torch_layers.CvxpyLayer(problem, [gains], [x], solver="MOREAU")

    def solve(payoffs: Tensor) -> Tensor:
        (joint,) = layer(_gains(payoffs))
        return torch.as_tensor(joint).reshape(-1, *actions)

    return solve


Solver = Callable[[Tensor], Callable[[Tensor], Tensor]]
SOLVERS: Mapping[str, Solver] = MappingProxyType(
    {"equilibrium": ours, "cvxpylayers": layers}
)


def _gains(payoffs: Tensor) -> Tensor:
    """What every deviation gains at every joint action: ``[B, D, P]``."""
    rows = []
    for player, actions in enumerate(payoffs.shape[2:]):
        own = payoffs[:, player]
        for action in range(actions):
            other = own.select(player + 1, action).unsqueeze(player + 1)
            rows.append((other - own).flatten(1))
    return torch.stack(rows, 1)


def measured(name: str, size: str, *, batch: int, repeats: int, seed: int) -> Cell:
    """Times one solver on the games of one size, and checks its gradient.

    Raises:
      UserError: the solver is not installed.
    """
    torch.set_num_threads(1)  # CPU time adds up over threads
    rng = np.random.default_rng([seed, *shape(size)])
    drawn = [sample("l2_invariant", shape(size), rng) for _ in range(batch)]
    games = torch.from_numpy(np.stack([game.payoffs for game in drawn]))
    weights = torch.from_numpy(rng.normal(size=shape(size)))
    try:
        solve = SOLVERS[name](games)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed") from error

    def differentiated() -> tuple[Tensor, Tensor]:
        asked = games.clone().requires_grad_()
        joint = solve(asked)
        (slope,) = torch.autograd.grad((joint * weights).sum(), asked)
        return joint.detach(), slope

    differentiated()  # a solver may compile something first
    seconds, (joint, slope) = repeated(differentiated, repeats)
    exact = equilibria(games).joint
    apart = (joint - exact).abs().flatten(1).sum(1) / 2
    known = _differences(games[0], weights)
    off = (slope[0].flatten()[:_CHECKED] - known).abs().max()
    return Cell(
        solver=name,
        size=size,
        games=batch,
        ms=1e3 * seconds / batch,
        off_exact=float(apart.max()),
        off_differences=float(off),
    )


def _differences(game: Tensor, weights: Tensor) -> Tensor:
    """Central differences of the function in the first payoffs of a game."""
    moved = torch.eye(game.numel(), dtype=game.dtype)[:_CHECKED] * _STEP
    both = torch.cat([game.flatten() + moved, game.flatten() - moved])
    joints = equilibria(both.reshape(-1, *game.shape), tolerance=1e-13).joint
    values = (joints * weights).flatten(1).sum(1)
    return (values[: len(moved)] - values[len(moved) :]) / (2 * _STEP)
