"""Gradients through a maximum-entropy CCE: ours beside cvxpylayers with moreau.

Example: metaspiel speed_gradients --sizes 4x4 8x8

The games are L2-invariant. A solver answers a batch of games and then differentiates a
random linear function of the joints with respect to all payoffs; both are timed, after
a call of each that is not. Each gradient is compared with central differences of
the exact solver on one game. The extra is "moreau"; without it only our row has
numbers.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from experiments.lab.folder import claim, record
from experiments.lab.grid import fill
from experiments.lab.options import Flat, Resumable, each_once, least, shape
from experiments.lab.page import Answer, main
from experiments.speed.measuring import answer, repeated
from meta_solvers.exact.batch import equilibria
from meta_solvers.exact.implicit import equilibrium
from metaspiel.nfg.errors import UserError
from metaspiel.nfg.sample import sample

_STEP = 1e-5  # of a central difference
_CHECKED = 6  # payoffs of the first game that are moved for central differences


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of the comparison."""

    solvers: tuple[str, ...] = ("equilibrium", "cvxpylayers")
    """Solvers to time."""
    sizes: tuple[str, ...] = ("4x4", "8x8")
    """Action counts, as 4x4 or 3x3x3."""
    batch: int = 32
    """Games of a call."""
    repeats: int = 3
    """Calls, whose median time counts."""
    seed: int = 0
    """Seed of the games and of the function that is differentiated."""
    run: Flat[Resumable] = Resumable()


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


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    each_once(config, solvers=SOLVERS, sizes=None)
    least(config, batch=1, repeats=1, seed=0)
    for text in config.sizes:
        if len(shape(text)) < 2 or min(shape(text)) < 2:
            raise UserError(
                "--sizes: a game must have at least two players with at least two "
                f"actions each; got '{text}'"
            )
    torch.set_num_threads(1)  # CPU time adds up over threads
    with claim(config.run, "speed_gradients") as folder:
        record(folder, config)
        pairs = [(name, size) for size in config.sizes for name in config.solvers]
        works = {f"{s}-{n}": partial(measured, n, s, config) for n, s in pairs}
        results, faults = fill(works, folder, config)
        cells = [Cell(**one) for one in results.values()]
        absent = {one.name: one.fault or "failed" for one in faults if one.user}
        cells += [
            Cell(solver=name, size=size, games=0, note=absent[f"{size}-{name}"])
            for name, size in pairs
            if f"{size}-{name}" in absent
        ]
        return answer(
            folder,
            "Gradients through a maximum-entropy CCE",
            [
                "ms: CPU milliseconds a game, the joint and its gradient",
                "off exact: largest total variation to our interior point",
                "off differences: largest error of the gradient beside central "
                "differences on one game",
            ],
            [asdict(cell) for cell in cells],
            said=[outcome(cells)],
            faults=[fault for fault in faults if not fault.user],
            cells=[asdict(cell) for cell in cells],
        )


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


def measured(name: str, size: str, config: Config) -> Cell:
    """Times one solver on the games of one size, and checks its gradient.

    Raises:
      UserError: the solver is not installed.
    """
    rng = np.random.default_rng([config.seed, *shape(size)])
    drawn = [sample("l2_invariant", shape(size), rng) for _ in range(config.batch)]
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
    seconds, (joint, slope) = repeated(differentiated, config.repeats)
    exact = equilibria(games).joint
    apart = (joint - exact).abs().flatten(1).sum(1) / 2
    known = _differences(games[0], weights)
    off = (slope[0].flatten()[:_CHECKED] - known).abs().max()
    return Cell(
        solver=name,
        size=size,
        games=config.batch,
        ms=1e3 * seconds / config.batch,
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


if __name__ == "__main__":
    sys.exit(main(page, Config))
