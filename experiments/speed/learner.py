"""Speed of learned best responses and sampled payoffs, beside OpenSpiel's DQN.

Example: metaspiel speed_learner --part update response

A response has the settings of --ddqn, by default those of COffeE-PSRO's Table 2; a
fraction of it is learned, and its time extrapolated. What is compared runs in turns in
one process and is measured in CPU seconds of one thread; values are medians over the
turns. OpenSpiel's agent (plain DQN) plays the same game, which OpenSpiel runs in
Python, and OpenSpiel's own `bargaining` in C++, whose network is larger. Its time is
that of as many decisions and updates as ours, the updates with a full replay.

Writes summary.json, table.md and report.html, and a file a part that --resume does not
measure again.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.speed.learner_config import Config


def page(config: Config) -> Answer:
    """Measures what is missing and prints the table."""
    from experiments.speed.learning import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
