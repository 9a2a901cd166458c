"""Cost of a gradient step of networks over entities: factorised beside the plain form.

Example: metaspiel speed_relational --sizes 3 6 --batch 64

A step is MRA's on one batch: the critic's (targets from delayed networks included) and
the policy's. An information step is that of the graph network for all latents. The
plain form has every layer inside the sums over pairs of agents. Situations are random,
widths are the paper's, and what is compared runs in turns in one process, in CPU
milliseconds of one thread; a value is the least over the rounds.

Writes summary.json, table.md and report.html, and a file a cell that --resume does not
measure again.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.speed.relational_config import Config


def page(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    from experiments.speed.relational_steps import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
