"""Units that look at a finished run: regret in the true game, errors of the model."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from experiments.bargaining import builders as _parts
from experiments.bargaining.datasets import drawn
from experiments.bargaining.units import Job, Unit
from meta_solvers import get
from meta_solvers.solving import solve
from metaspiel.nfg.errors import UserError
from offline.agreement import agreement
from offline.coffee import SOLVERS
from offline.fidelity import one_step, roll_outs
from offline.model import ModelSimulator
from offline.regret import Judge, Profile, regrets
from psro.executor import Executor
from psro.parts import State, Table
from psro.rl import pools_of

if TYPE_CHECKING:
    from experiments.bargaining.config import Config


def profile(state: State, iteration: int, evaluation: str, seed: int) -> Profile:
    """What a solver makes of the empirical game as it was after some iterations.

    Iteration t had the first t + 1 policies of the population, and their payoffs are
    the leading block of the final table: the profile is padded with zeros.

    Raises:
      SolverFailed: the solver has no answer.
      UserError: a policy was found twice, so that the block is another one.
    """
    pools, size = state.population.pools, iteration + 1
    if any(len(pool) != state.iteration + 1 for pool in pools):
        raise UserError(
            f"profile(): {state.iteration} iterations must have found as many policies;"
            f" got pools of {[len(pool) for pool in pools]}"
        )
    kept = tuple(pool[:size] for pool in pools)
    cut = replace(state.population, pools=kept, next_uid=size)
    block: Any = (..., *(slice(size) for _ in pools))
    table = Table(
        cut.uids,
        state.table.values[block],
        state.table.errors[block],
        state.table.episodes[block],
    )
    solver = get(SOLVERS.get(evaluation, evaluation))
    rng = np.random.default_rng([seed, iteration])
    # The loop prunes as well before it responds.
    game = table.game(cut, repeats=True)
    solution = solve(solver, game, rng, throw=False, prune=1e-8).require()
    rest = state.iteration - iteration
    return tuple(np.pad(np.array(m), (0, rest)) for m in solution.marginals)


def judge(unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]) -> None:
    """Regret in the true game of one profile, or of the last k."""
    config, seed = job.config, unit.seed(job.config.seed)
    state = _parts.state_of(unit.explored, job)
    last = unit.iteration or state.iteration
    first = last if unit.iteration else last - config.k + 1
    profiles = [
        profile(state, t, unit.evaluation, config.seed) for t in range(first, last + 1)
    ]
    imitation = None
    if unit.weight is not None:
        imitation = _parts.cloned(unit.needs(config)[1], job), unit.weight
    judged = regrets(
        _parts.game(config),
        _parts.network(config),
        executor,
        pools=pools_of(state.population),
        profiles=profiles,
        judge=Judge(_parts.settings(config), config.screen or 0, config.fresh or 0),
        seed=seed,
        imitation=imitation,
    )
    regret = judged[-1]
    row = {
        "approach": unit.approach if imitation is None else "oef-bc",
        "exploration": unit.exploration,
        "evaluation": unit.evaluation,
        **_cell(unit, config),
        "iteration": last,
        "iterations": state.iteration,
        "weight": unit.weight or 0.0,
        "regret": regret.total,
        "error": regret.error,
        "screened": regret.screened,
        "values": regret.values.tolist(),
        "welfare": float(regret.values.sum()),
        "best": list(regret.best),
        "responses": regret.responses.tolist(),
        "regrets": [one.total for one in judged],
        "k": regret.profiles,
        "judged": "curve" if unit.iteration else "final",
        "profile": profiles[-1][0].round(6).tolist(),
        "cpu_seconds": round(spent(), 3),
    }
    if imitation is not None:
        fields = vars(imitation[0])
        row["clone"] = {
            name: fields[name] for name in ("trained", "held_out", "uniform")
        }
    _parts.write_row(unit, job, row)


def _cell(unit: Unit, config: "Config") -> dict[str, Any]:
    return {
        "behaviour": unit.behaviour,
        "trajectories": unit.trajectories,
        "trial": unit.trial,
        "seed": config.seed,
        "penalty": unit.penalty,
        "coverage": unit.coverage,
    }


def fidelity(
    unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]
) -> None:
    """Uncertainty and utility errors of the run's empirical game, and of its model."""
    config = job.config
    model = _parts.simulator_of(unit, job)
    state = _parts.state_of(unit.explored, job)
    agreed = agreement(
        _parts.game(config),
        model,
        _parts.network(config),
        policies=pools_of(state.population)[0],
        payoffs=state.table.values,
        episodes=config.fidelity_episodes or 0,
        seed=unit.seed(config.seed),
    )
    row = {
        "approach": unit.approach,
        "exploration": unit.exploration,
        **_cell(unit, config),
        "uncertainty": float(agreed.uncertainty.mean()),
        "utility_error": agreed.utility_error,
        "utility_error_on_true": agreed.utility_error_on_true,
        "model": _of_model(unit, job, model),
        "cpu_seconds": round(spent(), 3),
    }
    _parts.write_row(unit, job, row)


def _of_model(unit: Unit, job: Job, model: ModelSimulator) -> dict[str, Any]:
    """How well the model tells its game; the same for all runs in one model.

    Single moves are asked about on fresh episodes of the data's behaviour (of uniform
    play where the data are a user's), whole episodes are of uniform play.
    """
    episodes = job.config.fidelity_episodes or 0
    own = Unit(
        kind="fidelity",
        trial=unit.trial,
        behaviour=unit.behaviour,
        trajectories=unit.trajectories,
    )
    seed = _parts.number(own.seed(job.config.seed))
    fresh = drawn(unit, job, episodes, seed, "none")
    paying = torch.from_numpy(fresh.paying.copy()).to(model.learned.f.device)
    (played,) = roll_outs(model, paying, episodes, seed)
    (true,) = roll_outs(_parts.game(job.config), paying.cpu(), episodes, seed)
    return {
        "one_step": one_step(model, fresh),
        "roll_outs": played,
        "true_roll_outs": true,
    }
