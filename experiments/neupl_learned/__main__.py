"""NeuPL-JPSRO with learned teachers: transfer, forgetting, teams, controls.

Example: metaspiel neupl_learned --out runs/learned
Example: metaspiel neupl_learned --studies learned_kuhn --seeds 2

Studies: learned_kuhn (Kuhn poker with two and three players and an exact referee:
NeuPL, separate networks, the payoff estimator, a blank summary, no regulariser, other
priors), transfer (decisions that a warm and a cold response need), flag (capture the
flag, two against two: one network against separate ones in cross-play and under
exploiters), openspiel_flag (the same in OpenSpiel's capture_the_flag) and cheetah (a
half-cheetah of two players, with extra mujoco: codes of partners, right and wrong).

Responses are learned by PPO. Writes cells/ (a result each), summary.json, table.md,
plots and report.html. A killed run goes on with --out FOLDER --resume; it may then ask
for more studies or seeds.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.neupl_learned.config import Config


def page(config: Config) -> Answer:
    """Runs what is missing and reports; faults are told at the end."""
    from experiments.neupl_learned.run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
