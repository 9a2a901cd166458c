"""What policies by rule earn: lines that a curve is read against; and an episode."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.mra.agents import Agents
from experiments.mra.course import Scores
from experiments.mra.task_config import named
from metaspiel.games.entities import Populated
from metaspiel.games.particle_picture import animated
from metaspiel.games.particle_references import references as rules
from metaspiel.games.particle_references import scores
from metaspiel.games.particle_world import ParticleWorld
from metaspiel.learn.random import stream
from mra.nets import Nets
from mra.play import Actors, draw_latents

_EPISODE = 12


def references(
    games: Sequence[Populated], *, count: int, seed: int
) -> dict[str, Scores]:
    """Scores of every rule at every size; of worlds that are not ours there is none."""
    made: dict[str, dict[str, Mapping[str, list[float]]]] = {}
    for game in games:
        if not isinstance(game, ParticleWorld):
            continue
        for name, play in rules(game).items():
            paid = scores(game, play, episodes=count, seed=seed)
            score = {"means": paid.mean.tolist(), "errors": paid.error.tolist()}
            made.setdefault(name, {})[named(game.sizes)] = score
    return dict(made)


def moving(game: Populated, agents: Agents, seed: int) -> str | None:
    """A moving picture of one episode of trained agents, where the world has one."""
    if not isinstance(game, ParticleWorld) or agents.remembers:
        return None
    how, weights = agents.how, agents.state.weights
    nets, rng = Nets.of(how, (game,)), stream(seed, _EPISODE)
    prior = how.prior_in(weights)
    act = Actors(
        game=game,
        nets=nets,
        weights=weights,
        latents=draw_latents(game, nets, prior, 1, rng),
        rng=rng,
    )
    scenes: list[Any] = [game.start(rng.random((1, game.draws)))]
    for _ in range(game.limit):
        sight = game.sight(game.state(scenes[-1]))
        scenes.append(game.step(scenes[-1], act(sight).numpy()))
    return animated(game, scenes)
