"""The courses of this wing: a training, an adaptation, and what agents score."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from experiments.mra.agents import Agents
from experiments.mra.course import Course, Row, Scores
from experiments.mra.task_config import Task, named, size_of
from metaspiel import files
from metaspiel.games.entities import Populated
from metaspiel.nfg.errors import UserError
from mra import state as states
from mra import train
from mra.baselines import epc, rl2
from mra.play import Score
from mra.state import MRAState

CHOOSING, TESTING = 1_000_000, 2_000_000  # added to the seeds of episodes


def plain(score: Score) -> dict[str, list[float]]:
    """A score as JSON has it."""
    return {"means": list(score.means), "errors": list(score.errors)}


def scores(
    games: Sequence[Populated], agents: Agents, *, count: int, seed: int
) -> Scores:
    """What agents earn at every size."""
    return {
        named(game.sizes): plain(agents.score(game, count=count, seed=seed))
        for game in games
    }


def modes(
    games: Sequence[Populated], agents: Agents, *, count: int, seed: int
) -> Scores:
    """What they earn at every size when all have the latent that is best there."""
    made = {}
    for game in games:
        score = agents.best_latent(game, count=count, seed=seed)
        if score is not None:
            made[named(game.sizes)] = plain(score)
    return made


def elsewhere(task: Task, sizes: Sequence[str]) -> list[Populated]:
    """The games at sizes that the task's agents were not trained at."""
    if task.how.apart:
        return []
    (base,) = task.games[:1]
    own = [game.sizes for game in task.games]
    every = [base.resized(size_of(one)) for one in sizes]
    return [game for game in every if game.sizes not in own]


def _parts(task: Task) -> dict[str, Any]:
    """What a course of this method consists of."""
    games, settings = task.games, task.training
    agents = partial(Agents, facts=task.facts, games=games)
    if task.method == "epc":
        how = epc.EPC(sweeps=task.sweeps)
        return {
            "start": lambda: epc.start(games, how, settings, task.seed),
            "sweep": lambda state: epc.sweep(games, how, settings, state),
            "agents": lambda state: agents(
                state=state.champion,
                sweep=state.turns // len(games),
                copies=state.method.copies,
            ),
            "save": epc.save,
            "load": lambda place: epc.load(place, how),
        }
    shared = {
        "agents": lambda state: agents(state=state, sweep=state.sweep),
        "save": states.save,
        "load": states.load,
    }
    if task.method == "rl2":
        one = rl2.RL2()
        return shared | {
            "start": lambda: rl2.start(games, one, settings, task.seed),
            "sweep": lambda state: rl2.sweep(games, one, settings, state),
        }
    return shared | {
        "start": lambda: train.start(games, task.how, settings, task.seed),
        "sweep": lambda state: train.sweep(games, task.how, settings, state),
    }


def training(task: Task) -> Course:
    """A training as its task says.

    Raises:
      UserError: the world, a size or the method does not fit.
    """
    games, parts, settings = task.games, _parts(task), task.training
    steps = task.sweeps * settings.envs * games[0].limit
    if not settings.cycles(task.sweeps, games[0].limit):
        raise UserError(
            "--training.every and --training.minibatch must be at most the "
            f"environment steps of a game in this run, {steps}, or nothing is learned; "
            f"got {settings.every} and {settings.minibatch}"
        )
    names = {game.name: named(game.sizes) for game in games}
    sweep, agents = parts.pop("sweep"), parts["agents"]

    def step(state: Any) -> tuple[Any, Mapping[str, Row], float]:
        made, row = sweep(state)
        return made, {names[n]: one for n, one in row["games"].items()}, row["seconds"]

    def look(state: Any) -> Scores:
        seed = CHOOSING + task.seed
        return scores(games, agents(state), count=task.episodes, seed=seed)

    return Course(
        identity=task.identity,
        step=step,
        look=look,
        steps=task.sweeps,
        every=task.measure_every,
        envs=task.training.envs * len(games),
        count=task.episodes,
        **parts,
    )


def untrained(task: Task) -> Agents:
    """The agents that a training of this task begins with."""
    parts = _parts(task)
    made: Agents = parts["agents"](parts["start"]())
    return made


def adaptation(task: Task, agents: Agents | None) -> Course:
    """An adaptation to the one game of a task, whose sweeps are its rounds.

    Args:
      task: the game and how long it is learned; the method is that of the agents.
      agents: who adapt; None learns from scratch.

    Raises:
      UserError: the agents do not fit the game.
    """
    (game,) = task.games
    who = untrained(task) if agents is None else agents
    who.begin(game, task.training, task.seed)  # what does not fit is refused at once

    def step(state: MRAState) -> tuple[MRAState, Mapping[str, Row], float]:
        made, row = who.adapt(game, task.training, state)
        return made, {named(game.sizes): row}, row["seconds"]

    def look(state: MRAState) -> Scores:
        seed, count = CHOOSING + task.seed, task.episodes
        score = who.adapted(game, state, count=count, seed=seed)
        return {named(game.sizes): plain(score)}

    source = [who.facts, who.sweep, who.copies] if agents is not None else None
    return Course(
        identity=files.digest([task.identity, source]),
        start=lambda: who.begin(game, task.training, task.seed),
        step=step,
        look=look,
        agents=lambda state: replace(
            who, facts=task.facts, games=(game,), state=state, sweep=state.sweep
        ),
        save=states.save,
        load=states.load,
        steps=task.sweeps,
        every=task.measure_every,
        envs=task.training.envs,
        count=task.episodes,
    )
