"""What the units of a grid on Bargaining do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from experiments.bargaining import builders as _parts
from experiments.bargaining import judging as _judging
from experiments.bargaining.datasets import drawn
from experiments.bargaining.units import Job, Unit, steps_of
from experiments.lab.work import Outcome, attempt
from meta_solvers import get
from metaspiel import files
from offline import data as stored
from offline import dynamics, ensemble
from offline.baselines import clone
from offline.coffee import SOLVERS, setup
from offline.record import verify
from psro import checkpoint
from psro.executor import Executor, InProcess
from psro.loop import start, step
from psro.parts import State
from psro.rl import LearnedOracle, SampledEvaluator
from psro.setup import Setup
from psro.together import together

if TYPE_CHECKING:
    from experiments.bargaining.config import Config


def here(asked: Sequence[Job]) -> list[Outcome]:
    """Does the units of jobs in lockstep, in this process alone."""
    return do(asked, InProcess())


def do(asked: Sequence[Job], executor: Executor) -> list[Outcome]:
    """Does the units of jobs in lockstep; faults are outcomes and raise nothing.

    Args:
      asked: of one run, whose units do not need each other.
      executor: where heavy requests of the units are answered.
    """
    torch.set_num_threads(1)
    units = tuple(unit for one in asked for unit in one.units)
    job, begun = replace(asked[0], units=units), time.process_time()
    for unit in units:
        unit.place(job.folder).parent.mkdir(parents=True, exist_ok=True)
    trials = [partial(_alone, unit, job, begun) for unit in units]
    if units[0].kind == "model":
        outcomes = attempt([unit.name for unit in units], partial(_models, job))
    elif len(trials) == 1:
        outcomes = [trials[0](executor)]
    else:
        outcomes = together(trials, executor)
    seconds = (time.process_time() - begun) / len(outcomes)
    if len(outcomes) == job.config.stack == 1 and outcomes[0].fault is None:
        seconds = max(seconds, _grown_in(units[0], job.folder))
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def _grown_in(unit: Unit, folder: Path) -> float:
    """CPU seconds of a PSRO run, those before it was last interrupted included."""
    if unit.kind not in ("behaviour", "explore"):
        return 0.0
    return sum(checkpoint.latest(unit.place(folder)).cpu.values())


def _alone(unit: Unit, job: Job, begun: float, executor: Executor) -> Outcome:
    doer = _DOERS[unit.kind]

    def spent() -> float:
        """CPU seconds so far; units in lockstep share them."""
        return (time.process_time() - begun) / len(job.units)

    return attempt([unit.name], partial(doer, unit, job, executor, spent))[0]


def _grown(unit: Unit, job: Job, parts: Setup) -> State:
    """PSRO from its last checkpoint to its end."""
    place = unit.place(job.folder)
    bound = _parts.bound(unit.name, job.config)
    if checkpoint.complete(place):
        state = _parts.state_of(unit, job)
    else:
        state = start(parts)
        checkpoint.save(state, place, bound)
    while state.iteration < steps_of(unit, job.config):
        state = step(parts, state)
        checkpoint.save(state, place, bound)
    return state


def behaviour(
    unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]
) -> None:
    """Online PSRO with RD in the true game."""
    simulator, chosen = _parts.game(job.config), _parts.settings(job.config)
    episodes = job.config.episodes or 0
    seed = _parts.number(unit.seed(job.config.seed))
    network = _parts.network(job.config)
    oracle = LearnedOracle(
        simulator=simulator,
        network=network,
        settings=chosen,
        executor=executor,
        shared=True,
        episodes=episodes,
    )
    evaluator = SampledEvaluator(
        simulator=simulator,
        network=network,
        executor=executor,
        episodes=episodes,
        seed=seed,
        device=chosen.device,
    )
    _grown(
        unit,
        job,
        Setup(
            oracle=oracle,
            evaluator=evaluator,
            solver=get(SOLVERS["rd"]),
            concept="ne",
            seed=seed,
        ),
    )


def data(unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]) -> None:
    """A data set: drawn uniformly or from the mixture, or the user's own."""
    config, place = job.config, unit.place(job.folder)
    bound = _parts.bound(unit.name, config)
    if unit.behaviour == "file":
        assert config.data is not None
        given = stored.load(config.data)
        verify(given, _parts.game(config))
        stored.save(given, place, bound)
        return
    seed, mirror = _parts.number(unit.seed(config.seed)), config.dataset_mirror
    stored.save(drawn(unit, job, unit.trajectories, seed, mirror), place, bound)


def _models(job: Job) -> None:
    """Ensembles of several data sets, trained together."""
    config = job.config
    sets = [_parts.data_of(unit.needs(config)[0], job) for unit in job.units]
    seeds = [_parts.number(unit.seed(config.seed)) for unit in job.units]
    learned = dynamics.train(
        sets, seeds, _parts.training(config), torch.device(config.device)
    )
    for number, unit in enumerate(job.units):
        bound = _parts.bound(unit.name, config)
        place = unit.place(job.folder)
        ensemble.save(ensemble.only(learned, number), place, bound)


def cloning(unit: Unit, job: Job, executor: Executor, spent: Any) -> None:
    """The behaviour in a data set, imitated."""
    config = job.config
    imitated = clone(
        _parts.data_of(unit.needs(config)[0], job),
        _parts.number(unit.seed(config.seed)),
        _parts.cloning(config),
    )
    _parts.save_clone(imitated, unit, job)


def explore(
    unit: Unit, job: Job, executor: Executor, spent: Callable[[], float]
) -> None:
    """PSRO in the learned model."""
    config = job.config
    parts = setup(
        _parts.simulator_of(unit, job),
        _parts.network(config),
        _parts.approach(unit, config),
        exploration=unit.exploration,
        settings=_parts.settings(config),
        executor=executor,
        seed=_parts.number(unit.seed(config.seed)),
        episodes=config.episodes or 0,
    )
    _grown(unit, job, parts)


_DOERS = {
    "behaviour": behaviour,
    "data": data,
    "clone": cloning,
    "explore": explore,
    "judge": _judging.judge,
    "fidelity": _judging.fidelity,
}


def recorded(name: str, folder: Path) -> Path:
    """Where it is recorded that the unit of this name is done, and its CPU time."""
    return folder / "units" / f"{name.replace('/', '-')}.json"


def finish(outcome: Outcome, folder: Path, config: "Config") -> None:
    """Records what became of a unit: in ``units/`` or in ``failed/``."""
    place = recorded(outcome.name, folder)
    failed, named = folder / "failed" / place.name, {"unit": outcome.name}
    for room in (failed.parent, place.parent):
        room.mkdir(exist_ok=True)
    if outcome.fault is None:
        facts = {**named, "cpu_seconds": round(outcome.seconds, 3)}
        files.write_sealed(place, facts, _parts.bound(f"units/{place.stem}", config))
        failed.unlink(missing_ok=True)
    else:
        about = {"fault": outcome.fault, "trace": outcome.trace}
        files.write_json(failed, {**named, **about})
