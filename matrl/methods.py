"""MATRL, its ablations and its controls.

Wen et al., "A Game-Theoretic Approach to Multi-Agent Trust Region Optimization". An
iteration takes a trial step, asks a gate how much of it each agent keeps, and may
answer the others' choice with a best response.
"""

from dataclasses import dataclass, field
from typing import Literal

from metaspiel.learn.markov_settings import PPO
from metaspiel.nfg.errors import BadField, at_least, positive, share, unknown

Gate = Literal["predicted", "current", "nash", "random"]


@dataclass(frozen=True)
class Method:
    """A method: what an iteration does after the trial step.

    Attributes:
      gate: how much of the trial step is kept: "predicted" all of it, "current" none,
        "nash" what an equilibrium of the meta-game says, "random" a uniform share for
        each agent, which is what a solver fed with noise amounts to.
      respond: whether a best response follows.
      longer: the trial step takes the best response's steps as well.
      about: one line for readers.
    """

    gate: Gate
    respond: bool
    longer: bool = False
    about: str = ""

    @property
    def asks(self) -> bool:
        """Whether the method needs the trial policies' probabilities of the samples."""
        return self.respond or self.gate == "nash"


METHODS = {
    "il": Method("predicted", False, about="independent learners: the trial step"),
    "il-matched": Method(
        "predicted", False, True, "independent learners with as many steps as MATRL"
    ),
    "il-la": Method("predicted", True, about="look-ahead: a response, no meta-game"),
    "matrl": Method("nash", True, about="meta-game and response"),
    "matrl-wo-br": Method("nash", False, about="meta-game only"),
    "random-rho": Method("random", True, about="a random share, and a response"),
}
"""Every method by name. The controls are "il-matched" and "random-rho"."""


def method(name: str) -> Method:
    """A method by name.

    Raises:
      UserError: there is none of that name.
    """
    if name not in METHODS:
        raise unknown("method()", "method", name, METHODS)
    return METHODS[name]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hyper-parameters of an iteration.

    Attributes:
      ppo: hyper-parameters of the learners.
      br_steps: K_BR, Adam steps of the best response.
      br_rate: Adam's learning rate of best responses.
      br_clip: c-bar, by which a sample's weight in the best response may leave 1.
      meta_clip: c_m, by which a profile's joint ratio may leave 1 in the meta-game;
        ``inf`` for the unclipped estimator.
      aggregate: how an agent that keeps a share of its step is made: "params" averages
        weights (what the authors' code does), "distill" also fits the mixture of both
        policies on the batch, "mixture" plays its mixed strategy: it draws one of the
        two.
      distill_steps: Adam steps of "distill".
      br_start: the best response starts at the "aggregate" (authors' deep code) or at
        the "current" policy (their tabular code).
      held_out: share of the environments whose samples only the meta-game sees. The
        trial step is fitted to the others, so its own samples flatter it.
      cautious: standard errors that a moved profile's value is lowered by.
      select: which of several equilibria, see ``meta_solvers.two_action``. The paper
        draws one at random.
      pure_first: prefer pure equilibria.
      moments: the optimiser's moments are carried from iteration to iteration
        ("keep") or start from nothing ("reset").
      most: largest ratio of probabilities that counts as learning; beyond it the run
        stops.
    """

    ppo: PPO = field(default_factory=PPO)
    br_steps: int = 5
    br_rate: float = 2e-3
    br_clip: float = 0.1
    meta_clip: float = float("inf")
    aggregate: Literal["params", "distill", "mixture"] = "params"
    distill_steps: int = 5
    br_start: Literal["aggregate", "current"] = "aggregate"
    held_out: float = 0.0
    cautious: float = 0.0
    select: Literal["first", "random", "max_welfare", "risk_dominant"] = "random"
    pure_first: bool = False
    moments: Literal["keep", "reset"] = "keep"
    most: float = 1e6

    def __post_init__(self) -> None:
        at_least(self, br_steps=1, distill_steps=1)
        positive(self, "br_rate", "br_clip", "meta_clip")
        share(self, "held_out", below=True)
        if not 0 <= self.cautious < float("inf"):
            raise BadField(
                type(self), "cautious", f"must be at least 0; got {self.cautious}"
            )
        if not self.most > 1:
            raise BadField(type(self), "most", f"must be above 1; got {self.most}")
        kept = round(self.held_out * self.ppo.envs)
        if self.held_out and not 0 < kept < self.ppo.envs:
            raise BadField(
                type(self),
                "held_out",
                "must leave at least one environment on either side; got "
                f"{self.held_out} of {self.ppo.envs}",
            )
