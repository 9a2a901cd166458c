"""MATRL, its ablations and controls on MuJoCo robots moved by several agents.

Example: metaspiel matrl_control --tasks hopper --methods il matrl \
    --seeds 2 --out runs/control

The tasks of Figures 4c and 8 of the MATRL paper (Wen et al.): Hopper with three agents,
Ant and Swimmer with two. Each agent has a part of the robot's torques, sees its whole
state and learns from the whole reward. The robots are Gymnasium's v5; the paper used
v2, so returns do not compare with its curves, for which it gives no numbers. Needs the
extra: pip install .[mujoco]

Settings are those of the paper's Table 5. Its coefficients of entropy and KL, .05 and
.01, are used with 100 on the policy's loss, so they are .0005 and .0001 here (the
authors' code has .001 for KL). The critic's loss is the squared error, without the
authors' clip of a value's change at .1: with returns in the hundreds such a critic
cannot follow. target_kl and lambda are what ran in the authors' code, which never reads
its bound of the meta-game's ratios (.1, Ant .2). Four robots play 1000 steps each an
iteration, whole episodes. One that only the time limit ends is worth what the critic
says (--learner.ppo.no-bootstrap-limits for 0, as in the authors' code). An iteration
takes 1 to 2 CPU seconds on Hopper and Swimmer, 3 on Ant.

Writes summary.json, curves.npz, table.md, plots, report.html and cells/ with metrics
and checkpoints. A killed run goes on with --out FOLDER --resume, which also extends one
by tasks, methods, seeds or iterations.
"""

import sys

from experiments.lab.page import Answer, main
from experiments.matrl.control_config import Config


def page(config: Config) -> Answer:
    """Trains what is missing, judges and reports."""
    from experiments.matrl.control_run import run

    return run(config)


if __name__ == "__main__":
    sys.exit(main(page, Config))
