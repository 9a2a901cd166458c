"""Training of MRA or a variant at several population sizes of one world.

Example: metaspiel mra train --world resource --sizes 6 9 12 --out runs/mra
Example: metaspiel mra train --world pacman --sizes 4,2 6,3 --budget tiny

The run folder holds the two newest checkpoints (--resume goes on from the last, to the
same bits), metrics.jsonl (a row a measurement: score of every size, information of
latents and actions, cross entropy of the guessed game), the agents that were best and
those at the end (best.safetensors, last.safetensors; metaspiel mra adapt reads them),
summary.json, table.md, plots, a moving picture of an episode, and report.html.

Best is what earned most above the untrained agents, in standard deviations of an
untrained episode's score, as the mean over sizes and roles. The episodes that choose
are not those of the table.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.mra.train_config import Config


def page(config: Config) -> Answer:
    """Trains, and answers with the scores at the end."""
    from experiments.mra.training import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
