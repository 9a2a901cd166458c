"""What an iteration of MATRL costs, and where the time goes (MATRL, Figure 5b).

Example: metaspiel matrl_cost --out runs/cost

All times are CPU seconds of one process with one thread.

iteration: every method takes one iteration from the same state, in turn, so that the
load of the machine hits all alike; the independent learner's leads on to the next
round. Medians over rounds, by phase; ratios are medians of the rounds' ratios.

simulator: environment steps a second with random actions, beside those of ma-gym.

nash: estimating a meta-game from 2000 samples and solving games of random payoffs, by
number of agents, beside the CMA-ES that the authors solve it with.

Writes parts/ (one file a measurement; --out FOLDER --resume keeps those that are
there), summary.json, table.md, a plot and report.html.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.matrl.cost_config import Config


def page(config: Config) -> Answer:
    """Measures what is missing, and says where the results are."""
    from experiments.matrl.cost_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
