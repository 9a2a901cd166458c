"""What the Bargaining page refuses before anything is written."""

import numpy as np

from experiments.bargaining.config import Config
from experiments.bargaining.store import check_data
from experiments.lab.folder import slug
from experiments.lab.options import least
from meta_solvers import Game, Progress
from meta_solvers.base import check as capable
from metaspiel.games.bargaining import Bargaining
from metaspiel.nfg.errors import UserError
from offline.coffee import solver_of
from offline.data import load
from offline.record import verify


def check(config: Config) -> None:
    """Refuses impossible values before anything is written."""
    least(
        config, trials=1, seed=0, iterations=1, behaviour_iterations=1, anneal=0,
        episodes=2, screen=2, fresh=2, fidelity_episodes=1, stack=1, k=1,
    )  # fmt: skip
    if config.plan or not config.report:  # a report is of any machine's rows
        config.ddqn.check_here("--ddqn")
        config.judge.check_here("--judge")
    _check_numbers(config)
    _check_lists(config)
    _check_solvers(config)
    _check_members(config)
    if config.data is not None:
        trajectories = load(config.data, config.game.name)
        for name, only in (
            ("behaviours", ("file",)),
            ("trajectories", (trajectories.trajectories,)),
        ):
            if getattr(config, name) != only:
                raise UserError(
                    f"--data: its data set is the only one, so --{name} must be "
                    f"{only} or not given (a resumed run keeps its data); got "
                    f"{getattr(config, name)}"
                )
        verify(trajectories, Bargaining.of(config.game))
        check_data(config, trajectories)
    elif "file" in config.behaviours:
        raise UserError("--behaviours file: the data set must be named with --data")


def _check_numbers(config: Config) -> None:
    last = config.iterations
    if config.k > last:
        raise UserError(f"--k must be at most the {last} iterations; got {config.k}")
    for at in config.curve:
        if not 1 <= at < last:
            raise UserError(
                f"--curve must be of iterations from 1 to {last - 1}; got {at}"
            )
    for name in ("weights", "coverages"):
        for share in getattr(config, name):
            if not 0 <= share <= 1:
                raise UserError(f"--{name} must be in [0, 1]; got {share}")
    for penalty in config.penalties:
        if not 0 <= penalty < np.inf:
            raise UserError(f"--penalties must be finite and at least 0; got {penalty}")
    even = config.dataset_mirror == "counted"
    for size in () if config.data else config.trajectories:
        if size < 10 or (even and size % 2):
            raise UserError(
                "--trajectories must be at least 10, and even with mirrors counted; "
                f"got {size}"
            )
    if config.run.jobs > 1 and config.executor != "inprocess":
        raise UserError(
            "--jobs must be 1 with another executor than inprocess, which has "
            f"workers of its own; got {config.run.jobs} with '{config.executor}'"
        )


def _check_lists(config: Config) -> None:
    for name in config.lists:
        values = getattr(config, name)
        if not values and name != "curve":
            raise UserError(f"--{name} must name at least one; got none")
        names = [slug(v) if isinstance(v, str) else f"{v:g}" for v in values]
        for number, one in enumerate(names):
            if one in names[:number]:
                raise UserError(
                    f"--{name} must differ from each other; got {values[number]!r} "
                    "twice, or two that share the name of a file"
                )


def _check_members(config: Config) -> None:
    """One model cannot disagree with itself: who asks for that needs two."""
    members = config.training.members
    asked = (*config.explorations, *config.evaluations)
    names = [name.partition(":")[0] for name in asked]
    robust = [name for name in names if name in ("r2d", "r3d")]
    if members == 1 and ("coffee" in config.approaches or robust):
        asks = f"the solver {robust[0]}" if robust else "--approaches coffee"
        raise UserError(
            f"--training.members must be at least 2 with {asks}, which is about how "
            f"far they disagree; got {members}"
        )


def _check_solvers(config: Config) -> None:
    """Every solver must take a two-player ensemble and give a mixture a player."""
    probe = Game.ensemble(np.zeros((2, 2, 2, 2)), None, True)
    for name in (*config.explorations, *config.evaluations):
        solver = solver_of(name)
        # Explorations are asked in a loop without a horizon, evaluations in none.
        explores = name in config.explorations
        capable(solver, probe, Progress(iteration=0) if explores else None)
        if solver.concept not in ("ne", "none"):
            raise UserError(
                f"solver '{name}' must give each player a mixture of its own, as those "
                f"for Nash equilibria do; it is for {solver.concept.upper()}"
            )
