"""NeuPL-JPSRO beside JPSRO with separate policies: exact games, ablations, controls.

Example: metaspiel neupl_grid --out runs/neupl
Example: metaspiel neupl_grid --games kuhn --variants jpsro neupl --seeds 2

Every variant plays every game with every seed, with exact best responses, exact
payoffs and exact full-game CCE gaps. Variants: jpsro (separate policies, the control),
neupl (the default settings), no-regulariser, concurrent (all codes learn at once
against moving targets, as in the original NeuPL), naive (a loop over information
states with a fixed number of Adam steps), concat, bilinear, attention, codes-4,
codes-64, new-10 and old-10 (weights of the loss), all-states, one-network, estimated
(half of the payoffs estimated from codes, however wrong), adam.

Writes cells/ (a result a run), summary.json, table.md, plots and report.html. A killed
grid goes on with --out FOLDER --resume; it may then ask for more games, variants or
seeds.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.neupl_grid.config import Config


def page(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end."""
    from experiments.neupl_grid.run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
