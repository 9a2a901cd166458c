"""How far agents are from equilibrium: what one gains that learns against the others.

The gain of a best response is 0 for nobody at an equilibrium and above it elsewhere. It
cannot be computed in these worlds, so that an agent with fresh networks learns while
the others stay as they are. What it gains is a lower bound of the gain of a best
response, up to the standard error: a better learner may gain more, and a gain below 0
says that this one learned less than the agent knew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from metaspiel.games.entities import Populated
from metaspiel.learn.agents import Trainable
from metaspiel.learn.ppo import Diverged
from metaspiel.learn.random import generators, stream
from mra.learning import Learning
from mra.measuring import check_fits, check_numbers
from mra.nets import Nets
from mra.play import Actors, draw_latents, episodes
from mra.replay import Episodes, Played
from mra.settings import Method, Training
from mra.state import DELAYED, capacity
from mra.update import reward_steps

_FRESH, _PLAY, _LEARN, _PICK, _SCORE = 1, 2, 3, 4, 5  # stages of randomness
_LEARNED = ("graph", "policy", "critic")


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What an agent gains by learning alone: a lower bound of a best response's gain.

    Attributes:
      agent: its number.
      before: its mean reward an episode among the others, as it was.
      after: as the deviating agent, with its likeliest actions.
      gain: mean difference of the two, in the same episodes.
      error: its standard error.
      steady: mean gain of its own likeliest actions, without learning: what it pays
        for exploring, which is part of the gain.
      episodes: how many; none of them had a say in the choice of a restart.
      restart: the one that was chosen.
      seen: gain of every restart in the episodes of the choice.
      rounds: batches of episodes that every restart learned from.
    """

    agent: int
    before: float
    after: float
    gain: float
    error: float
    steady: float
    episodes: int
    restart: int
    seen: tuple[float, ...]
    rounds: int

    def __str__(self) -> str:
        return (
            f"agent {self.agent} gains at least {self.gain:.3f} ± {self.error:.3f} an "
            f"episode (a lower bound of a best response's gain)"
        )


def measure_gain(
    game: Populated,
    method: Method,
    weights: Mapping[str, Tensor],
    training: Training,
    *,
    rounds: int,
    restarts: int,
    seed: int,
    agent: int = 0,
    count: int = 1024,
) -> Gain:
    """Lets one agent learn against the others, and says what it gains.

    It has fresh networks like the method's, always latent 0, and learns graph and
    policy from the reward (Equation 10); a round is a batch of ``training.envs``
    episodes and ``training.inner`` gradient steps.

    Args:
      game: of a size that the weights fit.
      method: whose agents they are.
      weights: of every part; they stay as they are.
      training: how the deviating agent learns, such as ``mra.settings.DEVIATING``.
      rounds: batches of episodes to learn from.
      restarts: how often it begins anew; the best one is chosen.
      seed: of everything.
      agent: who deviates.
      count: episodes of the choice, and as many others of the result.

    Raises:
      UserError: the weights do not fit the game, or a number is impossible.
      Diverged: a loss is not finite.
    """
    check_numbers(
        "measure_gain()",
        game,
        agent,
        rounds=(1, rounds),
        restarts=(1, restarts),
        count=(2, count),
    )
    shared = Nets.of(method, (game,))
    check_fits("measure_gain()", game, shared, weights)
    nets = replace(shared, apart=True)
    frozen = shared.each(game, weights)
    table = _Table(
        game=game,
        nets=nets,
        shared=shared,
        prior=method.prior_in(weights),
        agent=agent,
        training=training,
        count=count,
    )
    learned = [
        table.learn(frozen, rounds=rounds, seed=(seed, restart))
        for restart in range(restarts)
    ]
    deviating: dict[str, Any] = {"latent": 0, "likeliest": (agent,)}
    usual = table.earned(frozen, (seed, _PICK)).mean()
    picked = [table.earned(one, (seed, _PICK), **deviating) for one in learned]
    seen = tuple(float(one.mean() - usual) for one in picked)
    restart = int(np.argmax(seen))
    before = table.earned(frozen, (seed, _SCORE))
    steady = table.earned(frozen, (seed, _SCORE), likeliest=(agent,))
    after = table.earned(learned[restart], (seed, _SCORE), **deviating)
    gains = after - before
    return Gain(
        agent=agent,
        before=float(before.mean()),
        after=float(after.mean()),
        gain=float(gains.mean()),
        error=float(gains.std(ddof=1) / np.sqrt(count)),
        steady=float((steady - before).mean()),
        episodes=count,
        restart=restart,
        seen=seen,
        rounds=rounds,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Table:
    """A game in which one agent may deviate.

    Every agent has weights of its own; latents are drawn by the shared networks.
    """

    game: Populated
    nets: Nets
    shared: Nets
    prior: Tensor | None
    agent: int
    training: Training
    count: int

    def _play(
        self,
        weights: Mapping[str, Tensor],
        count: int,
        rng: np.random.Generator,
        *,
        latent: int | None = None,
        likeliest: tuple[int, ...] = (),
    ) -> Played:
        latents = draw_latents(self.game, self.shared, self.prior, count, rng)
        if latent is not None:
            latents[:, self.agent] = latent
        act = Actors(
            game=self.game,
            nets=self.nets,
            weights=weights,
            latents=latents,
            rng=rng,
            likeliest=likeliest,
        )
        return episodes(self.game, act, latents, rng=rng)

    def earned(
        self, weights: Mapping[str, Tensor], seed: tuple[int, ...], **how: Any
    ) -> Float64[ndarray, " B"]:
        """What the agent earns in the episodes of a seed."""
        played = self._play(weights, self.count, stream(*seed), **how)
        mine: ndarray = played.rewards[:, :, self.agent].double().sum(1).numpy()
        return mine

    def learn(
        self, frozen: Mapping[str, Tensor], *, rounds: int, seed: tuple[int, ...]
    ) -> dict[str, Tensor]:
        """The weights of all agents once the deviating one has learned."""
        game, training = self.game, self.training
        learning = self._fresh(frozen, seed)
        weights = learning.parts
        replay = Episodes(capacity(game, training), {})
        for number in range(rounds):
            rng = stream(*seed, number, _PLAY)
            played = self._play(weights, training.envs, rng, latent=0)
            # What is measured ends with the episode, and so does what is learned.
            played.playing[:, -1] = False
            replay.add(played)
            rng = stream(*seed, number, _LEARN)
            errors = reward_steps(
                learning, game, replay, count=training.inner, rng=rng, graph_too=True
            )
            if not np.isfinite(errors).all():
                raise Diverged(
                    f"measure_gain(): losses must be finite; got {errors[-1]} in round "
                    f"{number + 1}: a smaller rate than {training.rate} may help"
                )
        return weights

    def _fresh(self, frozen: Mapping[str, Tensor], seed: tuple[int, ...]) -> Learning:
        """Everybody's weights, those of the deviating agent untrained."""
        learners = {}
        parts = [(n, net) for n, net in self.nets.parts.items() if n in frozen]
        for (name, net), one in zip(
            parts, generators((*seed, _FRESH), len(parts)), strict=True
        ):
            weights = frozen[name].clone()
            if name in _LEARNED:
                weights[self.agent] = net.initial(one)
            learners[name] = Trainable.fresh(weights)
        return Learning(
            nets=self.nets,
            training=self.training,
            learners=learners,
            delayed={name: learners[name].weights.clone() for name in DELAYED},
            only=(self.agent,),
        )
