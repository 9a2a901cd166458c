"""The two-action meta-game: each agent keeps its policy or takes its trial step.

Every one of the 2^N profiles is valued from samples of one of them, by importance
weights (Wen et al., section 4); no new episodes are played. The change of the density
of states is ignored, as there.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from meta_solvers.base import SolverFailed, Status
from meta_solvers.solving import solve
from meta_solvers.two_action import TwoActionNash
from metaspiel.learn.ppo import Diverged
from metaspiel.nfg.game import Game
from metaspiel.nfg.simplex import marginals


@dataclass(frozen=True, eq=False)
class MetaGame:
    """Gains of N agents over the profile in which all keep their policies.

    Attributes:
      payoffs: of every profile, action 0 to keep and 1 to move; 0 where all keep.
      errors: standard errors of the payoffs, samples taken as independent.
    """

    payoffs: Float64[ndarray, "N *actions"]
    errors: Float64[ndarray, "N *actions"]


def profiles(agents: int) -> Float64[ndarray, "C N"]:
    """Movers in each of the ``C = 2**N`` profiles, agent 0 varying slowest."""
    return np.indices((2,) * agents).reshape(agents, -1).T.astype(float)


def estimate(
    log_ratios: Float32[ndarray, "N M"],
    advantages: Float32[ndarray, "N M"],
    clip: float = float("inf"),
    most: float = 1e6,
) -> MetaGame:
    """Estimates a meta-game from samples by importance weighting.

    ``G_i(b) = mean_t (w_t(b) - 1) A_{i,t}``, w the product of the movers' ratios.

    Args:
      log_ratios: of each agent's trial policy to the one that played, at the samples.
      advantages: advantages of each agent at the samples.
      clip: by which the product may leave 1.
      most: largest single ratio that is believed.

    Raises:
      Diverged: a ratio exceeds ``most`` or is not a number.
    """
    agents, samples = log_ratios.shape
    logs = log_ratios.astype(np.float64)
    worst = float(logs.max())
    if not worst <= np.log(most):
        at = int(np.nan_to_num(logs, nan=np.inf).max(1).argmax())
        raise Diverged(
            f"MATRL: a ratio of probabilities must be at most {most:g}; agent {at}'s "
            f"trial step has one of exp({worst:.3g})"
        )
    weight = np.exp(profiles(agents) @ logs)
    weight = np.clip(weight, 1 - clip, 1 + clip) - 1
    values = advantages.astype(np.float64)
    gain = weight @ values.T / samples
    square = weight**2 @ (values**2).T / samples
    error = np.sqrt(np.maximum(square - gain**2, 0) / samples)
    shape = (agents, *(2,) * agents)
    return MetaGame(gain.T.reshape(shape), error.T.reshape(shape))


@dataclass(frozen=True, eq=False)
class Choice:
    """An equilibrium of a meta-game.

    Attributes:
      rho: probability that each agent keeps its policy.
      equilibria: number found; of pure ones only where ``pure_first`` found some.
      regret: largest gain from deviating, as a fraction of the payoff range.
      status: of the solver; not OK where only an approximate equilibrium was found.
    """

    rho: Float64[ndarray, " N"]
    equilibria: int
    regret: float
    status: Status


def choose(
    game: MetaGame,
    solver: TwoActionNash,
    rng: np.random.Generator,
    cautious: float = 0.0,
) -> Choice:
    """A Nash equilibrium of a meta-game.

    Args:
      game: the meta-game to solve.
      solver: the solver that selects the equilibrium.
      rng: random generator, for solvers that draw.
      cautious: standard errors by which moved profiles are valued lower.

    Raises:
      SolverFailed: the solver met numbers that are not finite.
    """
    table = game.payoffs - cautious * game.errors
    solution = solve(solver, Game(table), rng, throw=False)
    if solution.status is Status.NUMERICAL:
        raise SolverFailed(solution)
    facts = solution.diagnostics
    # A marginal is a sum, which may round above 1.
    rho = np.array([min(1.0, float(one[0])) for one in marginals(solution.joint)])
    count = int(str(facts.get("equilibria", facts["pure"])))
    return Choice(rho, count, float(str(facts["regret"])), solution.status)
