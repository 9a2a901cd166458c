"""Adaptation of trained agents to a population size they have not seen.

Algorithm 5 of arXiv 2108.12988: every agent draws one latent and keeps it; graph and
policy learn together from the reward (Equation 10), the prior stays as it is. What
learns from scratch is adapted from an untrained state by the same steps.
"""

import time
from typing import Any

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from mra.learning import Learning
from mra.measuring import check_fits
from mra.nets import Nets
from mra.play import Actors, Score, draw_latents, episodes, score
from mra.replay import Episodes
from mra.settings import Method, Training
from mra.state import DELAYED, MRAState, capacity
from mra.update import reward_steps

_LATENTS, _PLAY, _LEARN, _SCORE = 3, 4, 5, 6


def begin(
    game: Populated, method: Method, training: Training, trained: MRAState, seed: int
) -> MRAState:
    """The state before the first round: the trained weights, an empty replay.

    Raises:
      UserError: the trained agents do not fit the game.
    """
    return begun(game, Nets.of(method, (game,)), training, trained, seed=seed)


def begun(
    game: Populated, nets: Nets, training: Training, trained: MRAState, *, seed: int
) -> MRAState:
    """The state before the first round of any networks.

    Raises:
      UserError: the trained agents do not fit the game.
    """
    check_fits("begin()", game, nets, trained.weights)
    learners = {
        name: Trainable.fresh(one.weights.clone())
        for name, one in trained.learners.items()
    }
    return MRAState(
        games=(game.name,),
        seed=seed,
        sweep=0,
        learners=learners,
        delayed={name: trained.delayed[name].clone() for name in DELAYED},
        replays=(Episodes(capacity(game, training), {}),),
    )


def own_latents(
    game: Populated, method: Method, state: MRAState
) -> Int64[Tensor, "1 N"]:
    """The latents that agents keep while they adapt."""
    nets = Nets.of(method, (game,))
    prior = method.prior_in(state.weights)
    return draw_latents(game, nets, prior, 1, stream(state.seed, _LATENTS))


def adapted_score(
    game: Populated, method: Method, state: MRAState, *, count: int, seed: int
) -> Score:
    """What adapting agents earn in so many episodes, each with the latent it keeps."""
    rng = stream(seed, _SCORE)
    latents = own_latents(game, method, state).repeat(count, 1)
    act = Actors(
        game=game,
        nets=Nets.of(method, (game,)),
        weights=state.weights,
        latents=latents,
        rng=stream(seed, _SCORE, 1),
    )
    return score(game, episodes(game, act, latents, rng=rng))


def adapt(
    game: Populated, method: Method, training: Training, state: MRAState
) -> tuple[MRAState, dict[str, Any]]:
    """Plays a batch of episodes and takes a gradient step for each of their steps.

    The row has ``rewards`` (an agent and episode, by role), ``critic_loss``,
    ``episodes`` and ``updates`` so far, and CPU ``seconds``.

    Args:
      game: to adapt to.
      method: whose agents they are.
      training: how they learn; ``every`` and ``inner`` have no say here.
      state: where to go on. It is used up: its replay is written into.

    Raises:
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    nets = Nets.of(method, (game,))
    learning = Learning.of(nets, training, state)
    weights = learning.parts
    latents = own_latents(game, method, state).repeat(training.envs, 1)
    rng = stream(state.seed, state.sweep + 1, _PLAY)
    act = Actors(game=game, nets=nets, weights=weights, latents=latents, rng=rng)
    played = episodes(game, act, latents, rng=rng)
    (replay,) = state.replays
    replay.add(played)
    rng = stream(state.seed, state.sweep + 1, _LEARN)
    errors = reward_steps(
        learning, game, replay, count=game.limit, rng=rng, graph_too=True
    )
    loss = float(np.mean(errors))
    if not np.isfinite(loss):
        raise Diverged(
            f"adapt(): losses must be finite; got {loss} in round {state.sweep + 1}: "
            f"a smaller rate than {training.rate} may help"
        )
    made = learning.after(state)
    return made, {
        "sweep": made.sweep,
        "rewards": list(score(game, played).means),
        "critic_loss": loss,
        "episodes": made.sweep * training.envs,
        "updates": made.sweep * game.limit,
        "seconds": round(time.process_time() - begun, 6),
    }
