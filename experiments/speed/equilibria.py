"""Solvers of the maximum-entropy CCE or CE: accuracy against CPU time a game.

Example: metaspiel speed_equilibria --quick

The games are L2-invariant; all solvers get the same ones, a solver of many at once more
of them. A cell is one solver on one size. The gap is measured on the answer (sum over
players of the largest gain; for CE, over recommendations too); a game is solved when it
is at most 1e-6 and the solver calls its answer optimal. Distance is the total variation
to our interior point (tolerance 1e-10), which cannot judge itself: see the rows of the
conic solvers. Their time includes stating the problem to cvxpy; moreau's (CCE only) the
writing of its arrays for the whole batch. One call a cell, before
the others, is not timed.

Writes cells.json, table.md and report.html, and a file a cell that --resume does not
run again.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.speed.equilibria_config import Config


def page(config: Config) -> Answer:
    """Runs what is missing and prints the table."""
    from experiments.speed.accuracy import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
