"""What a training of the Neural Equilibrium Solver is asked for."""

from dataclasses import dataclass
from typing import Literal

from experiments.lab.options import Flat, LoggedStateful, least
from meta_solvers.nes.architecture import Architecture
from meta_solvers.nes.recipe import Recipe
from metaspiel.learn.settings import check_device
from metaspiel.nfg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Fields of a training run."""

    recipe: Recipe = Recipe(
        architecture=Architecture(payoff=(8, 8), dual=16, unrolled=8),
        steps=36_000,
        rate=3e-3,
    )
    """What is trained, and how."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Torch device that trains."""
    every: int = 1000
    """Steps between evaluations and checkpoints."""
    games: int = 64
    """Games of each size in an evaluation."""
    run: Flat[LoggedStateful] = LoggedStateful()


def check(config: Config) -> None:
    """Refuses what cannot be trained here."""
    least(config, every=1, games=1)
    players = config.recipe.architecture.players
    if players > 5:
        raise UserError(
            f"--recipe.architecture.players must be from 1 to 5; got {players}"
        )
    check_device("nes_train", config.device)
