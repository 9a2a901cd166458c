"""Meta-solvers side by side: games x solvers x seeds, with tests and intervals.

Example: metaspiel compare --games "kuhn_poker(players=3)" leduc_poker --solvers nash
         mgcce prd rm --seeds 5 --iterations 40 --jobs 2 --out runs/cmp
Example: metaspiel compare --games leduc_poker --solvers "rrd:threshold=0.1|0.5"
         --eval-solvers same nash --oracles "exact:tie_break=first|random"

Every cell is a run of PSRO, with the same seeds for all methods. What does not apply,
a solver for two players in a game of three, is left out with its reason, and a solver
that fails ends its own run alone.

Writes cells/ (a result a run), curves.csv, table.csv, summary.json, table.md, plots and
report.html. A killed run goes on with --out FOLDER --resume; it may then ask for more
games, solvers, seeds or iterations: what is finished is kept.
"""

import sys

from experiments.compare.config import Config
from experiments.lab.page import Answer, main


def page(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end."""
    from experiments.compare.run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
