"""Tables 1 and 2 of the Neural Equilibrium Solver's paper, next to ours.

Example: metaspiel nes_tables --quick

Games are two-player, L2-invariant (mean 0, variance 1), and the solution is the
maximum-entropy CCE. CCE gap: sum over players of the largest gain. Solver gap: half the
absolute difference to the exact joint. Published values are those of Marris et al.,
"Turbocharging Solution Concepts", NeurIPS 2022; a network of theirs was trained for
each size (Table 1) or at 8x8 alone (Table 2), while ours is one file of weights.

ECOS solves the same games in two formulations: the approximation fixed at 0, and as a
variable with a penalty (rho 100) and an explicit bound that never binds.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.nes.tables_config import Config


def page(config: Config) -> Answer:
    """Measures what is missing, and lays the tables side by side."""
    from experiments.nes.published import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
