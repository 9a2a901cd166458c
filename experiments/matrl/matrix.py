"""MATRL on 2 x 2 games and the rotational game: Table 1, Figures 3 and 7, and controls.

Example: metaspiel matrl_matrix --out runs/matrl_matrix

Table 1 of Wen et al., MATRL: three classes of random games, one game a seed, from
(0.9, 0.2). A game has converged at the first step at which both probabilities are
within 0.05 of a Nash equilibrium's; it stays when they then never leave. Controls:
plain gradient ascent (IGA) with the step of MATRL's best response and with both of its
steps, look-ahead (IGA-LA) with its steps, and a random gate. The sweep gives every rule
one step size for all of its steps. Figure 3: the rotational game, all methods at one
rate. Figure 7: paths on named games. Claims are judged by pairs on the same games.

Writes summary.json, arrays.npz (steps of every game, points of the figures), table.md,
plots and report.html. It takes about 35 CPU seconds, so there is nothing to resume.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.matrl.matrix_config import Config


def page(config: Config) -> Answer:
    """Runs everything, judges and reports."""
    from experiments.matrl.matrix_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
