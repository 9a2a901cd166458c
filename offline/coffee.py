"""COffeE-PSRO and OEF: PSRO on a learned model (Nguyen & Wellman 2026).

Nothing here is new machinery: the oracle and the evaluator of ``psro.rl`` play in a
``ModelSimulator``, whose ensemble makes the payoff table one of ensembles.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from meta_solvers import MetaSolver, get
from metaspiel.games.simulator import Simulator
from metaspiel.learn.nets import Network
from metaspiel.learn.settings import DDQN
from metaspiel.nfg.errors import UserError, unknown
from offline.model import ModelSimulator
from psro.executor import Executor
from psro.rl import LearnedOracle
from psro.setup import Setup

Name = Literal["coffee", "oef"]

# The published dynamics: Euler steps, projected; RD also stops at a regret of 1e-5.
SOLVERS = {
    "r2d": "r2d",
    "rd": "rrd:step=fixed,update=euclidean,floor=1e-6,steps=20000,threshold=1e-5,"
    "tolerance=0",
}


@dataclass(frozen=True)
class Approach:
    """The objective of a response: COffeE's conservative one, or plain payoffs.

    Attributes:
      name: "coffee" is conservative, "oef" is not.
      penalty: lambda of COffeE (Eq. 3); the paper tries 2, 4 and 6.
      coverage: alpha_0 of COffeE (Eq. 4); of the paper's values we know .3 only.
      anneal: responses until coverage has fallen to 0.
    """

    name: Name = "coffee"
    penalty: float = 2.0
    coverage: float = 0.1
    anneal: int = 10

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise unknown("Approach()", "name", self.name, get_args(Name))
        if not (self.penalty >= 0 and 0 <= self.coverage <= 1 and self.anneal >= 0):
            raise UserError(
                "Approach(): penalty must be at least 0, coverage in [0, 1] and anneal "
                f"at least 0; got {self.penalty}, {self.coverage}, {self.anneal}"
            )


def setup(
    simulator: Simulator,
    network: Network,
    approach: Approach,
    exploration: str,
    settings: DDQN,
    executor: Executor,
    seed: int,
    episodes: int = 1000,
) -> Setup:
    """The parts of the PSRO loop for one trial.

    Args:
      simulator: the learned model of one trial; or a real game, in which "oef" is the
        plain online PSRO of those who play the data.
      network: of all policies.
      approach: COffeE or OEF.
      exploration: the solver that is responded to: "r2d" or "rd" as published, or any
        name or spec of ``meta_solvers``.
      settings: hyper-parameters of the responses.
      executor: where learning and play run.
      seed: seed of the trial.
      episodes: number of episodes of each entry of the empirical game.
    """
    conservative = approach.name == "coffee"
    scale = 5.0
    if isinstance(simulator, ModelSimulator):
        scale = float(simulator.learned.scales.reward[0])
    oracle = LearnedOracle(
        simulator=simulator,
        network=network,
        settings=settings,
        executor=executor,
        shared=simulator.symmetric,
        episodes=episodes,
        penalty=approach.penalty if conservative else 0.0,
        coverage=approach.coverage if conservative else 0.0,
        anneal=approach.anneal,
        scale=scale,
    )
    evaluator = oracle.evaluator(seed)
    return Setup(
        oracle=oracle,
        evaluator=evaluator,
        solver=solver_of(exploration),
        concept="ne",
        seed=seed,
    )


def solver_of(name: str) -> MetaSolver:
    """The solver "r2d" or "rd" as published, or any other by its name or spec."""
    return get(SOLVERS.get(name, name))
