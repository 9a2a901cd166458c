"""What the units of a grid on Bargaining are made of, from the page's fields."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from experiments._grid import Job, Unit
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.settings import DDQN
from offline import data as stored
from offline import ensemble
from offline.baselines import Clone
from offline.coffee import Approach
from offline.ensemble import Training
from offline.model import ModelSimulator
from offline.starts import starts

if TYPE_CHECKING:
    from experiments.bargaining import Config


def game(config: "Config") -> Bargaining:
    """The true game."""
    return Bargaining(discount=config.discount, exponent=config.discount_exponent)


def network(config: "Config") -> MLP:
    """Of all policies, in the model and in the true game."""
    return MLP.of(game(config))


def settings(config: "Config") -> DDQN:
    """Of all responses, in the model and in the true game."""
    assert config.decisions and config.minimum is not None
    return DDQN(
        decisions=config.decisions,
        games=config.games,
        capacity=config.capacity or 0,
        minimum=config.minimum,
        explore_decisions=config.decisions * 4 // 5,
        device=config.device,
    )


def training(config: "Config") -> Training:
    """Of the dynamics model."""
    return Training(
        members=config.members,
        steps=config.model_steps or 0,
        norm=config.norm,
        members_share_batches=config.members_share_batches,
        reward_scale_bug=config.reward_scale_bug,
    )


def approach(unit: Unit, config: "Config") -> Approach:
    """What an exploration run's responses are rewarded for."""
    name: Literal["coffee", "oef"] = "coffee" if unit.approach == "coffee" else "oef"
    return Approach(name, unit.penalty, unit.coverage, config.anneal)


def number(seed: Sequence[int]) -> int:
    """One number for what takes no more."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def simulator_of(unit: Unit, job: Job) -> ModelSimulator:
    """The learned model that a unit plays in."""
    config, device = job.config, torch.device(job.config.device)
    own = Unit("data", unit.trial, unit.behaviour, unit.trajectories)
    data_place = own.place(job.folder)
    model_place = replace(own, kind="model").place(job.folder)
    return ModelSimulator(
        ensemble.moved(ensemble.load(model_place), device),
        starts([stored.load(data_place)], device),
        history=config.history,
        uncertainty=config.uncertainty,
        round_state=config.round_state,
    )


_MEASURED = ("trained", "held_out", "uniform")


def save_clone(clone: Clone, place: Path) -> None:
    """Writes a clone beside its place and renames it."""
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    measured = {name: getattr(clone, name) for name in _MEASURED}
    with open(aside, "wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            weights=clone.weights,
            width=clone.network.width,
            **measured,
        )
    os.replace(aside, place)


def cloned(place: Path, config: "Config") -> Clone:
    """A clone as its unit wrote it."""
    with np.load(place, allow_pickle=False) as file:
        measured = {name: float(file[name]) for name in _MEASURED}
        network = MLP.of(game(config), int(file["width"]))
        return Clone(network, file["weights"], **measured)
