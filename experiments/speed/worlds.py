"""Speed of our worlds of particles, beside mpe2 and VMAS where they are installed.

Example: metaspiel speed_worlds --out runs/worlds

Environment steps a CPU second of one thread with random actions, drawing them and
beginning new episodes included; what is compared runs in turns in one process. mpe2
plays one episode at a time. Tasks are alike but not the same line by line: what agents
see and are paid differs.

Writes summary.json, table.md and report.html, and a file a number of agents that
--resume does not measure again.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.speed.worlds_config import Config


def page(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    from experiments.speed.simulators import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
