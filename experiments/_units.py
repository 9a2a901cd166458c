"""What the units of a grid on Bargaining do."""

import json
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from experiments import _run
from experiments._grid import Job, Outcome, Unit, steps_of
from games.bargaining import Bargaining
from games.simulator import Position
from learn.nets import Shape
from learn.policies import Bank
from learn.tasks import Settings
from meta_solvers import get
from meta_solvers.base import solve
from nfg.errors import UserError
from offline import data as stored
from offline import dynamics, ensemble
from offline.agreement import agreement
from offline.baselines import Clone, Cloning, clone
from offline.coffee import SOLVERS, Approach, setup
from offline.ensemble import Training
from offline.model import ModelSimulator
from offline.record import Actor, collect
from offline.regret import Judge, Profile, regrets
from offline.starts import starts
from psro import checkpoint
from psro.executor import Executor, InProcess, WorkerLost, WorkFailed
from psro.loop import start, step
from psro.parts import Population, Setup, State, Table
from psro.rl import LearnedOracle, SampledEvaluator
from psro.together import together

if TYPE_CHECKING:
    from experiments.bargaining import Config

SCALE = 5.0  # deviation of payoffs in the true game, about


def work(asked: Sequence[Job]) -> list[list[Outcome]]:
    """Does jobs one after the other; what a worker process is asked."""
    return [do(job, InProcess()) for job in asked]


def elsewhere(job: Job, executor: Executor) -> list[Outcome]:
    """Does a job in a worker process; a lost worker is a fault of its units."""
    try:
        return executor.answer(work, [job])[0]
    except (WorkerLost, WorkFailed) as error:
        trace = "\n".join(getattr(error, "__notes__", []))
        return [Outcome(unit, str(error), False, trace) for unit in job.units]


def do(job: Job, executor: Executor) -> list[Outcome]:
    """Does the units of a job in lockstep; faults are told, not raised."""
    torch.set_num_threads(1)
    folder, begun = job.folder, time.process_time()
    for unit in job.units:
        unit.place(folder).parent.mkdir(parents=True, exist_ok=True)
    trials = [partial(_alone, unit, job, begun) for unit in job.units]
    if job.units[0].kind == "model":
        found = _guarded(job.units, partial(_models, job))
    elif len(trials) == 1:
        found = [trials[0](executor)]
    else:
        found = together(trials, executor)
    seconds = (time.process_time() - begun) / len(found)
    return [replace(outcome, seconds=seconds) for outcome in found]


def _alone(unit: Unit, job: Job, begun: float, executor: Executor) -> Outcome:
    doer = _DOERS[unit.kind]

    def spent() -> float:
        """CPU seconds so far; units in lockstep share them."""
        return (time.process_time() - begun) / len(job.units)

    return _guarded((unit,), partial(doer, unit, job, executor, spent))[0]


def _guarded(units: Sequence[Unit], doer: Callable[[], None]) -> list[Outcome]:
    try:
        doer()
    except Exception as error:  # noqa: BLE001  one unit's fault is not the grid's
        user = isinstance(error, UserError)
        told = str(error) if user else f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        return [Outcome(unit, told, user, trace) for unit in units]
    return [Outcome(unit) for unit in units]


def game(config: "Config") -> Bargaining:
    """The true game."""
    return Bargaining(discount=config.discount, exponent=config.discount_exponent)


def settings(config: "Config") -> Settings:
    """Of all responses, in the model and in the true game."""
    assert config.decisions and config.minimum is not None
    return Settings(
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


def _number(seed: Sequence[int]) -> int:
    """One number for what takes no more."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def _grown(unit: Unit, job: Job, parts: Setup) -> State:
    """PSRO from its last checkpoint to its end."""
    place = unit.place(job.folder)
    found = checkpoint.found(place)
    state = checkpoint.load(found[-1]) if found else start(parts)
    if not found:
        checkpoint.save(state, place)
    while state.iteration < steps_of(unit, job.config):
        state = step(parts, state)
        checkpoint.save(state, place)
    return state


def behaviour(
    unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]
) -> None:
    """Online PSRO with RD in the true game."""
    simulator, chosen = game(job.config), settings(job.config)
    episodes = job.config.episodes or 0
    seed = _number(unit.seed(job.config.seed))
    oracle = LearnedOracle(
        simulator, chosen, executor, shared=True, episodes=episodes, scale=SCALE
    )
    evaluator = SampledEvaluator(
        simulator, executor, chosen.width, episodes, seed, chosen.device
    )
    _grown(unit, job, Setup(oracle, evaluator, get(SOLVERS["rd"]), "ne", seed))


def data(unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]) -> None:
    """A data set: drawn uniformly or from the mixture, or the user's own."""
    config, place = job.config, unit.place(job.folder)
    if unit.behaviour == "file":
        assert config.data is not None
        stored.save(stored.load(config.data, game(config).name), place)
        return
    seed = _number(unit.seed(config.seed))
    simulator, mirror = game(config), config.dataset_mirror
    if unit.behaviour == "uniform":
        found = collect(simulator, unit.trajectories, seed, mirror=mirror)
    else:
        finals = [
            checkpoint.latest(run.place(job.folder)) for run in unit.needs(config)
        ]
        act, mixture = _mixture(finals, simulator, config)
        told = f"{len(finals)} final profiles of online PSRO"
        found = collect(
            simulator,
            unit.trajectories,
            seed,
            act=act,
            mixture=mixture,
            behaviour=told,
            mirror=mirror,
        )
    stored.save(found, place)


def _mixture(
    finals: Sequence[State], simulator: Bargaining, config: "Config"
) -> tuple[Actor, Float64[ndarray, "J N K"]]:
    """Who plays the policies of several runs, and the runs' final profiles."""
    pools = [state.population.stacked()[0] for state in finals]
    first = np.cumsum([0, *(len(pool) for pool in pools)])
    mixture = np.zeros((len(finals), simulator.players, first[-1]))
    for number, state in enumerate(finals):
        for player, marginal in enumerate(state.train.marginals):
            mixture[number, player, first[number] : first[number + 1]] = marginal
    shape = Shape(simulator.inputs, settings(config).width, simulator.actions)
    bank = Bank(shape, [np.concatenate(pools)], None, torch.device("cpu"))

    def act(
        position: Position,
        chosen: Int64[Tensor, "S B"],
        uniforms: Float64[Tensor, "S B"],
    ) -> Int64[Tensor, "S B"]:
        action = torch.zeros_like(chosen)
        alive = ~position.done
        action[alive] = bank.act(
            chosen[alive],
            position.inputs[alive],
            position.legal[alive],
            uniforms[alive][:, None].expand(-1, 2),
        )
        return action

    return act, mixture


def _models(job: Job) -> None:
    """Ensembles of several data sets, trained together."""
    config = job.config
    sets = [stored.load(unit.needs(config)[0].place(job.folder)) for unit in job.units]
    seeds = [_number(unit.seed(config.seed)) for unit in job.units]
    learned = dynamics.train(sets, seeds, training(config), torch.device(config.device))
    for number, unit in enumerate(job.units):
        place = unit.place(job.folder)
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        ensemble.save(ensemble.only(learned, number), aside)
        os.replace(aside, place)


def cloning(unit: Unit, job: Job, executor: Executor, spent: Any) -> None:
    """The behaviour in a data set, imitated."""
    place, config = unit.place(job.folder), job.config
    found = clone(
        stored.load(unit.needs(config)[0].place(job.folder)),
        _number(unit.seed(config.seed)),
        Cloning(steps=config.clone_steps or 0),
    )
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    with open(aside, "wb") as file:
        np.savez(file, allow_pickle=False, **vars(found))
    os.replace(aside, place)


def _cloned(place: Path) -> Clone:
    with np.load(place, allow_pickle=False) as file:
        numbers = {k: float(file[k]) for k in ("trained", "held_out", "uniform")}
        return Clone(file["weights"], int(file["width"]), **numbers)


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


def explore(
    unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]
) -> None:
    """PSRO in the learned model."""
    config = job.config
    parts = setup(
        simulator_of(unit, job),
        approach(unit, config),
        unit.exploration,
        settings(config),
        executor,
        _number(unit.seed(config.seed)),
        config.episodes or 0,
    )
    _grown(unit, job, parts)


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
    cut = Population(
        tuple(pool[:size] for pool in pools), state.population.shared, size
    )
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
    state = checkpoint.latest(unit.explored.place(job.folder))
    last = unit.iteration or state.iteration
    first = last if unit.iteration else last - config.k + 1
    profiles = [
        profile(state, t, unit.evaluation, config.seed) for t in range(first, last + 1)
    ]
    imitation = None
    if unit.weight is not None:
        imitation = _cloned(unit.needs(config)[1].place(job.folder)), unit.weight
    found = regrets(
        game(config),
        executor,
        tuple(state.population.stacked()),
        profiles,
        Judge(settings(config), config.screen or 0, config.fresh or 0, SCALE),
        seed,
        imitation,
    )
    regret = found[-1]
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
        "regrets": [one.total for one in found],
        "k": regret.profiles,
        "judged": "curve" if unit.iteration else "final",
        "profile": profiles[-1][0].round(6).tolist(),
        "cpu_seconds": round(spent(), 3),
    }
    _run.write_json(unit.place(job.folder), _run.clean(row))


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
    """Uncertainty and utility errors of the run's empirical game."""
    config = job.config
    state = checkpoint.latest(unit.explored.place(job.folder))
    found = agreement(
        game(config),
        simulator_of(unit, job),
        state.population.stacked()[0],
        state.table.values,
        settings(config).width,
        config.fidelity_episodes or 0,
        unit.seed(config.seed),
    )
    row = {
        "approach": unit.approach,
        "exploration": unit.exploration,
        **_cell(unit, config),
        "uncertainty": float(found.uncertainty.mean()),
        "utility_error": found.utility_error,
        "utility_error_on_true": found.utility_error_on_true,
        "cpu_seconds": round(spent(), 3),
    }
    _run.write_json(unit.place(job.folder), _run.clean(row))


_DOERS = {
    "behaviour": behaviour,
    "data": data,
    "clone": cloning,
    "explore": explore,
    "judge": judge,
    "fidelity": fidelity,
}


def finish(outcome: Outcome, folder: Path) -> None:
    """Records what became of a unit: in ``units/`` or in ``failed/``."""
    name = f"{outcome.unit.name.replace('/', '-')}.json"
    failed, told = folder / "failed" / name, {"unit": outcome.unit.name}
    place = folder / "units" / name
    for room in (failed.parent, place.parent):
        room.mkdir(exist_ok=True)
    if outcome.fault is None:
        _run.write_json(place, {**told, "cpu_seconds": round(outcome.seconds, 3)})
        failed.unlink(missing_ok=True)
    else:
        about = {"fault": outcome.fault, "trace": outcome.trace}
        _run.write_json(failed, {**told, **about})


def rows(folder: Path, room: str) -> list[dict[str, Any]]:
    """Finished rows of a room, in the order of their names."""
    return [
        json.loads(place.read_text("utf-8"))
        for place in sorted((folder / room).glob("*.json"))
    ]
