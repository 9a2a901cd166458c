"""Hyper-parameters of the learners of Markov games, and checks of them."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from metaspiel.nfg.errors import BadField, UserError, at_least, positive, share, unknown

Kind = Literal["vdn", "qmix", "qtran"]
Reward = Literal["team", "own"]


@dataclass(frozen=True, kw_only=True)
class PPO:
    """Hyper-parameters of PPO; the defaults are those of MATRL's grid worlds.

    Actor and critic are separate networks with optimisers of their own, so a
    coefficient of the critic's loss would only rescale it, which Adam does not see.
    Coefficients of entropy and KL are relative to that of the policy's loss.

    Attributes:
      batch: environment steps an iteration, over all environments.
      envs: environments played side by side; ``batch`` must be a multiple.
      rate: Adam's learning rate.
      steps: K, full-batch steps of actor and critic an iteration.
      clip: epsilon, by which the ratio of an action's probabilities may leave 1.
      entropy: c_H, coefficient of the entropy bonus.
      kl: c_KL, coefficient of the divergence from the policy that played.
      gamma: discount factor.
      lam: lambda of generalised advantage estimation.
      target_kl: an agent's actor rests for the iteration once its estimated
        divergence exceeds 1.5 of this; ``inf`` for never.
      value_clip: how far a value may move in an iteration without being held back;
        ``inf`` for as far as it likes.
      value_target: the critic's aim: "to_go", the discounted rewards to come, or "gae",
        advantage plus value.
      bootstrap_limits: an episode cut by the time limit is worth what the critic says
        of its last observation, not 0. The end of a batch is always bootstrapped.
      reward: "own", or "team" for the sum over agents.
      width: H, units of each hidden layer.
      share: one network for all agents, who are told their number.
      rows: samples, the first of one environment, that updates see; 0 for all. 6 is
        what the authors' independent learner trained on, and why it failed.
    """

    batch: int = 2000
    envs: int = 40
    rate: float = 2e-3
    steps: int = 10
    clip: float = 0.1
    entropy: float = 0.05
    kl: float = 1e-3
    gamma: float = 0.99
    lam: float = 0.95
    target_kl: float = 0.1
    value_clip: float = 0.1
    value_target: Literal["to_go", "gae"] = "to_go"
    bootstrap_limits: bool = False
    reward: Literal["own", "team"] = "own"
    width: int = 128
    share: bool = False
    rows: int = 0

    def __post_init__(self) -> None:
        at_least(self, batch=1, envs=1, steps=1, width=1)
        if self.batch % self.envs:
            raise BadField(
                type(self),
                "batch",
                f"must be a multiple of envs, {self.envs}; got {self.batch}",
            )
        positive(self, "rate", "clip", "target_kl", "value_clip")
        share(self, "gamma", "lam")
        for name in ("entropy", "kl"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise BadField(
                    type(self),
                    name,
                    f"must be a number of at least 0; got {getattr(self, name)}",
                )
        if not 0 <= self.rows <= self.batch // self.envs:
            raise BadField(
                type(self),
                "rows",
                "must be from 0 to the steps of one environment, "
                f"{self.batch // self.envs}; got {self.rows}",
            )


def whole_episodes(settings: PPO, limit: int) -> PPO:
    """The same with so many environments that each has time for a whole episode.

    Args:
      settings: whose environments share the batch; they do not become more.
      limit: steps of the longest episode.
    """
    most = min(settings.envs, max(1, settings.batch // limit))
    envs = next(n for n in range(most, 0, -1) if settings.batch % n == 0)
    return replace(settings, envs=envs)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Settings that all learners from replay share.

    Attributes:
      batch: environment steps of an iteration, over all environments.
      envs: B, environments side by side. A new episode begins in each at the start of
        an iteration, so an episode is cut after ``batch / envs`` steps.
      every: environment steps between rounds of updates.
      updates: gradient steps of such a round.
      minibatch: steps in an update.
      capacity: steps that the replay holds.
      warm: environment steps before learning begins.
      rate: Adam's learning rate.
      gamma: discount a step.
      clip: largest norm of a gradient; a longer one is shortened to it.
      reward: "team" learns from the sum over agents, "own" from each agent's own.
      episodes: that measure the policy (one, where the game has no chance).
    """

    batch: int = 2000
    envs: int = 40
    every: int = 40
    updates: int = 2
    minibatch: int = 128
    capacity: int = 100_000
    warm: int = 2000
    rate: float = 5e-4
    gamma: float = 0.99
    clip: float = 10.0
    reward: Reward = "team"
    episodes: int = 20

    def __post_init__(self) -> None:
        where = f"{type(self).__name__}()"
        at_least(self, batch=1, envs=1, every=1, updates=1, minibatch=1)
        at_least(self, capacity=1, episodes=1)
        if self.batch % self.envs or self.capacity < self.envs:
            raise UserError(
                f"{where}: batch must be a multiple of envs and capacity at least "
                f"envs; got {self.batch}, {self.envs} and {self.capacity}"
            )
        if not (self.warm >= 0 and self.rate > 0 and self.clip > 0):
            raise UserError(
                f"{where}: warm must be at least 0, rate and clip positive; got "
                f"{self.warm}, {self.rate} and {self.clip}"
            )
        share(self, "gamma")
        if self.reward not in ("team", "own"):
            raise UserError(
                f"{where}: reward must be 'team' or 'own'; got '{self.reward}'"
            )


@dataclass(frozen=True, kw_only=True)
class Mixing(Schedule):
    """Hyper-parameters of value mixing; some defaults are those of MATRL's baselines.

    MATRL does not say the rest; two updates every 40 environment steps, from a
    replay that holds 50 iterations, are a compromise with speed. Agents have no memory,
    so where an observation leaves out what matters (in Switch, where the others are)
    values are averages over situations, and greedy play may stand still for good.

    Attributes:
      kind: "vdn", "qmix" or "qtran".
      width: units of both hidden layers of an agent's network.
      mixing: units of the mixing network's hidden layer, or of both hidden layers of
        QTRAN's networks.
      hyper: units of the hidden layers of QMIX's hypernetworks.
      target_every: updates between copies of the target networks.
      explore: epsilon, an agent's chance of a uniformly random action, at the start.
      explore_last: at the end.
      anneal: environment steps over which epsilon falls linearly.
    """

    kind: Kind = "qmix"
    width: int = 128
    mixing: int = 128
    hyper: int = 64
    target_every: int = 200
    explore: float = 1.0
    explore_last: float = 0.05
    anneal: int = 100_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in get_args(Kind):
            raise unknown("Mixing()", "kind", self.kind, get_args(Kind))
        at_least(self, width=1, mixing=1, hyper=1, target_every=1, anneal=1)
        if not 0 <= self.explore_last <= self.explore <= 1:
            raise BadField(
                type(self),
                "explore_last",
                "must be at most explore, both in [0, 1]; got "
                f"{self.explore_last} and {self.explore}",
            )
        if self.reward != "team":
            raise BadField(
                type(self),
                "reward",
                f"must be 'team', the value that is decomposed; got '{self.reward}'",
            )


@dataclass(frozen=True, kw_only=True)
class MADDPG(Schedule):
    """Hyper-parameters of MADDPG; defaults as far as known are MATRL's baseline.

    MATRL says two layers of 300 units, rate 0.001, minibatches of 100, 10 000 steps
    before learning and an update every 100 steps. Lowe et al. make one gradient step
    then; the default here is more, since one learns little in the budgets of these
    games. The rest is not said.

    Attributes:
      every: as in ``Schedule``.
      updates: as in ``Schedule``.
      minibatch: as in ``Schedule``.
      warm: see ``Schedule``; until then actions are uniformly random.
      rate: Adam's learning rate of actors and critics.
      width: units of both hidden layers of all networks.
      polyak: share of the target networks that stays in an update.
      noise: deviation of exploration, for continuous actions.
      temperature: temperature of the softmax, for discrete actions.
      shrink: weight of the squared outputs of actors, which keeps them from saturating.
    """

    every: int = 100
    updates: int = 5
    minibatch: int = 100
    warm: int = 10_000
    rate: float = 1e-3
    width: int = 300
    polyak: float = 0.99
    noise: float = 0.1
    temperature: float = 1.0
    shrink: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, width=1)
        share(self, "polyak", below=True)
        if not (self.noise >= 0 and self.temperature > 0 and self.shrink >= 0):
            raise BadField(
                type(self),
                "noise",
                "and shrink must be at least 0 and temperature positive; got "
                f"{self.noise}, {self.shrink} and {self.temperature}",
            )
