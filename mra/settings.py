"""Methods that learn one policy for several population sizes, and how long they learn.

Light: command lines read this file, so it loads no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args

from metaspiel.learn.relational_settings import Relations
from metaspiel.nfg.errors import (
    BadField,
    UserError,
    at_least,
    at_most,
    finite,
    positive,
    share,
    unknown,
)

T = TypeVar("T")
Teacher = Literal["information", "reward", "both", "nothing"]
Drawn = Literal["learned", "uniform"]
Critic = Literal["relational", "maac"]
Rewards = Literal["standardised", "scaled", "raw"]
MOST = 100_000
"""Largest number of episodes side by side, and of transitions in a minibatch."""
MEASURED = ("critic_loss", "information", "cross_entropy", "counting_cross_entropy")
"""What a game's turn measures while it learns; see ``mra.train.sweep``."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a method learns, and from what.

    Attributes:
      relations: the networks.
      prior: how agents draw latents: from a "learned" prior a game, or "uniform".
      together: agents of a role share one latent an episode, so that they can take up
        a joint mode; else each draws its own.
      graph: what the graph network learns from: mutual "information" with the actions
        (Equation 11), the "reward" through the policy, "both", or "nothing".
      until: information above which the graph learns no more from it, in nats.
      alpha: share of an inner loop's way that the policy keeps (Reptile), and the graph
        where it learns from the reward; 1 keeps all.
      apart: every agent has networks of its own, which then fit one size only.
      copies: networks of a role, which share its agents evenly, side by side (the
        crossed populations of EPC).
      critic: "relational", with the policy's graph, or that of "maac".
    """

    relations: Relations = field(default_factory=Relations)
    prior: Drawn = "learned"
    together: bool = False
    graph: Teacher = "information"
    until: float = float("inf")
    alpha: float = 1.0
    apart: bool = False
    copies: int = 1
    critic: Critic = "relational"

    def prior_in(self, weights: Mapping[str, T]) -> T | None:
        """The weights of the prior from which latents are drawn; None is uniform."""
        return None if self.prior == "uniform" else weights["prior"]

    def __post_init__(self) -> None:
        at_least(self, copies=1)
        for name, known in (
            ("graph", get_args(Teacher)),
            ("prior", get_args(Drawn)),
            ("critic", get_args(Critic)),
        ):
            if getattr(self, name) not in known:
                raise unknown("Method()", name, getattr(self, name), known)
        if self.apart and self.copies > 1:
            raise BadField(
                type(self),
                "copies",
                f"must be 1 where all are apart; got {self.copies}",
            )
        if not 0 < self.alpha <= 1:
            raise BadField(
                type(self), "alpha", f"must be above 0, at most 1; got {self.alpha}"
            )
        positive(self, "until")
        if self.graph in ("information", "both") and self.relations.latents < 2:
            raise UserError(
                "Method(): a graph that learns from information needs at least 2 "
                f"latents; got {self.relations.latents}"
            )


_ONE = Relations(latents=1)
_PLAIN = Method(relations=_ONE, prior="uniform", graph="reward")

METHODS: Mapping[str, Method] = {
    "mra": Method(),
    "uni": Method(prior="uniform"),
    "uni-random": Method(prior="uniform", graph="nothing"),
    "both": Method(graph="both"),
    "together": Method(together=True),
    "until": Method(until=0.01),
    "concat": Method(relations=Relations(form="concat")),
    "bilinear": Method(relations=Relations(form="bilinear")),
    "paper-input": Method(relations=Relations(landmarks="concatenated")),
    "plain": _PLAIN,
    "deepsets": Method(
        relations=Relations(latents=1, form="mean"), prior="uniform", graph="nothing"
    ),
    "reptile": Method(relations=_ONE, prior="uniform", graph="reward", alpha=0.25),
    "maddpg": Method(relations=_ONE, prior="uniform", graph="reward", apart=True),
    "maac": Method(relations=_ONE, prior="uniform", graph="reward", critic="maac"),
}
"""Methods by name. "mra" in one game is the paper's single-game agent, "plain" in one
game MADDPG with shared parameters."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How episodes are played and steps of learning made from them, in all that learns.

    Attributes:
      envs: P, episodes side by side in a game's turn.
      minibatch: transitions in a step.
      capacity: environment steps that the replay of a game holds.
      rate: Adam's learning rate of policies, priors and classifiers, and of graphs
        where they learn from the reward.
      critic_rate: that of critics, on whose first guesses policies cannot improve.
      settle: critics' first steps, in which policies do not learn: what they learn from
        critics that know nothing can be the end of them (all leave, say).
      decay: weight decay of all but the graph's information steps, whose gradients are
        smaller than it.
      gamma: discount a step.
      entropy: lambda, weight of the policy's entropy.
      soft: share of the delayed networks that is renewed in a gradient step.
      clip: largest norm of a critic's gradient, whose loss is a mean over agents (the
        authors' is a sum, and this times N).
      rewards: what critics learn from, over the replay of a role: "standardised",
        "scaled" to deviation 1, or "raw". What is taken off a reward is not taken off
        the 0 that follows an end: where agents may end early, take "scaled".
    """

    envs: int = 32
    minibatch: int = 128
    capacity: int = 20_000
    rate: float = 1e-3
    critic_rate: float = 3e-3
    settle: int = 100
    decay: float = 0.0
    gamma: float = 0.95
    entropy: float = 1 / 30
    soft: float = 0.01
    clip: float = 10.0
    rewards: Rewards = "standardised"

    def __post_init__(self) -> None:
        at_least(self, envs=1, minibatch=1, capacity=1, settle=0)
        finite(self, "rate", "critic_rate", "clip")
        at_most(self, envs=MOST, minibatch=MOST, capacity=100 * MOST)
        share(self, "gamma", "soft")
        for name in ("decay", "entropy"):
            if not getattr(self, name) >= 0:
                raise BadField(
                    type(self), name, f"must be at least 0; got {getattr(self, name)}"
                )
        if self.rewards not in get_args(Rewards):
            where = f"{type(self).__name__}()"
            raise unknown(where, "rewards", self.rewards, get_args(Rewards))


@dataclass(frozen=True, kw_only=True)
class Training(Steps):
    """How a method plays and learns; defaults are the ten-minute setting.

    Attributes:
      every: environment steps of a game between cycles of updates.
      inner: K, critic and policy steps of a cycle, each on a minibatch of its own.
      graph_rate: learning rate of the graph network's information steps.
    """

    every: int = 640
    inner: int = 10
    graph_rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, every=1, inner=1)
        finite(self, "graph_rate")
        at_most(self, inner=MOST)

    def cycles(self, sweeps: int, limit: int) -> int:
        """Cycles of updates that a game of so many steps has seen after some sweeps.

        There are none before the replay holds a minibatch.
        """
        new = self.envs * limit
        idle = min(sweeps, -(-self.minibatch // new) - 1)
        return sweeps * new // self.every - idle * new // self.every


DEVIATING = Training(
    envs=64,
    minibatch=256,
    rate=3e-3,
    critic_rate=3e-3,
    soft=0.05,
    entropy=0.1,
    gamma=1.0,
)
"""How an agent learns to deviate in "resource(agents=2,discs=3,steps=5)": in 60 rounds
it gains 1.0 against untrained agents there, four times what they earn."""


# Agents may be out early, and what is taken off a reward is not taken off the 0 that
# follows.
_PACMAN = {"rewards": "scaled"}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long runs are, and how they are measured.

    Attributes:
      training: how they learn.
      sweeps: turns of every game.
      measure_every: sweeps between measurements.
      episodes: of a measurement.
      worlds: what is different in some worlds, by their kind.
    """

    training: Training
    sweeps: int
    measure_every: int
    episodes: int
    worlds: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {"pacman": _PACMAN}
    )

    def usual(self, world: str) -> Training:
        """How agents learn in a world by its name, with parameters or without."""
        kind = world.partition("(")[0].strip()
        return replace(self.training, **self.worlds.get(kind, {}))


BUDGETS: Mapping[str, Budget] = {
    "tiny": Budget(
        training=Training(
            envs=4, every=80, inner=2, minibatch=16, capacity=400, settle=0
        ),
        sweeps=2,
        measure_every=1,
        episodes=8,
    ),
    "ten-minutes": Budget(
        training=Training(),
        sweeps=30,
        measure_every=5,
        episodes=256,
        # With .95 agents come to crowd the largest discs (results/mra/fall.md).
        worlds={"pacman": _PACMAN, "resource": {"gamma": 0.8}},
    ),
    "paper": Budget(
        training=Training(
            envs=12,
            every=100,
            minibatch=1024,
            capacity=100_000,
            rate=3e-4,
            critic_rate=3e-4,
            settle=0,
            graph_rate=3e-4,
            decay=3e-4,
        ),
        sweeps=6667,  # 80,000 episodes a game
        measure_every=100,
        episodes=256,
    ),
}
"""Budgets by name; "paper" has the constants of the authors' code."""
