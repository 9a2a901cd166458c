"""Training of MRA and its variants: sweeps over games of several population sizes.

Algorithm 4 of arXiv 2108.12988, in which a game's turn is a batch of whole episodes
and then the cycles of updates that have become due.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from metaspiel.games.entities import Populated
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import stream
from mra.learning import Learning
from mra.nets import Nets
from mra.play import Actors, draw_latents, episodes, score
from mra.replay import Episodes
from mra.settings import MEASURED, Method, Training
from mra.state import MRAState, check, start
from mra.update import guess_step, information_step, reward_steps

__all__ = ["MRAState", "start", "sweep"]
_PLAY, _LEARN = 1, 2  # stages of a game's turn


def sweep(
    games: Sequence[Populated], method: Method, training: Training, state: MRAState
) -> tuple[MRAState, dict[str, Any]]:
    """One turn of every game; returns the next state and metrics as JSON holds them.

    By game: ``rewards`` (an agent and episode, by role, of the episodes that were
    played, exploration included), ``critic_loss``, ``information``, ``cross_entropy``
    (of who guesses the game from graphs) and ``counting_cross_entropy`` (from numbers
    of agents), in nats, means over groups and cycles; None where there is none.
    ``episodes`` and ``updates`` count what was done so far; ``seconds`` are of the CPU.

    Args:
      games: of one family, in the order of their turns.
      method: what is learned from what.
      training: how.
      state: where to go on. It is used up: the replays are written into.

    Raises:
      UserError: the state is of other games or another method.
      Diverged: a loss is not finite; only a checkpoint is still good.
    """
    begun = time.process_time()
    nets = Nets.of(method, games)
    check(state, games, nets)
    learning = Learning.of(nets, training, state)
    row: dict[str, Any] = {"sweep": state.sweep + 1, "games": {}}
    for number, game in enumerate(games):
        turn = _Turn(games, method, learning, state, number)
        row["games"][game.name] = turn.play() | turn.learn()
    made = learning.after(state)
    played = made.sweep * training.envs
    row["episodes"] = played * len(games)
    row["updates"] = training.inner * sum(
        training.cycles(made.sweep, game.limit) for game in games
    )
    row["seconds"] = round(time.process_time() - begun, 6)
    return made, row


class _Turn:
    """The turn of one game in a sweep."""

    def __init__(
        self,
        games: Sequence[Populated],
        method: Method,
        learning: Learning,
        state: MRAState,
        number: int,
    ) -> None:
        self.games, self.game, self.number = games, games[number], number
        self.method, self.learning, self.state = method, learning, state
        self.replay: Episodes = state.replays[number]

    def _rng(self, stage: int) -> np.random.Generator:
        return stream(self.state.seed, self.state.sweep + 1, self.number, stage)

    def play(self) -> dict[str, Any]:
        """Plays a batch of episodes into the replay."""
        learning, rng = self.learning, self._rng(_PLAY)
        latents = draw_latents(
            self.game, learning.nets, self._prior, learning.training.envs, rng
        )
        act = Actors(
            game=self.game,
            nets=learning.nets,
            weights=learning.parts,
            latents=latents,
            rng=rng,
        )
        played = episodes(self.game, act, latents, rng=rng)
        self.replay.add(played)
        return {"rewards": list(score(self.game, played).means)}

    @property
    def _prior(self) -> torch.Tensor | None:
        if self.method.prior == "uniform":
            return None
        return self.learning.learners["prior"].weights

    def learn(self) -> dict[str, Any]:
        """The cycles of updates that are due."""
        training, rng = self.learning.training, self._rng(_LEARN)
        done, limit = self.state.sweep, self.game.limit
        due = training.cycles(done + 1, limit) - training.cycles(done, limit)
        made = [self._cycle(rng) for _ in range(due)]
        means: dict[str, Any] = {}
        for name in MEASURED:
            values = [v for one in made if (v := one.get(name)) is not None]
            means[name] = sum(values) / len(values) if values else None
        if not np.isfinite(means["critic_loss"] or 0.0):
            raise Diverged(
                f"sweep(): losses must be finite; got {means['critic_loss']} in sweep "
                f"{self.state.sweep + 1}: a smaller rate than {training.rate} may help"
            )
        return means

    def _cycle(self, rng: np.random.Generator) -> dict[str, float | None]:
        """K inner steps, the meta step (Equation 6), then graph, prior, classifier."""
        learning, method, training = self.learning, self.method, self.learning.training
        reward_too = method.graph in ("reward", "both")
        moving = [
            learning.learners[part].weights
            for part in ("policy", *(("graph",) if reward_too else ()))
        ]
        before = [weights.clone() for weights in moving]
        errors = reward_steps(
            learning,
            self.game,
            self.replay,
            count=training.inner,
            rng=rng,
            graph_too=reward_too,
        )
        if method.alpha < 1:
            for weights, old in zip(moving, before, strict=True):
                weights.copy_(old.lerp(weights, method.alpha))
        return {
            "critic_loss": float(np.mean(errors)),
            "information": self._inform(rng),
            **self._guess(rng),
        }

    def _inform(self, rng: np.random.Generator) -> float | None:
        """The graph's step, where it learns from information; measures it anyway."""
        if self.method.relations.latents == 1:
            return None
        learns = self.method.graph in ("information", "both")
        nats = information_step(
            self.learning,
            self.game,
            self._sample(rng),
            priors=self._priors(),
            until=self.method.until if learns else 0.0,
        )
        return float(np.mean(nats))

    def _guess(self, rng: np.random.Generator) -> dict[str, float]:
        """The step of prior and classifiers, where there are several games."""
        if self.method.prior == "uniform" or len(self.games) < 2:
            return {}
        seeing, counting = guess_step(
            self.learning, self.game, self._sample(rng), self.number
        )
        return {"cross_entropy": seeing, "counting_cross_entropy": counting}

    def _sample(self, rng: np.random.Generator) -> Any:
        return self.replay.sample(rng.random(self.learning.training.minibatch))

    @torch.no_grad()
    def _priors(self) -> list[torch.Tensor]:
        """Logarithms of the latents' chances, of every group."""
        nets, weights = self.learning.nets, self._prior
        groups = range(len(nets.groups(self.game)))
        if weights is None:
            flat = torch.zeros(nets.prior.latents).log_softmax(0)
            return [flat for _ in groups]
        return [
            nets.prior.log_probabilities(weights[group], self.game.sizes)
            for group in groups
        ]
