"""Adaptation of trained agents to another population size, beside a start from scratch.

Example: metaspiel mra adapt runs/mra --size 24 --out runs/mra24
Example: metaspiel mra adapt runs/pacman --size 2,8 --budget tiny

The first word is the folder of a run of metaspiel mra train. The control learns the
same game by the same steps, with untrained agents. The run folder has adapted/ and
scratch/ (metrics.jsonl, checkpoints, agents), summary.json, table.md, plots and
report.html; --resume goes on to the same bits.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.mra.adapt_config import Config


def page(config: Config) -> Answer:
    """Adapts, and answers with the scores before and after."""
    from experiments.mra.adapting import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
