"""Lower bounds on the regret of a profile in the true game.

A response to the profile is learned online in the true game; the deviations tried are
the population's own policies and the responses learned to all profiles given. The best
deviation is chosen on one set of episodes and measured on a fresh one, paired with the
profile itself on the same instances, so that choosing a maximum does not bias it. What
the responses failed to learn is missing: it is a lower bound in expectation, and grows
with the number of profiles (k) that were responded to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from metaspiel.games.simulator import Simulator
from metaspiel.learn.evaluate import Matches, Scores, play
from metaspiel.learn.nets import Network
from metaspiel.learn.policies import Habit, Pool
from metaspiel.learn.responses import train
from metaspiel.learn.settings import DDQN
from metaspiel.learn.tasks import Learned, Task
from metaspiel.nfg.errors import UserError, at_least
from metaspiel.nfg.simplex import product
from offline.baselines import Clone
from offline.settings import JUDGING
from psro.executor import Executor


@dataclass(frozen=True)
class Judge:
    """Settings of the regret estimate.

    Attributes:
      settings: hyper-parameters of the responses.
      episodes: number of episodes of each deviation when the best is chosen.
      fresh: on which the best is measured.
      scale: payoffs are divided by this while a response learns.
    """

    settings: DDQN = JUDGING
    episodes: int = 2000
    fresh: int = 20_000
    scale: float = 5.0

    def __post_init__(self) -> None:
        at_least(self, episodes=2, fresh=2)


@dataclass(frozen=True, eq=False, kw_only=True)
class Regret:
    """Gains from deviating from a profile in the true game.

    Attributes:
      total: sum over players, on fresh episodes.
      error: its standard error.
      per_player: ``[N]``.
      screened: the sum of maxima on the episodes that chose them, as published
        estimates are made; biased upwards.
      values: what the profile pays each player ``[N]``.
      best: for each player the best deviation: "policy 3", "response 0" (to the first
        profile given) or, where policies imitate, "unmixed 3".
      responses: what the response to this profile gained over it, by player ``[N]``.
      profiles: k, profiles that were responded to.
    """

    total: float
    error: float
    per_player: Float64[ndarray, " N"]
    screened: float
    values: Float64[ndarray, " N"]
    best: tuple[str, ...]
    responses: Float64[ndarray, " N"]
    profiles: int


Profile = tuple[ndarray, ...]
"""A mixture over each player's pool."""


def regrets(
    simulator: Simulator,
    network: Network,
    executor: Executor,
    pools: tuple[Pool, ...],
    profiles: Sequence[Profile],
    judge: Judge,
    seed: tuple[int, ...],
    imitation: tuple[Clone, float] | None = None,
) -> list[Regret]:
    """Regrets of mixed profiles over one population.

    Args:
      simulator: the true game. Where it is symmetric and both the pools and a profile
        are the same for all players, player 0 stands for all.
      network: network of all policies.
      executor: where responses learn and episodes are played.
      pools: policies of each player.
      profiles: mixtures over the pools; each is responded to.
      judge: how it is measured.
      seed: seed of everything random.
      imitation: OEF-BC: a cloned behaviour and how often every policy imitates it. The
        policies themselves, unmixed, are then deviations too.

    Raises:
      UserError: a mixture does not fit its pool.
    """
    _check(pools, profiles)
    seats = _seats(simulator, pools, profiles)
    sizes = tuple(len(pool) for pool in pools)
    habit = None
    if imitation is not None:
        habit = imitation[0].habit(imitation[1], sizes)
    answering = partial(_task, simulator, network, judge, pools=pools, habit=habit)
    tasks = [
        answering(sigma=sigma, player=player, seed=(*seed, number))
        for number, sigma in enumerate(profiles)
        for player in seats
    ]
    learned = executor.answer(train, tasks)
    responses = {p: learned[i :: len(seats)] for i, p in enumerate(seats)}
    asked = [
        _Deviations(task, responses[task.player], sigma, judge)
        for task, sigma in zip(tasks, [s for s in profiles for _ in seats], strict=True)
    ]
    first = executor.answer(play, [d.screening() for d in asked])
    chosen = [d.best(score) for d, score in zip(asked, first, strict=True)]
    last = executor.answer(
        play, [d.measuring(one) for d, one in zip(asked, chosen, strict=True)]
    )
    gains = [
        d.gain(before, one, after)
        for d, before, one, after in zip(asked, first, chosen, last, strict=True)
    ]
    step, players = len(seats), simulator.players
    return [
        _together(gains[i * step : (i + 1) * step], i, players, len(profiles))
        for i in range(len(profiles))
    ]


def _seats(
    simulator: Simulator, pools: tuple[Pool, ...], profiles: Sequence[Profile]
) -> list[int]:
    """Players whose deviations are tried: one for all where players are alike."""
    alike = all(pool is pools[0] or pool.alike(pools[0]) for pool in pools)
    same = all(np.array_equal(s, sigma[0]) for sigma in profiles for s in sigma)
    if simulator.symmetric and alike and same:
        return [0]
    return list(range(simulator.players))


def _task(
    simulator: Simulator,
    network: Network,
    judge: Judge,
    pools: tuple[Pool, ...],
    sigma: Profile,
    player: int,
    seed: tuple[int, ...],
    habit: Habit | None,
) -> Task:
    """The task of learning a player's response to a profile."""
    return Task(
        simulator=simulator,
        network=network,
        settings=judge.settings,
        player=player,
        pools=pools,
        co_play=product([s for q, s in enumerate(sigma) if q != player]),
        seed=(*seed, player),
        scale=judge.scale,
        habit=habit,
    )


def _check(pools: tuple[Pool, ...], profiles: Sequence[Profile]) -> None:
    for number, sigma in enumerate(profiles):
        for player, (mixture, pool) in enumerate(zip(sigma, pools, strict=True)):
            fits = mixture.shape == (len(pool),) and np.all(mixture >= 0)
            if not fits or abs(float(mixture.sum()) - 1) > 1e-6:
                raise UserError(
                    f"regrets(): player {player}'s mixture in profile {number} must be "
                    f"a distribution over {len(pool)} policies; got {mixture.tolist()}"
                )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Gain:
    """The gain of one player's best deviation."""

    mean: float
    error: float
    screened: float
    values: ndarray
    name: str
    responses: ndarray


class _Deviations:
    """All deviations of one player from one profile.

    The pool of the player holds its policies, then the same unmixed where they imitate,
    then the responses; row 0 of what is played is the profile itself.
    """

    def __init__(
        self, task: Task, learned: Sequence[Learned], sigma: Profile, judge: Judge
    ) -> None:
        self.task, self.sigma, self.judge = task, sigma, judge
        player, own = task.player, task.pools[task.player]
        extra = Pool.of(np.stack([response.policy for response in learned]))
        names = [f"policy {i}" for i in range(len(own))]
        if task.habit is not None:
            extra = own + extra
            names += [f"unmixed {i}" for i in range(len(own))]
        self.names = names + [f"response {i}" for i in range(len(learned))]
        self.responses = len(learned)
        self.pools = (*task.pools[:player], own + extra, *task.pools[player + 1 :])
        self.habit = task.habit
        if task.habit is not None:
            chances = list(task.habit.chances)
            chances[player] = np.append(chances[player], np.zeros(len(extra)))
            self.habit = replace(task.habit, chances=tuple(chances))

    def _matches(self, deviations: Sequence[int], episodes: int, tag: int) -> Matches:
        """Matches of the profile and of deviations from it, on the same episodes."""
        seed = (*self.task.seed, tag)
        rng = np.random.default_rng(seed)
        drawn = [rng.choice(len(s), episodes, p=s / s.sum()) for s in self.sigma]
        rows = np.repeat(np.stack(drawn, 1)[None], 1 + len(deviations), axis=0)
        for row, deviation in enumerate(deviations, start=1):
            rows[row, :, self.task.player] = deviation
        return Matches(
            simulator=self.task.simulator,
            network=self.task.network,
            pools=self.pools,
            profiles=rows,
            seed=seed,
            habit=self.habit,
            device=self.task.settings.device,
        )

    def screening(self) -> Matches:
        """Matches that try all deviations."""
        return self._matches(range(len(self.names)), self.judge.episodes, 1)

    def best(self, score: Scores) -> int:
        """The index of the deviation with the largest mean payoff."""
        return int(score.mean[0, 1:, self.task.player].argmax())

    def measuring(self, best: int) -> Matches:
        """Matches that measure one deviation on fresh episodes."""
        return self._matches([best], self.judge.fresh, 2)

    def gain(self, first: Scores, best: int, last: Scores) -> _Gain:
        """The best deviation's gain, from what was played."""
        player = self.task.player
        paid = last.outcomes[:, :, 0, player].astype(np.float64)
        apart = paid[1] - paid[0]
        screened = first.mean[0, :, player] - first.mean[0, 0, player]
        return _Gain(
            mean=float(apart.mean()),
            error=float(apart.std(ddof=1) / np.sqrt(len(apart))),
            screened=float(screened[1 + best]),
            values=last.mean[0, 0],
            name=self.names[best],
            responses=screened[-self.responses :],
        )


def _together(gains: Sequence[_Gain], number: int, players: int, k: int) -> Regret:
    """One profile's regret; in a symmetric case one player counts for all."""
    times = players // len(gains)
    values = gains[0].values
    if times > 1:
        values = np.full(players, values.mean())
    return Regret(
        total=times * sum(g.mean for g in gains),
        error=times * float(np.sqrt(sum(g.error**2 for g in gains))),
        per_player=np.repeat([g.mean for g in gains], times),
        screened=times * sum(g.screened for g in gains),
        values=values,
        best=tuple(g.name for g in gains for _ in range(times)),
        responses=np.repeat([g.responses[number] for g in gains], times),
        profiles=k,
    )
