"""What the Bargaining page refuses before anything is written."""

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from experiments.bargaining import builders as _parts
from experiments.bargaining import units as _grid
from experiments.bargaining.folder import LISTS, check_data
from experiments.bargaining.units import ApproachName, BehaviourName
from experiments.lab.folder import slug
from meta_solvers import Game, Progress, get
from meta_solvers.base import check as capable
from metaspiel.nfg.errors import UserError, unknown
from offline.coffee import SOLVERS
from offline.data import load
from offline.record import verify

if TYPE_CHECKING:
    from experiments.bargaining.config import Config


def check(config: "Config") -> None:
    """Refuses impossible values before anything is written."""
    _check_numbers(config)
    _check_lists(config)
    simulator = _parts.game(config)  # these refuse what they cannot be
    _parts.settings(config), _parts.training(config)
    _parts.cloning(config)
    for penalty in config.penalties:
        for coverage in config.coverages:
            run = _grid.Unit(
                kind="explore", trial=0, approach="coffee", penalty=penalty
            )
            _parts.approach(replace(run, coverage=coverage), config)
    _check_solvers(config)
    _check_members(config)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device: cuda needs a GPU that torch can use; there is none")
    if config.data is not None:
        trajectories = load(config.data, simulator.name)
        verify(trajectories, simulator)
        check_data(config, trajectories)
    elif "file" in config.behaviours:
        raise UserError("--behaviours file: the data set must be named with --data")


def _check_numbers(config: "Config") -> None:
    lows = {
        "trials": 1, "seed": 0, "iterations": 1, "decisions": 1, "minimum": 1,
        "capacity": 1, "games": 1, "behaviour_iterations": 1, "episodes": 2,
        "screen": 2, "fresh": 2, "fidelity_episodes": 1, "stack": 1,
        "k": 1, "anneal": 0,
    }  # fmt: skip
    for name, low in lows.items():
        if getattr(config, name) < low:
            raise UserError(
                f"--{name.replace('_', '-')} must be at least {low}; got "
                f"{getattr(config, name)}"
            )
    decisions, minimum = config.decisions or 0, config.minimum or 0
    if minimum > decisions:
        raise UserError(
            f"--minimum must be at most the {decisions} decisions of a response, or "
            f"nothing is learned; got {minimum}"
        )
    last = config.iterations or 0
    if config.k > last:
        raise UserError(f"--k must be at most the {last} iterations; got {config.k}")
    for at in config.curve:
        if not 1 <= at < last:
            raise UserError(
                f"--curve must be of iterations from 1 to {last - 1}; got {at}"
            )
    for weight in config.weights:
        if not 0 <= weight <= 1:
            raise UserError(f"--weights must be in [0, 1]; got {weight}")
    odd = config.dataset_mirror == "counted"
    for size in () if config.data else config.trajectories:
        if size < 10 or (odd and size % 2):
            raise UserError(
                "--trajectories must be at least 10, and even with mirrors counted; "
                f"got {size}"
            )
    if config.run.jobs > 1 and config.executor != "inprocess":
        raise UserError(
            "--jobs must be 1 with another executor than inprocess, which has "
            f"workers of its own; got {config.run.jobs} with '{config.executor}'"
        )


def _check_lists(config: "Config") -> None:
    for name in LISTS:
        values = getattr(config, name)
        if not values and name != "curve":
            raise UserError(f"--{name} must name at least one; got none")
        names = [_in_file_names(value) for value in values]
        for number, one in enumerate(names):
            if one in names[:number]:
                raise UserError(
                    f"--{name} must differ from each other; got {values[number]!r} "
                    "twice, or two that share the name of a file"
                )
    for name, known in (("approaches", ApproachName), ("behaviours", BehaviourName)):
        for value in getattr(config, name):
            if value not in get_args(known):
                raise unknown("experiments.bargaining", name, value, get_args(known))


def _in_file_names(value: str | float) -> str:
    """The value as names of files have it."""
    if isinstance(value, str):
        return slug(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_members(config: "Config") -> None:
    """One model cannot disagree with itself: who asks for that needs two."""
    if config.members > 1:
        return
    robust = [name for name in ("r2d", "r3d") if name in _solvers(config)]
    if "coffee" in config.approaches or robust:
        asks = "--approaches coffee" if not robust else f"the solver {robust[0]}"
        raise UserError(
            f"--members must be at least 2 with {asks}, which is about how far they "
            f"disagree; got {config.members}"
        )


def _solvers(config: "Config") -> list[str]:
    """Solvers of both kinds, without what follows their names."""
    both = (*config.explorations, *config.evaluations)
    return [SOLVERS.get(name, name).partition(":")[0] for name in both]


def _check_solvers(config: "Config") -> None:
    """Every solver must take a two-player ensemble and give a mixture a player."""
    probe = Game.ensemble(np.zeros((2, 2, 2, 2)), None, True)
    for name in (*config.explorations, *config.evaluations):
        solver = get(SOLVERS.get(name, name))
        # Explorations are asked in a loop without a horizon, evaluations in none.
        explores = name in config.explorations
        capable(solver, probe, Progress(iteration=0) if explores else None)
        if solver.concept not in ("ne", "none"):
            raise UserError(
                f"solver '{name}' must give each player a mixture of its own, as those "
                f"for Nash equilibria do; it is for {solver.concept.upper()}"
            )
