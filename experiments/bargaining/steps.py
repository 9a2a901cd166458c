"""What the units of a grid on Bargaining do, as pieces of work."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from experiments.bargaining.results import Fidelity, Judged
from experiments.bargaining.store import Store
from experiments.bargaining.units import STACKED, Kind, Unit
from experiments.lab.work import Do, Outcome, Piece, attempt
from metaspiel.games.bargaining import Bargaining
from offline import baselines, dynamics, ensemble
from offline import data as datasets
from offline.agreement import agreement
from offline.coffee import Approach, setup
from offline.data import Dataset, Mirror
from offline.fidelity import errors
from offline.profiles import behaviour, profile
from offline.record import collect, verify
from offline.regret import Judge, regrets
from psro import checkpoint
from psro.executor import Executor, InProcess
from psro.loop import start, step
from psro.sampled import pools_of
from psro.together import together


@dataclass(frozen=True)
class Job:
    """A unit of a run, as a worker process is given it."""

    unit: Unit
    store: Store

    @property
    def number(self) -> int:
        """The unit's seed, for what takes one number."""
        return self.unit.number_seed(self.store.config.seed)

    def about(self) -> dict[str, Any]:
        """The fields of a row that say which run it is about."""
        unit = self.unit
        return {
            "approach": unit.approach if unit.weight is None else "oef-bc",
            "exploration": unit.exploration,
            "behaviour": unit.behaviour,
            "trajectories": unit.trajectories,
            "trial": unit.trial,
            "seed": self.store.config.seed,
            "penalty": unit.penalty,
            "coverage": unit.coverage,
            "weight": unit.weight or 0.0,
        }


def pieces(todo: Sequence[Unit], store: Store, do: Do) -> list[Piece]:
    """Units as pieces of work; those that can be done in lockstep make a stack.

    Responses of all approaches are learned alike, so all such units are one stack;
    models and behaviour runs are stacked where they differ in trial or number alone.

    Args:
      todo: each after those it needs.
      store: of the run.
      do: does jobs.
    """
    return [
        Piece(
            name=unit.name,
            what=Job(unit, store),
            do=do,
            needs=tuple(needed.name for needed in unit.needs(store.config)),
            stack=_stack(unit),
            kind=unit.kind,
        )
        for unit in todo
    ]


def _stack(unit: Unit) -> str:
    """The name of the stack that a unit belongs to; empty where it is done alone."""
    if unit.kind in ("explore", "judge"):
        return unit.kind
    return replace(unit, trial=0, number=0).name if unit.kind in STACKED else ""


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
    store, begun = asked[0].store, time.process_time()
    units = [job.unit for job in asked]

    def spent() -> float:
        """CPU seconds so far; units in lockstep share them."""
        return (time.process_time() - begun) / len(units)

    def finish(job: Job, executor: Executor) -> None:
        row = DO[job.unit.kind](job, executor)
        if row is not None:
            store.write_row(job.unit, replace(row, cpu_seconds=round(spent(), 3)))

    def alone(job: Job, executor: Executor) -> Outcome:
        return attempt([job.unit.name], partial(finish, job, executor))[0]

    for unit in units:
        unit.place(store.folder).parent.mkdir(parents=True, exist_ok=True)
    if units[0].kind == "model":
        outcomes = attempt([unit.name for unit in units], lambda: _train(units, store))
    elif len(units) == 1:
        outcomes = [alone(asked[0], executor)]
    else:
        outcomes = together([partial(alone, job) for job in asked], executor)
    seconds = spent()
    if len(units) == store.config.stack == 1 and outcomes[0].fault is None:
        seconds = max(seconds, _grown_in(units[0], store))
    return [replace(outcome, seconds=seconds) for outcome in outcomes]


def _grown_in(unit: Unit, store: Store) -> float:
    """CPU seconds of a PSRO run, those before it was last interrupted included."""
    if unit.kind not in ("behaviour", "explore"):
        return 0.0
    return sum(checkpoint.latest(unit.place(store.folder)).cpu.values())


def _train(units: Sequence[Unit], store: Store) -> None:
    """Ensembles of several data sets, trained together."""
    config = store.config
    learned = dynamics.train(
        [store.data(unit.on_its_data("data")) for unit in units],
        [unit.number_seed(config.seed) for unit in units],
        config.training,
        torch.device(config.ddqn.device),
    )
    for number, unit in enumerate(units):
        place, bound = unit.place(store.folder), store.bound(unit.name)
        ensemble.save(ensemble.only(learned, number), place, bound)


def _draw(job: Job, executor: Executor) -> None:
    """A data set: drawn uniformly or from the mixture, or the user's own."""
    unit, store, config = job.unit, job.store, job.store.config
    if config.data is not None:
        drawn = datasets.load(config.data)
        verify(drawn, Bargaining.of(config.game))
    else:
        drawn = _drawn(job, unit.trajectories, job.number, config.dataset_mirror)
    datasets.save(drawn, unit.place(store.folder), store.bound(unit.name))


def _drawn(job: Job, trajectories: int, seed: int, mirror: Mirror) -> Dataset:
    """Trajectories of the behaviour of a unit's data set.

    Nobody knows who played a user's data: uniform play stands for it.
    """
    unit, store = job.unit, job.store
    game = Bargaining.of(store.config.game)
    if unit.behaviour != "psro":
        return collect(game, trajectories, seed, mirror=mirror)
    runs = unit.on_its_data("data").needs(store.config)
    act, mixture = behaviour([store.state(run) for run in runs], store.network)
    return collect(
        game,
        trajectories,
        seed,
        act=act,
        mixture=mixture,
        behaviour=f"{len(runs)} final profiles of online PSRO",
        mirror=mirror,
    )


def _clone(job: Job, executor: Executor) -> None:
    """The behaviour in a data set, imitated."""
    unit, store = job.unit, job.store
    data = store.data(unit.on_its_data("data"))
    imitated = baselines.clone(data, job.number, store.config.cloning)
    baselines.save(imitated, unit.place(store.folder), store.bound(unit.name))


def _explore(job: Job, executor: Executor) -> None:
    """PSRO in the learned model, or in the true game, from its last checkpoint on."""
    unit, store, config = job.unit, job.store, job.store.config
    online = unit.kind == "behaviour"
    parts = setup(
        Bargaining.of(config.game) if online else store.model(unit),
        store.network,
        Approach(
            "coffee" if unit.approach == "coffee" else "oef",
            penalty=unit.penalty,
            coverage=unit.coverage,
            anneal=config.anneal,
        ),
        exploration="rd" if online else unit.exploration,
        settings=config.ddqn,
        executor=executor,
        seed=job.number,
        episodes=config.episodes,
    )
    place, bound = unit.place(store.folder), store.bound(unit.name)
    if checkpoint.complete(place):
        state = store.state(unit)
    else:
        state = start(parts)
        checkpoint.save(state, place, bound)
    while state.iteration < unit.steps(config):
        state = step(parts, state)
        checkpoint.save(state, place, bound)


def _judge(job: Job, executor: Executor) -> Judged:
    """Regret in the true game of one profile, or of the last k."""
    unit, store, config = job.unit, job.store, job.store.config
    state = store.state(unit.explored)
    last = unit.iteration or state.iteration
    first = last if unit.iteration else last - config.k + 1
    profiles = [
        profile(state, t, unit.evaluation, config.seed) for t in range(first, last + 1)
    ]
    imitation = None
    if unit.weight is not None:
        imitation = store.clone(unit.on_its_data("clone")), unit.weight
    judged = regrets(
        Bargaining.of(config.game),
        store.network,
        executor,
        pools=pools_of(state.population),
        profiles=profiles,
        judge=Judge(config.judge, config.screen, config.fresh),
        seed=unit.seed(config.seed),
        imitation=imitation,
    )
    regret = judged[-1]
    return Judged(
        **job.about(),
        evaluation=unit.evaluation,
        iteration=last,
        iterations=state.iteration,
        regret=regret.total,
        error=regret.error,
        screened=regret.screened,
        values=regret.values.tolist(),
        welfare=float(regret.values.sum()),
        best=list(regret.best),
        responses=regret.responses.tolist(),
        regrets=[one.total for one in judged],
        k=regret.profiles,
        judged="curve" if unit.iteration else "final",
        profile=profiles[-1][0].round(6).tolist(),
        clone=None if imitation is None else imitation[0].measured,
    )


def _look(job: Job, executor: Executor) -> Fidelity:
    """Uncertainty and utility errors of the run's empirical game, and of its model.

    Single moves are asked about on fresh episodes of the data's behaviour, and whole
    episodes are of uniform play; all runs in one model are told the same.
    """
    unit, store, config = job.unit, job.store, job.store.config
    model, state = store.model(unit), store.state(unit.explored)
    agreed = agreement(
        Bargaining.of(config.game),
        model,
        store.network,
        policies=pools_of(state.population)[0],
        payoffs=state.table.values,
        episodes=config.fidelity_episodes,
        seed=unit.seed(config.seed),
    )
    episodes = config.fidelity_episodes
    seed = unit.on_its_data("fidelity").number_seed(config.seed)
    fresh = _drawn(job, episodes, seed, "none")
    return Fidelity(
        **job.about(),
        uncertainty=float(agreed.uncertainty.mean()),
        utility_error=agreed.utility_error,
        utility_error_on_true=agreed.utility_error_on_true,
        model=errors(model, Bargaining.of(config.game), fresh, episodes, seed),
        cells=agreed.told,
    )


DO: dict[Kind, Callable[[Job, Executor], Judged | Fidelity | None]] = {
    "behaviour": _explore,
    "data": _draw,
    "clone": _clone,
    "explore": _explore,
    "judge": _judge,
    "fidelity": _look,
}
