"""RL^2: a policy that remembers what it did and earned, from episode to episode.

Duan et al. 2016 (arXiv 1611.02779). A trial is one episode in every game of the family,
in order; the hidden state of a GRU lasts as long, so that what was learned in a game
can serve in the next. ``measure`` says what is earned after so many episodes of a
trial; no weight changes meanwhile.

Graph, critic, losses and budget are those of METHODS["plain"]; choices, for lack of a
source: a game's agent i goes on with the memory of agent i modulo n of its role in the
game before, which had n; rewards are fed back as they are; a trial is played with the
same weights, then every game's cycles of updates are made; a gradient step takes whole
episodes, as many as have the transitions of other arms' steps (rounded up), through
whose time it goes back, from the hidden state that was stored at the episode's begin
(Kapturowski et al. 2019, without burn-in); the critic remembers nothing.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from metaspiel.learn.relational_recurrent import RecurrentPolicy
from mra.adaptation import begun
from mra.baselines.episodes_learned import Minibatch, episode_step
from mra.baselines.settings import RL2
from mra.baselines.trials import Trial
from mra.learning import Learning
from mra.measuring import check_fits
from mra.nets import Nets
from mra.play import Score, score
from mra.settings import Training
from mra.state import MRAState, check, fresh, load, save

__all__ = ["RL2", "adapt", "begin", "load", "measure", "save", "start", "sweep"]
_PLAY, _LEARN, _SCORE, _BEFORE = 1, 2, 3, 4  # stages of randomness


def nets_of(settings: RL2, games: Sequence[Populated]) -> Nets:
    """The networks for games of one family."""
    nets = Nets.of(settings.method, games)
    relations, layout = settings.method.relations, games[0].layout
    policy = RecurrentPolicy(relations, layout, units=settings.units)
    return replace(nets, policy=policy)


def start(
    games: Sequence[Populated], settings: RL2, training: Training, seed: int
) -> MRAState:
    """The state before the first sweep, with untrained agents.

    Raises:
      UserError: the method does not fit the games.
    """
    return fresh(games, nets_of(settings, games), training, seed)


def sweep(
    games: Sequence[Populated], settings: RL2, training: Training, state: MRAState
) -> tuple[MRAState, dict[str, Any]]:
    """``envs`` trials, then the cycles of updates that are due in every game.

    The row is that of ``mra.train.sweep``.

    Args:
      games: of one family, in the order of a trial.
      settings: of RL^2.
      training: how it learns.
      state: where to go on. It is used up: the replays are written into.

    Raises:
      UserError: the state is of other games or networks.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    nets = nets_of(settings, games)
    check(state, games, nets)
    learning = Learning.of(nets, training, state)
    row: dict[str, Any] = {"sweep": state.sweep + 1, "games": {}}
    rewards = _play(games, learning, state)
    for number, game in enumerate(games):
        due = training.cycles(state.sweep + 1, game.limit)
        due -= training.cycles(state.sweep, game.limit)
        loss = _learn(game, number, learning, state, due * training.inner)
        row["games"][game.name] = {
            "rewards": rewards[number],
            "critic_loss": loss,
            "information": None,
            "cross_entropy": None,
        }
    made = learning.after(state)
    played = made.sweep * training.envs
    row["episodes"] = played * len(games)
    row["updates"] = training.inner * sum(
        training.cycles(made.sweep, game.limit) for game in games
    )
    row["seconds"] = round(time.process_time() - begun, 6)
    return made, row


def begin(
    game: Populated, settings: RL2, training: Training, trained: MRAState, seed: int
) -> MRAState:
    """The state before the first round of adaptation to a size, as ``mra.begin``.

    Raises:
      UserError: the trained agents do not fit the game.
    """
    nets = nets_of(settings, (game,))
    return begun(game, nets, training, trained, seed=seed)


def adapt(
    game: Populated, settings: RL2, training: Training, state: MRAState
) -> tuple[MRAState, dict[str, Any]]:
    """Plays a batch of episodes and takes a gradient step for each of their steps.

    A trial is one episode here. The row is that of ``mra.adaptation``.

    Raises:
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    learning = Learning.of(nets_of(settings, (game,)), training, state)
    (rewards,) = _play((game,), learning, state)
    loss = _learn(game, 0, learning, state, game.limit)
    made = learning.after(state)
    return made, {
        "sweep": made.sweep,
        "rewards": rewards,
        "critic_loss": loss,
        "episodes": made.sweep * training.envs,
        "updates": made.sweep * game.limit,
        "seconds": round(time.process_time() - begun, 6),
    }


def measure(
    game: Populated,
    settings: RL2,
    weights: Mapping[str, Tensor],
    *,
    count: int,
    seed: int,
    before: Sequence[Populated] = (),
    greedy: bool = False,
) -> Score:
    """What agents earn in the last episode of a trial.

    Without ``before`` they remember nothing (zero-shot); ``before=(game,)`` is the
    second episode in the same game, and ``before=games`` comes after a whole trial.
    The last episodes begin with equal places for equal seeds, whatever came before.

    Args:
      game: of any size that the weights fit.
      settings: of RL^2.
      weights: of every part.
      count: number of trials.
      seed: of the trials.
      before: games of the episodes before, of any size.
      greedy: everybody takes its likeliest action.

    Raises:
      UserError: the weights do not fit the game.
    """
    nets = nets_of(settings, (game,))
    check_fits("measure()", game, nets, weights)
    trial = Trial(nets, weights, stream(seed, _BEFORE), greedy)
    for earlier in before:
        trial.play(earlier, count)
    trial.rng = stream(seed, _SCORE)
    return score(game, trial.play(game, count))


def _play(
    games: Sequence[Populated], learning: Learning, state: MRAState
) -> list[list[float]]:
    """A batch of trials into the replays; rewards by game and role."""
    rng = stream(state.seed, state.sweep + 1, 0, _PLAY)
    trial, earned = Trial(learning.nets, learning.parts, rng), []
    for game, replay in zip(games, state.replays, strict=True):
        played = trial.play(game, learning.training.envs)
        replay.add(played)
        earned.append(list(score(game, played).means))
    return earned


def _learn(
    game: Populated, number: int, learning: Learning, state: MRAState, steps: int
) -> float | None:
    """So many gradient steps on a game's replay; the mean loss of critics."""
    training, replay = learning.training, state.replays[number]
    rng = stream(state.seed, state.sweep + 1, number, _LEARN)
    count = -(-training.minibatch // game.limit)
    scale = replay.scales(learning.nets.groups(game), training.rewards)
    errors: list[float] = []
    for _ in range(steps):
        pick = (torch.from_numpy(rng.random(count)) * replay.size).long()
        rows = {name: row[pick] for name, row in replay.held.items()}
        numbers = rng.random((2, count * game.limit, game.agents))
        batch = Minibatch.of(rows, torch.from_numpy(numbers).float())
        errors += episode_step(learning, game, batch, scale)
    if not errors:
        return None
    loss = float(np.mean(errors))
    if not np.isfinite(loss):
        raise Diverged(
            f"RL2: losses must be finite; got {loss} in sweep {state.sweep + 1}: a "
            f"smaller rate than {training.rate} may help"
        )
    return loss
