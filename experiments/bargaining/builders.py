"""What the units of a grid on Bargaining are made of, from the page's fields."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from experiments.bargaining.units import Job, Unit
from experiments.lab import checkpoints as _states
from experiments.lab.folder import binding
from metaspiel import files
from metaspiel.games.bargaining import Bargaining
from metaspiel.learn.mlp import MLP
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError
from offline import data as stored
from offline import ensemble
from offline.baselines import Clone, Cloning
from offline.coffee import Approach
from offline.data import Dataset
from offline.ensemble import Ensemble, Training
from offline.model import ModelSimulator
from offline.starts import starts
from psro import checkpoint
from psro.parts import State

if TYPE_CHECKING:
    from experiments.bargaining.config import Config


def game(config: "Config") -> Bargaining:
    """The true game as configured."""
    return Bargaining(discount=config.discount, exponent=config.discount_exponent)


def network(config: "Config") -> MLP:
    """The network of all policies, in the model and in the true game."""
    return MLP.of(game(config))


def settings(config: "Config") -> DDQN:
    """The learner's settings for all responses, in the model and in the true game."""
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
    """How the dynamics model is trained."""
    return Training(
        members=config.members,
        steps=config.model_steps or 0,
        norm=config.norm,
        members_share_batches=config.members_share_batches,
        reward_scale_bug=config.reward_scale_bug,
    )


def cloning(config: "Config") -> Cloning:
    """How behaviour is cloned."""
    return Cloning(steps=config.clone_steps or 0)


def approach(unit: Unit, config: "Config") -> Approach:
    """What an exploration run's responses are rewarded for."""
    name: Literal["coffee", "oef"] = "coffee" if unit.approach == "coffee" else "oef"
    return Approach(
        name, penalty=unit.penalty, coverage=unit.coverage, anneal=config.anneal
    )


def number(seed: Sequence[int]) -> int:
    """One number for what takes no more."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def bound(name: str, config: "Config") -> dict[str, str]:
    """What the results of a unit of this name belong to."""
    return {"config": binding(config), "unit": name}


def state_of(unit: Unit, job: Job) -> State:
    """The newest state of a unit's PSRO run.

    Raises:
      UserError: there is none, or it is damaged or another unit's.
    """
    place = unit.place(job.folder)
    places = checkpoint.complete(place)
    if not places:
        raise UserError(f"resume: '{place}' must hold a checkpoint; got none")

    def read(one: Path) -> State:
        state, known = checkpoint.read(one)
        if known != bound(unit.name, job.config):
            raise UserError(
                f"checkpoint '{one}' must be as this run wrote it; it is another unit's"
            )
        return state

    advice = _states.removing(places[-1], place, "it is then made again")
    return _states.sound(places, read, advice)


def data_of(unit: Unit, job: Job) -> Dataset:
    """The data set that a unit made.

    Raises:
      UserError: it is damaged, or another unit's.
    """
    place = unit.place(job.folder)
    try:
        return stored.load(place, bound=bound(unit.name, job.config))
    except UserError as error:
        raise _to_remove(error, place) from None


def model_of(unit: Unit, job: Job) -> Ensemble:
    """The ensemble that a unit trained.

    Raises:
      UserError: it is damaged, or another unit's.
    """
    place = unit.place(job.folder)
    try:
        return ensemble.load(place, bound(unit.name, job.config))
    except UserError as error:
        raise _to_remove(error, place) from None


def write_row(unit: Unit, job: Job, row: dict[str, Any]) -> None:
    """Writes the row of a unit that judges."""
    place = unit.place(job.folder)
    files.write_sealed(place, files.nan_as_none(row), bound(unit.name, job.config))


def _to_remove(error: UserError, place: Path) -> UserError:
    return UserError(f"{error} (remove '{place}' and resume: it is then made again)")


def simulator_of(unit: Unit, job: Job) -> ModelSimulator:
    """The learned model that a unit plays in."""
    config, device = job.config, torch.device(job.config.device)
    own = Unit(
        kind="data",
        trial=unit.trial,
        behaviour=unit.behaviour,
        trajectories=unit.trajectories,
    )
    learned = model_of(replace(own, kind="model"), job)
    return ModelSimulator(
        learned=ensemble.moved(learned, device),
        starts=starts([data_of(own, job)], device),
        history=config.history,
        uncertainty=config.uncertainty,
        round_state=config.round_state,
    )


_MEASURED = ("trained", "held_out", "uniform")


def save_clone(clone: Clone, unit: Unit, job: Job) -> None:
    """Writes a clone, bound to its unit."""
    arrays = {name: np.asarray(getattr(clone, name)) for name in _MEASURED}
    arrays["weights"] = clone.weights
    facts = bound(unit.name, job.config)
    files.write_arrays(unit.place(job.folder), arrays, facts)


def check_sound(unit: Unit, job: Job) -> None:
    """Refuses the results of a finished unit that are damaged or another one's.

    Rows of units that judge are looked at when they are reported.
    """
    if unit.kind in ("behaviour", "explore"):
        state_of(unit, job)
    elif unit.kind == "data":
        data_of(unit, job)
    elif unit.kind == "model":
        model_of(unit, job)
    elif unit.kind == "clone":
        cloned(unit, job)


def cloned(unit: Unit, job: Job) -> Clone:
    """A clone as its unit wrote it.

    Raises:
      UserError: it is damaged, or another unit's.
    """
    place = unit.place(job.folder)
    try:
        known, arrays = files.read_arrays(place)
        if known != bound(unit.name, job.config):
            raise UserError(f"'{place}' must be as this run wrote it; it is another's")
    except UserError as error:
        raise _to_remove(error, place) from None
    measured = {name: float(arrays[name]) for name in _MEASURED}
    true = game(job.config)
    network = cloning(job.config).network(true.inputs, true.actions)
    return Clone(network=network, weights=arrays["weights"], **measured)
