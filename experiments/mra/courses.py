"""The courses of this wing: a training, an adaptation, and what agents score."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from experiments.mra.course import Course, Row, Scores
from experiments.mra.task import Task, named
from metaspiel import files
from metaspiel.games.entities import Populated
from mra.adapt import adapt, adapted_score, begin
from mra.measure import best_mode, measure
from mra.play import Score
from mra.settings import Method
from mra.state import MRAState
from mra.train import start, sweep

CHOOSING, TESTING = 1_000_000, 2_000_000  # added to the seeds of episodes


def plain(score: Score) -> dict[str, list[float]]:
    """A score as JSON has it."""
    return {"means": list(score.means), "errors": list(score.errors)}


def scores(
    games: Sequence[Populated],
    method: Method,
    weights: Mapping[str, Tensor],
    *,
    count: int,
    seed: int,
) -> Scores:
    """What agents earn at every size."""
    return {
        named(game.sizes): plain(measure(game, method, weights, count=count, seed=seed))
        for game in games
    }


def modes(
    games: Sequence[Populated],
    method: Method,
    weights: Mapping[str, Tensor],
    *,
    count: int,
    seed: int,
) -> Scores:
    """What agents earn at every size when all have the latent that is best there."""
    return {
        named(game.sizes): plain(
            best_mode(game, method, weights, count=count, seed=seed).score
        )
        for game in games
    }


def elsewhere(task: Task, sizes: Sequence[str]) -> list[Populated]:
    """The games at sizes that the task's agents were not trained at."""
    if task.how.apart:
        return []
    (base,) = task.games[:1]
    own = [game.sizes for game in task.games]
    every = [base.resized(tuple(map(int, one.split(",")))) for one in sizes]
    return [game for game in every if game.sizes not in own]


def training(task: Task) -> Course:
    """A training as its task says.

    Raises:
      UserError: the world, a size or the method does not fit.
    """
    games, method = task.games, task.how

    def step(state: MRAState) -> tuple[MRAState, Mapping[str, Row]]:
        made, row = sweep(games, method, task.training, state)
        share = row["seconds"] / len(games)
        rows = zip(games, row["games"].values(), strict=True)
        return made, {named(g.sizes): {**one, "seconds": share} for g, one in rows}

    return Course(
        identity=task.identity,
        facts=task.facts,
        start=lambda: start(games, method, task.training, task.seed),
        step=step,
        look=lambda state: scores(
            games,
            method,
            state.weights,
            count=task.episodes,
            seed=CHOOSING + task.seed,
        ),
        steps=task.sweeps,
        every=task.measure_every,
        envs=task.training.envs * len(games),
        count=task.episodes,
    )


def adaptation(
    task: Task, trained: MRAState | None, source: Mapping[str, Any]
) -> Course:
    """An adaptation to the one game of a task, whose sweeps are its rounds.

    Args:
      task: the game and how long it is learned.
      trained: the agents; None learns from scratch.
      source: who they are, as their file says.

    Raises:
      UserError: the agents do not fit the game.
    """
    (game,), method = task.games, task.how

    def fresh() -> MRAState:
        known = start((game,), method, task.training, task.seed)
        return begin(game, method, task.training, trained or known, task.seed)

    fresh()  # what does not fit is refused at once

    def step(state: MRAState) -> tuple[MRAState, Mapping[str, Row]]:
        made, row = adapt(game, method, task.training, state)
        return made, {named(game.sizes): row}

    def look(state: MRAState) -> Scores:
        seed, count = CHOOSING + task.seed, task.episodes
        score = adapted_score(game, method, state, count=count, seed=seed)
        return {named(game.sizes): plain(score)}

    return Course(
        identity=files.digest([task.identity, dict(source)]),
        facts=task.facts,
        start=fresh,
        step=step,
        look=look,
        steps=task.sweeps,
        every=task.measure_every,
        envs=task.training.envs,
        count=task.episodes,
    )
