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
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from metaspiel.games.entities import Populated, Sight
from metaspiel.learn.agents import Trainable
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from metaspiel.learn.relational_recurrent import RecurrentPolicy
from metaspiel.nfg.errors import UserError, at_least
from mra.baselines.episodes_learned import Minibatch, episode_step
from mra.heads import drawn
from mra.measure import check_fits
from mra.nets import Nets
from mra.play import Score, episodes, score
from mra.replay import Episodes, Played
from mra.settings import METHODS, Method, Training
from mra.state import DELAYED, MRAState, capacity, check, fresh, load, save
from mra.update import Learning

__all__ = ["RL2", "adapt", "begin", "load", "measure", "save", "start", "sweep"]
_PLAY, _LEARN, _SCORE = 1, 2, 3  # stages of randomness


@dataclass(frozen=True, kw_only=True)
class RL2:
    """What RL^2 has that other arms do not.

    Attributes:
      units: of the hidden state.
      method: whose graph and critic it has; one latent.
    """

    units: int = 64
    method: Method = field(default_factory=lambda: METHODS["plain"])

    def __post_init__(self) -> None:
        at_least(self, units=1)
        if self.method.relations.latents != 1 or self.method.prior != "uniform":
            raise UserError(
                f"RL2(): method must have one latent and no prior; got {self.method}"
            )

    def nets(self, games: Sequence[Populated]) -> Nets:
        """The networks for games of one family."""
        nets = Nets.of(self.method, games)
        relations, layout = self.method.relations, games[0].layout
        return replace(
            nets, policy=RecurrentPolicy(relations, layout, units=self.units)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Recalled(Played):
    """Episodes whose agents remembered something when they began.

    Attributes:
      hidden: states at the begin.
      before: what was fed back at the begin.
    """

    hidden: Float32[Tensor, "B N U"]
    before: Float32[Tensor, "B N L"]

    @property
    def rows(self) -> dict[str, Tensor]:
        """All of it as tensors by name."""
        return super().rows | {"hidden": self.hidden, "before": self.before}


class Trial:
    """B trials side by side: agents that remember from game to game.

    Attributes:
      nets: the networks.
      weights: of the parts "graph" and "policy".
      rng: numbers by which episodes begin and actions are drawn.
      greedy: everybody takes its likeliest action.
    """

    def __init__(
        self,
        nets: Nets,
        weights: Mapping[str, Tensor],
        rng: np.random.Generator,
        greedy: bool = False,
    ) -> None:
        self.nets, self.weights, self.rng, self.greedy = nets, weights, rng, greedy
        self._groups: tuple[slice, ...] | None = None
        self._hidden = self._before = torch.empty(0)

    def play(self, game: Populated, count: int) -> Recalled:
        """The next episode of ``count`` trials."""
        self._game, groups = game, self.nets.groups(game)
        if self._groups is None:
            policy, shape = self.nets.policy, (count, game.agents)
            self._hidden = torch.zeros(*shape, policy.units)
            self._before = torch.zeros(*shape, policy.extra)
        else:
            self._pass_on(groups)
        self._groups = groups
        hidden, before = self._hidden, self._before
        blank = torch.zeros(count, game.agents, dtype=torch.int64)
        played = episodes(game, self._act, blank, rng=self.rng, after=self._after)
        return Recalled(**vars(played), hidden=hidden, before=before)

    def _pass_on(self, groups: tuple[slice, ...]) -> None:
        """Gives every agent of the next game a memory of one of the last game."""
        heirs = [
            torch.arange(new.stop - new.start) % (old.stop - old.start) + old.start
            for new, old in zip(groups, self._groups or (), strict=True)
        ]
        who = torch.cat(heirs)
        self._hidden, self._before = self._hidden[:, who], self._before[:, who]
        self._before[..., -1] = 1

    def _after(self, actions: Tensor, rewards: Tensor) -> None:
        self._before = self.nets.policy.extras(actions, rewards)

    @torch.no_grad()
    def _act(self, sight: Sight) -> Tensor:
        policy, hidden = self.nets.policy, self._hidden.clone()
        chosen = torch.empty(hidden.shape[:2], dtype=torch.int64)
        for group, who in enumerate(self.nets.groups(self._game)):
            weights, one = self.weights["policy"][group], torch.zeros_like(chosen)
            graph = self.nets.graph.attention(
                self.weights["graph"][group], sight, who, one[:, who]
            )
            seen = policy.embedded(weights, sight, who, graph)
            logits, hidden[:, who] = policy.remembered(
                weights, seen, self._before[:, who], hidden[:, who]
            )
            if self.greedy:
                chosen[:, who] = logits.argmax(2)
            else:
                numbers = torch.from_numpy(self.rng.random(chosen[:, who].shape))
                chosen[:, who] = drawn(logits, numbers.float())
        self._hidden = hidden
        return chosen


def start(
    games: Sequence[Populated], settings: RL2, training: Training, seed: int
) -> MRAState:
    """The state before the first sweep, with untrained agents.

    Raises:
      UserError: the method does not fit the games.
    """
    return fresh(games, settings.nets(games), training, seed)


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
    learning = _learning(games, settings, training, state)
    row: dict[str, Any] = {"sweep": state.sweep + 1, "games": {}}
    rewards = _play(games, learning, state)
    for number, game in enumerate(games):
        new = training.envs * game.limit
        steps = state.sweep * new
        due = (steps + new) // training.every - steps // training.every
        loss = _learn(game, number, learning, state, due * training.inner)
        row["games"][game.name] = {
            "rewards": rewards[number],
            "critic_loss": loss,
            "information": None,
            "cross_entropy": None,
        }
    made = _after(state, learning)
    played = made.sweep * training.envs
    row["episodes"] = played * len(games)
    row["updates"] = training.inner * sum(
        played * game.limit // training.every for game in games
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
    check_fits("begin()", game, settings.nets((game,)), trained.weights)
    return MRAState(
        games=(game.name,),
        seed=seed,
        sweep=0,
        learners={
            name: Trainable.fresh(one.weights.clone())
            for name, one in trained.learners.items()
        },
        delayed={name: trained.delayed[name].clone() for name in DELAYED},
        replays=(Episodes(capacity(game, training), {}),),
    )


def adapt(
    game: Populated, settings: RL2, training: Training, state: MRAState
) -> tuple[MRAState, dict[str, Any]]:
    """Plays a batch of episodes and takes a gradient step for each of their steps.

    A trial is one episode here. The row is that of ``mra.adapt``.

    Raises:
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    learning = _learning((game,), settings, training, state, known=False)
    (rewards,) = _play((game,), learning, state)
    loss = _learn(game, 0, learning, state, game.limit)
    made = _after(state, learning)
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
    nets = settings.nets((game,))
    check_fits("measure()", game, nets, weights)
    trial = Trial(nets, weights, stream(seed, _SCORE, 0), greedy)
    for earlier in before:
        trial.play(earlier, count)
    trial.rng = stream(seed, _SCORE)
    return score(game, trial.play(game, count))


def _learning(
    games: Sequence[Populated],
    settings: RL2,
    training: Training,
    state: MRAState,
    *,
    known: bool = True,
) -> Learning:
    """Copies of what the state has; ``known`` asks for its classifier of games too."""
    nets = settings.nets(games)
    if known:
        check(state, games, nets)
    return Learning(
        nets=nets,
        training=training,
        learners={name: one.copy() for name, one in state.learners.items()},
        delayed={name: state.delayed[name].clone() for name in DELAYED},
    )


def _play(
    games: Sequence[Populated], learning: Learning, state: MRAState
) -> list[list[float]]:
    """A batch of trials into the replays; rewards by game and role."""
    weights = {part: one.weights for part, one in learning.learners.items()}
    rng = stream(state.seed, state.sweep + 1, 0, _PLAY)
    trial, earned = Trial(learning.nets, weights, rng), []
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


def _after(state: MRAState, learning: Learning) -> MRAState:
    return replace(
        state,
        sweep=state.sweep + 1,
        learners=learning.learners,
        delayed=learning.delayed,
    )
