"""OpenSpiel's own PSRO with one of our meta-solvers, on Kuhn poker."""

import random

import numpy as np
import pyspiel
from open_spiel.python.algorithms import exploitability, policy_aggregator
from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

from psro.openspiel import as_psro_v2

random.seed(0)
np.random.seed(0)  # noqa: NPY002  (OpenSpiel's selectors draw from it)
game = pyspiel.load_game("kuhn_poker")
solver = psro_v2.PSROSolver(
    game,
    best_response_oracle.BestResponseOracle(game=game),
    sims_per_entry=200,
    training_strategy_selector="probabilistic",
    meta_strategy_method=as_psro_v2("mgcce"),
    sample_from_marginals=True,
)
for iteration in range(1, 6):
    solver.iteration()
    mixed = policy_aggregator.PolicyAggregator(game).aggregate(
        range(2), solver.get_policies(), solver.get_meta_strategies()
    )
    print(iteration, f"NashConv {exploitability.nash_conv(game, mixed):.3f}")
